#include "server/connection.h"
#include "base/log.h"
#include "protocol/dialect_text.h"
#include "protocol/validate.h"
#include "server/accept.h"
#include "server/access.h"
#include "server/attach.h"
#include "server/reactor.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum { REFUSALS_A_MINUTE = 10 };

/* The only place that changes a state. */
static void connection_move(struct connection *connection, enum connection_state state)
{
    static const uint8_t allowed[] = {
        [CONNECTION_VALIDATING] = 1 << CONNECTION_OPEN | 1 << CONNECTION_CLOSING,
        [CONNECTION_OPEN] = 1 << CONNECTION_PAUSED | 1 << CONNECTION_CLOSING,
        [CONNECTION_PAUSED] = 1 << CONNECTION_OPEN | 1 << CONNECTION_CLOSING,
        [CONNECTION_CLOSING] = 0,
    };
    (void)allowed;
    assert(allowed[connection->state] & 1 << state);
    connection->state = (uint8_t)state;
}

/* The one timer: in VALIDATING the deadline for Redis to confirm the token, later the end of a pause for rate. */
static void handle_timer(struct wheel_timer *timer)
{
    struct connection *connection = CONTAINER_OF(timer, struct connection, timer);
    if (connection->state == CONNECTION_VALIDATING)
        connection_close(connection, REJECT_REDIS_AWAY);
    else
        connection_resume(connection, PAUSE_RATE);
}

static int send_error(struct connection *connection, const char *why, size_t len)
{
    struct buf text;
    buf_init(&text, len + 64);
    int error = dialect_text_error(&text, why, len);
    if (!error)
        error = ws_stream_send_text(&connection->stream, text.data, text.len);
    buf_done(&text);
    return error;
}

static int join_session(struct connection *connection, const struct token *token)
{
    struct reactor *reactor = connection->reactor;
    connection->session = session_table_open(reactor, token);
    if (!connection->session)
        return -1;
    DL_APPEND(connection->session->connections, connection);
    uint64_t deadline = reactor_now_ms(reactor) + (uint64_t)reactor->config->handshake_timeout_ms;
    wheel_arm(&reactor->wheel, &connection->timer, deadline);
    if (connection->session->is_subscribed)
        attach_start(connection);
    return 0;
}

void connection_refuse_socket(struct reactor *reactor, int fd, const struct connection_request *request)
{
    if (request->peer_cell >= 0)
        rate_leave(reactor->server->addresses, request->peer_cell);
    close(fd);
}

void connection_open(struct reactor *reactor, int fd, const void *early, size_t early_len,
                     const struct connection_request *request)
{
    /* An upgrade that was under way when the last connection went: the streams' pool is going, too. */
    bool is_late = reactor->state == REACTOR_ENDING;
    struct connection *connection = is_late ? NULL : calloc(1, sizeof *connection);
    if (!connection || ws_stream_open(&connection->stream, reactor->ws_pool, fd, early, early_len, true)) {
        free(connection);
        connection_refuse_socket(reactor, fd, request);
        return;
    }
    connection->reactor = reactor;
    connection->state = CONNECTION_VALIDATING;
    connection->from_now = !request->has_after;
    connection->position = request->after;
    connection->token_cell = request->token_cell;
    connection->peer_cell = request->peer_cell;
    connection->timer.on_due = handle_timer;
    reactor->connections++;
    metrics_add(&reactor->metrics, METRIC_CONNECTIONS, 1);
    metrics_add(&reactor->metrics, METRIC_HANDSHAKES, 1);
    if (reactor->state != REACTOR_SERVING)
        connection_close(connection, REJECT_DRAINING);
    else if (request->reject)
        connection_close(connection, request->reject);
    else if (join_session(connection, &request->token))
        connection_close(connection, REJECT_INTERNAL);
}

/* Past --max-sockets the oldest connection of the session makes room. */
static void replace_oldest(struct session *session, int64_t max_sockets)
{
    struct connection *connection, *oldest = NULL;
    int64_t attached = 0;
    DL_FOREACH (session->connections, connection)
        if (connection->state != CONNECTION_VALIDATING) {
            oldest = oldest ? oldest : connection;
            attached++;
        }
    if (attached > max_sockets)
        connection_close(oldest, REJECT_REPLACED);
}

void connection_attached(struct connection *connection)
{
    wheel_cancel(&connection->timer);
    connection_move(connection, CONNECTION_OPEN);
    ws_stream_resume(&connection->stream);
    replace_oldest(connection->session, connection->reactor->config->max_sockets);
}

void connection_deliver(struct connection *connection, const struct message_id *id, const char *role, size_t role_len,
                        const char *msg, size_t msg_len)
{
    connection->position = *id;
    int error = 0;
    if (role_len == 9 && memcmp(role, "assistant", 9) == 0)
        error = ws_stream_send_text(&connection->stream, msg, msg_len);
    else if (role_len == 5 && memcmp(role, "error", 5) == 0)
        error = send_error(connection, msg, msg_len);
    else
        return; /* users' messages are not repeated in plain text */
    if (!error)
        metrics_add(&connection->reactor->metrics, METRIC_REPLIES_SENT, 1);
    else if (error == -ENOMEM)
        connection_close(connection, REJECT_INTERNAL); /* rather than go on with a hole */
}

