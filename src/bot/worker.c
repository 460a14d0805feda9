#include "base/log.h"
#include "bot/bot_types.h"
#include "bot/worker_state.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool worker_bot_spec_check(const char *spec, char *name, char *error, size_t error_size)
{
    struct bot_spec parsed;
    if (bot_spec_parse(&parsed, spec, error, error_size))
        return false;
    memcpy(name, parsed.name, sizeof parsed.name);
    bot_spec_done(&parsed);
    return true;
}

void worker_print_bot_types(FILE *out)
{
    bot_types_print(out);
}

/* ---- the end ---- */

static void handle_closed(uv_handle_t *handle)
{
    struct worker *worker = handle->data;
    if (--worker->open_handles > 0)
        return;
    void (*on_stopped)(void *) = worker->options.on_stopped;
    void *data = worker->options.data;
    free(worker);
    if (on_stopped)
        on_stopped(data);
}

/* Lets go of all that a start has taken so far. The links first: their last callbacks free the turns that wait for
 * them. */
static void let_go(struct worker *worker)
{
    redis_link_close(&worker->reader);
    redis_link_close(&worker->stops);
    redis_link_close(&worker->commands);
    turns_close(&worker->turns);
    if (worker->bot)
        worker->spec.type->close(worker->bot);
    bot_spec_done(&worker->spec);
}

static void close_all(struct worker *worker)
{
    worker->life = WORKER_CLOSED;
    let_go(worker);
    uv_close((uv_handle_t *)&worker->tick, handle_closed);
    uv_close((uv_handle_t *)&worker->after_poll, handle_closed);
}

static void handle_left(void *data, int status, const struct redis_value *reply)
{
    (void)status, (void)reply;
    struct worker *worker = data;
    worker->has_left = true;
}

/* What is still in work goes back to the queue, so that others need not wait for the lease. */
static void leave(struct worker *worker)
{
    struct args args;
    const struct banter_turn *turn = NULL;
    while ((turn = turns_next(worker->turns, turn)) != NULL) {
        const char *entry = turns_entry_id(turn);
        worker_duties_release(worker, &entry, 1);
    }
    turns_forget_all(worker->turns);
    worker->life = WORKER_LEAVING;
    call_leave(&args, false, worker->id);
    worker->has_left = redis_link_command(worker->commands, &args, handle_left, worker) != 0;
}

static void drain(struct worker *worker)
{
    bool is_idle = !worker->reading_since_ms && turns_count(worker->turns) == 0;
    if (worker->life == WORKER_DRAINING && (is_idle || worker_now_ms(worker) >= worker->drain_until_ms))
        leave(worker);
    if (worker->life == WORKER_LEAVING && worker->has_left)
        close_all(worker);
}

void worker_stop(struct worker *worker, uint64_t grace_ms)
{
    uint64_t until_ms = worker_now_ms(worker) + grace_ms;
    if (worker->life == WORKER_RUNNING) {
        worker->life = WORKER_DRAINING;
        worker->drain_until_ms = until_ms;
    } else if (until_ms < worker->drain_until_ms) {
        worker->drain_until_ms = until_ms;
        worker->has_left = true; /* if it is leaving, the answer is not waited for */
    }
}

/* ---- the loop ---- */

/* After all that one turn of the loop has brought: the one place that reads on, or ends. */
static void handle_after_poll(uv_check_t *check)
{
    struct worker *worker = check->data;
    if (worker->life == WORKER_RUNNING)
        worker_queue_read(worker);
    else
        drain(worker);
}

static void handle_tick(uv_timer_t *tick)
{
    struct worker *worker = tick->data;
    if (worker->redis == REDIS_AWAY && redis_link_is_connected(worker->commands))
        worker_redis_prepare(worker);
    worker_queue_watch(worker);
    worker_duties_run(worker);
}

static void handle_commands_connected(void *data)
{
    worker_redis_prepare(data);
}

static void handle_commands_lost(void *data, const char *why)
{
    worker_redis_lost(data, why);
}

