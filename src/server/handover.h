/*
 * A session lives on one reactor of a process, chosen by its token, wherever its sockets were accepted: so all its tabs
 * share one subscription, see each other's answers without reading the history, and are counted together
 * (--max-sockets).
 *
 * The one queue between threads: a socket that has just been upgraded elsewhere is put into the home reactor's inbox,
 * under a lock that is held for a few instructions, and its loop is woken. What crosses is a descriptor and values; the
 * connection is born on its reactor.
 */
#pragma once
#include "base/compiler.h"
#include "server/connection.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct handed_socket;
struct reactor;

struct handover {
    uv_async_t wake;
    pthread_mutex_t lock;
    struct handed_socket *inbox; /* newest first */
    bool is_closed;
};

/* 0 or negative errno. */
int handover_open(struct reactor *reactor) MUST_CHECK;

/* Takes nothing more; what is in the inbox is closed. */
void handover_close(struct reactor *reactor);

/* Makes a connection of an upgraded socket on the reactor of its session; takes `fd`. */
void handover_connection(struct reactor *reactor, int fd, const void *early, size_t early_len,
                         const struct connection_request *request);
