/*
 * Bytes from Redis (RESP2) into trees of struct redis_value. hiredis finds the values; they are laid out in an arena of
 * the parser, so that an answer costs no malloc once the arena has grown to the usual size. Pure: no I/O.
 *
 * What a broken or hostile peer can make it hold is capped: PARSER_MAX_BYTES of unparsed input and as much of tree,
 * PARSER_MAX_DEPTH arrays within the outermost one. Whatever RESP2 does not have is refused.
 */
#pragma once
#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>

struct redis_parser;
struct redis_value;

enum { PARSER_MAX_BYTES = 64 << 20, PARSER_MAX_DEPTH = 7 };

/* A parser at the beginning of a stream of answers. 0 or -ENOMEM. */
int redis_parser_new(struct redis_parser **parser) MUST_CHECK;

/* Frees it and the answer last given. NULL is fine. */
void redis_parser_free(struct redis_parser *parser);

/* Takes in bytes (copies them). 0; -EMSGSIZE past the cap; -ENOMEM. */
int redis_parser_feed(struct redis_parser *parser, const char *bytes, size_t len) MUST_CHECK;

/*
 * The next whole answer, which lives until the next call. 1: `*value` is set; 0: more bytes are needed; -EPROTO: the
 * stream is unusable, redis_parser_error says why.
 */
int redis_parser_next(struct redis_parser *parser, const struct redis_value **value) MUST_CHECK;

const char *redis_parser_error(const struct redis_parser *parser);