/* Users' stops are heard here at once; missing one is no harm, for the turn's next command is LOST. */
static void handle_stops_connected(void *data)
{
    struct worker *worker = data;
    struct args args;
    args_init(&args);
    args_add_str(&args, "SUBSCRIBE");
    args_add_str(&args, worker->stop_channel);
    if (redis_link_command(worker->stops, &args, NULL, NULL) != 0)
        log_warning("cannot listen for stopped turns", "bot=%s", worker->spec.name);
}

static void handle_stops_lost(void *data, const char *why)
{
    (void)data, (void)why;
}

static void handle_stop(void *data, const struct redis_value *value)
{
    struct worker *worker = data;
    if (value->count == 3 && strcmp(value->item[0].str, "message") == 0)
        turns_forget(worker->turns, value->item[2].str);
}

/* ---- the beginning ---- */

static int name_worker(struct worker *worker)
{
    char host[64] = "";
    uint32_t random;
    int error = uv_random(NULL, NULL, &random, sizeof random, 0, NULL);
    if (error)
        return error;
    (void)gethostname(host, sizeof host - 1);
    for (char *c = host; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
            *c = '-'; /* a dot would end the name inside a tag */
    snprintf(worker->id, sizeof worker->id, "%.12s-%d-%08" PRIx32, host, (int)getpid(), random);
    keys_requests(worker->requests, worker->spec.name);
    keys_stop(worker->stop_channel, worker->spec.name);
    return 0;
}

static int open_bot(struct worker *worker, char *error, size_t error_size)
{
    struct banter_bot_settings settings = {
        .name = worker->spec.name,
        .loop = worker->options.loop,
        .value = worker->spec.value,
    };
    return worker->spec.type->open(&worker->bot, &settings, error, error_size) ? -EINVAL : 0;
}

static void handle_turn_refused(void *data, const struct redis_value *error)
{
    worker_redis_refused(data, error);
}

static int open_turns(struct worker *worker)
{
    struct turns_options options = {
        .loop = worker->options.loop,
        .type = worker->spec.type,
        .bot = worker->bot,
        .requests = worker->requests,
        .history = worker->options.history,
        .max_answer = (size_t)worker->options.max_answer,
        .metrics = worker->options.metrics,
        .on_error = handle_turn_refused,
        .data = worker,
    };
    return turns_open(&worker->turns, &options);
}

static int open_links(struct worker *worker)
{
    struct redis_link_options options = {
        .loop = worker->options.loop,
        .address = worker->options.address,
        .command_timeout_ms = worker->options.redis_timeout_ms,
        .on_connected = handle_commands_connected,
        .on_lost = handle_commands_lost,
        .data = worker,
    };
    int error = redis_link_open(&worker->commands, &options);
    if (!error)
        error = worker_queue_open(worker);
    options.on_connected = handle_stops_connected;
    options.on_lost = handle_stops_lost;
    options.on_push = handle_stop;
    if (!error)
        error = redis_link_open(&worker->stops, &options);
    return error;
}

static void start_clock(struct worker *worker)
{
    uint64_t tick_ms = worker_duties_tick_ms(worker);
    uv_timer_init(worker->options.loop, &worker->tick);
    uv_check_init(worker->options.loop, &worker->after_poll);
    worker->tick.data = worker->after_poll.data = worker;
    worker->open_handles = 2;
    uv_timer_start(&worker->tick, handle_tick, tick_ms, tick_ms);
    uv_check_start(&worker->after_poll, handle_after_poll);
}

int worker_open(struct worker **worker, const struct worker_options *options, char *error, size_t error_size)
{
    struct worker *made = calloc(1, sizeof *made);
    if (!made) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    made->options = *options;
    made->next_run = 1;
    int result = bot_spec_parse(&made->spec, options->bot, error, error_size);
    if (!result)
        result = open_bot(made, error, error_size);
    if (result) {
        let_go(made);
        free(made);
        return result;
    }
    result = name_worker(made);
    if (!result)
        result = open_turns(made);
    if (!result)
        result = open_links(made);
    if (result) {
        snprintf(error, error_size, "the worker of %s cannot start: %s", made->spec.name, uv_strerror(result));
        let_go(made);
        free(made);
        return result;
    }
    start_clock(made);
    *worker = made;
    return 0;
}
