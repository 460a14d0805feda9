/*
 * The settings of all four programs, from one table (config_table.c): flag over environment (BANTER_…, and
 * BANTER_…_FILE for secrets) over file (--config, INI) over default. Constant once read.
 *
 * Every mistake is reported, all at once, with where it stands and what would be right; unknown names get a suggestion.
 */
#pragma once
#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum config_program {
    CONFIG_BANTERD = 1 << 0,
    CONFIG_BOT = 1 << 1,
    CONFIG_CLI = 1 << 2,
    CONFIG_BENCH = 1 << 3,
};

/* Words of an option that may be repeated, in order. */
struct config_list {
    const char **item;
    size_t count;
};

struct config {
    /* Where */
    struct config_list listen; /* HOST:PORT; default localhost:8000 */
    const char *redis;         /* URL, or NULL: embedded */
    const char *state_dir;     /* default: $XDG_STATE_HOME/banter, ~/.local/state/banter, /var/lib/banter for root */
    const char *redis_fsync;   /* always | everysec | no */
    int64_t ready_fd;          /* -1: none */
    const char *config_file;   /* NULL: /etc/banter/banterd.conf if it is there */
    /* Bots */
    struct config_list bot;  /* NAME[:options] | NAME=TYPE[:options] */
    const char *default_bot; /* NULL: the first --bot, else echo */
    int64_t lease_s;
    int64_t concurrency; /* turns one worker has in work at once */
    /* Sessions */
    int64_t token_ttl_s;
    int64_t max_session_life_s; /* 0: none */
    int64_t history;            /* messages kept */
    int64_t max_pending;        /* unanswered turns of a session */
    int64_t max_sockets;        /* connections of a session on one server */
    int64_t max_text;           /* bytes */
    int64_t max_frame;          /* bytes */
    int64_t max_answer;         /* bytes */
    int64_t max_queue;          /* waiting messages of one bot */
    /* Limits */
    int64_t threads; /* reactors */
    int64_t token_rate;
    int64_t message_rate;
    int64_t message_burst;
    int64_t max_connections; /* 0: from the descriptor limit */
    int64_t max_per_address;
    int64_t drain_time_s;
    int64_t ping_interval_ms;
    int64_t pong_wait_ms;
    int64_t handshake_timeout_ms;
    int64_t redis_timeout_ms;
    /* Web */
    struct config_list origin;        /* allowed beside the same origin and localhost */
    struct config_list host;          /* names we answer to */
    struct config_list trusted_proxy; /* CIDR */
    const char *public_url;           /* or NULL */
    /* Log */
    const char *log_level;  /* error | warning | info | debug */
    const char *log_format; /* auto | pretty | logfmt */
    /* The people's tools, banter and banter-bench */
    const char *url;   /* of the server: http://HOST:PORT */
    const char *name;  /* of the user, for a new session */
    const char *token; /* NULL: open a session. Secret; also read from --token-file and BANTER_TOKEN_FILE */
    int64_t timeout_ms;
    bool json; /* write JSON, not text for people */
    /* The load of banter-bench */
    struct config_bench {
        const char *mode;       /* chat | token | handshake | idle */
        int64_t clients;        /* at once */
        int64_t rate;           /* messages a second over all clients; 0: closed loop */
        const char *message;    /* what each client says */
        int64_t warmup_ms;      /* not counted */
        int64_t duration_ms;    /* counted */
        struct config_list pid; /* processes whose CPU time and memory are reported; decimal, at least 1 */
    } bench;
    /* What was typed after the options (commands, a message, ...); borrowed from argv. */
    char **words;
    int word_count;
};

enum config_result {
    CONFIG_OK,
    CONFIG_DONE,  /* --help or --version was answered on stdout: exit 0 */
    CONFIG_WRONG, /* all mistakes were reported on stderr: exit 2 */
};

/*
 * Reads the settings of `program` from argv, the environment and the file. `usage` is what `--help` shows above the
 * options: a sentence and examples. Options may stand before and after words; `--` ends them. With CONFIG_OK `config`
 * owns its strings, to be released by config_done; with any other result it holds nothing.
 */
enum config_result config_read(struct config *config, enum config_program program, const char *usage, int argc,
                               char **argv) MUST_CHECK;

/* Frees all strings and lists. Harmless on a struct that is all zero, and twice. */
void config_done(struct config *config);

/* Writes the settings in force as a configuration file (`banterd config show`). Secrets are left out. */
void config_write_file(FILE *out, const struct config *config, enum config_program program);

/* Writes the options of `program` as a Markdown table, as the README shows them. */
void config_write_markdown(FILE *out, enum config_program program);
