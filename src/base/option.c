#include "base/option.h"
#include "base/suggestion.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const yes_words[] = {"true", "1", "on", "yes"};
static const char *const no_words[] = {"false", "0", "off", "no"};

/* What a number may end in, from small to large; the first is a number without a suffix, the last NULL. */
static const struct unit {
    const char *suffix;
    int64_t factor;
} units[][6] = {
    [OPTION_INTEGER] = {{"", 1}},
    [OPTION_BYTES] = {{"", 1}, {"K", 1024}, {"M", 1024 * 1024}},
    [OPTION_SECONDS] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}},
    [OPTION_MILLISECONDS] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}},
};

static void *field_of(const struct option *option, struct config *config)
{
    return (char *)config + option->offset;
}

static const void *const_field_of(const struct option *option, const struct config *config)
{
    return (const char *)config + option->offset;
}

void option_write_number(const struct option *option, int64_t number, char text[OPTION_TEXT_BYTES])
{
    const struct unit *best = units[option->type];
    for (const struct unit *unit = best; unit->suffix; unit++)
        if (number != 0 && number % unit->factor == 0)
            best = unit;
    snprintf(text, OPTION_TEXT_BYTES, "%" PRId64 "%s", number / best->factor, best->suffix);
}

void option_allowed(const struct option *option, char text[OPTION_TEXT_BYTES])
{
    switch (option->type) {
    case OPTION_STRING:
    case OPTION_LIST:
    case OPTION_ITEMS:
        snprintf(text, OPTION_TEXT_BYTES, "%s", option->form ? option->form : "");
        return;
    case OPTION_CHOICE:
        snprintf(text, OPTION_TEXT_BYTES, "%s", option->choices);
        return;
    case OPTION_FLAG:
        snprintf(text, OPTION_TEXT_BYTES, "yes, no");
        return;
    case OPTION_INTEGER:
    case OPTION_BYTES:
    case OPTION_SECONDS:
    case OPTION_MILLISECONDS:
        break;
    }
    char min[OPTION_TEXT_BYTES], max[OPTION_TEXT_BYTES];
    option_write_number(option, option->min, min);
    option_write_number(option, option->max, max);
    snprintf(text, OPTION_TEXT_BYTES, "%.30s..%.30s", min, max);
}

void option_quote(const char *value, char text[OPTION_TEXT_BYTES])
{
    snprintf(text, OPTION_TEXT_BYTES, "\"%.60s%s\"", value, strlen(value) > 60 ? "..." : "");
}

/* "VALUE is WRONG; allowed: RIGHT" */
static int refuse(const struct option *option, const char *value, const char *wrong, char why[OPTION_TEXT_BYTES])
{
    char quoted[OPTION_TEXT_BYTES] = "the value", allowed[OPTION_TEXT_BYTES];
    if (!option->is_secret)
        option_quote(value, quoted);
    option_allowed(option, allowed);
    snprintf(why, OPTION_TEXT_BYTES, "%.80s is %s%s%.300s", quoted, wrong, *allowed ? "; allowed: " : "", allowed);
    return -EINVAL;
}

static int out_of_memory(char why[OPTION_TEXT_BYTES])
{
    snprintf(why, OPTION_TEXT_BYTES, "there is no memory for it");
    return -ENOMEM;
}

static int parse_number(const struct option *option, int64_t *field, const char *text, char why[OPTION_TEXT_BYTES])
{
    const char *kind = option->type == OPTION_INTEGER ? "not a whole number"
                       : option->type == OPTION_BYTES ? "not a size"
                                                      : "not a time";
    if (!isdigit((unsigned char)*text))
        return refuse(option, text, kind, why);
    char *suffix;
    errno = 0;
    long long number = strtoll(text, &suffix, 10);
    const struct unit *unit = units[option->type];
    while (unit->suffix && strcasecmp(unit->suffix, suffix) != 0)
        unit++;
    if (!unit->suffix)
        return refuse(option, text, kind, why);
    if (errno == ERANGE || number > INT64_MAX / unit->factor)
        return refuse(option, text, "out of range", why);
    number *= unit->factor;
    if (number < option->min || number > option->max)
        return refuse(option, text, "out of range", why);
    *field = number;
    return 0;
}

