/* The settings of banter-bot: what base/config reads, checked as far as that is possible before anything starts. */
#pragma once
#include "base/config.h"
#include "net/redis_locator.h"
#include "protocol/keys.h"

enum { BOTS_MAX = 64 };

struct bot_settings {
    struct config config;
    struct redis_address address;
    size_t bots;
    char bot_name[BOTS_MAX][BOT_NAME_MAX + 1]; /* of config.bot, in the same order */
};

/* As config_read: all mistakes are reported on stderr, and help and version on stdout. */
enum config_result bot_settings_read(struct bot_settings *settings, int argc, char **argv) MUST_CHECK;
