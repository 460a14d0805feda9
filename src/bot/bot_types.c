#include "bot/bot_types.h"
#include "base/compiler.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct banter_bot_type *const types[] = {
    &bot_echo,
    &bot_sentiment,
    &bot_fake_llm,
};

const struct banter_bot_type *bot_types_find(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

const char *bot_types_name(size_t index)
{
    return index < COUNT_OF(types) ? types[index]->name : NULL;
}

void bot_types_print(FILE *out)
{
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        fprintf(out, "  %-12s %s\n", types[i]->name, types[i]->summary);
        for (const struct banter_bot_option *option = types[i]->options; option && option->key; option++)
            fprintf(out, "    %-10s %s (default %s)\n", option->key, option->help, option->default_value);
    }
}

bool bot_types_read_number(const char *type, const char *key, const char *value, long least, long most, long *number,
                           char *error, size_t error_size)
{
    char *end;
    errno = 0;
    *number = strtol(value, &end, 10);
    if (!errno && end != value && !*end && *number >= least && *number <= most)
        return true;
    snprintf(error, error_size, "%s: %s=%.20s: a number from %ld to %ld is expected", type, key, value, least, most);
    return false;
}
