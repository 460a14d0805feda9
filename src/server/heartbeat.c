#include "server/heartbeat.h"
#include "protocol/calls.h"
#include "server/reactor.h"
#include <stdio.h>
#include <string.h>

enum {
    BEAT_MS = 1000,
    FRESH_MS = 6000, /* older figures of the others are no figures */
    PROBE_MS = 5000, /* a probe that takes longer was swallowed */
};

/* [connections of all nodes, now, [length of each queue], [bots with a live worker]] */
static void handle_beat(void *data, int status, const struct redis_value *reply)
{
    struct reactor *reactor = data;
    struct heartbeat *heartbeat = &reactor->heartbeat;
    if (status)
        return;
    if (reply->type != REDIS_TYPE_ARRAY || reply->count < 4) {
        backend_distrust(reactor, reply); /* functions were deleted, say: found out here also while nobody talks */
        return;
    }
    heartbeat->others = reply->item[0].integer - heartbeat->told;
    heartbeat->answered_ms = reactor_now_ms(reactor);
    const struct redis_value *lengths = &reply->item[2], *bots = &reply->item[3];
    for (size_t i = 0; i < lengths->count && i < (size_t)heartbeat->queue_count; i++)
        heartbeat->queue[i].length = lengths->item[i].integer;
    size_t at = 0;
    heartbeat->live_bots[0] = '\0';
    for (size_t i = 0; i < bots->count && at + bots->item[i].len + 3 < sizeof heartbeat->live_bots; i++)
        at += (size_t)snprintf(heartbeat->live_bots + at, sizeof heartbeat->live_bots - at, "%s%s", i ? ", " : "",
                               bots->item[i].str);
}

static void beat(struct reactor *reactor)
{
    struct heartbeat *heartbeat = &reactor->heartbeat;
    const char *requests[HEARTBEAT_BOTS_MAX];
    struct args args;
    for (int i = 0; i < heartbeat->queue_count; i++)
        requests[i] = heartbeat->queue[i].requests;
    int64_t connections = (int64_t)metrics_get(&reactor->metrics, METRIC_CONNECTIONS);
    call_beat_server(&args, heartbeat->id, connections, BANTER_VERSION, requests, heartbeat->queue_count);
    if (backend_call(reactor, &args, handle_beat, reactor) == 0)
        heartbeat->told = connections;
}

/* Subscribed on the events link, published on the commands link: what comes back proves all that was before it. */
static void probe(struct reactor *reactor)
{
    struct heartbeat *heartbeat = &reactor->heartbeat;
    uint64_t now = reactor_now_ms(reactor);
    if (!reactor->backend.is_ready)
        return; /* a probe under way may have been lost with the commands; being ready starts anew */
    if (heartbeat->probe_sent_ms) {
        if (now - heartbeat->probe_sent_ms >= PROBE_MS)
            redis_link_reset(reactor->backend.events, "subscriptions are silent: a probe did not come back");
        return;
    }
    struct args args;
    args_init(&args);
    args_add_str(&args, "PUBLISH");
    args_add_str(&args, heartbeat->probe_channel);
    args_add_str(&args, "{}");
    if (backend_call(reactor, &args, NULL, NULL) == 0)
        heartbeat->probe_sent_ms = now;
}

void heartbeat_probe_returned(struct reactor *reactor)
{
    reactor->heartbeat.probe_sent_ms = 0;
}

static void handle_timer(uv_timer_t *timer)
{
    struct reactor *reactor = CONTAINER_OF(timer, struct reactor, heartbeat.timer);
    beat(reactor);
    probe(reactor);
}

int heartbeat_open(struct reactor *reactor)
{
    struct heartbeat *heartbeat = &reactor->heartbeat;
    snprintf(heartbeat->id, sizeof heartbeat->id, "%s.%d", reactor->server->node_id, reactor->index);
    snprintf(heartbeat->probe_channel, sizeof heartbeat->probe_channel, KEYS_PREFIX "probe:%s", heartbeat->id);
    int error = uv_timer_init(&reactor->loop, &heartbeat->timer);
    return error ? error : uv_timer_start(&heartbeat->timer, handle_timer, BEAT_MS, BEAT_MS);
}

static void handle_left(void *data, int status, const struct redis_value *reply)
{
    (void)status;
    (void)reply;
    struct reactor *reactor = data;
    reactor->heartbeat.on_closed(reactor);
}

void heartbeat_close(struct reactor *reactor, void (*on_closed)(struct reactor *reactor))
{
    struct args args;
    reactor->heartbeat.on_closed = on_closed;
    uv_close((uv_handle_t *)&reactor->heartbeat.timer, NULL);
    call_leave(&args, true, reactor->heartbeat.id);
    if (backend_call(reactor, &args, handle_left, reactor))
        on_closed(reactor);
}

void heartbeat_start(struct reactor *reactor)
{
    struct heartbeat *heartbeat = &reactor->heartbeat;
    heartbeat->probe_sent_ms = 0;
    backend_subscribe(reactor, heartbeat->probe_channel);
    beat(reactor);
}

int64_t heartbeat_count(const struct reactor *reactor)
{
    const struct heartbeat *heartbeat = &reactor->heartbeat;
    if (!heartbeat->answered_ms || reactor_now_ms(reactor) - heartbeat->answered_ms > FRESH_MS)
        return -1;
    int64_t others = heartbeat->others > 0 ? heartbeat->others : 0;
    return others + (int64_t)metrics_get(&reactor->metrics, METRIC_CONNECTIONS);
}

int64_t heartbeat_queue_length(struct reactor *reactor, const char *bot)
{
    struct heartbeat *heartbeat = &reactor->heartbeat;
    for (int i = 0; i < heartbeat->queue_count; i++)
        if (strcmp(heartbeat->queue[i].bot, bot) == 0)
            return heartbeat->queue[i].length;
    if (heartbeat->queue_count < HEARTBEAT_BOTS_MAX) {
        struct heartbeat_queue *queue = &heartbeat->queue[heartbeat->queue_count++];
        snprintf(queue->bot, sizeof queue->bot, "%s", bot);
        keys_requests(queue->requests, bot);
        queue->length = 0;
    }
    return 0;
}
