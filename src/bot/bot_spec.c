#include "bot/bot_spec.h"
#include "base/suggestion.h"
#include "bot/bot_types.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct complaint {
    const char *spec;
    char *out;
    size_t size;
};

/* Writes the sentence "--bot SPEC: ..." and returns -EINVAL. */
static int complain(const struct complaint *complaint, const char *format, ...) PRINTF_LIKE(2, 3);
static int complain(const struct complaint *complaint, const char *format, ...)
{
    char what[256];
    va_list values;
    va_start(values, format);
    vsnprintf(what, sizeof what, format, values);
    va_end(values);
    snprintf(complaint->out, complaint->size, "--bot %.100s: %s", complaint->spec, what);
    return -EINVAL;
}

static int complain_of_type(const struct complaint *complaint, const char *typed)
{
    const char *name;
    struct suggestion suggestion;
    char all[128] = "";
    suggestion_init(&suggestion, typed);
    for (size_t i = 0; (name = bot_types_name(i)) != NULL; i++) {
        suggestion_offer(&suggestion, name);
        size_t len = strlen(all);
        snprintf(all + len, sizeof all - len, "%s%s", i ? ", " : "", name);
    }
    if (suggestion.nearest)
        return complain(complaint, "there is no bot type \"%.40s\". Did you mean %s?", typed, suggestion.nearest);
    return complain(complaint, "there is no bot type \"%.40s\". There are: %s", typed, all);
}

static int complain_of_key(const struct complaint *complaint, const struct banter_bot_type *type, const char *typed)
{
    struct suggestion suggestion;
    suggestion_init(&suggestion, typed);
    if (!type->options || !type->options->key)
        return complain(complaint, "%s has no options", type->name);
    for (const struct banter_bot_option *option = type->options; option->key; option++)
        suggestion_offer(&suggestion, option->key);
    if (suggestion.nearest)
        return complain(complaint, "%s has no option \"%.40s\". Did you mean %s?", type->name, typed,
                        suggestion.nearest);
    return complain(complaint, "%s has no option \"%.40s\"; see banter-bot --help", type->name, typed);
}

/* Ends the item at `text` with a NUL, turning `\,` and `\\` into what they stand for. Returns the next one, or NULL. */
static char *cut_item(char *text)
{
    char *to = text;
    for (; *text && *text != ','; text++) {
        if (*text == '\\' && (text[1] == ',' || text[1] == '\\'))
            text++;
        *to++ = *text;
    }
    char *next = *text ? text + 1 : NULL;
    *to = '\0';
    return next;
}

static int parse_item(struct bot_spec *spec, bool given[], char *item, const struct complaint *complaint)
{
    char *equals = strchr(item, '=');
    if (!equals || equals == item)
        return complain(complaint, "key=value is expected, not \"%.40s\"", item);
    *equals = '\0';
    const struct banter_bot_option *options = spec->type->options;
    for (int i = 0; options && options[i].key; i++) {
        if (strcmp(options[i].key, item) != 0)
            continue;
        if (given[i])
            return complain(complaint, "%s is given twice", item);
        given[i] = true;
        spec->value[i] = equals + 1;
        return 0;
    }
    return complain_of_key(complaint, spec->type, item);
}

static int parse_items(struct bot_spec *spec, char *items, const struct complaint *complaint)
{
    bool given[BOT_OPTIONS_MAX] = {false};
    int error = 0;
    for (int i = 0; spec->type->options && spec->type->options[i].key; i++)
        spec->value[i] = spec->type->options[i].default_value;
    for (char *item = items, *next; item && !error; item = next) {
        next = cut_item(item);
        error = parse_item(spec, given, item, complaint);
    }
    return error;
}

/* [NAME=]TYPE[:items]: `text` is cut into its parts. */
static int parse_parts(struct bot_spec *spec, char *text, const struct complaint *complaint)
{
    char *type = text, *items = NULL, *colon = strchr(text, ':');
    if (colon) {
        *colon = '\0';
        items = colon + 1;
    }
    char *equals = strchr(text, '=');
    if (equals) {
        *equals = '\0';
        type = equals + 1;
    }
    if (*type == '\0')
        return complain(complaint, "a bot type is missing, e.g. --bot echo");
    if (!keys_bot_name_is_valid(text, strlen(text)))
        return complain(complaint, "the name \"%.40s\" may hold a-z, 0-9 and -, 1 to %d of them", text, BOT_NAME_MAX);
    snprintf(spec->name, sizeof spec->name, "%s", text);
    spec->type = bot_types_find(type);
    if (!spec->type)
        return complain_of_type(complaint, type);
    return parse_items(spec, items, complaint);
}

int bot_spec_parse(struct bot_spec *spec, const char *text, char *error, size_t error_size)
{
    struct complaint complaint = {.spec = text, .out = error, .size = error_size};
    *spec = (struct bot_spec){.text = strdup(text)};
    if (!spec->text) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    int result = parse_parts(spec, spec->text, &complaint);
    if (result)
        bot_spec_done(spec);
    return result;
}

void bot_spec_done(struct bot_spec *spec)
{
    free(spec->text);
    spec->text = NULL;
}
