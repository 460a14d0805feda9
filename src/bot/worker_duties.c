#include "bot/worker_state.h"
#include <stdlib.h>
#include <string.h>

enum {
    DELIVERIES_MAX = 5, /* then an entry goes to the dead letters */
    SWEEP_PAGE = 256,
    RETIRE_IDLE_MS = 60 * 60 * 1000,
    TICK_MAX_MS = 500,
};

/* Sends a duty's command. One that cannot go now comes round again. */
static bool send_command(struct worker *worker, const struct args *args, redis_reply_cb callback)
{
    return redis_link_command(worker->commands, args, callback, worker) == 0;
}

/* True if Redis answered. An error is dealt with here; a lost link has its own callback. */
static bool is_answered(struct worker *worker, int status, const struct redis_value *reply)
{
    if (status < 0)
        return false;
    if (reply->type == REDIS_TYPE_ERROR) {
        worker_redis_refused(worker, reply);
        return false;
    }
    return true;
}

static void handle_done(void *data, int status, const struct redis_value *reply)
{
    (void)is_answered(data, status, reply);
}

/* ---- renew: rule 25 ---- */

static void handle_renewed(void *data, int status, const struct redis_value *reply)
{
    struct worker *worker = data;
    if (!is_answered(worker, status, reply))
        return;
    for (size_t i = 0; i < reply->count; i++)
        turns_forget(worker->turns, reply->item[i].str);
}

static void renew(struct worker *worker)
{
    struct args args;
    const char *entries[CALL_RENEW_MAX];
    const struct banter_turn *turn = turns_next(worker->turns, NULL);
    while (turn) {
        int count = 0;
        for (; turn && count < CALL_RENEW_MAX; turn = turns_next(worker->turns, turn))
            entries[count++] = turns_entry_id(turn);
        call_renew(&args, worker->requests, worker->id, entries, count);
        if (!send_command(worker, &args, handle_renewed))
            return;
    }
}

/* ---- claim: rules 26, 27 ---- */

static void take_claimed(struct worker *worker, const struct redis_value *claimed)
{
    if (claimed->type != REDIS_TYPE_ARRAY || claimed->count < 6)
        return;
    const struct redis_value *item = claimed->item;
    struct turns_entry entry = {
        .id = item[0].str,
        .token = item[1].str,
        .token_len = item[1].len,
        .message = item[2].str,
        .text = item[3].str,
        .text_len = item[3].len,
        .tag = item[4].str,
    };
    metrics_add(worker->options.metrics, METRIC_TURNS_CLAIMED, 1);
    turns_forget(worker->turns, entry.id); /* our own earlier run of it, if there is one, has lost its tag */
    worker_queue_take(worker, &entry, item[5].str);
}

static void handle_claimed(void *data, int status, const struct redis_value *reply)
{
    struct worker *worker = data;
    worker->is_claiming = false;
    if (!is_answered(worker, status, reply))
        return;
    for (size_t i = 0; i < reply->count; i++)
        take_claimed(worker, &reply->item[i]);
}

static void claim(struct worker *worker)
{
    struct args args;
    int64_t suspects = turns_count_suspects(worker->turns);
    struct call_claim call = {
        .worker = worker->id,
        .lease_ms = worker->options.lease_ms,
        .room = worker->options.concurrency - turns_count(worker->turns),
        .suspects = suspects > 0 ? 0 : 1,
        .history = worker->options.history,
        .deliveries = DELIVERIES_MAX,
        .run = worker->next_run,
    };
    if (worker->life != WORKER_RUNNING || worker->is_claiming || call.room <= 0)
        return;
    call_claim(&args, worker->requests, &call);
    worker->is_claiming = send_command(worker, &args, handle_claimed);
    worker->next_run += call.room;
}

/* ---- beat, sweep, retire ---- */

void worker_duties_set_clock(struct worker *worker, const struct redis_value *beat)
{
    if (beat->count > 0)
        worker->redis_clock_ahead_ms = beat->item[0].integer - (int64_t)worker_now_ms(worker);
}

static void handle_beat(void *data, int status, const struct redis_value *reply)
{
    struct worker *worker = data;
    if (is_answered(worker, status, reply))
        worker_duties_set_clock(worker, reply);
}

static void beat(struct worker *worker)
{
    struct args args;
    call_beat_worker(&args, worker->id, worker->spec.name, turns_count(worker->turns), BANTER_VERSION);
    (void)send_command(worker, &args, handle_beat);
}

static void handle_swept(void *data, int status, const struct redis_value *reply)
{
    struct worker *worker = data;
    if (is_answered(worker, status, reply) && reply->len < sizeof worker->sweep_after)
        memcpy(worker->sweep_after, reply->str, reply->len + 1);
}

static void sweep(struct worker *worker)
{
    struct args args;
    call_sweep(&args, worker->requests, worker->sweep_after, SWEEP_PAGE);
    (void)send_command(worker, &args, handle_swept);
}

static void retire(struct worker *worker)
{
    struct args args;
    call_retire(&args, worker->requests, RETIRE_IDLE_MS);
    (void)send_command(worker, &args, handle_done);
}

/* ---- the clock ---- */

static const struct {
    void (*run)(struct worker *worker);
    uint64_t every_ms; /* 0: a third of the lease */
} duties[DUTY_COUNT] = {
    [DUTY_RENEW] = {renew, 0},
    [DUTY_CLAIM] = {claim, 0},
    [DUTY_BEAT] = {beat, 2000},
    [DUTY_SWEEP] = {sweep, 30 * 1000},
    [DUTY_RETIRE] = {retire, 10 * 60 * 1000},
};

void worker_duties_run(struct worker *worker)
{
    uint64_t now_ms = worker_now_ms(worker);
    for (int i = 0; i < DUTY_COUNT && worker->redis == REDIS_READY; i++) {
        if (now_ms < worker->duty_due_ms[i])
            continue;
        worker->duty_due_ms[i] =
            now_ms + (duties[i].every_ms ? duties[i].every_ms : (uint64_t)worker->options.lease_ms / 3);
        duties[i].run(worker);
    }
}

void worker_duties_hasten(struct worker *worker)
{
    memset(worker->duty_due_ms, 0, sizeof worker->duty_due_ms);
    worker_duties_run(worker);
}

uint64_t worker_duties_tick_ms(const struct worker *worker)
{
    uint64_t third = (uint64_t)worker->options.lease_ms / 3;
    return third < 1 ? 1 : third < TICK_MAX_MS ? third : TICK_MAX_MS;
}

/* ---- release: rule 30 ---- */

void worker_duties_release(struct worker *worker, const char *const *entries, int count)
{
    struct args args;
    for (int at = 0; at < count; at += CALL_RENEW_MAX) {
        int some = count - at < CALL_RENEW_MAX ? count - at : CALL_RENEW_MAX;
        call_release(&args, worker->requests, worker->id, entries + at, some);
        if (!send_command(worker, &args, handle_done))
            return; /* they are claimed once the lease is over */
    }
}
