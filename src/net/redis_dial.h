/*
 * Finds a way to a Redis address: resolves the name and tries what it stands for, one address after the other, until a
 * socket is connected. Deadlines are the caller's: it cancels.
 *
 * One thread (the loop's) owns a dial and a socket.
 */
#pragma once
#include "base/compiler.h"
#include "net/redis_locator.h"
#include <uv.h>

/* A non-blocking socket that a loop watches. Heap; the descriptor is closed behind its handle. */
struct redis_socket {
    uv_poll_t poll;
    int fd;
    int events; /* what is watched for */
    /* `status` below 0: the socket is broken, SO_ERROR or a read tells how. Set by the owner. */
    void (*on_ready)(void *data, int status, int events);
    void *data;
};

/* Watches for UV_READABLE and UV_WRITABLE as `events` says. 0 or negative errno. */
int redis_socket_watch(struct redis_socket *socket, int events) MUST_CHECK;

/* Closes it; on_ready does not run again. The loop frees the memory. NULL is fine. */
void redis_socket_free(struct redis_socket *socket);

struct redis_dial;

struct redis_dial_options {
    uv_loop_t *loop;
    const struct redis_address *address; /* read before redis_dial_start returns */
    unsigned first; /* which of a name's addresses (modulo their number) comes first: so that one that swallows packets
                       does not take every attempt's whole time */
    /* Exactly once, from the loop, unless cancelled: a connected socket, which the callee owns, or NULL and an error of
     * libuv's. The dial is freed. */
    void (*on_done)(void *data, struct redis_socket *socket, int error);
    void *data;
};

/* 0 or negative errno; on failure nothing is registered and no callback comes. */
int redis_dial_start(struct redis_dial **dial, const struct redis_dial_options *options) MUST_CHECK;

/* Ends it without a callback. NULL is fine. */
void redis_dial_cancel(struct redis_dial *dial);
