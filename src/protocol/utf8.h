/* UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* The length (1 to 4) of the valid sequence at `bytes`, or 0 if there is none within `len`. */
size_t utf8_sequence(const char *bytes, size_t len);

bool utf8_is_valid(const char *bytes, size_t len);

/* Code points in valid UTF-8. */
size_t utf8_count(const char *bytes, size_t len);
