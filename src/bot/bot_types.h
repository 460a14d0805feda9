/* The bots that are built in: one row each. Adding a bot is a file and a row. */
#pragma once
#include "banter/bot.h"
#include <stdbool.h>
#include <stdio.h>

extern const struct banter_bot_type bot_echo;      /* echo.c */
extern const struct banter_bot_type bot_sentiment; /* sentiment.c */
extern const struct banter_bot_type bot_fake_llm;  /* fake_llm.c */

/* The type of that name, or NULL. */
const struct banter_bot_type *bot_types_find(const char *name);

/* The names, in order; NULL past the last. */
const char *bot_types_name(size_t index);

/* One line per type and per option, as --help shows them. */
void bot_types_print(FILE *out);

/* Reads a setting that is a whole number from `least` to `most`. False with a sentence in `error` if it is not. */
bool bot_types_read_number(const char *type, const char *key, const char *value, long least, long most, long *number,
                           char *error, size_t error_size);
