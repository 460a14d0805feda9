/* banter-bot: bot workers, as many as --bot says, on one loop. */
#include "base/config.h"
#include "base/log.h"
#include "base/metrics.h"
#include "bot/worker.h"
#include "protocol/keys.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    BOTS_MAX = 64,
    DRAIN_MS = 25 * 1000, /* what is in work may take so long after SIGTERM */
};

static const char usage_head[] =
    "banter-bot takes messages from Redis and answers them. Any number may run, on any machine.\n"
    "\n"
    "  banter-bot --redis redis://localhost:6379 --bot echo\n"
    "  banter-bot --redis unix:///run/redis.sock --bot slow=echo:delay=500 --bot sentiment\n"
    "\n"
    "--bot is TYPE, TYPE:KEY=VALUE,... or NAME=TYPE:... where sessions are to choose NAME; \\, is a comma. Types:\n";

struct program;

/* One --bot. */
struct place {
    struct program *program;
    char name[BOT_NAME_MAX + 1];
    struct worker *worker; /* NULL: not open, or stopped */
};

struct program {
    uv_loop_t loop;
    struct config config;
    struct redis_address address;
    struct metrics metrics;
    struct place place[BOTS_MAX];
    size_t places;
    size_t ready;
    size_t running;
    bool has_told_away;
    bool is_stopping;
    uv_signal_t on_term, on_int;
};

/* ---- what the workers tell ---- */

static void handle_ready(void *data)
{
    struct program *program = ((struct place *)data)->program;
    if (++program->ready < program->places || program->config.ready_fd < 0)
        return;
    if (write((int)program->config.ready_fd, "ready\n", 6) != 6)
        log_warning("nobody reads --ready-fd", NULL);
}

static void handle_away(void *data, const char *why)
{
    struct place *place = data;
    struct program *program = place->program;
    char where[512];
    redis_address_print(&program->address, where, sizeof where);
    if (program->ready > 0)
        log_warning("Redis is away", "bot=%s redis=%s why=\"%s\"", place->name, where, why);
    else if (!program->has_told_away)
        fprintf(stderr,
                "banter-bot: cannot reach Redis at %s (%s)\n"
                "  not ready; retrying with backoff.  Messages wait in Redis.\n"
                "  fix: start Redis        redis-server, or docker run -p 6379:6379 redis:7\n"
                "   or: name another one   banter-bot --redis URL\n"
                "   or: serve in one go    banterd starts a Redis and a bot of its own\n",
                where, why);
    program->has_told_away = true;
}

static void handle_stopped(void *data)
{
    struct place *place = data;
    struct program *program = place->program;
    place->worker = NULL;
    if (--program->running > 0)
        return;
    uv_close((uv_handle_t *)&program->on_term, NULL);
    uv_close((uv_handle_t *)&program->on_int, NULL);
}

/* ---- signals ---- */

/* The first one drains, the second one ends at once. */
static void handle_signal(uv_signal_t *signal, int number)
{
    struct program *program = signal->data;
    log_info(program->is_stopping ? "stopping at once" : "stopping; what is in work is finished", "signal=%d", number);
    for (size_t i = 0; i < program->places; i++)
        if (program->place[i].worker)
            worker_stop(program->place[i].worker, program->is_stopping ? 0 : DRAIN_MS);
    program->is_stopping = true;
}

static void watch_signals(struct program *program)
{
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&program->loop, &program->on_term);
    uv_signal_init(&program->loop, &program->on_int);
    program->on_term.data = program->on_int.data = program;
    uv_signal_start(&program->on_term, handle_signal, SIGTERM);
    uv_signal_start(&program->on_int, handle_signal, SIGINT);
}

/* ---- settings ---- */

static int complain(const char *sentence)
{
    fprintf(stderr, "banter-bot: %s\n", sentence);
    return 1;
}

static int check_redis(struct program *program)
{
    char error[256];
    if (!program->config.redis)
        return complain("--redis URL is missing: where the messages are, e.g. --redis redis://localhost:6379");
    if (redis_address_parse(&program->address, program->config.redis, error, sizeof error))
        return complain(error);
    return 0;
}

static int check_bot(struct program *program, const char *spec)
{
    char sentence[512];
    struct place *place = &program->place[program->places];
    if (program->places == BOTS_MAX)
        return complain("there are more than 64 --bot; start a second banter-bot for the rest");
    if (!worker_bot_spec_check(spec, place->name, sentence, sizeof sentence))
        return complain(sentence);
    for (struct place *other = program->place; other < place; other++)
        if (strcmp(other->name, place->name) == 0) {
            snprintf(sentence, sizeof sentence, "two --bot are named %s; name one of them: --bot NAME=%s", place->name,
                     spec);
            return complain(sentence);
        }
    program->places++;
    return 0;
}

/* Says all that is wrong at once. */
static int check_settings(struct program *program)
{
    int mistakes = check_redis(program);
    for (size_t i = 0; i < program->config.bot.count; i++)
        mistakes += check_bot(program, program->config.bot.item[i]);
    if (program->config.word_count > 0)
        mistakes += complain("there are words that belong to no option; see --help");
    return mistakes;
}

static enum config_result read_settings(struct program *program, int argc, char **argv)
{
    char *usage = NULL;
    size_t len;
    FILE *out = open_memstream(&usage, &len);
    if (!out)
        return CONFIG_WRONG;
    fputs(usage_head, out);
    worker_print_bot_types(out);
    fclose(out);
    enum config_result result = config_read(&program->config, CONFIG_BOT, usage, argc, argv);
    free(usage);
    if (result == CONFIG_OK && check_settings(program) > 0)
        result = CONFIG_WRONG;
    return result;
}

/* ---- life ---- */

static int open_worker(struct program *program, struct place *place, const char *spec)
{
    char error[512];
    struct worker_options options = {
        .loop = &program->loop,
        .address = &program->address,
        .bot = spec,
        .lease_ms = program->config.lease_s * 1000,
        .history = program->config.history,
        .max_answer = program->config.max_answer,
        .concurrency = program->config.concurrency,
        .redis_timeout_ms = (uint64_t)program->config.redis_timeout_ms,
        .metrics = &program->metrics,
        .on_ready = handle_ready,
        .on_away = handle_away,
        .on_stopped = handle_stopped,
        .data = place,
    };
    place->program = program;
    int result = worker_open(&place->worker, &options, error, sizeof error);
    if (result)
        complain(error);
    else
        program->running++;
    return result;
}

static int run(struct program *program)
{
    log_init(log_level_from_name(program->config.log_level), log_format_from_name(program->config.log_format));
    int error = uv_loop_init(&program->loop);
    if (error)
        return error;
    for (size_t i = 0; i < program->places && !error; i++)
        error = open_worker(program, &program->place[i], program->config.bot.item[i]);
    if (error)
        return error;
    watch_signals(program);
    uv_run(&program->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&program->loop);
}

int main(int argc, char **argv)
{
    static struct program program;
    enum config_result result = read_settings(&program, argc, argv);
    if (result == CONFIG_WRONG)
        return EXIT_USAGE;
    if (result == CONFIG_DONE)
        return EXIT_SUCCESS;
    return run(&program) ? EXIT_FAILURE : EXIT_SUCCESS;
}
