#include "base/option_reader.h"
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A secret is a URL or a token; an option's name is ours. Longer ones are mistakes. */
enum { SECRET_BYTES = 4096, NAME_BYTES = 64 };

static const char environment_prefix[] = "BANTER_";
static const char file_suffix[] = "-file";

const char *option_program_name(enum config_program program)
{
    switch (program) {
    case CONFIG_BANTERD:
        return "banterd";
    case CONFIG_BOT:
        return "banter-bot";
    case CONFIG_CLI:
        return "banter";
    case CONFIG_BENCH:
        return "banter-bench";
    }
    return "banter";
}

void option_reader_init(struct option_reader *reader, const struct option *table, size_t count,
                        enum config_program program, struct config *config)
{
    assert(count <= OPTION_TABLE_MAX);
    *reader = (struct option_reader){
        .table = table,
        .count = count,
        .program = program,
        .program_name = option_program_name(program),
        .config = config,
    };
    for (size_t i = 0; i < count; i++) {
        char why[OPTION_TEXT_BYTES];
        if (table[i].initial && option_parse(&table[i], config, table[i].initial, why) != 0)
            option_reader_mistake(reader, "default of %s: %s", table[i].name, why);
    }
}

void option_reader_mistake(struct option_reader *reader, const char *format, ...)
{
    char line[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    for (char *at = line; *at; at++)
        if (iscntrl((unsigned char)*at))
            *at = '?';
    fprintf(stderr, "%s: %s\n", reader->program_name, line);
    reader->mistakes++;
}

/* Where a piece of text stands: layer and name as the user wrote it, and the line of the file. */
struct place {
    enum option_layer layer;
    const char *name; /* of the option: "max-text", "token-file" */
    const char *path;
    unsigned line;
};

/* `name` as it is written on the layer of `place`: "--max-text", "BANTER_MAX_TEXT" or "max-text". */
static void spell(const struct place *place, const char *name, char text[OPTION_TEXT_BYTES])
{
    switch (place->layer) {
    case OPTION_FROM_FLAG:
        snprintf(text, OPTION_TEXT_BYTES, "--%.60s", name);
        return;
    case OPTION_FROM_ENVIRONMENT:
        snprintf(text, OPTION_TEXT_BYTES, "%s%.60s", environment_prefix, name);
        for (char *at = text; *at; at++)
            *at = (char)(*at == '-' ? '_' : toupper((unsigned char)*at));
        return;
    case OPTION_FROM_FILE:
    case OPTION_FROM_DEFAULT:
        snprintf(text, OPTION_TEXT_BYTES, "%.60s", name);
    }
}

static void refuse(struct option_reader *reader, const struct place *place, const char *why)
{
    char name[OPTION_TEXT_BYTES];
    spell(place, place->name, name);
    if (place->layer == OPTION_FROM_FILE)
        option_reader_mistake(reader, "%s:%u: %s: %s", place->path, place->line, name, why);
    else
        option_reader_mistake(reader, "%s: %s", name, why);
}

static void refuse_unknown(struct option_reader *reader, const struct place *place)
{
    const char *nearest = option_suggest(reader->table, reader->count, reader->program, place->name);
    if (!nearest) {
        refuse(reader, place, "unknown option; --help lists them");
        return;
    }
    char right[OPTION_TEXT_BYTES], why[2 * OPTION_TEXT_BYTES];
    spell(place, nearest, right);
    snprintf(why, sizeof why, "unknown option; did you mean %s?", right);
    refuse(reader, place, why);
}

/* The row that `name` means. `names_file`: it is a secret's NAME-file, so its value is the path of a file that has it.
 */
static const struct option *find(const struct option_reader *reader, const char *name, bool *names_file)
{
    *names_file = false;
    const struct option *option = option_find(reader->table, reader->count, name);
    size_t len = strlen(name), suffix_len = sizeof file_suffix - 1;
    if (option || len <= suffix_len || len >= NAME_BYTES || strcmp(name + len - suffix_len, file_suffix) != 0)
        return option;
    char base[NAME_BYTES];
    snprintf(base, sizeof base, "%.*s", (int)(len - suffix_len), name);
    option = option_find(reader->table, reader->count, base);
    *names_file = option && option->is_secret;
    return *names_file ? option : NULL;
}

/* 0 with the first line of the file in `secret`, or negative errno. */
static int read_secret(const char *path, char secret[SECRET_BYTES])
{
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    errno = 0;
    char *line = fgets(secret, SECRET_BYTES, file);
    int error = line ? 0 : errno ? -errno : -ENODATA;
    fclose(file);
    if (error)
        return error;
    size_t len = strcspn(secret, "\r\n");
    if (len == SECRET_BYTES - 1)
        return -EMSGSIZE;
    secret[len] = '\0';
    return 0;
}

/* Gives `text` to the row, unless a higher layer already did: then it is only checked. */
static void take(struct option_reader *reader, const struct place *place, const struct option *option, const char *text)
{
    size_t row = (size_t)(option - reader->table);
    bool is_list = option->type == OPTION_LIST || option->type == OPTION_ITEMS;
    if (place->layer == reader->layer[row] && place->layer != OPTION_FROM_FLAG && !is_list) {
        refuse(reader, place, "set twice");
        return;
    }
    struct config unused = {0};
    struct config *config = place->layer < reader->layer[row] ? &unused : reader->config;
    if (place->layer > reader->layer[row]) {
        option_clear(option, reader->config);
        reader->layer[row] = place->layer;
    }
    char why[OPTION_TEXT_BYTES];
    if (option_parse(option, config, text, why) != 0) {
        reader->is_wrong[row] = true;
        refuse(reader, place, why);
    }
    option_clear(option, &unused);
}

static void take_from_secret_file(struct option_reader *reader, const struct place *place, const struct option *option,
                                  const char *path)
{
    char secret[SECRET_BYTES], quoted[OPTION_TEXT_BYTES], why[2 * OPTION_TEXT_BYTES];
    int error = read_secret(path, secret);
    if (error) {
        option_quote(path, quoted);
        snprintf(why, sizeof why, "%s cannot be read: %s", quoted, strerror(-error));
        refuse(reader, place, why);
        return;
    }
    take(reader, place, option, secret);
}

/* Text found at a place, for the option named there. */
static void take_named(struct option_reader *reader, const struct place *place, const char *text)
{
    bool names_file;
    const struct option *option = find(reader, place->name, &names_file);
    if (!option)
        refuse_unknown(reader, place);
    else if (!(option->programs & reader->program))
        return; /* the environment and the file are shared: another program reads it */
    else if (option->is_of_process && place->layer == OPTION_FROM_FILE)
        refuse(reader, place, "cannot stand in a file");
    else if (names_file)
        take_from_secret_file(reader, place, option, text);
    else
        take(reader, place, option, text);
}

/* `--name value`, `--name=value` or `--flag` at argv[at]; returns the index of its last word. */
static int read_flag(struct option_reader *reader, int argc, char **argv, int at)
{
    char name[NAME_BYTES];
    const char *written = argv[at] + 2, *equals = strchr(written, '=');
    snprintf(name, sizeof name, "%.*s", (int)strcspn(written, "="), written);
    struct place place = {.layer = OPTION_FROM_FLAG, .name = name};
    bool names_file;
    const struct option *option = find(reader, name, &names_file);
    if (!option || !(option->programs & reader->program)) {
        refuse_unknown(reader, &place);
        return at;
    }
    if (equals) {
        take_named(reader, &place, equals + 1);
        return at;
    }
    if (option->type == OPTION_FLAG) {
        take_named(reader, &place, "yes");
        return at;
    }
    if (at + 1 == argc || strncmp(argv[at + 1], "--", 2) == 0) {
        char why[OPTION_TEXT_BYTES];
        snprintf(why, sizeof why, "its value is missing: --%s %s", name, names_file ? "FILE" : option->value);
        refuse(reader, &place, why);
        return at;
    }
    take_named(reader, &place, argv[at + 1]);
    return at + 1;
}

void option_reader_read_flags(struct option_reader *reader, int argc, char **argv)
{
    struct config *config = reader->config;
    bool are_over = false;
    config->words = calloc((size_t)argc + 1, sizeof *config->words);
    if (!config->words) {
        option_reader_mistake(reader, "there is no memory for the command line");
        return;
    }
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        if (are_over || word[0] != '-' || word[1] == '\0')
            config->words[config->word_count++] = argv[at];
        else if (strcmp(word, "--") == 0)
            are_over = true;
        else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
            reader->wants_help = true;
        else if (strcmp(word, "--version") == 0)
            reader->wants_version = true;
        else if (word[1] == '-')
            at = read_flag(reader, argc, argv, at);
        else
            option_reader_mistake(reader, "%.60s: unknown option; --help lists them", word);
    }
}

