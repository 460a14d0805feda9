/*
 * A reactor: one thread with its own loop, listener, Redis links, sessions and connections. Nothing in it is shared but
 * its inbox (handover.h); every function of src/server that takes a `struct reactor *` runs on its thread.
 *
 *   start ──> SERVING ── reactor_stop ──> DRAINING ── last connection closed ──> ENDING ──> thread ends, reactor_join
 * returns
 *
 * Cross-thread calls: reactor_stop (uv_async_send) and reactor_join from main; handover_connection between reactors;
 * the atomics of server.h; the metrics.
 */
#pragma once
#include "base/compiler.h"
#include "base/metrics.h"
#include "base/wheel.h"
#include "net/http_listener.h"
#include "net/ws_stream.h"
#include "server/accept.h"
#include "server/attach.h"
#include "server/backend.h"
#include "server/handover.h"
#include "server/heartbeat.h"
#include "server/server.h"
#include "server/session_table.h"
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

enum reactor_state { REACTOR_SERVING, REACTOR_DRAINING, REACTOR_ENDING };

struct reactor {
    pthread_t thread;
    int index;
    struct server *server;
    const struct config *config;
    uv_loop_t loop;
    enum reactor_state state;

    struct wheel wheel;
    uv_timer_t wheel_timer;
    struct http_listener *listener;
    struct ws_pool *ws_pool;
    struct backend backend;
    struct heartbeat heartbeat;
    struct session_table sessions;
    struct accept_table accepts;
    struct attach_queue attaches;
    struct metrics metrics;
    size_t connections; /* alive, closing ones included */

    struct handover handover;
    uv_async_t stop_request;
    atomic_int stops; /* how often reactor_stop was called: the first drains, the second ends at once */
    struct wheel_timer drain_timer;
    uint64_t drain_until_ms;
    size_t drain_step; /* connections closed per tick */
};

/* Makes a reactor that does not run yet; takes over `fds` (listening sockets) on success. 0 or negative errno. */
int reactor_open(struct reactor *reactor, struct server *server, int index, const int *fds, size_t fd_count) MUST_CHECK;

/* Starts its thread, when all reactors of the process are open (they may hand sockets to each other). 0 or negative
 * errno. */
int reactor_start(struct reactor *reactor) MUST_CHECK;

/* From any thread, also from a signal's callback: drain; called again: end at once. */
void reactor_stop(struct reactor *reactor);

/* Waits for the thread's end and frees what the reactor holds. */
void reactor_join(struct reactor *reactor);

uint64_t reactor_now_ms(const struct reactor *reactor);

/* The backend has become READY (`first`: since the start), or is no longer. Called by backend.c only. */
void reactor_handle_redis_ready(struct reactor *reactor, bool first);
void reactor_handle_redis_away(struct reactor *reactor);

/* A connection is gone, or something else that an end waits for: ends the reactor if it was the last. */
void reactor_check_end(struct reactor *reactor);
