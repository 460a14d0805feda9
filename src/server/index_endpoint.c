/* GET /: a plain page that says what this is and what to type. */
#include "server/reactor.h"
#include "server/routes.h"

extern const char index_html[];
extern const size_t index_html_len;

void index_endpoint_get(struct reactor *reactor, struct http_request *request)
{
    (void)reactor;
    http_reply_header(request, "Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    http_reply_header(request, "Cache-Control", "no-cache");
    http_reply(request, 200, "text/html; charset=utf-8", index_html, index_html_len);
}