void connection_pause(struct connection *connection, enum connection_pause cause)
{
    connection->pauses |= (uint8_t)cause;
    if (connection->state != CONNECTION_OPEN)
        return;
    metrics_add(&connection->reactor->metrics, METRIC_READ_PAUSES, 1);
    connection_move(connection, CONNECTION_PAUSED);
    ws_stream_pause(&connection->stream);
}

void connection_resume(struct connection *connection, enum connection_pause cause)
{
    connection->pauses &= (uint8_t)~cause;
    if (connection->state != CONNECTION_PAUSED || connection->pauses)
        return;
    connection_move(connection, CONNECTION_OPEN);
    ws_stream_resume(&connection->stream);
}

/* Counts one message against the allowance (GCRA, in microseconds of the loop's clock); reading pauses when it is used
 * up. */
static void charge_rate(struct connection *connection)
{
    struct reactor *reactor = connection->reactor;
    int64_t rate = reactor->config->message_rate;
    if (rate == 0)
        return;
    uint64_t interval_us = 1000000 / (uint64_t)rate;
    uint64_t burst_us = interval_us * (uint64_t)(reactor->config->message_burst - 1);
    uint64_t now_us = reactor_now_ms(reactor) * 1000;
    uint64_t due_us = connection->rate_due_us > now_us ? connection->rate_due_us : now_us;
    connection->rate_due_us = due_us + interval_us;
    if (connection->rate_due_us <= now_us + burst_us)
        return;
    connection_pause(connection, PAUSE_RATE);
    wheel_arm(&reactor->wheel, &connection->timer, (connection->rate_due_us - burst_us) / 1000);
}

void connection_refuse(struct connection *connection, enum reject reject)
{
    const char *why = reject_info(reject)->msg;
    if (send_error(connection, why, strlen(why)) == 0)
        metrics_add(&connection->reactor->metrics, METRIC_MESSAGES_REFUSED, 1);
}

/* What the validator refused. Many such in a minute are no typing mistakes. */
static void refuse_invalid(struct connection *connection, enum reject reject)
{
    uint64_t now = reactor_now_ms(connection->reactor);
    connection_refuse(connection, reject);
    if (now - connection->refused_since_ms >= 60000) {
        connection->refused_since_ms = now;
        connection->refused = 0;
    }
    if (++connection->refused > REFUSALS_A_MINUTE)
        connection_close(connection, REJECT_TOO_MANY_ERRORS);
}

static void handle_text(struct ws_stream *stream, const char *text, size_t len)
{
    struct connection *connection = CONTAINER_OF(stream, struct connection, stream);
    enum reject reject = validate_text(text, len, (size_t)connection->reactor->config->max_text);
    charge_rate(connection);
    if (reject)
        refuse_invalid(connection, reject);
    else
        accept_message(connection, text, len);
}

static void handle_drained(struct ws_stream *stream)
{
    struct connection *connection = CONTAINER_OF(stream, struct connection, stream);
    if (connection->wants_read)
        attach_start(connection);
}

static void handle_closing(struct ws_stream *stream, int code, const char *reason)
{
    (void)code;
    struct connection *connection = CONTAINER_OF(stream, struct connection, stream);
    struct session *session = connection->session;
    if (strcmp(reason, reject_info(REJECT_SLOW_READER)->code) == 0)
        metrics_add(&connection->reactor->metrics, METRIC_SLOW_READERS, 1);
    connection_move(connection, CONNECTION_CLOSING);
    wheel_cancel(&connection->timer);
    metrics_add(&connection->reactor->metrics, METRIC_CONNECTIONS, -1);
    if (!session)
        return;
    attach_cancel(connection);
    accept_forget(connection);
    DL_DELETE(session->connections, connection);
    connection->session = NULL;
    session_release(session);
}

static void handle_closed(struct ws_stream *stream)
{
    struct connection *connection = CONTAINER_OF(stream, struct connection, stream);
    struct reactor *reactor = connection->reactor;
    if (connection->peer_cell >= 0)
        rate_leave(reactor->server->addresses, connection->peer_cell);
    free(connection);
    reactor->connections--;
    reactor_check_end(reactor);
}

const struct ws_callbacks connection_callbacks = {
    .on_text = handle_text,
    .on_drained = handle_drained,
    .on_closing = handle_closing,
    .on_closed = handle_closed,
};

void connection_gone(struct connection *connection)
{
    struct reactor *reactor = connection->reactor;
    if (connection->state == CONNECTION_VALIDATING && !access_token_charge(reactor->server, connection->token_cell))
        log_debug("an address guesses tokens", NULL);
    connection_close(connection, REJECT_TOKEN_INVALID);
}

void connection_close(struct connection *connection, enum reject reject)
{
    const struct reject_info *info = reject_info(reject);
    if (reject == REJECT_TOKEN_INVALID)
        metrics_add(&connection->reactor->metrics, METRIC_AUTH_REFUSED, 1);
    bool is_code = reject == REJECT_RESUME_ID_INVALID || reject == REJECT_RESUME_RESET;
    ws_stream_close(&connection->stream, info->close_code, is_code ? info->code : info->msg);
}
