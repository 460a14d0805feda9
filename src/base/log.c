#include "base/log.h"
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A longer line is cut: pipes take up to 4096 bytes of one write(2) in one piece, so lines of threads never mix. */
enum { LINE_BYTES = 4096, TEXT_BYTES = 2048, REPEAT_MS = 1000 };

static const struct {
    const char *name;
    const char *colour;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", "\033[31m"},
    [LOG_LEVEL_WARNING] = {"warning", "\033[33m"},
    [LOG_LEVEL_INFO] = {"info", "\033[32m"},
    [LOG_LEVEL_DEBUG] = {"debug", "\033[36m"},
};

static const char *const formats[] = {
    [LOG_FORMAT_AUTO] = "auto",
    [LOG_FORMAT_PRETTY] = "pretty",
    [LOG_FORMAT_LOGFMT] = "logfmt",
};

static enum log_level highest_level = LOG_LEVEL_INFO;
static bool pretty;
static bool coloured;
static _Thread_local char context[32] = "main";

static bool environment_has(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

static bool terminal_takes_colour(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !environment_has("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

void log_init(enum log_level level, enum log_format format)
{
    highest_level = level;
    pretty = format == LOG_FORMAT_PRETTY || (format == LOG_FORMAT_AUTO && isatty(STDERR_FILENO));
    coloured = pretty && terminal_takes_colour();
}

enum log_level log_level_from_name(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(levels); i++)
        if (strcmp(name, levels[i].name) == 0)
            return (enum log_level)i;
    return LOG_LEVEL_INFO;
}

enum log_format log_format_from_name(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++)
        if (strcmp(name, formats[i]) == 0)
            return (enum log_format)i;
    return LOG_FORMAT_AUTO;
}

void log_set_context(const char *name)
{
    snprintf(context, sizeof context, "%s", name);
}

bool log_enabled(enum log_level level)
{
    return level <= highest_level;
}

/* A line in the making. There is always room left for the newline. */
struct line {
    size_t len;
    char text[LINE_BYTES];
};

static void add_raw(struct line *line, const char *text)
{
    size_t len = strlen(text);
    if (len < sizeof line->text - line->len) {
        memcpy(line->text + line->len, text, len);
        line->len += len;
    }
}

static bool is_c1(unsigned char first, unsigned char second)
{
    return first == 0xc2 && second >= 0x80 && second <= 0x9f;
}

/* Adds text of any origin. C0, DEL and C1 (two bytes in UTF-8) are shown as \xNN: nothing in it can forge a line. */
static void add_text(struct line *line, const char *text)
{
    unsigned char before = 0;
    for (const char *at = text; *at; at++) {
        unsigned char byte = (unsigned char)*at;
        char piece[5] = {(char)byte};
        if (byte < 0x20 || byte == 0x7f || is_c1(byte, (unsigned char)at[1]) || is_c1(before, byte))
            snprintf(piece, sizeof piece, "\\x%02x", byte);
        add_raw(line, piece);
        before = byte;
    }
}

static void begin_pretty(struct line *line, enum log_level level, const char *event, const struct timespec *now)
{
    struct tm local;
    char text[64];
    strftime(text, sizeof text, "%H:%M:%S ", localtime_r(&now->tv_sec, &local));
    add_raw(line, text);
    add_raw(line, coloured ? levels[level].colour : "");
    snprintf(text, sizeof text, "%-7s", levels[level].name);
    add_raw(line, text);
    add_raw(line, coloured ? "\033[0m" : "");
    snprintf(text, sizeof text, " %-10s ", context);
    add_text(line, text);
    add_text(line, event);
}

static void begin_logfmt(struct line *line, enum log_level level, const char *event, const struct timespec *now)
{
    struct tm utc;
    char text[128], date[32];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", gmtime_r(&now->tv_sec, &utc));
    snprintf(text, sizeof text, "time=%s.%03dZ level=%s thread=%s event=\"", date, (int)(now->tv_nsec / 1000000),
             levels[level].name, context);
    add_text(line, text);
    add_text(line, event);
    add_raw(line, "\"");
}

static void write_line(enum log_level level, const char *event, uint64_t left_out, const char *fields, va_list values)
{
    int saved_errno = errno;
    struct line line = {0};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    (pretty ? begin_pretty : begin_logfmt)(&line, level, event, &now);
    if (fields) {
        char text[TEXT_BYTES];
        vsnprintf(text, sizeof text, fields, values);
        add_raw(&line, pretty ? "  " : " ");
        add_text(&line, text);
    }
    if (left_out > 0) {
        char text[48];
        snprintf(text, sizeof text, " left_out=%llu", (unsigned long long)left_out);
        add_raw(&line, text);
    }
    line.text[line.len++] = '\n';
    /* Where the log itself cannot be written there is nobody to tell. */
    ssize_t ignored = write(STDERR_FILENO, line.text, line.len);
    (void)ignored;
    errno = saved_errno;
}

void log_write(enum log_level level, const char *event, const char *fields, ...)
{
    if (!log_enabled(level))
        return;
    va_list values;
    va_start(values, fields);
    write_line(level, event, 0, fields, values);
    va_end(values);
}

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void log_write_repeated(struct log_repeat *repeat, enum log_level level, const char *event, const char *fields, ...)
{
    if (!log_enabled(level))
        return;
    uint64_t now_ms = monotonic_ms();
    if (repeat->last_ms != 0 && now_ms - repeat->last_ms < REPEAT_MS) {
        repeat->suppressed++;
        return;
    }
    va_list values;
    va_start(values, fields);
    write_line(level, event, repeat->suppressed, fields, values);
    va_end(values);
    repeat->last_ms = now_ms;
    repeat->suppressed = 0;
}
