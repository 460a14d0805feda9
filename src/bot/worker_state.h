/*
 * What the files of the worker share: worker.c (its life), worker_queue.c (reading), worker_redis.c (what Redis must
 * have), worker_duties.c (what is done by the clock).
 */
#pragma once
#include "bot/bot_spec.h"
#include "bot/turns.h"
#include "bot/worker.h"
#include "protocol/calls.h"

enum { WORKER_ID_MAX = 40 };

/* AWAY: not connected, or refused. PREPARING: the group and the functions are being looked after. */
enum worker_redis { REDIS_AWAY, REDIS_PREPARING, REDIS_READY };

/*
 *   RUNNING ──────────────> DRAINING ───────────────────> LEAVING ─────────────> CLOSED
 *            worker_stop              nothing in work,              left, or
 *                                     or the time is over           no way to
 */
enum worker_life { WORKER_RUNNING, WORKER_DRAINING, WORKER_LEAVING, WORKER_CLOSED };

enum worker_duty { DUTY_RENEW, DUTY_CLAIM, DUTY_BEAT, DUTY_SWEEP, DUTY_RETIRE, DUTY_COUNT };

struct worker {
    struct worker_options options;
    struct bot_spec spec;
    struct banter_bot *bot;
    struct turns *turns;
    char id[WORKER_ID_MAX]; /* unique per start: <host>-<pid>-<random> */
    char requests[KEY_MAX];
    char stop_channel[KEY_MAX];
    int64_t next_run; /* number for the next turn's tag */

    enum worker_life life;
    enum worker_redis redis;
    bool was_ready;
    bool has_told_away; /* of this outage */
    uint64_t drain_until_ms;
    bool has_left; /* Redis has heard, or will not be waited for */

    struct redis_link *commands, *reader, *stops;
    uint64_t reading_since_ms; /* 0: no read is on its way */
    uint64_t read_not_before_ms;
    bool has_read_own; /* on this connection: what was given to this worker and perhaps never arrived */

    uint64_t duty_due_ms[DUTY_COUNT];
    bool is_claiming;             /* a claim is on its way: its room is spoken for */
    char sweep_after[48];         /* where the sweep of the queue goes on */
    int64_t redis_clock_ahead_ms; /* Redis's clock minus the loop's */

    uv_timer_t tick;
    uv_check_t after_poll;
    int open_handles;
};

static inline uint64_t worker_now_ms(const struct worker *worker)
{
    return uv_now(worker->options.loop);
}

/* ---- worker_queue.c ---- */

/* Opens the link that reads. */
int worker_queue_open(struct worker *worker) MUST_CHECK;

/* Asks for as many entries as there is room for, unless that is being done; to be called after each turn of the loop.
 */
void worker_queue_read(struct worker *worker);

/* Ends a connection that has fallen silent; to be called often. */
void worker_queue_watch(struct worker *worker);

/* Begins an entry that was read or claimed. `expires` is in ms by Redis's clock, or empty. */
void worker_queue_take(struct worker *worker, struct turns_entry *entry, const char *expires);

/* ---- worker_redis.c ---- */

/* Connected, or something is missing: makes the group, loads the functions if they are not there; then all goes on. */
void worker_redis_prepare(struct worker *worker);

/* The link is gone: all waits. */
void worker_redis_lost(struct worker *worker, const char *why);

/* Redis answered an error: prepares Redis anew if the group or the functions are gone; logs what else it is. */
void worker_redis_refused(struct worker *worker, const struct redis_value *error);

/* ---- worker_duties.c ---- */

/* Runs what is due; to be called often. */
void worker_duties_run(struct worker *worker);

/* All duties are due at once: after a reconnect nothing is older than it must be. */
void worker_duties_hasten(struct worker *worker);

/* Takes Redis's clock from the answer to a beat. */
void worker_duties_set_clock(struct worker *worker, const struct redis_value *beat);

/* How often worker_duties_run should run. */
uint64_t worker_duties_tick_ms(const struct worker *worker);

/* Gives entries back to the queue for others to claim at once (rule 30). */
void worker_duties_release(struct worker *worker, const char *const *entries, int count);
