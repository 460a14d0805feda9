/*
 * Makes UTF-8 of whatever a bot says: each invalid sequence and each NUL becomes U+FFFD. Pieces may end in the middle
 * of a character, whose bytes wait here for the rest. The text is cut at a character where the buffer is full.
 */
#pragma once
#include "base/buf.h"
#include <stdbool.h>

struct clean_text {
    unsigned char waiting[4]; /* the beginning of a character */
    size_t waiting_len;
    bool is_cut; /* the buffer's cap was reached, or there was no memory: all that follows is dropped */
};

/* Appends a piece. */
void clean_text_append(struct clean_text *clean, struct buf *out, const char *bytes, size_t len);

/* No more is coming: a character that waits for its rest is invalid. */
void clean_text_end(struct clean_text *clean, struct buf *out);
