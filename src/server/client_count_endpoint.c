/* GET /client-count: sockets open now, over all server processes. */
#include "server/reactor.h"
#include "server/routes.h"
#include <inttypes.h>
#include <stdio.h>

void client_count_endpoint_get(struct reactor *reactor, struct http_request *request)
{
    char body[48];
    int64_t count = heartbeat_count(reactor);
    if (count < 0) {
        http_reply_reject(request, REJECT_REDIS_AWAY, NULL);
        return;
    }
    int len = snprintf(body, sizeof body, "{\"count\":%" PRId64 "}\n", count);
    http_reply_header(request, "Cache-Control", "no-store");
    http_reply(request, 200, "application/json", body, (size_t)len);
}
