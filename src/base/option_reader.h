/*
 * Reads a table of options (option.h) into struct config from the command line, the environment and an INI file, and
 * tells every mistake on stderr, one line each. The order of the calls does not matter: what stands on a higher layer
 * wins, and a list of a higher layer replaces that of a lower one.
 */
#pragma once
#include "base/option.h"

/* From lowest to highest. */
enum option_layer { OPTION_FROM_DEFAULT, OPTION_FROM_FILE, OPTION_FROM_ENVIRONMENT, OPTION_FROM_FLAG };

enum { OPTION_TABLE_MAX = 96 };

struct option_reader {
    const struct option *table;
    size_t count; /* at most OPTION_TABLE_MAX */
    enum config_program program;
    const char *program_name; /* begins each line about a mistake */
    struct config *config;
    enum option_layer layer[OPTION_TABLE_MAX]; /* where each row's value is from */
    bool is_wrong[OPTION_TABLE_MAX];           /* a mistake in it was told */
    unsigned mistakes;
    bool wants_help, wants_version; /* --help, --version were among the flags */
};

/* Sets the defaults of all rows, also of those for other programs. `config` must hold no string and no list yet. */
void option_reader_init(struct option_reader *reader, const struct option *table, size_t count,
                        enum config_program program, struct config *config);

/* Once: `--name value`, `--name=value`, `--flag`; what is no option, and all behind `--`, goes to config->words. */
void option_reader_read_flags(struct option_reader *reader, int argc, char **argv);

/* BANTER_NAME=value; an empty value counts as none. `environment` is a list as environ(7). */
void option_reader_read_environment(struct option_reader *reader, char **environment);

/* `name = value` lines; section headings may order them and mean nothing. A file that cannot be read is a mistake. */
void option_reader_read_file(struct option_reader *reader, const char *path);

/* Tells a mistake: "PROGRAM: " and the sentence, in one line whatever is in it: control characters become '?'. */
void option_reader_mistake(struct option_reader *reader, const char *format, ...) PRINTF_LIKE(2, 3);

/* "banterd", "banter-bot", "banter", "banter-bench". */
const char *option_program_name(enum config_program program);
