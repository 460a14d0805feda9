/* Reads one HTTP/1.1 response out of the bytes of a connection. Pure: no I/O, no allocation. */
#pragma once
#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>

enum { HTTP_RESPONSE_HEAD_MAX = 16 * 1024, HTTP_RESPONSE_BODY_MAX = 1024 * 1024 };

struct http_response {
    int status;
    const char *head; /* status line and headers, with the empty line's CR LF */
    size_t head_len;
    const char *body;
    size_t body_len;
    size_t size;     /* bytes of the whole response; what follows (after a 101, say) is not its own */
    bool keep_alive; /* another request may follow on this connection */
};

/*
 * 1: `response` is filled and points into `bytes`, where a chunked body has been pulled together. 0: more is needed.
 * -EPROTO: this is not HTTP; -EMSGSIZE: past a limit above. `ended` says that the peer has closed: a body that only the
 * end of the connection ends is then whole, and anything else unfinished is -EPROTO.
 */
int http_response_read(struct http_response *response, char *bytes, size_t len, bool ended) MUST_CHECK;

/* The value of a header that comes once, without blanks around it: its start, and its length in `*len`; else NULL. */
const char *http_response_header(const struct http_response *response, const char *name, size_t *len);

/* Does that header have this value, or list it among others? Case is ignored. */
bool http_response_header_has(const struct http_response *response, const char *name, const char *word);
