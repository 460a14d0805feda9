/* banter-bot: bot workers, as many as --bot says, on one loop. */
#include "base/log.h"
#include "bot/bot_settings.h"
#include "bot/worker.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    DRAIN_MS = 25 * 1000, /* what is in work may take so long after SIGTERM */
};

struct program;

/* One --bot. */
struct place {
    struct program *program;
    const char *name;
    struct worker *worker; /* NULL: not open, or stopped */
};

struct program {
    uv_loop_t loop;
    struct bot_settings settings;
    struct metrics metrics;
    struct place place[BOTS_MAX]; /* as many as settings.bots */
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
    if (++program->ready < program->settings.bots || program->settings.config.ready_fd < 0)
        return;
    if (write((int)program->settings.config.ready_fd, "ready\n", 6) != 6)
        log_warning("nobody reads --ready-fd", NULL);
}

static void handle_away(void *data, const char *why)
{
    struct place *place = data;
    struct program *program = place->program;
    char where[512];
    redis_address_print(&program->settings.address, where, sizeof where);
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
    for (size_t i = 0; i < program->settings.bots; i++)
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

/* ---- life ---- */

static int open_worker(struct program *program, struct place *place, const char *spec)
{
    char error[512];
    struct worker_options options = {
        .loop = &program->loop,
        .address = &program->settings.address,
        .bot = spec,
        .lease_ms = program->settings.config.lease_s * 1000,
        .history = program->settings.config.history,
        .max_answer = program->settings.config.max_answer,
        .concurrency = program->settings.config.concurrency,
        .redis_timeout_ms = (uint64_t)program->settings.config.redis_timeout_ms,
        .metrics = &program->metrics,
        .on_ready = handle_ready,
        .on_away = handle_away,
        .on_stopped = handle_stopped,
        .data = place,
    };
    *place = (struct place){.program = program, .name = program->settings.bot_name[place - program->place]};
    int result = worker_open(&place->worker, &options, error, sizeof error);
    if (result)
        fprintf(stderr, "banter-bot: %s\n", error);
    else
        program->running++;
    return result;
}

static int run(struct program *program)
{
    log_init(log_level_from_name(program->settings.config.log_level),
             log_format_from_name(program->settings.config.log_format));
    int error = uv_loop_init(&program->loop);
    if (error) {
        fprintf(stderr, "banter-bot: %s\n", uv_strerror(error));
        return error;
    }
    for (size_t i = 0; i < program->settings.bots && !error; i++)
        error = open_worker(program, &program->place[i], program->settings.config.bot.item[i]);
    if (error)
        return error;
    watch_signals(program);
    uv_run(&program->loop, UV_RUN_DEFAULT);
    return uv_loop_close(&program->loop);
}

int main(int argc, char **argv)
{
    static struct program program;
    enum config_result result = bot_settings_read(&program.settings, argc, argv);
    if (result == CONFIG_WRONG)
        return EXIT_USAGE;
    if (result == CONFIG_DONE)
        return EXIT_SUCCESS;
    int error = run(&program);
    return error == -EINVAL ? EXIT_USAGE : error ? EXIT_FAILURE : EXIT_SUCCESS;
}
