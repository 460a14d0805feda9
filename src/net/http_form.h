/*
 * Fields of a query or of an application/x-www-form-urlencoded body: `name=value` joined by `&`, `+` for a space, %XX
 * for any byte. A `%` without two hexadecimal digits stands for itself, as in browsers. Pure functions, binary safe.
 */
#pragma once
#include <stddef.h>

/*
 * Finds the field `name`. Returns how often it occurs; if it does, `*raw` and `*raw_len` are the first one's value,
 * still encoded.
 */
unsigned http_form_find(const char *text, size_t len, const char *name, const char **raw, size_t *raw_len);

/* Decodes into `out`, which has room for `len` bytes; returns how many were written. */
size_t http_form_decode(char *out, const char *raw, size_t len);
