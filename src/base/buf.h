/*
 * A growable byte buffer with a cap.
 *
 * Invariants: `len <= cap <= max`; `data` is NULL until the first byte is appended. One owner, one thread.
 * An append that fails leaves the buffer as it was.
 */
#pragma once
#include "base/compiler.h"
#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data;
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t max; /* bytes it may ever hold */
};

/* An empty buffer that will hold at most `max` bytes; allocates nothing. */
void buf_init(struct buf *buf, size_t max);

/* Frees the memory; the buffer is empty and usable again. */
void buf_done(struct buf *buf);

/* Appends `len` bytes. 0, -ENOBUFS past the cap, or -ENOMEM. */
int buf_append(struct buf *buf, const void *bytes, size_t len) MUST_CHECK;

/* Appends a string without its NUL. Errors as buf_append. */
int buf_append_str(struct buf *buf, const char *text) MUST_CHECK;

/* Appends formatted text. Errors as buf_append. */
int buf_printf(struct buf *buf, const char *format, ...) MUST_CHECK PRINTF_LIKE(2, 3);

/* Makes room for `len` bytes behind the content and returns where they go (the caller adds to `len`), or NULL. */
char *buf_reserve(struct buf *buf, size_t len) MUST_CHECK;

/* Drops the first `len` bytes (at most all). */
void buf_consume(struct buf *buf, size_t len);
