/*
 * What the worker needs in Redis: the group of its queue, and the functions. A Redis that was restarted without its
 * data, or emptied by hand, has neither; the worker then makes them again and goes on.
 */
#include "base/log.h"
#include "bot/worker_state.h"
#include <string.h>

static void send_first_beat(struct worker *worker);

/* Redis said no: the next tick tries again, nothing is dropped. */
static void refused(struct worker *worker, const char *what, const struct redis_value *error)
{
    static struct log_repeat repeat;
    log_write_repeated(&repeat, LOG_LEVEL_WARNING, "Redis refuses what the worker needs",
                       "bot=%s doing=\"%s\" error=\"%s\"", worker->spec.name, what, error->str);
    worker->redis = REDIS_AWAY;
}

static bool is_missing_function(const struct redis_value *error)
{
    return strstr(error->str, "Function not found") != NULL;
}

static void become_ready(struct worker *worker)
{
    worker->redis = REDIS_READY;
    worker->has_told_away = false;
    log_info("worker is ready", "bot=%s worker=%s", worker->spec.name, worker->id);
    worker_duties_hasten(worker); /* renewing comes first: what is in work may be close to the end of its lease */
    turns_set_link(worker->turns, worker->commands);
    if (!worker->was_ready && worker->options.on_ready)
        worker->options.on_ready(worker->options.data);
    worker->was_ready = true;
}

static void handle_loaded(void *data, int status, const struct redis_value *reply)
{
    struct worker *worker = data;
    if (status < 0)
        return;
    if (reply->type == REDIS_TYPE_ERROR) {
        refused(worker, "loading the functions", reply);
        return;
    }
    log_info("functions loaded into Redis", "bot=%s", worker->spec.name);
    send_first_beat(worker);
}

static void handle_first_beat(void *data, int status, const struct redis_value *reply)
{
    struct worker *worker = data;
    if (status < 0)
        return;
    if (reply->type != REDIS_TYPE_ERROR) {
        worker_duties_set_clock(worker, reply);
        become_ready(worker);
        return;
    }
    if (!is_missing_function(reply)) {
        refused(worker, "the first beat", reply);
        return;
    }
    struct args args;
    call_function_load(&args);
    if (redis_link_command(worker->commands, &args, handle_loaded, worker) != 0)
        worker->redis = REDIS_AWAY;
}

static void send_first_beat(struct worker *worker)
{
    struct args args;
    call_beat_worker(&args, worker->id, worker->spec.name, turns_count(worker->turns), BANTER_VERSION);
    if (redis_link_command(worker->commands, &args, handle_first_beat, worker) != 0)
        worker->redis = REDIS_AWAY;
}

static void handle_group(void *data, int status, const struct redis_value *reply)
{
    struct worker *worker = data;
    if (status < 0)
        return;
    bool is_there = reply->type != REDIS_TYPE_ERROR || strncmp(reply->str, "BUSYGROUP", 9) == 0;
    if (is_there)
        send_first_beat(worker);
    else
        refused(worker, "making the group", reply);
}

void worker_redis_prepare(struct worker *worker)
{
    struct args args;
    call_group(&args, worker->requests);
    int error = redis_link_command(worker->commands, &args, handle_group, worker);
    worker->redis = error ? REDIS_AWAY : REDIS_PREPARING;
}

void worker_redis_lost(struct worker *worker, const char *why)
{
    worker->redis = REDIS_AWAY;
    turns_set_link(worker->turns, NULL);
    if (worker->has_told_away)
        return;
    worker->has_told_away = true;
    if (worker->options.on_away)
        worker->options.on_away(worker->options.data, why);
    else
        log_warning("Redis is away", "bot=%s why=\"%s\"", worker->spec.name, why);
}

void worker_redis_refused(struct worker *worker, const struct redis_value *error)
{
    static struct log_repeat repeat;
    log_write_repeated(&repeat, LOG_LEVEL_WARNING, "Redis refuses a command; it is tried again", "bot=%s error=\"%s\"",
                       worker->spec.name, error->str);
    bool is_missing = is_missing_function(error) || strstr(error->str, "NOGROUP") != NULL;
    if (!is_missing || worker->redis != REDIS_READY)
        return;
    turns_set_link(worker->turns, NULL);
    worker_redis_prepare(worker);
}
