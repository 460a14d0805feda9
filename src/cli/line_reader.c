#include "cli/line_reader.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 16 * 1024 };

static struct line_reader *reader_of(void *handle)
{
    return CONTAINER_OF(handle, struct line_reader, handle);
}

/* Finds the next line and moves behind it. At the end of the input, what has no newline is a line too. */
static bool take_line(struct line_reader *reader, const char **line, size_t *len)
{
    size_t left = reader->bytes.len - reader->delivered;
    *line = reader->bytes.data + reader->delivered;
    const char *newline = left > 0 ? memchr(*line, '\n', left) : NULL;
    if (!newline && (left == 0 || !reader->has_ended))
        return false;
    *len = newline ? (size_t)(newline - *line) : left;
    reader->delivered += *len + (newline != NULL);
    if (*len > 0 && (*line)[*len - 1] == '\r')
        --*len;
    return true;
}

static void deliver(struct line_reader *reader)
{
    const char *line;
    size_t len;
    while (reader->is_open && !reader->is_paused && take_line(reader, &line, &len))
        reader->on_line(reader, line, len);
    if (reader->is_open && !reader->is_paused && reader->has_ended && !reader->end_is_told) {
        reader->end_is_told = true;
        reader->on_end(reader, reader->end_error);
    }
}

static char *make_room(struct line_reader *reader)
{
    buf_consume(&reader->bytes, reader->delivered);
    reader->delivered = 0;
    return reader->bytes.len > LINE_MAX_BYTES ? NULL : buf_reserve(&reader->bytes, READ_SIZE);
}

static void stop_reading(struct line_reader *reader)
{
    if (reader->is_stream)
        uv_read_stop(&reader->handle.stream);
    else
        uv_idle_stop(&reader->handle.idle);
}

/* `n` bytes were read, or it is a negative errno (libuv's end of file among them). */
static void note_read(struct line_reader *reader, ssize_t n)
{
    if (n > 0) {
        reader->bytes.len += (size_t)n;
    } else if (n < 0) {
        reader->has_ended = true;
        reader->end_error = n == UV_EOF ? 0 : (int)n;
        if (n == UV_ENOBUFS)
            buf_consume(&reader->bytes, reader->bytes.len); /* half a line is none */
        stop_reading(reader);
    }
    deliver(reader);
}

static void handle_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *room)
{
    (void)suggested;
    char *start = make_room(reader_of(handle));
    *room = uv_buf_init(start, start ? READ_SIZE : 0); /* none: libuv says UV_ENOBUFS to handle_read */
}

static void handle_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
    (void)bytes;
    note_read(reader_of(stream), n);
}

static void handle_idle(uv_idle_t *idle)
{
    struct line_reader *reader = reader_of(idle);
    char *room = make_room(reader);
    ssize_t n = room ? read(reader->fd, room, READ_SIZE) : UV_ENOBUFS;
    if (n == 0)
        n = UV_EOF;
    else if (n == -1)
        n = -errno;
    note_read(reader, n);
}

int line_reader_open(struct line_reader *reader, uv_loop_t *loop, int fd)
{
    int error = 0;
    reader->fd = fd;
    reader->is_paused = true;
    buf_init(&reader->bytes, LINE_MAX_BYTES + READ_SIZE);
    switch (uv_guess_handle(fd)) {
    case UV_TTY:
        reader->is_stream = true;
        error = uv_tty_init(loop, &reader->handle.tty, fd, 1);
        break;
    case UV_NAMED_PIPE:
    case UV_TCP:
        reader->is_stream = true;
        error = uv_pipe_init(loop, &reader->handle.pipe, 0);
        if (!error && (error = uv_pipe_open(&reader->handle.pipe, fd)) != 0)
            uv_close(&reader->handle.any, NULL);
        break;
    default:
        error = uv_idle_init(loop, &reader->handle.idle);
        break;
    }
    reader->is_open = !error;
    return error;
}

void line_reader_pause(struct line_reader *reader)
{
    if (!reader->is_open || reader->is_paused)
        return;
    reader->is_paused = true;
    stop_reading(reader);
}

/* Fails where the descriptor is open for writing only. */
static int start_reading(struct line_reader *reader)
{
    if (reader->is_stream)
        return uv_read_start(&reader->handle.stream, handle_alloc, handle_read);
    return uv_idle_start(&reader->handle.idle, handle_idle);
}

void line_reader_resume(struct line_reader *reader)
{
    if (!reader->is_open || !reader->is_paused)
        return;
    reader->is_paused = false;
    if (!reader->has_ended) {
        reader->end_error = start_reading(reader);
        reader->has_ended = reader->end_error != 0;
    }
    deliver(reader);
}

static void handle_closed(uv_handle_t *handle)
{
    buf_done(&reader_of(handle)->bytes);
}

void line_reader_close(struct line_reader *reader)
{
    if (!reader->is_open)
        return;
    reader->is_open = false;
    uv_close(&reader->handle.any, handle_closed);
}
