#include "base/log.h"
#include "bot/bot_types.h"
#include "bot/worker_state.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    READ_BLOCK_MS = 200, /* also the longest that an idle worker takes to stop */
    READ_SILENCE_MS = READ_BLOCK_MS + 5000,
    READ_RETRY_MS = 200,
};

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

/* ---- reading the queue ---- */

static bool has_expired(const struct worker *worker, const char *expires)
{
    int64_t expires_ms = strtoll(expires, NULL, 10);
    return expires_ms > 0 && (int64_t)worker_now_ms(worker) + worker->redis_clock_ahead_ms >= expires_ms;
}

void worker_take(struct worker *worker, struct turns_entry *entry, const char *expires)
{
    if (worker->life != WORKER_RUNNING) {
        worker_duties_release(worker, &entry->id, 1); /* it came on the way out, and is not begun */
        return;
    }
    entry->may_be_expired = has_expired(worker, expires);
    int error = turns_take(worker->turns, entry);
    if (error) /* one that is not ours is dropped by whoever claims it; for another, there will be memory then */
        log_warning("an entry of the queue is left to a later claim", "bot=%s entry=%s error=%s", worker->spec.name,
                    entry->id, uv_strerror(error));
}

/* [id, [field, value, ...]] as XREADGROUP gives it. */
static void take_read(struct worker *worker, const struct redis_value *read)
{
    char tag[TURN_TAG_MAX];
    const char *expires = "";
    if (read->count < 2)
        return;
    snprintf(tag, sizeof tag, "1.%s.%" PRId64, worker->id, worker->next_run++);
    struct turns_entry entry = {.id = read->item[0].str, .token = "", .message = "", .text = "", .tag = tag};
    const struct redis_value *fields = &read->item[1];
    for (size_t i = 0; i + 1 < fields->count; i += 2) {
        const char *name = fields->item[i].str;
        const struct redis_value *value = &fields->item[i + 1];
        if (strcmp(name, "token") == 0) {
            entry.token = value->str;
            entry.token_len = value->len;
        } else if (strcmp(name, "id") == 0) {
            entry.message = value->str;
        } else if (strcmp(name, "msg") == 0) {
            entry.text = value->str;
            entry.text_len = value->len;
        } else if (strcmp(name, "expires") == 0) {
            expires = value->str;
        }
    }
    worker_take(worker, &entry, expires);
}

/* What XREADGROUP said: nil after its BLOCK, or [[queue, [entry, ...]]]. */
static void handle_read(void *data, const struct redis_value *value)
{
    struct worker *worker = data;
    worker->reading_since_ms = 0;
    if (value->type == REDIS_TYPE_ERROR) {
        worker->read_not_before_ms = worker_now_ms(worker) + READ_RETRY_MS;
        worker_redis_refused(worker, value);
        return;
    }
    worker->has_read_own = true;
    for (size_t i = 0; i < value->count; i++) {
        const struct redis_value *queue = &value->item[i];
        for (size_t j = 0; queue->count == 2 && j < queue->item[1].count; j++)
            take_read(worker, &queue->item[1].item[j]);
    }
}

/* The last word says where to read from: not what is new, but what is this worker's already. That never waits. */
static void read_own_instead(struct args *args)
{
    args->count--;
    args_add_str(args, "0");
}

/* Asks for as many entries as there is room for. Claims may come on top, so the room is a wish and not a promise. */
static void read_queue(struct worker *worker)
{
    struct args args;
    const char *requests = worker->requests;
    uint64_t now_ms = worker_now_ms(worker);
    int64_t room = worker->options.concurrency - turns_count(worker->turns);
    if (worker->redis != REDIS_READY || worker->reading_since_ms || room <= 0 || now_ms < worker->read_not_before_ms)
        return;
    call_read(&args, &requests, 1, worker->id, room, READ_BLOCK_MS);
    if (!worker->has_read_own)
        read_own_instead(&args);
    if (redis_link_command(worker->reader, &args, NULL, NULL) == 0)
        worker->reading_since_ms = now_ms;
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
        read_queue(worker);
    else
        drain(worker);
}

static void handle_tick(uv_timer_t *tick)
{
    struct worker *worker = tick->data;
    if (worker->redis == REDIS_AWAY && redis_link_is_connected(worker->commands))
        worker_redis_prepare(worker);
    if (worker->reading_since_ms && worker_now_ms(worker) - worker->reading_since_ms > READ_SILENCE_MS)
        redis_link_reset(worker->reader, "XREADGROUP was not answered");
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

static void handle_reader_connected(void *data)
{
    struct worker *worker = data;
    worker->has_read_own = false; /* the last connection may have died with entries on their way; reading begins soon */
}

static void handle_reader_lost(void *data, const char *why)
{
    (void)why; /* the link for commands tells the operator */
    struct worker *worker = data;
    worker->reading_since_ms = 0;
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
    options.on_connected = handle_reader_connected;
    options.on_lost = handle_reader_lost;
    options.on_push = handle_read;
    if (!error)
        error = redis_link_open(&worker->reader, &options);
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
