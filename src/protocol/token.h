/* A session's token: a random UUIDv4 (122 random bits) in its canonical form, 36 characters, lower case. */
#pragma once
#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>

enum { TOKEN_LEN = 36 };

struct token {
    char text[TOKEN_LEN + 1]; /* NUL-terminated */
};

/* Makes a new one from the kernel's random source. 0, or negative errno if that fails (there is no weaker fallback). */
int token_make(struct token *token) MUST_CHECK;

/* True, and a copy in `token`, if the bytes are exactly a canonical UUIDv4; nothing else is a token. */
bool token_parse(struct token *token, const char *bytes, size_t len);

/* 8 hex digits of SHA-256(token): all of a token that a log may hold. `out` has room for 9. */
void token_fingerprint(const struct token *token, char out[9]);
