#include "server/replies.h"
#include "server/attach.h"
#include "server/connection.h"
#include "server/reactor.h"
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Enough for a burst of answers that overtake an acknowledgement; past it the history is read instead. */
enum { HELD_MAX = 64, HELD_MAX_BYTES = 256 * 1024 };

enum fit { FITS, MUST_WAIT };

/* One entry, by its ids, against one connection. `deliver` false: an entry without its text, to be read from the
 * history. */
static enum fit fit_entry(struct connection *connection, const struct event *event, const char *role, bool deliver)
{
    struct session *session = connection->session;
    if (connection->reading)
        return MUST_WAIT;
    if (connection->state == CONNECTION_VALIDATING || connection->wants_read)
        return FITS; /* it will read later than now, and so see this entry */
    if (message_id_compare(&event->id, &connection->position) <= 0)
        return FITS;
    if (deliver && message_id_compare(&event->prev, &connection->position) == 0) {
        connection_deliver(connection, &event->id, role, strlen(role), event->msg, event->msg_len);
        return FITS;
    }
    if (deliver && session->calls_out > 0)
        return MUST_WAIT;
    metrics_add(&session->reactor->metrics, METRIC_CATCH_UPS, 1);
    attach_start(connection);
    return FITS;
}

static enum fit fit_event(struct session *session, const struct event *event)
{
    enum fit fit = FITS;
    struct connection *connection, *next;
    DL_FOREACH_SAFE (session->connections, connection, next)
        if (fit_entry(connection, event, event->is_error ? "error" : "assistant", event->msg != NULL) == MUST_WAIT)
            fit = MUST_WAIT;
    return fit;
}

void replies_drop_held(struct session *session)
{
    struct held_event *held, *next;
    LL_FOREACH_SAFE (session->held, held, next) {
        event_done(&held->event);
        free(held);
    }
    session->held = session->held_last = NULL;
    session->held_count = 0;
    session->held_bytes = 0;
}

/* Takes the event over. */
static void hold(struct session *session, struct event *event)
{
    struct held_event *held = NULL;
    if (session->held_count < HELD_MAX && session->held_bytes + event->msg_len <= HELD_MAX_BYTES)
        held = malloc(sizeof *held);
    if (!held || event_keep(event)) {
        free(held);
        event_done(event);
        replies_drop_held(session);
        session->lost_events = true;
        return;
    }
    *held = (struct held_event){.event = *event};
    if (session->held_last)
        session->held_last->next = held;
    else
        session->held = held;
    session->held_last = held;
    session->held_count++;
    session->held_bytes += event->msg_len;
}

/* Held events were dropped: whoever is open reads the history. */
static void read_all(struct session *session)
{
    struct connection *connection;
    session->lost_events = false;
    DL_FOREACH (session->connections, connection)
        if (connection->state != CONNECTION_VALIDATING)
            attach_start(connection);
}

void replies_retry(struct session *session)
{
    session_hold(session);
    while (session->held && fit_event(session, &session->held->event) == FITS) {
        struct held_event *held = session->held;
        session->held = held->next;
        if (!session->held)
            session->held_last = NULL;
        session->held_count--;
        session->held_bytes -= held->event.msg_len;
        event_done(&held->event);
        free(held);
    }
    if (session->lost_events && session->calls_out == 0)
        read_all(session);
    session_release(session);
}

void replies_user_entry(struct session *session, const struct message_id *id, const struct message_id *prev)
{
    struct event entry = {.id = *id, .prev = *prev, .msg = "", .type = EVENT_ANSWER};
    struct connection *connection, *next;
    session_hold(session);
    session->awaiting = *id;
    DL_FOREACH_SAFE (session->connections, connection, next)
        fit_entry(connection, &entry, "user", true);
    replies_retry(session);
    session_release(session);
}

static void handle_answer(struct session *session, struct event *event)
{
    session_hold(session);
    session_answered(session, &event->reply_to);
    /* Behind a held event nothing can fit but by chance, and order is all: it queues up. */
    if (session->held || fit_event(session, event) == MUST_WAIT)
        hold(session, event);
    else
        event_done(event);
    session_release(session);
}

void replies_handle(struct reactor *reactor, const char *channel, size_t channel_len, const char *payload, size_t len)
{
    const char *token = session_channel_token(channel, channel_len);
    struct session *session = token ? session_table_find(reactor, token, TOKEN_LEN) : NULL;
    struct event event;
    if (!session || !event_parse(&event, payload, len)) {
        metrics_add(&reactor->metrics, METRIC_EVENTS_DROPPED, 1);
        return;
    }
    if (event.type == EVENT_ANSWER) {
        handle_answer(session, &event);
        return;
    }
    if (event.type == EVENT_END)
        session_gone(session);
    event_done(&event); /* a refresh needs nothing: the expiry timer asks Redis before it believes itself */
}
