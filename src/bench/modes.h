/* What banter-bench can measure: one table row each, one file each. */
#pragma once
#include "bench/load.h"

/* Question and answer: the next question after each answer, or, with --rate, by the clock, whatever is unanswered. */
extern const struct load_mode mode_chat;

/* POST /token over connections that are kept alive. */
extern const struct load_mode mode_token;

/* Connect, upgrade with a token, close, again. The server reads our Close frame only when Redis has confirmed the
 * token, so its answer to the close is the confirmation. */
extern const struct load_mode mode_handshake;

/* Connections that are open and silent: for the memory that each one takes. */
extern const struct load_mode mode_idle;
