#include "server/session_table.h"
#include "server/attach.h"
#include "server/connection.h"
#include "server/reactor.h"
#include "server/replies.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    TTL_RETRY_MS = 1000,
    TTL_NONE_MS = 60000, /* a session whose TTL was taken away by hand may get one again */
};

static void handle_expiry(struct wheel_timer *timer);

static void subscribe(struct session *session)
{
    struct session_keys keys;
    keys_of_session(&keys, &session->token);
    session->is_subscribing = true;
    backend_subscribe(session->reactor, keys.replies);
}

struct session *session_table_open(struct reactor *reactor, const struct token *token)
{
    struct session *session = session_table_find(reactor, token->text, TOKEN_LEN);
    if (!session) {
        session = calloc(1, sizeof *session);
        if (!session)
            return NULL;
        session->token = *token;
        session->reactor = reactor;
        session->expiry.on_due = handle_expiry;
        HASH_ADD(hh, reactor->sessions.by_token, token.text, TOKEN_LEN, session);
        metrics_add(&reactor->metrics, METRIC_SESSIONS, 1);
    }
    session_hold(session);
    if (reactor->backend.is_ready && !session->is_subscribed && !session->is_subscribing)
        subscribe(session); /* may lose the link, and with it the sessions that nobody holds */
    return session;
}

struct session *session_table_find(struct reactor *reactor, const char *token, size_t len)
{
    struct session *session = NULL;
    if (len == TOKEN_LEN)
        HASH_FIND(hh, reactor->sessions.by_token, token, TOKEN_LEN, session);
    return session;
}

void session_hold(struct session *session)
{
    session->holds++;
}

static void free_session(struct session *session)
{
    struct reactor *reactor = session->reactor;
    replies_drop_held(session);
    wheel_cancel(&session->expiry);
    HASH_DEL(reactor->sessions.by_token, session);
    metrics_add(&reactor->metrics, METRIC_SESSIONS, -1);
    free(session);
}

void session_release(struct session *session)
{
    assert(session->holds > 0);
    if (--session->holds > 0 || session->is_subscribing)
        return; /* a subscription under way is ended by its confirmation, so that confirmations never belong to an
                   earlier one */
    struct reactor *reactor = session->reactor;
    struct session_keys keys;
    bool was_subscribed = session->is_subscribed;
    keys_of_session(&keys, &session->token);
    free_session(session);
    if (was_subscribed)
        backend_unsubscribe(reactor, keys.replies);
}

void session_call_begins(struct session *session)
{
    session->calls_out++;
    session_hold(session);
}

void session_call_ended(struct session *session)
{
    session->calls_out--;
    replies_retry(session);
    session_release(session);
}

void session_answered(struct session *session, const struct message_id *question)
{
    if (message_id_compare(question, &session->awaiting) >= 0)
        session->awaiting = (struct message_id){0, 0};
}

const char *session_channel_token(const char *channel, size_t len)
{
    static const char prefix[] = KEYS_PREFIX "replies:";
    size_t prefix_len = sizeof prefix - 1;
    if (len != prefix_len + TOKEN_LEN || memcmp(channel, prefix, prefix_len) != 0)
        return NULL;
    return channel + prefix_len;
}

static void attach_all(struct session *session)
{
    struct connection *connection;
    DL_FOREACH (session->connections, connection)
        attach_start(connection);
}

void session_table_confirmed(struct reactor *reactor, const char *channel, size_t len)
{
    const char *token = session_channel_token(channel, len);
    struct session *session = token ? session_table_find(reactor, token, TOKEN_LEN) : NULL;
    if (!session || !session->is_subscribing)
        return;
    session->is_subscribing = false;
    session->is_subscribed = true;
    session_hold(session);
    attach_all(session);
    session_release(session);
}

void session_table_resubscribe(struct reactor *reactor)
{
    struct session *session, *next;
    HASH_ITER (hh, reactor->sessions.by_token, session, next) {
        if (session->is_subscribed)
            attach_all(session);
        else if (!session->is_subscribing)
            subscribe(session);
        if (!reactor->backend.is_ready)
            return; /* the events link went with it */
    }
}

void session_table_unsubscribed(struct reactor *reactor)
{
    struct session *session, *next;
    HASH_ITER (hh, reactor->sessions.by_token, session, next) {
        struct connection *connection;
        session->is_subscribed = session->is_subscribing = false;
        replies_drop_held(session);
        DL_FOREACH (session->connections, connection)
            attach_cancel(connection);
        if (session->holds == 0)
            free_session(session);
    }
}

void session_set_ttl(struct session *session, int64_t ttl_ms)
{
    struct reactor *reactor = session->reactor;
    uint64_t wait_ms = ttl_ms < 0 ? TTL_NONE_MS : (uint64_t)ttl_ms;
    wheel_arm(&reactor->wheel, &session->expiry, reactor_now_ms(reactor) + wait_ms);
}

static void handle_ttl(void *data, int status, const struct redis_value *reply)
{
    struct session *session = data;
    if (status || reply->type != REDIS_TYPE_INTEGER)
        session_set_ttl(session, TTL_RETRY_MS);
    else if (reply->integer == -2)
        session_gone(session);
    else
        session_set_ttl(session, reply->integer); /* refreshed in the meantime, perhaps through another process */
    session_release(session);
}

/* The timer knows what Redis said at the attach; only Redis knows whether that still holds. */
static void handle_expiry(struct wheel_timer *timer)
{
    struct session *session = CONTAINER_OF(timer, struct session, expiry);
    struct session_keys keys;
    struct args args;
    keys_of_session(&keys, &session->token);
    args_init(&args);
    args_add_str(&args, "PTTL");
    args_add_str(&args, keys.session);
    session_hold(session);
    if (backend_call(session->reactor, &args, handle_ttl, session)) {
        session_set_ttl(session, TTL_RETRY_MS);
        session_release(session);
    }
}

void session_gone(struct session *session)
{
    struct connection *connection, *next;
    session_hold(session);
    DL_FOREACH_SAFE (session->connections, connection, next)
        connection_gone(connection);
    session_release(session);
}