/* Kubernetes sets BANTER_SERVICE_HOST, BANTER_PORT_8000_TCP_ADDR and so on for a service that is called banter. */
static bool is_service_link(const char *variable)
{
    return strstr(variable, "_SERVICE_HOST=") || strstr(variable, "_SERVICE_PORT") || strstr(variable, "_TCP") ||
           strstr(variable, "_PORT=tcp://");
}

void option_reader_read_environment(struct option_reader *reader, char **environment)
{
    size_t prefix_len = sizeof environment_prefix - 1;
    for (; *environment; environment++) {
        const char *variable = *environment, *equals = strchr(variable, '=');
        bool is_ours = strncmp(variable, environment_prefix, prefix_len) == 0;
        if (!is_ours || !equals || equals[1] == '\0' || is_service_link(variable))
            continue;
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%.*s", (int)(equals - variable - (ptrdiff_t)prefix_len), variable + prefix_len);
        for (char *at = name; *at; at++)
            *at = (char)(*at == '_' ? '-' : tolower((unsigned char)*at));
        take_named(reader, &(struct place){.layer = OPTION_FROM_ENVIRONMENT, .name = name}, equals + 1);
    }
}

struct file_line {
    struct option_reader *reader;
    const char *path;
    unsigned number;
};

static int handle_pair(void *data, const char *section, const char *name, const char *value)
{
    struct file_line *line = data;
    (void)section;
    struct place place = {.layer = OPTION_FROM_FILE, .name = name, .path = line->path, .line = line->number};
    take_named(line->reader, &place, value);
    return 1;
}

/*
 * inih gets one line at a time: given a whole file it reports the first bad line only and no numbers, and cuts lines
 * that are longer than its buffer in two.
 */
static void read_line(struct file_line *line, char *text)
{
    text[strcspn(text, "\r\n")] = '\0';
    if (strlen(text) > INI_MAX_LINE - 3)
        option_reader_mistake(line->reader,
                              "%s:%u: the line is longer than %d bytes; use a flag or the environment for this one",
                              line->path, line->number, INI_MAX_LINE - 3);
    else if (ini_parse_string(text, handle_pair, line) != 0)
        option_reader_mistake(line->reader, "%s:%u: not a line of the form: name = value", line->path, line->number);
}

void option_reader_read_file(struct option_reader *reader, const char *path)
{
    struct file_line line = {.reader = reader, .path = path};
    char *text = NULL;
    size_t size = 0;
    errno = 0;
    FILE *file = fopen(path, "re");
    while (file && getline(&text, &size, file) > 0) {
        line.number++;
        read_line(&line, text);
        errno = 0;
    }
    if (!file || ferror(file))
        option_reader_mistake(reader, "%s: cannot be read: %s", path, strerror(errno));
    free(text);
    if (file)
        fclose(file);
}
