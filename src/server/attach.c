#include "server/attach.h"
#include "protocol/calls.h"
#include "server/connection.h"
#include "server/reactor.h"
#include "server/replies.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    PAGE = 32,
    UNDER_WAY_MAX = 128,
    OUTPUT_MARK = 64 * 1024, /* a socket that has so much to write takes no more of a page: one more answer must fit */
};

/* One banter_attach under way. */
struct attach_call {
    struct session *session;
    struct connection *connection; /* NULL when it has gone */
};

void attach_start(struct connection *connection)
{
    struct reactor *reactor = connection->reactor;
    if (connection->state == CONNECTION_CLOSING)
        return;
    connection->wants_read = true;
    /* An answer under way may be too old: it is followed by another call. Undrained output ends in attach_start, too.
     */
    if (connection->reading || ws_stream_queued(&connection->stream) > 0)
        return;
    if (!connection->is_queued)
        DL_APPEND2(reactor->attaches.waiting, connection, prev_attach, next_attach);
    connection->is_queued = true;
    attach_pump(reactor); /* also of a queue that has stood still while Redis was away */
}

void attach_cancel(struct connection *connection)
{
    if (connection->reading)
        connection->reading->connection = NULL;
    if (connection->is_queued)
        DL_DELETE2(connection->reactor->attaches.waiting, connection, prev_attach, next_attach);
    connection->reading = NULL;
    connection->wants_read = connection->is_queued = false;
}

/* [id, [field, value, ...]] */
static void deliver_entry(struct connection *connection, const struct redis_value *entry)
{
    struct message_id id, question;
    const struct redis_value *role = NULL, *msg = NULL;
    if (entry->count < 2 || !message_id_parse(&id, entry->item[0].str, entry->item[0].len))
        return;
    for (size_t i = 0; i + 1 < entry->item[1].count; i += 2) {
        const struct redis_value *name = &entry->item[1].item[i], *value = name + 1;
        if (strcmp(name->str, "role") == 0)
            role = value;
        else if (strcmp(name->str, "msg") == 0)
            msg = value;
        else if (strcmp(name->str, "reply_to") == 0 && message_id_parse(&question, value->str, value->len))
            session_answered(connection->session, &question);
    }
    if (role && strcmp(role->str, "user") == 0)
        connection->session->awaiting = id;
    if (role && msg)
        connection_deliver(connection, &id, role->str, role->len, msg->str, msg->len);
    else
        connection->position = id; /* somebody else's entry; a page of them must not be read for ever */
}

/* ["OK", last, work, draft, entries, pttl_ms, name, bot] */
static void handle_page(struct connection *connection, const struct redis_value *reply)
{
    struct session *session = connection->session;
    const struct redis_value *entries = &reply->item[4];
    session_set_ttl(session, reply->item[5].integer);
    if (!*session->bot && keys_bot_name_is_valid(reply->item[7].str, reply->item[7].len))
        memcpy(session->bot, reply->item[7].str, reply->item[7].len + 1);
    if (connection->from_now) {
        connection->from_now = false;
        message_id_parse(&connection->position, reply->item[1].str, reply->item[1].len);
    }
    size_t taken = 0;
    while (taken < entries->count && connection->state != CONNECTION_CLOSING &&
           ws_stream_queued(&connection->stream) < OUTPUT_MARK)
        deliver_entry(connection, &entries->item[taken++]);
    if (connection->state == CONNECTION_VALIDATING)
        connection_attached(connection);
    if (taken == PAGE || taken < entries->count)
        attach_start(connection);
}

static void handle_answer(struct connection *connection, const struct redis_value *reply)
{
    const char *word = reply->type == REDIS_TYPE_ARRAY && reply->count > 0 ? reply->item[0].str : "";
    if (strcmp(word, "OK") == 0 && reply->count >= 8 && reply->item[4].type == REDIS_TYPE_ARRAY)
        handle_page(connection, reply);
    else if (strcmp(word, "GONE") == 0)
        session_gone(connection->session);
    else if (strcmp(word, "RESET") == 0)
        connection_close(connection, REJECT_RESUME_RESET);
    else if (backend_blames_keys(reply))
        connection_close(connection, REJECT_INTERNAL);
    else
        backend_distrust(connection->reactor, reply);
}

static void handle_attach(void *data, int status, const struct redis_value *reply)
{
    struct attach_call *call = data;
    struct session *session = call->session;
    struct reactor *reactor = session->reactor;
    struct connection *connection = call->connection;
    reactor->attaches.under_way--;
    if (connection) {
        bool again = connection->wants_read;
        connection->reading = NULL;
        connection->wants_read = false;
        if (!status)
            handle_answer(connection, reply); /* else the link is lost, and its successor makes everybody read */
        if (again && !status)
            attach_start(connection);
    }
    free(call);
    session_call_ended(session);
    attach_pump(reactor);
}

static int start_call(struct connection *connection)
{
    struct session *session = connection->session;
    struct attach_call *call = malloc(sizeof *call);
    if (!call)
        return -1;
    *call = (struct attach_call){.session = session, .connection = connection};
    struct session_keys keys;
    struct args args;
    char after[MESSAGE_ID_SIZE] = "";
    if (!connection->from_now)
        message_id_print(&connection->position, after);
    keys_of_session(&keys, &session->token);
    call_attach(&args, &keys, after, PAGE);
    if (backend_call(session->reactor, &args, handle_attach, call)) {
        free(call);
        return -1;
    }
    connection->reading = call;
    session->reactor->attaches.under_way++;
    session_call_begins(session);
    return 0;
}

void attach_pump(struct reactor *reactor)
{
    struct attach_queue *queue = &reactor->attaches;
    while (queue->waiting && queue->under_way < UNDER_WAY_MAX) {
        struct connection *connection = queue->waiting;
        if (start_call(connection))
            return;
        DL_DELETE2(queue->waiting, connection, prev_attach, next_attach);
        connection->wants_read = connection->is_queued = false;
    }
}
