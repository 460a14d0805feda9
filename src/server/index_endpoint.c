/* GET /: a plain page that says what this is and what to type, with the address under which the reader sees it. */
#include "base/buf.h"
#include "server/access.h"
#include "server/reactor.h"
#include "server/routes.h"
#include <string.h>

extern const char index_html[];

enum { PAGE_MAX = 64 * 1024, BASE_MAX = 300 };

/* The page's examples name this host, after http:// or ws://. */
static const char example_host[] = "://localhost:8000";

/* A Host is the client's text: only what needs no escaping goes into the page. */
static bool is_plain(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:/-_[]";
    return strspn(text, plain) == strlen(text);
}

/* Appends the page with `base`, "ws://HOST" or "wss://HOST", for the example's address. */
static int append_page(struct buf *body, const char *base)
{
    const char *host = strstr(base, "://"), *at = index_html, *mark;
    int error = 0;
    while (!error && (mark = strstr(at, example_host))) {
        error = buf_append(body, at, (size_t)(mark - at));
        if (!error)
            error = buf_printf(body, "%s%s", host - base == 3 ? "s" : "", host);
        at = mark + sizeof example_host - 1;
    }
    return error ? error : buf_append_str(body, at);
}

void index_endpoint_get(struct reactor *reactor, struct http_request *request)
{
    char base[BASE_MAX];
    struct buf body;
    buf_init(&body, PAGE_MAX);
    access_socket_base(reactor->server, request, base, sizeof base);
    if (append_page(&body, is_plain(base) ? base : "ws://localhost:8000")) {
        http_reply_reject(request, REJECT_INTERNAL, NULL);
    } else {
        http_reply_header(request, "Content-Security-Policy",
                          "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
        http_reply_header(request, "Cache-Control", "no-cache");
        http_reply(request, 200, "text/html; charset=utf-8", body.data, body.len);
    }
    buf_done(&body);
}
