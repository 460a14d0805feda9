/*
 * User messages on their way into Redis. A message that has passed the validator becomes a job and is stored by
 * banter_accept; a job whose fate is unknown (the link was lost) is tried again under the same client id when Redis is
 * back, so that it is stored once, and refused after 30 s. Jobs outlive their connection.
 */
#pragma once
#include "base/wheel.h"
#include "protocol/token.h"
#include <stdint.h>

struct connection;
struct reactor;
struct session;

struct accept_job {
    struct accept_job *next, *prev; /* of the table: waiting for Redis to come back */
    struct accept_job *next_of_connection, *prev_of_connection;
    struct reactor *reactor;
    struct session *session;
    struct connection *connection; /* NULL when it has gone */
    struct wheel_timer deadline;   /* armed while it waits */
    uint64_t since_ms;
    char client[40];
    bool is_waiting; /* in the table's list, not under way */
    bool is_retry;
    size_t len;
    char text[];
};

struct accept_table {
    struct accept_job *waiting;
    uint64_t count;       /* jobs alive */
    uint64_t next_client; /* number of the next client id */
    char client_prefix[24];
};

void accept_table_init(struct reactor *reactor);

/* Takes in one message of `connection`, which is OPEN. What becomes of it is told to the connection, if it is still
 * there. */
void accept_message(struct connection *connection, const char *text, size_t len);

/* The connection is closing: its jobs go on without it. */
void accept_forget(struct connection *connection);

/* Redis is ready again: everything that waits is sent. */
void accept_retry_all(struct reactor *reactor);

/* The end of the process: drops what could not be stored. */
void accept_drop_all(struct reactor *reactor);
