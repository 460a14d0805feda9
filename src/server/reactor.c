#include "server/reactor.h"
#include "base/log.h"
#include "server/access.h"
#include "server/connection.h"
#include "server/routes.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

/* jansson recurses; 16 levels are far below this. */
enum { STACK_BYTES = 1024 * 1024 };
enum { MAX_BODY = 64 * 1024, BODY_TIMEOUT_MS = 10000, IDLE_TIMEOUT_MS = 15000, REPLY_TIMEOUT_MS = 10000 };
enum { MIN_OUTPUT = 256 * 1024 };
/* A drain closes at least so many connections a second, so that a few of them do not take the whole window. */
enum { DRAIN_MIN_PER_SECOND = 100 };

uint64_t reactor_now_ms(const struct reactor *reactor)
{
    return uv_now(&reactor->loop);
}

/* ---- the end ---- */

static void handle_listener_closed(void *data)
{
    (void)data;
}

/* The backend first: requests and messages that still wait for Redis get their answer from its end. */
static void close_rest(struct reactor *reactor)
{
    backend_close(reactor);
    accept_drop_all(reactor);
    http_listener_close(reactor->listener, handle_listener_closed, reactor);
    ws_pool_free(reactor->ws_pool);
    wheel_cancel(&reactor->drain_timer);
    uv_close((uv_handle_t *)&reactor->wheel_timer, NULL);
    uv_close((uv_handle_t *)&reactor->stop_request, NULL);
}

static void end(struct reactor *reactor)
{
    reactor->state = REACTOR_ENDING;
    handover_close(reactor);
    heartbeat_close(reactor, close_rest);
}

void reactor_check_end(struct reactor *reactor)
{
    if (reactor->state != REACTOR_DRAINING || reactor->connections > 0)
        return;
    bool in_time = reactor_now_ms(reactor) < reactor->drain_until_ms;
    if (in_time && (reactor->accepts.count > 0 || http_listener_is_busy(reactor->listener)))
        return;
    end(reactor);
}

/* ---- the drain ---- */

/* Closes up to `count` connections; one that waits for an answer stays, unless `all`. */
static void close_some(struct reactor *reactor, size_t count, bool all)
{
    struct session *session, *next_session;
    HASH_ITER (hh, reactor->sessions.by_token, session, next_session) {
        struct connection *connection, *next;
        if (!all && session->awaiting.ms > 0)
            continue;
        session_hold(session);
        DL_FOREACH_SAFE (session->connections, connection, next) {
            if (count == 0)
                break;
            if (!all && connection->jobs)
                continue; /* what it has said is on its way into Redis */
            count--;
            connection_close(connection, REJECT_DRAINING);
        }
        session_release(session);
        if (count == 0)
            return;
    }
}

static void handle_drain(struct wheel_timer *timer)
{
    struct reactor *reactor = CONTAINER_OF(timer, struct reactor, drain_timer);
    uint64_t now = reactor_now_ms(reactor);
    if (now >= reactor->drain_until_ms) {
        close_some(reactor, SIZE_MAX, true);
        accept_drop_all(reactor);
    } else {
        close_some(reactor, reactor->drain_step, false);
    }
    wheel_arm(&reactor->wheel, timer, now + 1);
    reactor_check_end(reactor);
}

/* Closes are spread over four fifths of the window, so that not all clients come to the next server at once. */
static void drain(struct reactor *reactor)
{
    uint64_t window_ms = (uint64_t)reactor->config->drain_time_s * 1000;
    size_t ticks = (size_t)(window_ms * 4 / 5 / WHEEL_TICK_MS) + 1;
    size_t least = DRAIN_MIN_PER_SECOND * WHEEL_TICK_MS / 1000 + 1;
    size_t step = reactor->connections / ticks + 1;
    reactor->state = REACTOR_DRAINING;
    reactor->drain_step = step > least ? step : least;
    reactor->drain_until_ms = reactor_now_ms(reactor) + window_ms;
    http_listener_stop(reactor->listener);
    handle_drain(&reactor->drain_timer);
}

static void handle_stop(uv_async_t *async)
{
    struct reactor *reactor = CONTAINER_OF(async, struct reactor, stop_request);
    int stops = atomic_load(&reactor->stops);
    if (reactor->state == REACTOR_SERVING)
        drain(reactor);
    if (stops > 1 && reactor->state == REACTOR_DRAINING)
        reactor->drain_until_ms = reactor_now_ms(reactor);
}

void reactor_stop(struct reactor *reactor)
{
    atomic_fetch_add(&reactor->stops, 1);
    uv_async_send(&reactor->stop_request);
}

/* ---- the start ---- */

static void handle_wheel(uv_timer_t *timer)
{
    struct reactor *reactor = CONTAINER_OF(timer, struct reactor, wheel_timer);
    wheel_turn(&reactor->wheel, reactor_now_ms(reactor));
}

static void for_each_connection(struct reactor *reactor, void (*act)(struct connection *, enum connection_pause))
{
    struct session *session, *next;
    HASH_ITER (hh, reactor->sessions.by_token, session, next) {
        struct connection *connection;
        DL_FOREACH (session->connections, connection)
            act(connection, PAUSE_REDIS);
    }
}

