#include "bot/bot_settings.h"
#include "bot/worker.h"
#include <stdlib.h>
#include <string.h>

static const char usage_head[] =
    "banter-bot takes messages from Redis and answers them. Any number may run, on any machine.\n"
    "\n"
    "  banter-bot --redis redis://localhost:6379 --bot echo\n"
    "  banter-bot --redis unix:///run/redis.sock --bot slow=echo:delay=500 --bot sentiment\n"
    "\n"
    "--bot is TYPE, TYPE:KEY=VALUE,... or NAME=TYPE:... where sessions are to choose NAME; \\, is a comma. Types:\n";

static int complain(const char *sentence)
{
    fprintf(stderr, "banter-bot: %s\n", sentence);
    return 1;
}

static int check_redis(struct bot_settings *settings)
{
    char error[256];
    if (!settings->config.redis)
        return complain("--redis URL is missing: where the messages are, e.g. --redis redis://localhost:6379");
    if (redis_address_parse(&settings->address, settings->config.redis, error, sizeof error))
        return complain(error);
    return 0;
}

static int check_bot(struct bot_settings *settings, const char *spec)
{
    char sentence[512];
    if (settings->bots == BOTS_MAX)
        return complain("there are more than 64 --bot; start a second banter-bot for the rest");
    char *name = settings->bot_name[settings->bots];
    if (!worker_bot_spec_check(spec, name, sentence, sizeof sentence))
        return complain(sentence);
    for (size_t i = 0; i < settings->bots; i++) {
        if (strcmp(settings->bot_name[i], name) != 0)
            continue;
        snprintf(sentence, sizeof sentence, "two --bot are named %s; give one a name of its own: NAME=%.100s", name,
                 strcspn(spec, "=") < strcspn(spec, ":") ? strchr(spec, '=') + 1 : spec);
        return complain(sentence);
    }
    settings->bots++;
    return 0;
}

/* Says all that is wrong at once. */
static int check(struct bot_settings *settings)
{
    int mistakes = check_redis(settings);
    for (size_t i = 0; i < settings->config.bot.count; i++)
        mistakes += check_bot(settings, settings->config.bot.item[i]);
    if (settings->config.word_count > 0)
        mistakes += complain("there are words that belong to no option; see --help");
    return mistakes;
}

enum config_result bot_settings_read(struct bot_settings *settings, int argc, char **argv)
{
    char *usage = NULL;
    size_t len;
    FILE *out = open_memstream(&usage, &len);
    if (!out)
        return CONFIG_WRONG;
    fputs(usage_head, out);
    worker_print_bot_types(out);
    fclose(out);
    *settings = (struct bot_settings){0};
    enum config_result result = config_read(&settings->config, CONFIG_BOT, usage, argc, argv);
    free(usage);
    if (result == CONFIG_OK && check(settings) > 0)
        result = CONFIG_WRONG;
    return result;
}
