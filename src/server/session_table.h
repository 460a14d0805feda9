/*
 * The sessions that have connections on this reactor: for each its subscription, its connections, and the events that
 * wait.
 *
 * Order (rules 14–17 of the protocol): a session is subscribed first, and only when Redis has confirmed that, its
 * connections attach. Each connection has a position, the id of the last history entry it was given; every event names
 * the entry before it. While answers of Redis are still on their way here (`calls_out`), an event that does not fit is
 * held back, since that answer may be what it waits for; afterwards it means a hole, and the connection reads the
 * history from its position.
 */
#pragma once
#include "base/wheel.h"
#include "protocol/keys.h"
#include "protocol/message.h"
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct connection;
struct reactor;

struct held_event {
    struct held_event *next;
    struct event event;
};

struct session {
    struct token token;
    bool is_subscribed; /* confirmed on the present events link */
    bool lost_events;   /* too many were held: all connections must read */
    uint16_t held_count;
    bool is_subscribing;            /* SUBSCRIBE is out, its confirmation is not here */
    uint16_t calls_out;             /* accepts and attaches whose answer is under way */
    uint32_t holds;                 /* who needs this struct: connections, jobs, and whoever iterates over it */
    char bot[BOT_NAME_MAX + 1];     /* "" until the first attach */
    struct connection *connections; /* oldest first (utlist DL) */
    struct held_event *held, *held_last;
    size_t held_bytes;
    struct wheel_timer expiry;
    struct message_id awaiting; /* the newest question stored here that has no answer yet, or {0, 0} */
    struct reactor *reactor;
    UT_hash_handle hh;
};

struct session_table {
    struct session *by_token;
};

/* The session of `token` on this reactor, made and subscribed if it is new, with a hold for the caller; NULL if out of
 * memory. */
struct session *session_table_open(struct reactor *reactor, const struct token *token);

struct session *session_table_find(struct reactor *reactor, const char *token, size_t len);

/* Keeps the session alive, and lets it go: with the last hold it is unsubscribed and freed. */
void session_hold(struct session *session);
void session_release(struct session *session);

/* A call whose answer may move positions is under way (that holds the session) / has ended (that releases it). */
void session_call_begins(struct session *session);
void session_call_ended(struct session *session);

/* An answer to `question` went by: if it is the one that an ending server waits for, it waits no more. */
void session_answered(struct session *session, const struct message_id *question);

/* Redis confirmed the subscription of `channel`: its connections attach, or read what they missed. */
void session_table_confirmed(struct reactor *reactor, const char *channel, size_t len);

/* Redis is ready (again): what is not subscribed on the present events link is, and the others read what they missed.
 */
void session_table_resubscribe(struct reactor *reactor);
/* The events link is lost: nothing is subscribed. */
void session_table_unsubscribed(struct reactor *reactor);

/* Sets the expiry timer from what PTTL says of a session that exists; negative: it does not expire. */
void session_set_ttl(struct session *session, int64_t ttl_ms);

/* Redis says that there is no such session (any more): closes its connections with 1008. */
void session_gone(struct session *session);

/* The token in the name of a replies channel, or NULL if it is none. */
const char *session_channel_token(const char *channel, size_t len);
