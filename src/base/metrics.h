/*
 * Counters and gauges: one `struct metrics` per thread, written by that thread only, read by any. The table below is
 * all there is to a metric: its row makes the enum, the HELP and TYPE lines and the sum over threads.
 */
#pragma once
#include "base/buf.h"
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, "exposed_name", "counter" | "gauge", help) */
#define METRICS(X)                                                                                                     \
    X(CONNECTIONS, "banterd_connections", "gauge", "WebSocket connections open now.")                                  \
    X(SESSIONS, "banterd_sessions", "gauge", "Sessions with a connection here.")                                       \
    X(HTTP_CONNECTIONS, "banterd_http_connections", "gauge", "Sockets in the HTTP phase.")                             \
    X(HTTP_REQUESTS, "banterd_http_requests_total", "counter", "HTTP requests answered, upgrades included.")           \
    X(HTTP_REFUSED, "banterd_http_refused_total", "counter", "HTTP requests answered with 4xx or 5xx.")                \
    X(HANDSHAKES, "banterd_handshakes_total", "counter", "WebSocket handshakes completed.")                            \
    X(TOKENS_OPENED, "banterd_sessions_opened_total", "counter", "Sessions opened by POST /token.")                    \
    X(AUTH_REFUSED, "banterd_auth_refused_total", "counter", "Sockets closed with 1008 for their token.")              \
    X(MESSAGES_ACCEPTED, "banterd_messages_accepted_total", "counter", "User messages stored in Redis.")               \
    X(MESSAGES_REFUSED, "banterd_messages_refused_total", "counter", "User messages refused, not stored.")             \
    X(REPLIES_SENT, "banterd_replies_sent_total", "counter", "Answers written to sockets.")                            \
    X(EVENTS_DROPPED, "banterd_events_dropped_total", "counter", "Events that found no connection here.")              \
    X(CATCH_UPS, "banterd_catch_ups_total", "counter", "Reads of the history after a hole in the events.")             \
    X(READ_PAUSES, "banterd_read_pauses_total", "counter", "Times that reading a socket was paused.")                  \
    X(SLOW_READERS, "banterd_slow_readers_total", "counter", "Sockets closed because they did not read.")              \
    X(ACCEPT_ERRORS, "banterd_accept_errors_total", "counter", "accept(2) failures, lack of descriptors included.")    \
    X(REDIS_RECONNECTS, "banterd_redis_reconnects_total", "counter", "Redis connections made again.")                  \
    X(REDIS_UP, "banterd_redis_ready_reactors", "gauge", "Reactors whose Redis is ready.")                             \
    X(TURNS_ANSWERED, "banter_bot_turns_total", "counter", "Turns answered by the bots in this process.")              \
    X(TURNS_FAILED, "banter_bot_turns_failed_total", "counter", "Turns whose bot failed.")                             \
    X(TURNS_LOST, "banter_bot_turns_lost_total", "counter", "Turns that another worker or the user took away.")        \
    X(TURNS_CLAIMED, "banter_bot_turns_claimed_total", "counter", "Turns taken over from silent workers.")

enum metric {
#define METRIC_ENUM(name, ...) METRIC_##name,
    METRICS(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_COUNT
};

struct metrics {
    _Atomic uint64_t value[METRIC_COUNT];
};

/* Single writer: a plain add, made visible to readers on other threads without a lock prefix. */
static inline void metrics_add(struct metrics *metrics, enum metric metric, int64_t n)
{
    uint64_t value = atomic_load_explicit(&metrics->value[metric], memory_order_relaxed);
    atomic_store_explicit(&metrics->value[metric], value + (uint64_t)n, memory_order_relaxed);
}

static inline uint64_t metrics_get(const struct metrics *metrics, enum metric metric)
{
    return atomic_load_explicit(&metrics->value[metric], memory_order_relaxed);
}

/* Appends the Prometheus text format (version 0.0.4) of the sums over `count` threads. 0 or a buf_append error. */
int metrics_render(struct buf *out, const struct metrics *const *threads, size_t count) MUST_CHECK;
