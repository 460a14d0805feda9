/*
 * The plain text dialect: a text frame in is a user's message, a frame out is a bot's finished answer with nothing
 * around it. What was refused and what failed is a frame `ERROR: why`.
 */
#pragma once
#include "base/buf.h"

/* Appends `ERROR: why`. 0 or a buf_append error. */
int dialect_text_error(struct buf *out, const char *why, size_t len) MUST_CHECK;
