/* GET /metrics: the Prometheus text format, for peers on the same machine. */
#include "base/buf.h"
#include "server/access.h"
#include "server/reactor.h"
#include "server/routes.h"

void metrics_endpoint_get(struct reactor *reactor, struct http_request *request)
{
    const struct server *server = reactor->server;
    if (!access_is_local(server, request)) {
        http_reply_reject(request, REJECT_LOOPBACK_ONLY, NULL);
        return;
    }
    struct buf body;
    buf_init(&body, 64 * 1024);
    if (metrics_render(&body, server->metrics, server->metrics_count))
        http_reply_reject(request, REJECT_INTERNAL, NULL);
    else
        http_reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", body.data, body.len);
    buf_done(&body);
}
