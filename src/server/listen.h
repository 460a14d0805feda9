/* The listening sockets: every reactor has its own on each address, all on the same ports (SO_REUSEPORT). */
#pragma once
#include "base/config.h"
#include <stdbool.h>
#include <stddef.h>

enum { LISTEN_MAX = 16, LISTEN_THREADS_MAX = 64 };

struct listen_set {
    size_t count;                            /* addresses */
    int fds[LISTEN_THREADS_MAX][LISTEN_MAX]; /* by reactor */
    char url[LISTEN_MAX][80];                /* "http://127.0.0.1:8000" */
    bool is_loopback_only;
};

/*
 * Sockets that a service manager or a predecessor has opened come first (LISTEN_PID and LISTEN_FDS, as sd_listen_fds(3)
 * says: from descriptor 3 on): if there are any, `addresses` are not opened, and all reactors accept from them.
 * Otherwise opens the sockets of HOST:PORT for `threads` reactors. `localhost` means both loopback addresses; port 0
 * takes a free one, the same for all. 0, or negative errno with what happened and what to do in `error`.
 */
int listen_open(struct listen_set *set, const struct config_list *addresses, size_t threads, char *error,
                size_t size) MUST_CHECK;
