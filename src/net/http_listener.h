/*
 * HTTP for one reactor: accepts from sockets shared with other reactors (SO_REUSEPORT), lets libmicrohttpd speak
 * HTTP/1.1, and hands whole requests to one callback. libmicrohttpd runs without threads and without a listening socket
 * of its own; its epoll descriptor is polled by our loop.
 *
 * Every request head is checked by http_head.h before anything else looks at it: the first of a connection as raw
 * bytes, before libmicrohttpd gets the socket; later ones as libmicrohttpd has parsed them. Deadlines are absolute:
 * head_timeout_ms for a head, body_timeout_ms for a body, idle_timeout_ms between requests, reply_timeout_ms until the
 * answer has been taken. Where no descriptor is left accepting pauses and the peer is refused through a reserved one;
 * there is never a busy loop.
 *
 * A request is answered by exactly one of http_reply and http_request_upgrade, from inside on_request or later from the
 * loop; the request lives until then and is gone afterwards. A client that leaves in the meantime changes nothing for
 * the answerer.
 *
 * One thread (the loop's) owns a listener and its requests.
 */
#pragma once
#include "base/metrics.h"
#include "base/reject.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

struct http_listener;
struct http_request;

struct http_listener_options {
    uv_loop_t *loop;
    const int *fds; /* listening sockets, owned and closed by the listener */
    size_t fd_count;
    size_t max_connections; /* sockets in the HTTP phase; past it 503 */
    size_t max_body;        /* bytes */
    uint64_t head_timeout_ms, body_timeout_ms, idle_timeout_ms, reply_timeout_ms;
    struct metrics *metrics;
    /* May this new socket come in? Called right after accept(2). REJECT_NONE, or why not (answered and closed). May be
     * NULL. */
    enum reject (*on_accept)(void *data, const struct sockaddr *peer);
    /* A socket that on_accept let in has left the HTTP phase: closed, or upgraded (then `upgraded`). May be NULL. */
    void (*on_leave)(void *data, const struct sockaddr *peer, bool upgraded);
    /* Called before a reply's headers go out, to add headers that every answer carries (CORS). May be NULL. */
    void (*on_reply)(void *data, struct http_request *request);
    void (*on_request)(void *data, struct http_request *request);
    void *data;
};

/* 0 or negative errno; on failure nothing is registered and the descriptors are still the caller's. */
int http_listener_open(struct http_listener **listener, const struct http_listener_options *options) MUST_CHECK;

/* Stops accepting (drain): the listening sockets are closed, connections in the HTTP phase go on, but keep-alive ends
 * and a head must come within a second. */
void http_listener_stop(struct http_listener *listener);

/* Ends all HTTP connections and frees the listener; all requests must have been answered, and `on_closed` comes from
 * the loop. */
void http_listener_close(struct http_listener *listener, void (*on_closed)(void *data), void *data);

/* True while somebody waits for an answer or is about to ask: has connected and not yet sent a request. */
bool http_listener_is_busy(const struct http_listener *listener);

/* The method as sent, and the path as sent, undecoded, without the query. */
const char *http_request_method(const struct http_request *request);
const char *http_request_path(const struct http_request *request);

bool http_request_is_http_1_0(const struct http_request *request);

/* The address the socket comes from. */
const struct sockaddr *http_request_peer(const struct http_request *request);

/* A header's value and in `count` (may be NULL) how often it was sent; NULL if it was not. Names compare without case.
 */
const char *http_request_header(const struct http_request *request, const char *name, unsigned *count);

/* A header that is a list by its definition: all its values, joined by commas (RFC 9110, 5.3); NULL if it was not sent.
 */
const char *http_request_header_list(const struct http_request *request, const char *name);

/*
 * A decoded query field (`?name=value`) or, for a form body, form field. Binary safe: `value->len` counts, NULs may be
 * inside. Returns how often it was given (0: not; more than 1 is for the caller to refuse).
 */
struct http_field {
    const char *value;
    size_t len;
};
unsigned http_request_query(const struct http_request *request, const char *name, struct http_field *field);
unsigned http_request_form(const struct http_request *request, const char *name, struct http_field *field);

/* The body as sent, "" if none. */
const char *http_request_body(const struct http_request *request, size_t *len);

/* Adds a header to the coming answer; both strings are copied. Control characters are our own bug: asserted. */
void http_reply_header(struct http_request *request, const char *name, const char *value);

/* Answers. `body` is copied. */
void http_reply(struct http_request *request, int status, const char *content_type, const char *body, size_t len);

/*
 * Answers in the one error shape: {"code":…,"detail":{"loc":…,"msg":…}}. Adds Retry-After to 429 and 503 and
 * WWW-Authenticate to 401, unless the caller added its own. `msg` NULL: the table's.
 */
void http_reply_reject(struct http_request *request, enum reject reject, const char *msg);

/*
 * Answers 101 with `accept` (Sec-WebSocket-Accept) and, if not NULL, `protocol`. `on_upgraded` gets the socket
 * (non-blocking, close-on-exec, the callee's to close) with the bytes already read behind the request, from the loop;
 * or fd -1 if it could not be had any more. Exactly once.
 */
typedef void (*http_upgraded_cb)(void *data, int fd, const void *early, size_t early_len);
void http_request_upgrade(struct http_request *request, const char *accept, const char *protocol,
                          http_upgraded_cb on_upgraded, void *data);
