#include "server/routes.h"
#include "base/compiler.h"
#include "server/access.h"
#include "server/reactor.h"
#include <stdio.h>
#include <string.h>

static const struct route {
    const char *path;
    const char *method; /* GET serves HEAD, too */
    void (*handle)(struct reactor *reactor, struct http_request *request);
} routes[] = {
    {"/", "GET", index_endpoint_get},
    {"/token", "POST", token_endpoint_post},
    {"/token", "DELETE", token_endpoint_delete},
    {"/refresh_token", "GET", refresh_token_endpoint_get},
    {"/refresh_token", "POST", refresh_token_endpoint_post},
    {"/messages", "GET", messages_endpoint_get},
    {"/chat", "GET", chat_endpoint_get},
    {"/client-count", "GET", client_count_endpoint_get},
    {"/healthz", "GET", health_endpoint_healthz},
    {"/readyz", "GET", health_endpoint_readyz},
    {"/metrics", "GET", metrics_endpoint_get},
};

static bool method_fits(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* The methods of a path as Allow lists them; "" if there is no such path. */
static void list_methods(const char *path, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (strcmp(routes[i].path, path) != 0)
            continue;
        const char *methods = strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method;
        at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", methods);
    }
    if (at)
        snprintf(out + at, size - at, ", OPTIONS");
}

static void answer_options(struct http_request *request, const char *allow)
{
    http_reply_header(request, "Allow", allow);
    http_reply_header(request, "Access-Control-Allow-Methods", allow);
    http_reply_header(request, "Access-Control-Allow-Headers", "Authorization, Content-Type");
    http_reply_header(request, "Access-Control-Max-Age", "600");
    http_reply(request, 204, NULL, "", 0);
}

void routes_dispatch(struct reactor *reactor, struct http_request *request)
{
    const char *path = http_request_path(request), *method = http_request_method(request);
    enum reject reject = access_check_host(reactor->server, request);
    if (reject) {
        http_reply_reject(request, reject, NULL);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        if (strcmp(routes[i].path, path) == 0 && method_fits(&routes[i], method)) {
            routes[i].handle(reactor, request);
            return;
        }
    char allow[64];
    list_methods(path, allow, sizeof allow);
    if (!*allow) {
        http_reply_reject(request, REJECT_NOT_FOUND, NULL);
    } else if (strcmp(method, "OPTIONS") == 0) {
        answer_options(request, allow);
    } else {
        char msg[96];
        snprintf(msg, sizeof msg, "This address takes %s", allow);
        http_reply_header(request, "Allow", allow);
        http_reply_reject(request, REJECT_METHOD_NOT_ALLOWED, msg);
    }
}
