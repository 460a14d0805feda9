/*
 * A reactor's Redis: one link for commands, one for subscriptions, and what must hold before they are used.
 *
 *                commands connected           functions there, rights tested, subscriptions connected
 *   AWAY ─────────────────────────> SETTING_UP ──────────────────────────────────────────────────────> READY
 *     ^                                 │                                                                │
 *     └─────────────────────────────────┴──────────────── either link is lost ───────────────────────────┘
 *
 * Becoming READY and AWAY is told to the parts that care (connections pause and resume, sessions subscribe again,
 * messages in hand are tried again).
 */
#pragma once
#include "base/args.h"
#include "net/redis_link.h"
#include "server/redis_setup.h"
#include <stdbool.h>

struct reactor;
struct session;

struct backend {
    struct redis_link *commands;
    struct redis_link *events;
    struct redis_setup setup;
    bool is_set_up;
    bool is_ready;
    bool was_ready; /* once since the start */
    char why[256];  /* it is not ready; for /readyz and the log */
};

/* Starts both links. 0 or negative errno. */
int backend_open(struct reactor *reactor) MUST_CHECK;
void backend_close(struct reactor *reactor);

/* Sends a command if the backend is READY. As redis_link_command; -ENOTCONN while it is not. */
int backend_call(struct reactor *reactor, const struct args *args, redis_reply_cb callback, void *data) MUST_CHECK;

/* Subscribes to, and leaves, a session's channel; the confirmation goes to session_table_confirmed. */
void backend_subscribe(struct reactor *reactor, const char *channel);
void backend_unsubscribe(struct reactor *reactor, const char *channel);

/* A function answered something that says that this Redis is not usable as it is (READONLY, LOADING, functions gone):
 * starts over. */
void backend_distrust(struct reactor *reactor, const struct redis_value *error);

/* True if it is an error about the keys of one session or bot, which somebody has changed by hand: Redis itself is
 * well, and the others go on. Says so in the log. */
bool backend_blames_keys(const struct redis_value *reply);
