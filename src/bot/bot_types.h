/* The bots that are built in: one row each. Adding a bot is a file and a row. */
#pragma once
#include "banter/bot.h"
#include <stdio.h>

extern const struct banter_bot_type bot_echo;      /* echo.c */
extern const struct banter_bot_type bot_sentiment; /* sentiment.c */

/* The type of that name, or NULL. */
const struct banter_bot_type *bot_types_find(const char *name);

/* The names, in order; NULL past the last. */
const char *bot_types_name(size_t index);

/* One line per type and per option, as --help shows them. */
void bot_types_print(FILE *out);
