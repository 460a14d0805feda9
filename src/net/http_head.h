/*
 * The strict gate in front of libmicrohttpd: is this the head of one HTTP/1.x request, in the syntax of RFC 9112 and
 * with a framing that nobody can read in two ways? A pure function over bytes; it keeps nothing.
 *
 * Only CRLF ends a line, nothing is folded, names are tokens that touch their colon, values and the target are visible
 * ASCII, Host and the length of the body are said exactly once. Whatever cannot become a request any more is
 * refused at its first wrong byte, so that TLS or SSH on this port is not waited for.
 */
#pragma once
#include "base/compiler.h"
#include "base/reject.h"
#include <stddef.h>

enum {
    HTTP_HEAD_MAX = 8192,       /* bytes of request line and header lines together */
    HTTP_HEAD_MAX_FIELDS = 100, /* header lines */
    /* Bytes that libmicrohttpd will keep beside the head: a record for each header, query field and cookie, and a copy
     * of the cookies. It has to have them, and 0.9.75 says a header block twice where it refuses by itself. */
    HTTP_HEAD_MAX_RECORDS = 7168,
    HTTP_HEAD_RECORD = 64,
};

/*
 * Looks at the first `len` bytes that a peer sent. REJECT_NONE with `*head_len` 0: so far well, but the head goes on.
 * REJECT_NONE with `*head_len` above 0: a whole head of that many bytes, whose body, if its length is declared, has at
 * most `max_body` bytes. Else: the answer to give before closing.
 */
enum reject http_head_check(const char *bytes, size_t len, size_t max_body, size_t *head_len) MUST_CHECK;
