/*
 * One run of a load, whatever its mode: opening, warming up, the window that counts, the end.
 *
 *            load_is_ready          warmup_ms             duration_ms                 load_is_finished
 *   OPENING ───────────────> WARMING ────────> MEASURING ─────────────> ENDING ────────────────────────> over
 *                                                                         │ timeout_ms: mode->abandon
 *
 * Work counts if it began inside the window, whenever it ends: the last answers are waited for, so that a stall at the
 * end shows. One thread; the mode's part runs from callbacks of its own clients.
 */
#pragma once
#include "base/compiler.h"
#include "base/config.h"
#include "bench/histogram.h"
#include "bench/process_usage.h"
#include "client/chat_client.h"

struct load;

struct load_mode {
    const char *name;
    const char *unit; /* what is counted, in the plural */
    const struct chat_client_callbacks *callbacks;
    int (*start)(struct load *load);    /* opens what it needs; 0 or negative errno */
    void (*begin)(struct load *load);   /* all is ready: work from now on. May be NULL */
    void (*stop)(struct load *load);    /* nothing new from now on; close when what is under way has ended */
    void (*abandon)(struct load *load); /* close at once */
    void (*release)(struct load *load); /* frees load->state, after the loop */
};

enum load_phase { LOAD_OPENING, LOAD_WARMING, LOAD_MEASURING, LOAD_ENDING };

enum { LOAD_PROCESSES_MAX = 16 };

struct load {
    const struct config *config;
    const struct load_mode *mode;
    void *state; /* the mode's */
    uv_loop_t loop;
    struct server_url url;
    struct chat_client_pool *pool;
    enum load_phase phase;
    uv_timer_t phase_timer, progress_timer;
    uint64_t window_begin_ns, window_end_ns;
    struct process_usage before[LOAD_PROCESSES_MAX], after[LOAD_PROCESSES_MAX];
    int pid[LOAD_PROCESSES_MAX];
    unsigned processes;
    unsigned memory_units; /* connections that opened between `before` and `after`; 0: memory is not what is measured */
    uint64_t errors;       /* any kind, in any phase */
    uint64_t mismatches;   /* of them, answers to another question */
    struct histogram latency_ns;
};

/* The monotonic clock of all measurements. */
uint64_t load_now_ns(void);

/* Runs the whole load. 0, or negative errno after a sentence on stderr if it could not be run. */
int load_run(struct load *load, const struct config *config, const struct load_mode *mode) MUST_CHECK;

/* --- For the modes --- */

/* Everything is open. */
void load_is_ready(struct load *load);

/* Counts one piece of work that began at `begun_ns` and ends now, if it began in the window. */
void load_count(struct load *load, uint64_t begun_ns);

/* Counts a failure; the first one is told on stderr. A failure while opening ends the load. */
void load_count_error(struct load *load, const char *sentence);

/* Reads the memory of the processes as it is before what the run adds. */
void load_note_memory(struct load *load);

/* Everything is closed. */
void load_is_finished(struct load *load);
