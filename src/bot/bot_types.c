#include "bot/bot_types.h"
#include "base/compiler.h"
#include <string.h>

static const struct banter_bot_type *const types[] = {
    &bot_echo,
    &bot_sentiment,
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
