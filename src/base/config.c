#include "base/config.h"
#include "base/config_table.h"
#include "base/option_help.h"
#include "base/option_reader.h"
#include <assert.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS_MAX_DEFAULT = 4 }; /* past it Redis's one core is full */

static size_t row_of(const char *name)
{
    const struct option *option = option_find(config_table, config_table_count, name);
    assert(option);
    return (size_t)(option - config_table);
}

/* Pairs that must fit each other: the first at least `times` the second. */
static const struct {
    const char *name;
    int64_t times;
    const char *of;
} at_least[] = {
    {"history", 3, "max-pending"}, /* or a message is trimmed before its answer is there */
    {"max-frame", 1, "max-text"},
};

static void check_pairs(struct option_reader *reader)
{
    for (size_t i = 0; i < COUNT_OF(at_least); i++) {
        size_t row = row_of(at_least[i].name), of_row = row_of(at_least[i].of);
        const struct option *option = &config_table[row], *of = &config_table[of_row];
        bool are_both_ours = (option->programs & of->programs & reader->program) != 0;
        if (!are_both_ours || reader->is_wrong[row] || reader->is_wrong[of_row])
            continue;
        int64_t number = option_number(option, reader->config);
        int64_t least = at_least[i].times * option_number(of, reader->config);
        if (number >= least)
            continue;
        char number_text[OPTION_TEXT_BYTES], least_text[OPTION_TEXT_BYTES];
        option_write_number(option, number, number_text);
        option_write_number(option, least, least_text);
        option_reader_mistake(reader, "--%s: %s is too small beside --%s; at least: %s", option->name, number_text,
                              of->name, least_text);
    }
}

static void read_file(struct option_reader *reader)
{
    struct config *config = reader->config;
    if (!config->config_file) {
        /* Who may not read the server's settings may well use the tools; a server must not run without them. */
        bool is_tool = reader->program == CONFIG_CLI || reader->program == CONFIG_BENCH;
        if (access(CONFIG_DEFAULT_FILE, is_tool ? R_OK : F_OK) != 0)
            return;
        config->config_file = strdup(CONFIG_DEFAULT_FILE);
    }
    if (config->config_file)
        option_reader_read_file(reader, config->config_file);
}

/* The platform's place for state. NULL without memory. */
static char *default_state_dir(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int len = 0;
    if (state && *state == '/') /* the XDG rules ignore relative ones */
        len = asprintf(&path, "%s/banter", state);
    else if (geteuid() == 0 || !home || *home != '/')
        path = strdup("/var/lib/banter");
    else
        len = asprintf(&path, "%s/.local/state/banter", home);
    return len < 0 ? NULL : path;
}

/* Cores that we may run on: a container or taskset may allow fewer than there are. */
static int64_t count_cores(void)
{
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

/* The defaults that depend on the machine or on other settings. */
static void fill_defaults(struct option_reader *reader)
{
    struct config *config = reader->config;
    if (!config->state_dir)
        config->state_dir = default_state_dir();
    if (config->threads == 0) {
        int64_t cores = count_cores();
        config->threads = cores < THREADS_MAX_DEFAULT ? cores : THREADS_MAX_DEFAULT;
    }
    char why[OPTION_TEXT_BYTES] = "";
    bool needs_bot = reader->program == CONFIG_BOT || !config->redis;
    const struct option *bot = &config_table[row_of("bot")];
    int error = config->bot.count == 0 && needs_bot ? option_parse(bot, config, "echo", why) : 0;
    if (error || !config->state_dir)
        option_reader_mistake(reader, "there is no memory for the settings");
}

static void write_help(enum config_program program, const char *usage)
{
    fputs(usage, stdout);
    printf("\nOptions [default; allowed]. Each may also be set in the environment, as\n"
           "BANTER_MAX_TEXT for --max-text, or in the file of --config, as max-text = 16K.\n");
    option_help_write(stdout, config_table, config_table_count, program);
    printf("\n  --help, --version\n");
}

static enum config_result read_layers(struct option_reader *reader, const char *usage, int argc, char **argv)
{
    option_reader_read_flags(reader, argc, argv);
    if (reader->wants_help) {
        write_help(reader->program, usage);
        return CONFIG_DONE;
    }
    if (reader->wants_version) {
        printf("%s %s\n", reader->program_name, BANTER_VERSION);
        return CONFIG_DONE;
    }
    option_reader_read_environment(reader, environ);
    read_file(reader);
    fill_defaults(reader);
    check_pairs(reader);
    return reader->mistakes == 0 ? CONFIG_OK : CONFIG_WRONG;
}

enum config_result config_read(struct config *config, enum config_program program, const char *usage, int argc,
                               char **argv)
{
    struct option_reader reader;
    *config = (struct config){.ready_fd = -1};
    option_reader_init(&reader, config_table, config_table_count, program, config);
    enum config_result result = read_layers(&reader, usage, argc, argv);
    if (result != CONFIG_OK)
        config_done(config);
    return result;
}

void config_done(struct config *config)
{
    for (size_t i = 0; i < config_table_count; i++)
        option_clear(&config_table[i], config);
    free(config->words);
    config->words = NULL;
    config->word_count = 0;
}

void config_write_file(FILE *out, const struct config *config, enum config_program program)
{
    option_help_write_file(out, config_table, config_table_count, program, config);
}

void config_write_markdown(FILE *out, enum config_program program)
{
    option_help_write_markdown(out, config_table, config_table_count, program);
}
