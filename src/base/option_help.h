/* What people read about a table of options (option.h): the help, the README's table, and the settings in force. */
#pragma once
#include "base/option.h"

/* The options for `program` by groups, at 80 columns. */
void option_help_write(FILE *out, const struct option *table, size_t count, enum config_program program);

/* The same as a Markdown table. */
void option_help_write_markdown(FILE *out, const struct option *table, size_t count, enum config_program program);

/* The values in `config` as a configuration file; what is not set, and secrets, as comments. */
void option_help_write_file(FILE *out, const struct option *table, size_t count, enum config_program program,
                            const struct config *config);
