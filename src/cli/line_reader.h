/*
 * Lines from a descriptor, on a loop: a terminal, a pipe, a socket or a file. Lines come without their newline (or CR
 * LF); the last one may lack it. Callbacks run from the loop and may call anything here.
 */
#pragma once
#include "base/buf.h"
#include <stdbool.h>
#include <uv.h>

enum { LINE_MAX_BYTES = 1024 * 1024 };

struct line_reader {
    union {
        uv_handle_t any;
        uv_stream_t stream;
        uv_tty_t tty;
        uv_pipe_t pipe;
        uv_idle_t idle; /* for files, which are always ready and which epoll does not take */
    } handle;
    int fd;
    bool is_open, is_stream, is_paused, has_ended, end_is_told;
    int end_error;
    struct buf bytes; /* what was read */
    size_t delivered; /* of them */
    void (*on_line)(struct line_reader *reader, const char *line, size_t len);
    /* No more lines: 0 at the end, -ENOBUFS after a line above LINE_MAX_BYTES, or what read(2) said. Once. */
    void (*on_end)(struct line_reader *reader, int error);
};

/* Takes `fd` over and starts paused; the callbacks must be set. 0 or negative errno; on failure nothing is registered.
 */
int line_reader_open(struct line_reader *reader, uv_loop_t *loop, int fd) MUST_CHECK;

/* Stops delivery, exact to the line. Idempotent. */
void line_reader_pause(struct line_reader *reader);

/* Starts it again; lines that were read already are delivered before it returns. Idempotent. */
void line_reader_resume(struct line_reader *reader);

/* Lets the loop end; no callback comes any more. Idempotent; harmless on one that was not opened (all zero). */
void line_reader_close(struct line_reader *reader);
