/*
 * The log: one event, one line, on stderr, written by whoever handles the event. Lower layers (base, protocol) return
 * errors and do not log. Never pass a token, a message text or a secret.
 *
 * A line is an event in words and its fields as `key=value` pairs (logfmt); on a terminal it is laid out for people.
 * The level and format are process-wide and set before threads start; the context is per thread.
 */
#pragma once
#include "base/compiler.h"
#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_ERROR,   /* a human must look */
    LOG_LEVEL_WARNING, /* degraded, going on */
    LOG_LEVEL_INFO,    /* start, stop, connection states */
    LOG_LEVEL_DEBUG,
};

enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_PRETTY, LOG_FORMAT_LOGFMT };

/* AUTO is pretty on a terminal, else logfmt. Call once, before threads start. */
void log_init(enum log_level level, enum log_format format);

/* The values of --log-level and --log-format; INFO and AUTO for any other name. */
enum log_level log_level_from_name(const char *name);
enum log_format log_format_from_name(const char *name);

/* Names this thread in its lines, e.g. "reactor-0"; "main" until then. The string is copied (at most 31 bytes). */
void log_set_context(const char *name);

bool log_enabled(enum log_level level);

/*
 * Writes one line: `event`, then the fields (a printf format of `key=value` pairs, or NULL). One write(2) per line.
 * Control characters are shown as \xNN, so a value from a peer cannot forge a line; put it in quotes where it may have
 * spaces. A line is cut near 2 KiB. Leaves errno alone.
 */
void log_write(enum log_level level, const char *event, const char *fields, ...) PRINTF_LIKE(3, 4);

/* For events that can repeat without bound: one line a second at most per `repeat`, with the number left out. */
struct log_repeat {
    uint64_t last_ms;
    uint64_t suppressed;
};
void log_write_repeated(struct log_repeat *repeat, enum log_level level, const char *event, const char *fields, ...)
    PRINTF_LIKE(4, 5);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
