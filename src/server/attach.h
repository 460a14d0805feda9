/*
 * Validation and catch-up are one thing: banter_attach from a connection's position, page by page, until it is level
 * with the history. Connections wait in a queue with a bound on the calls under way, so that 15,000 of them reading at
 * once (Redis is back) neither flood Redis nor each other. The next page is asked for when the last one has been
 * written.
 */
#pragma once
#include <stddef.h>

struct connection;
struct reactor;

struct attach_queue {
    struct connection *waiting; /* utlist DL */
    size_t under_way;
};

/* Attaches a new connection, or makes one read what it missed; its session must be subscribed. Idempotent. Also for a
 * connection whose output has drained while it wanted to read. */
void attach_start(struct connection *connection);

/* The connection is closing. */
void attach_cancel(struct connection *connection);

/* Starts as many waiting ones as may be. */
void attach_pump(struct reactor *reactor);
