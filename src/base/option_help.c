#include "base/option_help.h"
#include <ctype.h>
#include <string.h>

enum { NAME_COLUMNS = 27, LINE_COLUMNS = 79 };

static bool is_for(const struct option *option, enum config_program program)
{
    return (option->programs & program) != 0;
}

static bool begins_group(const struct option *option, const char **group)
{
    bool begins = !*group || strcmp(*group, option->group) != 0;
    *group = option->group;
    return begins;
}

/* The range of a number and the words of a choice; forms of text are told by the value's name. */
static void write_allowed(const struct option *option, char text[OPTION_TEXT_BYTES])
{
    *text = '\0';
    if (option->type == OPTION_CHOICE || option->type >= OPTION_INTEGER)
        option_allowed(option, text);
}

static const char *default_of(const struct option *option)
{
    return option->shown ? option->shown : option->initial ? option->initial : "";
}

/* "What it is. [default; allowed]" */
static void write_description(const struct option *option, char text[2 * OPTION_TEXT_BYTES])
{
    char allowed[OPTION_TEXT_BYTES];
    write_allowed(option, allowed);
    const char *initial = default_of(option);
    bool has_both = *initial && *allowed;
    const char *open = *initial || *allowed ? " [" : "", *close = *open ? "]" : "";
    snprintf(text, 2 * OPTION_TEXT_BYTES, "%s%s%s%s%s%s", option->help, open, initial, has_both ? "; " : "", allowed,
             close);
}

/* Writes words into the column right of the names, broken at spaces; the cursor is in that column. */
static void write_wrapped(FILE *out, const char *text)
{
    int column = NAME_COLUMNS;
    for (const char *word = text; *word; word += strspn(word, " ")) {
        int len = (int)strcspn(word, " ");
        if (word == text) {
            column += fprintf(out, "%.*s", len, word);
        } else if (column + 1 + len <= LINE_COLUMNS) {
            column += fprintf(out, " %.*s", len, word);
        } else {
            fprintf(out, "\n%*s%.*s", NAME_COLUMNS, "", len, word);
            column = NAME_COLUMNS + len;
        }
        word += len;
    }
    fputc('\n', out);
}

void option_help_write(FILE *out, const struct option *table, size_t count, enum config_program program)
{
    const char *group = NULL;
    for (size_t i = 0; i < count; i++) {
        char name[OPTION_TEXT_BYTES], text[2 * OPTION_TEXT_BYTES];
        if (!is_for(&table[i], program))
            continue;
        if (begins_group(&table[i], &group))
            fprintf(out, "\n%s:\n", group);
        snprintf(name, sizeof name, "  --%s %s", table[i].name, table[i].value ? table[i].value : "");
        fprintf(out, "%-*s", NAME_COLUMNS, name);
        write_description(&table[i], text);
        write_wrapped(out, text);
    }
}

static void write_environment_name(FILE *out, const char *name)
{
    fputs("BANTER_", out);
    for (; *name; name++)
        fputc(*name == '-' ? '_' : toupper((unsigned char)*name), out);
}

void option_help_write_markdown(FILE *out, const struct option *table, size_t count, enum config_program program)
{
    fputs("| option | default | allowed | means | environment |\n|---|---|---|---|---|\n", out);
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &table[i];
        char allowed[OPTION_TEXT_BYTES];
        if (!is_for(option, program))
            continue;
        write_allowed(option, allowed);
        const char *value = option->value ? option->value : "";
        fprintf(out, "| `--%s%s%s` | %s | %s | %s | `", option->name, *value ? " " : "", value, default_of(option),
                allowed, option->help);
        write_environment_name(out, option->name);
        fputs("` |\n", out);
    }
}

void option_help_write_file(FILE *out, const struct option *table, size_t count, enum config_program program,
                            const struct config *config)
{
    const char *group = NULL;
    for (size_t i = 0; i < count; i++) {
        char separator[64];
        if (!is_for(&table[i], program) || table[i].is_of_process)
            continue;
        if (begins_group(&table[i], &group))
            fprintf(out, "\n# %s\n", group);
        snprintf(separator, sizeof separator, "\n%s = ", table[i].name);
        if (table[i].is_secret || !option_is_set(&table[i], config)) {
            fprintf(out, "# %s =\n", table[i].name);
            continue;
        }
        fprintf(out, "%s = ", table[i].name);
        option_print(&table[i], config, separator, out);
        fputc('\n', out);
    }
}
