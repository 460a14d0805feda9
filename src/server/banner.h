/* What the server says when it is up: lines for --ready-fd, a picture on a terminal, one log line elsewhere. */
#pragma once
#include "server/listen.h"
#include "server/server.h"
#include <stdint.h>

/* It listens: one line per address for --ready-fd. */
void banner_addresses(const struct config *config, const struct listen_set *listen);

/* It serves, `ms` after its start: the line "ready" for --ready-fd, and what people want to see. */
void banner_ready(const struct server *server, const struct listen_set *listen, int64_t ms);
