#include "check.h"
#include "cli/line_reader.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

struct log {
    struct line_reader reader;
    char lines[256]; /* each followed by '|' */
    unsigned count;
    unsigned pause_after; /* 0: never */
    bool ended;
    int error;
};

static void handle_line(struct line_reader *reader, const char *line, size_t len)
{
    struct log *log = CONTAINER_OF(reader, struct log, reader);
    if (len < 100)
        snprintf(log->lines + strlen(log->lines), sizeof log->lines - strlen(log->lines), "%.*s|", (int)len, line);
    log->count++;
    if (log->pause_after > 0 && log->count % log->pause_after == 0)
        line_reader_pause(reader);
}

static void handle_end(struct line_reader *reader, int error)
{
    struct log *log = CONTAINER_OF(reader, struct log, reader);
    CHECK(!log->ended);
    log->ended = true;
    log->error = error;
    line_reader_close(reader);
}

static int file_with(const char *bytes, size_t len)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static int pipe_with(const char *bytes, size_t len)
{
    int ends[2];
    CHECK(pipe(ends) == 0 && write(ends[1], bytes, len) == (ssize_t)len);
    close(ends[1]);
    return ends[0];
}

/* Reads `fd` to its end; each time the loop runs dry while paused, it goes on. */
static struct log read_all(int fd, unsigned pause_after)
{
    static uv_loop_t loop;
    static struct log log;
    log = (struct log){.reader.on_line = handle_line, .reader.on_end = handle_end, .pause_after = pause_after};
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(line_reader_open(&log.reader, &loop, fd) == 0);
    while (!log.ended) {
        unsigned before = log.count;
        line_reader_resume(&log.reader);
        uv_run(&loop, UV_RUN_DEFAULT);
        CHECK(log.ended || log.count == before + pause_after);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
    return log;
}

static void check_lines(const char *input, const char *lines)
{
    int (*const sources[])(const char *bytes, size_t len) = {file_with, pipe_with};
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        for (unsigned pause_after = 0; pause_after <= 2; pause_after++) {
            int fd = sources[i](input, strlen(input));
            struct log log = read_all(fd, pause_after);
            CHECK_STR(log.lines, lines);
            CHECK(log.error == 0);
            close(fd);
        }
}

static void test_lines(void)
{
    check_lines("", "");
    check_lines("a\n", "a|");
    check_lines("a\nb\r\n\nc", "a|b||c|");
    check_lines("\n\n", "||");
    check_lines("no newline", "no newline|");
}

static void test_longest_line(void)
{
    size_t len = LINE_MAX_BYTES + 64 * 1024;
    char *bytes = malloc(len);
    CHECK(bytes);
    memset(bytes, 'a', len);
    int fd = file_with(bytes, len);
    struct log log = read_all(fd, 0);
    CHECK(log.count == 0);
    CHECK(log.error == -ENOBUFS);
    close(fd);
    bytes[LINE_MAX_BYTES - 1] = bytes[len - 1] = '\n';
    fd = file_with(bytes, LINE_MAX_BYTES);
    log = read_all(fd, 0);
    CHECK(log.count == 1);
    CHECK(log.error == 0);
    close(fd);
    free(bytes);
}

/* Nothing will ever come from there: that is an end, and not a wait. */
static void test_descriptor_that_cannot_be_read(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    struct log log = read_all(ends[1], 0);
    CHECK(log.count == 0);
    CHECK(log.error < 0);
    close(ends[0]);
}

int main(void)
{
    test_lines();
    test_longest_line();
    test_descriptor_that_cannot_be_read();
    return 0;
}
