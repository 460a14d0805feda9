#include "server/backend.h"
#include "base/log.h"
#include "server/reactor.h"
#include "server/replies.h"
#include <stdio.h>
#include <string.h>

static void set_away(struct reactor *reactor, const char *why)
{
    struct backend *backend = &reactor->backend;
    snprintf(backend->why, sizeof backend->why, "%s", why);
    if (!backend->is_ready)
        return;
    backend->is_ready = false;
    metrics_add(&reactor->metrics, METRIC_REDIS_UP, -1);
    reactor_handle_redis_away(reactor);
}

static void check_ready(struct reactor *reactor)
{
    struct backend *backend = &reactor->backend;
    if (backend->is_ready || !backend->is_set_up || !redis_link_is_connected(backend->events))
        return;
    backend->is_ready = true;
    backend->why[0] = '\0';
    metrics_add(&reactor->metrics, METRIC_REDIS_UP, 1);
    if (backend->was_ready)
        metrics_add(&reactor->metrics, METRIC_REDIS_RECONNECTS, 1);
    reactor_handle_redis_ready(reactor, !backend->was_ready);
    backend->was_ready = true;
}

static void handle_set_up(struct redis_setup *setup, const char *why, bool fatal)
{
    struct reactor *reactor = CONTAINER_OF(setup, struct reactor, backend.setup);
    struct backend *backend = &reactor->backend;
    if (!why) {
        backend->is_set_up = true;
        check_ready(reactor);
        return;
    }
    set_away(reactor, why);
    if (fatal && !backend->was_ready)
        server_fail(reactor->server, why);
    else
        redis_link_reset(backend->commands, why);
}

static void handle_commands_connected(void *data)
{
    struct reactor *reactor = data;
    struct backend *backend = &reactor->backend;
    backend->setup.on_done = handle_set_up;
    redis_setup_start(&backend->setup, backend->commands, backend->was_ready);
}

static void handle_commands_lost(void *data, const char *why)
{
    struct reactor *reactor = data;
    reactor->backend.is_set_up = false;
    set_away(reactor, why);
    server_report_redis(reactor->server, why);
}

static void handle_events_connected(void *data)
{
    check_ready(data);
}

static void handle_events_lost(void *data, const char *why)
{
    struct reactor *reactor = data;
    session_table_unsubscribed(reactor);
    set_away(reactor, why);
    server_report_redis(reactor->server, why);
}

/* ["message", channel, payload] and ["subscribe", channel, n] */
static void handle_push(void *data, const struct redis_value *value)
{
    struct reactor *reactor = data;
    if (value->type == REDIS_TYPE_ERROR) {
        redis_link_reset(reactor->backend.events, value->str); /* SUBSCRIBE was refused: an ACL without channels */
        return;
    }
    if (value->type != REDIS_TYPE_ARRAY || value->count != 3)
        return;
    const struct redis_value *kind = &value->item[0], *channel = &value->item[1], *payload = &value->item[2];
    if (strcmp(kind->str, "subscribe") == 0)
        session_table_confirmed(reactor, channel->str, channel->len);
    else if (strcmp(kind->str, "message") != 0)
        return;
    else if (strcmp(channel->str, reactor->heartbeat.probe_channel) == 0)
        heartbeat_probe_returned(reactor);
    else
        replies_handle(reactor, channel->str, channel->len, payload->str, payload->len);
}

int backend_open(struct reactor *reactor)
{
    struct backend *backend = &reactor->backend;
    struct redis_link_options options = {
        .loop = &reactor->loop,
        .address = &reactor->server->redis,
        .connect_timeout_ms = (uint64_t)reactor->config->redis_timeout_ms,
        .command_timeout_ms = (uint64_t)reactor->config->redis_timeout_ms,
        .on_connected = handle_commands_connected,
        .on_lost = handle_commands_lost,
        .data = reactor,
    };
    snprintf(backend->why, sizeof backend->why, "still connecting");
    int error = redis_link_open(&backend->commands, &options);
    if (error)
        return error;
    options.on_connected = handle_events_connected;
    options.on_lost = handle_events_lost;
    options.on_push = handle_push;
    error = redis_link_open(&backend->events, &options);
    if (error)
        redis_link_close(&backend->commands);
    return error;
}

void backend_close(struct reactor *reactor)
{
    struct backend *backend = &reactor->backend;
    backend->is_ready = backend->is_set_up = false;
    redis_link_close(&backend->commands);
    redis_link_close(&backend->events);
    session_table_unsubscribed(reactor); /* frees sessions that only waited for a confirmation */
}

int backend_call(struct reactor *reactor, const struct args *args, redis_reply_cb callback, void *data)
{
    if (!reactor->backend.is_ready)
        return -ENOTCONN;
    return redis_link_command(reactor->backend.commands, args, callback, data);
}

static void send_event_command(struct reactor *reactor, const char *word, const char *channel)
{
    struct args args;
    args_init(&args);
    args_add_str(&args, word);
    args_add_str(&args, channel);
    if (redis_link_command(reactor->backend.events, &args, NULL, NULL))
        redis_link_reset(reactor->backend.events, "too much is waiting to be sent");
}

void backend_subscribe(struct reactor *reactor, const char *channel)
{
    send_event_command(reactor, "SUBSCRIBE", channel);
}

void backend_unsubscribe(struct reactor *reactor, const char *channel)
{
    send_event_command(reactor, "UNSUBSCRIBE", channel);
}

void backend_distrust(struct reactor *reactor, const struct redis_value *error)
{
    /* The first word of an error (READONLY, LOADING, ERR) is a code; the rest may quote what was sent. */
    static _Thread_local struct log_repeat repeat;
    int code_len = error->type == REDIS_TYPE_ERROR ? (int)strcspn(error->str, " ") : 0;
    log_write_repeated(&repeat, LOG_LEVEL_WARNING, "redis answered what cannot be used", "code=%.*s", code_len,
                       error->str);
    redis_link_reset(reactor->backend.commands, "Redis answered with an error");
}

bool backend_blames_keys(const struct redis_value *reply)
{
    static _Thread_local struct log_repeat repeat;
    static const char wrong_type[] = "WRONGTYPE ", function_failed[] = "ERR user_function:";
    if (reply->type != REDIS_TYPE_ERROR || (strncmp(reply->str, wrong_type, sizeof wrong_type - 1) != 0 &&
                                            strncmp(reply->str, function_failed, sizeof function_failed - 1) != 0))
        return false;
    log_write_repeated(&repeat, LOG_LEVEL_WARNING, "a key in redis is not what Banter has put there", NULL);
    return true;
}