static bool is_among(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

static int parse_flag(const struct option *option, bool *field, const char *text, char why[OPTION_TEXT_BYTES])
{
    bool yes = is_among(text, yes_words, COUNT_OF(yes_words));
    if (!yes && !is_among(text, no_words, COUNT_OF(no_words)))
        return refuse(option, text, "neither yes nor no", why);
    *field = yes;
    return 0;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (const char *word = choices; word; word = strchr(word, ','), word = word ? word + 2 : NULL)
        if (strcspn(word, ",") == len && strncmp(word, text, len) == 0)
            return true;
    return false;
}

static int check_string(const struct option *option, const char *text, char why[OPTION_TEXT_BYTES])
{
    if (*text == '\0')
        return refuse(option, text, "empty", why);
    if (option->type == OPTION_CHOICE && !is_choice(option->choices, text))
        return refuse(option, text, "unknown", why);
    if (option->fits && !option->fits(text))
        return refuse(option, text, "not right", why);
    return 0;
}

static int parse_string(const struct option *option, const char **field, const char *text, char why[OPTION_TEXT_BYTES])
{
    int error = check_string(option, text, why);
    if (error)
        return error;
    char *copy = strdup(text);
    if (!copy)
        return out_of_memory(why);
    free((char *)*field);
    *field = copy;
    return 0;
}

static void shorten_list(struct config_list *list, size_t count)
{
    while (list->count > count)
        free((char *)list->item[--list->count]);
}

/* Takes `item`. */
static int add_item(const struct option *option, struct config_list *list, char *item, char why[OPTION_TEXT_BYTES])
{
    const char **items = item ? realloc(list->item, (list->count + 1) * sizeof *items) : NULL;
    int error = items ? 0 : out_of_memory(why);
    if (items) {
        list->item = items;
        error = check_string(option, item, why);
    }
    if (error) {
        free(item);
        return error;
    }
    list->item[list->count++] = item;
    return 0;
}

static int parse_list(const struct option *option, struct config_list *list, const char *text,
                      char why[OPTION_TEXT_BYTES])
{
    const char *separator = option->type == OPTION_LIST ? "," : "\n";
    size_t before = list->count;
    for (const char *at = text;;) {
        size_t len = strcspn(at, separator);
        const char *start = at + strspn(at, " \t"), *end = at + len;
        while (end > start && isspace((unsigned char)end[-1]))
            end--;
        char *item = strndup(start, end > start ? (size_t)(end - start) : 0);
        int error = add_item(option, list, item, why);
        if (error) {
            shorten_list(list, before);
            return error;
        }
        at += len;
        if (*at == '\0' || strcmp(at, "\n") == 0) /* a block of lines ends with a newline */
            return 0;
        at++;
    }
}

int option_parse(const struct option *option, struct config *config, const char *text, char why[OPTION_TEXT_BYTES])
{
    switch (option->type) {
    case OPTION_STRING:
    case OPTION_CHOICE:
        return parse_string(option, field_of(option, config), text, why);
    case OPTION_LIST:
    case OPTION_ITEMS:
        return parse_list(option, field_of(option, config), text, why);
    case OPTION_FLAG:
        return parse_flag(option, field_of(option, config), text, why);
    case OPTION_INTEGER:
    case OPTION_BYTES:
    case OPTION_SECONDS:
    case OPTION_MILLISECONDS:
        break;
    }
    return parse_number(option, field_of(option, config), text, why);
}

void option_clear(const struct option *option, struct config *config)
{
    if (option->type == OPTION_STRING || option->type == OPTION_CHOICE) {
        const char **field = field_of(option, config);
        free((char *)*field);
        *field = NULL;
    } else if (option->type == OPTION_LIST || option->type == OPTION_ITEMS) {
        struct config_list *list = field_of(option, config);
        shorten_list(list, 0);
        free(list->item);
        *list = (struct config_list){0};
    }
}

int64_t option_number(const struct option *option, const struct config *config)
{
    return *(const int64_t *)const_field_of(option, config);
}

bool option_is_set(const struct option *option, const struct config *config)
{
    if (option->type == OPTION_STRING || option->type == OPTION_CHOICE)
        return *(const char *const *)const_field_of(option, config) != NULL;
    if (option->type == OPTION_LIST || option->type == OPTION_ITEMS)
        return ((const struct config_list *)const_field_of(option, config))->count > 0;
    return option->type == OPTION_FLAG || option_number(option, config) >= option->min;
}

void option_print(const struct option *option, const struct config *config, const char *separator, FILE *out)
{
    const void *field = const_field_of(option, config);
    switch (option->type) {
    case OPTION_STRING:
    case OPTION_CHOICE:
        fputs(*(const char *const *)field, out);
        return;
    case OPTION_LIST:
    case OPTION_ITEMS: {
        const struct config_list *list = field;
        for (size_t i = 0; i < list->count; i++)
            fprintf(out, "%s%s", i ? separator : "", list->item[i]);
        return;
    }
    case OPTION_FLAG:
        fputs(*(const bool *)field ? "yes" : "no", out);
        return;
    case OPTION_INTEGER:
    case OPTION_BYTES:
    case OPTION_SECONDS:
    case OPTION_MILLISECONDS: {
        char text[OPTION_TEXT_BYTES];
        option_write_number(option, *(const int64_t *)field, text);
        fputs(text, out);
    }
    }
}

const struct option *option_find(const struct option *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

const char *option_suggest(const struct option *table, size_t count, enum config_program program, const char *name)
{
    struct suggestion suggestion;
    suggestion_init(&suggestion, name);
    for (size_t i = 0; i < count; i++)
        if (table[i].programs & program)
            suggestion_offer(&suggestion, table[i].name);
    return suggestion.nearest;
}
