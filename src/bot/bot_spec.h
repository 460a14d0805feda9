/*
 * A value of --bot, taken apart: TYPE, TYPE:key=value,... or NAME=TYPE:key=value,... where `\,` is a comma and `\\` a
 * backslash. Pure.
 */
#pragma once
#include "banter/bot.h"
#include "base/compiler.h"
#include "protocol/keys.h"

enum { BOT_OPTIONS_MAX = 32 };

struct bot_spec {
    char name[BOT_NAME_MAX + 1]; /* NAME, or TYPE where none is given */
    const struct banter_bot_type *type;
    const char *value[BOT_OPTIONS_MAX]; /* one for each option of the type, in its order */
    char *text;                         /* what the values point into */
};

/* 0, or -EINVAL (-ENOMEM) with a sentence in `error` that says what is wrong and what would be right. */
int bot_spec_parse(struct bot_spec *spec, const char *text, char *error, size_t error_size) MUST_CHECK;

/* Frees what parsing took. Fine after a failure, and twice. */
void bot_spec_done(struct bot_spec *spec);
