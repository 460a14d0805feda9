/*
 * HTTP/1.1 on one non-blocking socket: a request out, its response in, the next request on the same connection. Enough
 * for POST /token and an upgrade; no TLS, no pipelining, no redirects.
 *
 *   http_exchange_open ──> CONNECTING ──> (send ──> on_response)* ──> http_exchange_close, _detach or an error ──>
 * on_closed
 *
 * The loop's thread owns it. Callbacks run from the loop and may call anything here.
 */
#pragma once
#include "base/buf.h"
#include "client/http_response.h"
#include <sys/socket.h>
#include <uv.h>

struct http_exchange;

struct http_exchange_callbacks {
    /* `response` and what it points to live until the callback returns. */
    void (*on_response)(struct http_exchange *exchange, const struct http_response *response);
    /* Last call, exactly once: the memory is the owner's again. 0 after close and detach; else -ECONNREFUSED,
     * -ECONNRESET (ended without a response), -EPROTO or -EMSGSIZE (no HTTP), ... */
    void (*on_closed)(struct http_exchange *exchange, int error);
};

/* Embedded in its owner; fields are private to http_exchange.c. */
struct http_exchange {
    uv_poll_t poll;
    const struct http_exchange_callbacks *callbacks;
    struct buf out, in;
    size_t response_size; /* while on_response runs */
    int fd;
    int error;
    int events; /* what we poll for */
};

/*
 * Starts to connect; requests may be sent at once. `source` (or NULL) is the address to come from. 0 or negative errno;
 * on failure no callback comes.
 */
int http_exchange_open(struct http_exchange *exchange, uv_loop_t *loop, const struct http_exchange_callbacks *callbacks,
                       const struct sockaddr *to, const struct sockaddr *source) MUST_CHECK;

/* Sends one request; the last one must have had its response. 0 or negative errno; the exchange then closes by itself.
 */
int http_exchange_send(struct http_exchange *exchange, const char *request, size_t len) MUST_CHECK;

/*
 * From on_response, after an upgrade: hands the socket over, and the bytes behind the response, which live until the
 * callback returns. on_closed(0) follows.
 */
int http_exchange_detach(struct http_exchange *exchange, const char **early, size_t *early_len) MUST_CHECK;

/* Ends the connection; on_closed follows. Idempotent. */
void http_exchange_close(struct http_exchange *exchange);
