/* The table of all options, and so of every field of struct config but its words. */
#pragma once
#include "base/option.h"

#define CONFIG_DEFAULT_FILE "/etc/banter/banterd.conf"

extern const struct option config_table[];
extern const size_t config_table_count;
