/*
 * One connection to Redis on a uv loop. hiredis parses; the commands' bytes, the socket, the deadlines and the
 * reconnecting are ours.
 *
 *      open            connected, AUTH and SELECT answered
 *   ─────────> WAITING ───────────────────────────────────> CONNECTED      on_connected
 *                 ^                                             │
 *                 │  lost: refused, reset, EOF, a deadline,     │
 *                 └──────── garbage, redis_link_reset ──────────┘          on_lost, then again after a jittered delay
 *
 * on_lost also tells of each attempt that failed. Before on_connected Redis has answered a PING too, so that one which
 * is loading, full, or wants a password counts as lost, with its reason.
 *
 * Commands are queued and leave in one write per loop turn. Redis answers in order, so the oldest command's deadline is
 * the link's: when it passes, the connection is lost. When it is lost every queued command gets its callback with a
 * negative status before on_lost runs; whether Redis ran it is not known. Reconnect delays: 50 ms doubling to 2 s, full
 * jitter.
 *
 * A link with `on_push` set is for subscriptions and blocking use: answers go to on_push, not to callbacks, and there
 * is no command deadline (who waits must probe; a silent link is ended with redis_link_reset).
 *
 * One thread (the loop's) owns a link. Callbacks run from the loop, never from inside a call of this header, except
 * where said. They may call anything here, on any link, also close the one that is calling. A NULL link is one that is
 * not connected.
 */
#pragma once
#include "base/args.h"
#include "net/redis_locator.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum redis_type {
    REDIS_TYPE_NIL,
    REDIS_TYPE_STRING,
    REDIS_TYPE_STATUS,
    REDIS_TYPE_ERROR,
    REDIS_TYPE_INTEGER,
    REDIS_TYPE_ARRAY
};

/* An answer. It and all below it live until the callback returns. Strings carry a NUL behind `len` bytes. */
struct redis_value {
    enum redis_type type;
    int64_t integer;
    const char *str; /* "" for types without text */
    size_t len;
    size_t count; /* ARRAY */
    const struct redis_value *item;
};

/* True for an error whose first word, its code, is `code`: "OOM", "NOGROUP", ... */
bool redis_value_is_error(const struct redis_value *value, const char *code);

/*
 * `status` 0: `reply` is what Redis said, perhaps an ERROR. Negative errno: the link was lost (-ECONNRESET, -ETIMEDOUT,
 * -ECANCELED at close) and `reply` is NULL.
 */
typedef void (*redis_reply_cb)(void *data, int status, const struct redis_value *reply);

struct redis_link;

struct redis_link_options {
    uv_loop_t *loop;
    const struct redis_address *address; /* borrowed: must outlive the link */
    uint64_t connect_timeout_ms;         /* to on_connected, name lookup and AUTH included. 0: 2000 */
    uint64_t command_timeout_ms;         /* 0: 2000 */
    size_t max_output;                   /* bytes not yet written; 0: 64 MiB */
    void (*on_connected)(void *data);
    void (*on_lost)(void *data, const char *why); /* `why` is for the operator's log, without credentials */
    void (*on_push)(void *data, const struct redis_value *value); /* NULL: answers go to the commands' callbacks */
    void *data;
};

/* Starts connecting. 0 or negative errno; on failure nothing is registered and no callback comes. */
int redis_link_open(struct redis_link **link, const struct redis_link_options *options) MUST_CHECK;

/*
 * Queues a command; `args` may be reused at once. `callback` (NULL: nobody cares, or the link has on_push) runs exactly
 * once. 0; -ENOTCONN while not connected; -ENOBUFS past max_output or 1,048,576 waiting; -ENOMEM. On failure the
 * callback never runs.
 */
int redis_link_command(struct redis_link *link, const struct args *args, redis_reply_cb callback,
                       void *data) MUST_CHECK;

/* Gives the connection up as lost, for `why`; it reconnects. Callbacks run before this returns. Without a connection it
 * does nothing. */
void redis_link_reset(struct redis_link *link, const char *why);

bool redis_link_is_connected(const struct redis_link *link);

/* Commands that wait for their answer. */
size_t redis_link_pending(const struct redis_link *link);

/*
 * Ends the link: waiting commands get -ECANCELED from inside this call, on_lost does not run; memory is freed by the
 * loop when its handles have closed. `*link` becomes NULL. NULL is fine.
 */
void redis_link_close(struct redis_link **link);
