/*
 * What all reactors of one process share: constant after start, but for the atomics, which are the only data that
 * threads exchange (the other cross-thread calls are uv_async_send to stop a reactor, and join).
 */
#pragma once
#include "base/config.h"
#include "base/metrics.h"
#include "net/redis_locator.h"
#include "server/rate.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct reactor;

enum { SERVER_MAX_THREADS = 64 };

struct server {
    const struct config *config;
    struct redis_address redis;
    bool redis_is_embedded;
    bool listens_on_loopback_only;
    const char *default_bot;
    char node_id[32]; /* of this process, in banter:nodes; reactors add their number */
    uint64_t max_connections;
    struct reactor *reactors; /* all open before the first one runs */
    size_t reactor_count;
    struct rate_table *addresses;                          /* tokens a minute, and sockets, of each */
    const struct metrics *metrics[SERVER_MAX_THREADS + 1]; /* of the reactors, and of the bots in this process */
    size_t metrics_count;

    /* What reactors tell main, and wake it for. */
    uv_async_t wake_main;
    atomic_size_t reactors_ready; /* how many have had Redis ready */
    atomic_size_t reactors_ended;
    atomic_bool has_failed;
    _Atomic uint64_t redis_reported_ns; /* when the log last said that Redis is away */
};

/* Runs the server to its end. The program's exit status: 0 after a drain, 1 if it could not serve, 2 for wrong
 * settings. */
int server_run(struct config *config);

/* Sockets open now, in HTTP and WebSocket, over all reactors. */
uint64_t server_connections(const struct server *server);

/* From any thread: this process must not go on, for a reason that trying again does not cure. Main ends it with 1. */
void server_fail(struct server *server, const char *why);

/* From a reactor's thread, once each: its Redis is ready; it has ended. */
void server_reactor_is_ready(struct server *server);
void server_reactor_has_ended(struct server *server);

/* From any thread: Redis cannot be reached. Says so on the operator's log with what to do, once in a while for all
 * reactors. */
void server_report_redis(struct server *server, const char *why);
