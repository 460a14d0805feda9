/* The validator: which texts and names users may send. Rules count bytes unless they say characters. */
#pragma once
#include "base/reject.h"
#include <stddef.h>

enum { NAME_MAX_CHARACTERS = 64 };

/* A user message, already valid UTF-8: TEXT_EMPTY (nothing but white space), TEXT_NUL, TEXT_TOO_LONG, or NONE. */
enum reject validate_text(const char *text, size_t len, size_t max_text);

/* The name of a session's user: valid UTF-8, not blank, at most 64 characters, no control characters. */
enum reject validate_name(const char *name, size_t len);
