#include "base/log.h"
#include "bot/worker_state.h"
#include "protocol/message.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    READ_BLOCK_MS = 200, /* also the longest that an idle worker takes to stop */
    READ_SILENCE_MS = READ_BLOCK_MS + 5000,
    READ_RETRY_MS = 200,
};

static bool has_expired(const struct worker *worker, const char *expires)
{
    char now[TIME_TEXT_SIZE];
    message_time_print((int64_t)worker_now_ms(worker) + worker->redis_clock_ahead_ms, now);
    return *expires && strcmp(now, expires) >= 0; /* both are ISO 8601 in UTC: the order of text is that of time */
}

void worker_queue_take(struct worker *worker, struct turns_entry *entry, const char *expires)
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
    worker_queue_take(worker, &entry, expires);
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

/* Claims may come on top, so the room is a wish and not a promise. */
void worker_queue_read(struct worker *worker)
{
    struct args args;
    const char *requests = worker->requests;
    uint64_t now_ms = worker_now_ms(worker);
    int64_t room = worker->options.concurrency - turns_count(worker->turns);
    if (worker->redis != REDIS_READY || worker->reading_since_ms || room <= 0 || now_ms < worker->read_not_before_ms)
        return;
    if (worker->has_read_own)
        call_read(&args, &requests, 1, worker->id, room, READ_BLOCK_MS);
    else
        call_own(&args, requests, worker->id, room);
    if (redis_link_command(worker->reader, &args, NULL, NULL) == 0)
        worker->reading_since_ms = now_ms;
}

/* A blocking read has no deadline of its own on its link. */
void worker_queue_watch(struct worker *worker)
{
    if (worker->reading_since_ms && worker_now_ms(worker) - worker->reading_since_ms > READ_SILENCE_MS)
        redis_link_reset(worker->reader, "XREADGROUP was not answered");
}

static void handle_connected(void *data)
{
    struct worker *worker = data;
    worker->has_read_own = false; /* the last connection may have died with entries on their way; reading begins soon */
}

static void handle_lost(void *data, const char *why)
{
    (void)why; /* the link for commands tells the operator */
    struct worker *worker = data;
    worker->reading_since_ms = 0;
}

int worker_queue_open(struct worker *worker)
{
    struct redis_link_options options = {
        .loop = worker->options.loop,
        .address = worker->options.address,
        .on_connected = handle_connected,
        .on_lost = handle_lost,
        .on_push = handle_read,
        .data = worker,
    };
    return redis_link_open(&worker->reader, &options);
}
