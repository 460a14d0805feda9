/*
 * One WebSocket from upgrade to close: a view on a session.
 *
 *   upgraded            token confirmed       a cause to pause
 *  ──────────> VALIDATING ──────────> OPEN ────────────────────> PAUSED     no message is read, answers go out
 *                  │                   │ <────────────────────────  │
 *                  │ token refused,    │    the last cause is gone  │
 *                  │ deadline          v                            │
 *                  └───────────────> CLOSING <──────────────────────┘       by whichever side; expiry, drain, errors
 *                                      │
 *                                      v
 *                                    CLOSED: memory freed in the stream's on_closed
 *
 * Transitions: connection_open (VALIDATING), connection_attached (OPEN), connection_pause / connection_resume,
 * handle_closing (CLOSING); all go through connection_move. connection_close is the only way out from our side.
 */
#pragma once
#include "base/reject.h"
#include "net/ws_stream.h"
#include "protocol/message.h"
#include "protocol/token.h"
#include <stdbool.h>
#include <stdint.h>

struct reactor;
struct session;
struct accept_job;
struct attach_call;

enum connection_state {
    CONNECTION_VALIDATING,
    CONNECTION_OPEN,
    CONNECTION_PAUSED,
    CONNECTION_CLOSING,
};

enum connection_pause {
    PAUSE_RATE = 1 << 0,  /* sent more than --message-rate allows */
    PAUSE_REDIS = 1 << 1, /* Redis is away */
    PAUSE_QUEUE = 1 << 2, /* too many of its messages wait to be stored */
};

struct connection {
    struct ws_stream stream;
    struct reactor *reactor;
    struct session *session;        /* NULL once closing */
    struct connection *next, *prev; /* of the session */
    struct connection *next_attach, *prev_attach;
    struct accept_job *jobs;     /* messages on their way into Redis */
    struct attach_call *reading; /* the history is being read from its position; events wait for that */
    struct message_id position;
    uint64_t rate_due_us; /* when the message allowance is whole again (GCRA) */
    uint64_t refused_since_ms;
    struct wheel_timer timer; /* VALIDATING: the deadline; PAUSED for rate: its end */
    int32_t token_cell;       /* the address that a wrong token is counted against */
    int32_t peer_cell;        /* the address that the socket is counted for */
    uint8_t state;
    uint8_t pauses;
    uint8_t refused; /* messages, in the minute since refused_since_ms */
    uint16_t job_count;
    bool from_now;   /* attach at the newest entry: no replay was asked for */
    bool wants_read; /* the history must be read from the position, as soon as may be */
    bool is_queued;  /* for that, in the reactor's attach_queue */
};

/* What the handshake brought. */
struct connection_request {
    struct token token;
    int token_cell;     /* of the client's address, as access.h says */
    int peer_cell;      /* of the socket's */
    enum reject reject; /* the token or `after` is no good: say so and close */
    bool has_after;
    struct message_id after;
};

/*
 * Makes a connection of an upgraded socket and starts to validate it; takes `fd`. Nothing is read before Redis has
 * confirmed the token.
 */
void connection_open(struct reactor *reactor, int fd, const void *early, size_t early_len,
                     const struct connection_request *request);

/* Instead of connection_open, where there is no room for one: closes the socket. */
void connection_refuse_socket(struct reactor *reactor, int fd, const struct connection_request *request);

/* The stream's callbacks, for the reactor's ws_pool. */
extern const struct ws_callbacks connection_callbacks;

/* Redis knows the token; `last` is the newest entry. */
void connection_attached(struct connection *connection);

/* One entry of the history, in order: sends what this dialect shows, and moves the position. */
void connection_deliver(struct connection *connection, const struct message_id *id, const char *role, size_t role_len,
                        const char *msg, size_t msg_len);

/* A message of this connection could not be stored: tells the user. */
void connection_refuse(struct connection *connection, enum reject reject);

void connection_pause(struct connection *connection, enum connection_pause cause);
void connection_resume(struct connection *connection, enum connection_pause cause);

/* Redis does not know the token (any more): closes with 1008. A first guess counts against the address. */
void connection_gone(struct connection *connection);

/* Closes with the close code and reason of `reject`. */
void connection_close(struct connection *connection, enum reject reject);
