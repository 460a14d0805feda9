/*
 * One conversation from the client's side: POST /token, the upgrade, then text messages both ways.
 *
 *                        200                    101                    a Close frame, or the peer is gone
 *   open ──> ASKING ──────────> UPGRADING ──────────> TALKING ────────────────────────────────> ENDING ──> on_closed
 *    │                              ^                                                             ^
 *    └── with a token ──────────────┘      refused, timed out, chat_client_close: from any state ─┘
 *
 * Many clients on one loop share a pool. One thread owns loop, pool and clients. Callbacks run from the loop and may
 * call anything here; on_closed comes exactly once for each client that was opened, last.
 */
#pragma once
#include "base/wheel.h"
#include "client/http_exchange.h"
#include "client/requests.h"
#include "client/server_url.h"
#include "net/ws_stream.h"
#include "protocol/token.h"

struct chat_client;
struct chat_client_pool;

/* How a conversation came to its end. */
struct chat_client_end {
    int code;  /* WebSocket close code, 1006 where none travelled; 0: it never opened */
    int error; /* it never opened: -ECONNREFUSED, -ETIMEDOUT, -EACCES (the server said no), -EPROTO, ...; else 0 */
    const char *text; /* the close reason, or a sentence on the error */
    bool is_answered; /* it opened, and the server ended its side, too; false also where it never answered our Close */
};

struct chat_client_callbacks {
    /* A session was opened: its token, and the server's whole answer (JSON). May be NULL. */
    void (*on_token)(struct chat_client *client, const struct token *token, const char *body, size_t len);
    /* The upgrade is done. The server checks the token after it, so a close with 1008 may still follow. */
    void (*on_open)(struct chat_client *client);
    void (*on_text)(struct chat_client *client, const char *text, size_t len);
    /* The client's memory is its owner's again; `end` lives until the callback returns. */
    void (*on_closed)(struct chat_client *client, const struct chat_client_end *end);
};

struct chat_client_pool_options {
    uv_loop_t *loop;
    const struct server_url *url; /* lives as long as the pool */
    const struct chat_client_callbacks *callbacks;
    uint64_t timeout_ms;       /* from chat_client_open to on_open */
    uint64_t ping_interval_ms; /* as in ws_stream.h */
    unsigned sources;          /* 0: as the system likes. N: from 127.0.0.1 to 127.0.0.N in turn, if the server is on
                                  127.0.0.1: one address has ports for 28,000 connections */
};

/* Looks the server up (blocks). 0, or negative errno with a sentence in `*why`. */
int chat_client_pool_new(struct chat_client_pool **pool, const struct chat_client_pool_options *options,
                         const char **why) MUST_CHECK;

/* All clients must be closed. The loop has to run once more to release the memory. NULL is fine. */
void chat_client_pool_free(struct chat_client_pool *pool);

enum chat_client_state {
    CHAT_CLIENT_ASKING,
    CHAT_CLIENT_UPGRADING,
    CHAT_CLIENT_TALKING,
    CHAT_CLIENT_ENDING,
};

/* Embedded in its owner; fields are private to chat_client.c, but for `token`, to be read from on_open on. */
struct chat_client {
    struct token token;
    enum chat_client_state state;
    struct chat_client_pool *pool;
    struct http_exchange exchange;
    struct ws_stream stream;
    struct wheel_timer deadline;
    unsigned parts;              /* of exchange and stream, those that are not closed yet */
    unsigned address;            /* of the pool's, the one that is tried */
    const char *name;            /* while ASKING */
    char key[REQUESTS_KEY_SIZE]; /* while UPGRADING */
    struct chat_client_end end;
    char end_text[192];
};

/*
 * Opens a session for a user of this `name` (borrowed until on_token) and joins it; with a `token`, joins its session.
 * 0 or negative errno; on failure no callback comes.
 */
int chat_client_open(struct chat_client *client, struct chat_client_pool *pool, const char *name,
                     const struct token *token) MUST_CHECK;

/* Queues one message (valid UTF-8). 0, or as ws_stream_send_text; -ENOTCONN before on_open and after the end. */
int chat_client_send(struct chat_client *client, const char *text, size_t len) MUST_CHECK;

/* Says goodbye with 1000; on_closed follows. Idempotent. */
void chat_client_close(struct chat_client *client);

/* The addresses that a client of this pool would use now, for other exchanges with the server. `*source` may be NULL.
 */
void chat_client_pool_next(struct chat_client_pool *pool, const struct sockaddr **to, const struct sockaddr **source);
