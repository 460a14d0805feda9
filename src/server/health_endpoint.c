/* GET /healthz: the process is alive. GET /readyz: this reactor can serve; 503 and the reason while it cannot. */
#include "base/buf.h"
#include "protocol/json.h"
#include "server/access.h"
#include "server/reactor.h"
#include "server/routes.h"
#include <string.h>

void health_endpoint_healthz(struct reactor *reactor, struct http_request *request)
{
    static const char body[] = "{\"status\":\"ok\"}\n";
    (void)reactor;
    http_reply(request, 200, "application/json", body, sizeof body - 1);
}

/* Redis's own words are for the operator: other peers only hear that it is away. */
static int append_reason(struct buf *body, const struct reactor *reactor, const struct http_request *request)
{
    const char *why = "going down";
    if (reactor->state == REACTOR_SERVING)
        why = access_is_local(reactor->server, request) ? reactor->backend.why : "Redis is away";
    int error = buf_append_str(body, "{\"status\":\"unavailable\",\"redis\":");
    if (!error)
        error = json_append_string(body, why, strlen(why));
    return error ? error : buf_append_str(body, "}\n");
}

void health_endpoint_readyz(struct reactor *reactor, struct http_request *request)
{
    static const char ready[] = "{\"status\":\"ok\",\"redis\":\"ok\"}\n";
    http_reply_header(request, "Cache-Control", "no-store");
    if (reactor->state == REACTOR_SERVING && reactor->backend.is_ready) {
        http_reply(request, 200, "application/json", ready, sizeof ready - 1);
        return;
    }
    struct buf body;
    buf_init(&body, 2048);
    int error = append_reason(&body, reactor, request);
    http_reply_header(request, "Retry-After", "1");
    http_reply(request, 503, "application/json", error ? "" : body.data, error ? 0 : body.len);
    buf_done(&body);
}