void reactor_handle_redis_ready(struct reactor *reactor, bool first)
{
    if (!first)
        log_info("redis is back", NULL);
    heartbeat_start(reactor);
    session_table_resubscribe(reactor);
    accept_retry_all(reactor);
    for_each_connection(reactor, connection_resume);
    if (first)
        server_reactor_is_ready(reactor->server);
}

void reactor_handle_redis_away(struct reactor *reactor)
{
    log_warning("redis is away; reading pauses", "why=\"%s\"", reactor->backend.why);
    for_each_connection(reactor, connection_pause);
}

static enum reject handle_accept(void *data, const struct sockaddr *peer)
{
    const struct server *server = ((struct reactor *)data)->server;
    int cell = access_peer_cell(server, peer);
    if (server_connections(server) >= server->max_connections)
        return REJECT_OVERLOADED;
    return cell < 0 || rate_enter(server->addresses, cell) ? REJECT_NONE : REJECT_RATE_LIMITED;
}

/* An upgraded socket still counts; its connection says when it leaves. */
static void handle_leave(void *data, const struct sockaddr *peer, bool upgraded)
{
    const struct server *server = ((struct reactor *)data)->server;
    int cell = upgraded ? -1 : access_peer_cell(server, peer);
    if (cell >= 0)
        rate_leave(server->addresses, cell);
}

static void handle_request(void *data, struct http_request *request)
{
    routes_dispatch(data, request);
}

static void handle_reply(void *data, struct http_request *request)
{
    struct reactor *reactor = data;
    access_add_cors(reactor->server, request);
}

static int open_listener(struct reactor *reactor, const int *fds, size_t fd_count)
{
    return http_listener_open(&reactor->listener,
                              &(struct http_listener_options){
                                  .loop = &reactor->loop,
                                  .fds = fds,
                                  .fd_count = fd_count,
                                  .max_connections = (size_t)reactor->server->max_connections,
                                  .max_body = MAX_BODY,
                                  .head_timeout_ms = (uint64_t)reactor->config->handshake_timeout_ms,
                                  .body_timeout_ms = BODY_TIMEOUT_MS,
                                  .idle_timeout_ms = IDLE_TIMEOUT_MS,
                                  .reply_timeout_ms = REPLY_TIMEOUT_MS,
                                  .metrics = &reactor->metrics,
                                  .on_accept = handle_accept,
                                  .on_leave = handle_leave,
                                  .on_reply = handle_reply,
                                  .on_request = handle_request,
                                  .data = reactor,
                              });
}

/* What may wait for one socket: some answers, also where --max-answer is large. */
static size_t most_output(const struct config *config)
{
    size_t two_answers = 2 * (size_t)config->max_answer;
    return two_answers > MIN_OUTPUT ? two_answers : MIN_OUTPUT;
}

static int open_ws_pool(struct reactor *reactor)
{
    const struct config *config = reactor->config;
    /* In the text dialect a frame is a message: what is a little too long gets a sentence, what is far too long 1009.
     */
    size_t text_frame = (size_t)config->max_text + 4096;
    return ws_pool_new(
        &reactor->ws_pool,
        &(struct ws_pool_options){
            .loop = &reactor->loop,
            .wheel = &reactor->wheel,
            .callbacks = &connection_callbacks,
            .max_message = text_frame < (size_t)config->max_frame ? text_frame : (size_t)config->max_frame,
            .max_output = most_output(config),
            .ping_interval_ms = (uint64_t)config->ping_interval_ms,
            .pong_wait_ms = (uint64_t)config->pong_wait_ms,
        });
}

static void *run(void *data)
{
    struct reactor *reactor = data;
    char name[16];
    snprintf(name, sizeof name, "reactor-%d", reactor->index);
    log_set_context(name);
    uv_run(&reactor->loop, UV_RUN_DEFAULT);
    server_reactor_has_ended(reactor->server);
    return NULL;
}

/* All is made on the caller's thread and handed over whole. A failure ends the program, so nothing is unmade. */
int reactor_open(struct reactor *reactor, struct server *server, int index, const int *fds, size_t fd_count)
{
    *reactor = (struct reactor){.index = index, .server = server, .config = server->config};
    int error = uv_loop_init(&reactor->loop);
    if (error)
        return error;
    reactor->drain_timer.on_due = handle_drain;
    wheel_init(&reactor->wheel, reactor_now_ms(reactor));
    accept_table_init(reactor);
    error = uv_timer_init(&reactor->loop, &reactor->wheel_timer);
    if (!error)
        error = uv_timer_start(&reactor->wheel_timer, handle_wheel, WHEEL_TICK_MS, WHEEL_TICK_MS);
    if (!error)
        error = uv_async_init(&reactor->loop, &reactor->stop_request, handle_stop);
    if (!error)
        error = handover_open(reactor);
    if (!error)
        error = heartbeat_open(reactor);
    if (!error)
        error = open_ws_pool(reactor);
    if (!error)
        error = open_listener(reactor, fds, fd_count);
    if (!error)
        error = backend_open(reactor);
    return error;
}

int reactor_start(struct reactor *reactor)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int error = pthread_create(&reactor->thread, &attributes, run, reactor);
    pthread_attr_destroy(&attributes);
    return -error;
}

void reactor_join(struct reactor *reactor)
{
    pthread_join(reactor->thread, NULL);
    int error = uv_loop_close(&reactor->loop);
    if (error)
        log_error("a reactor left handles behind", "reactor=%d", reactor->index);
}
