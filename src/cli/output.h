/* What others wrote, put where people see it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Writes UTF-8 text from a server or a bot. On a terminal its control characters (but for newline and tab) become '?':
 * an answer must not move the cursor, rename the window or type for the user. Into a file or a pipe it goes as it is.
 */
void output_write_text(FILE *out, const char *text, size_t len);

/* An answer on stdout: a line, or with `is_json` {"msg":"..."}. */
void output_write_answer(const char *text, size_t len, bool is_json);

/* "banter: what" and, if it is not NULL, "  fix", on stderr. */
void output_write_error(const char *what, const char *fix);
