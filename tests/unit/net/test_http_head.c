#include "check.h"
#include "net/http_head.h"
#include <stdbool.h>

enum { MAX_BODY = 1000 };

/* The verdict on `len` bytes, from memory of exactly that size so that a read beyond it shows under a sanitizer. */
static enum reject check(const char *bytes, size_t len, size_t *head_len)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, bytes, len);
    enum reject reject = http_head_check(copy, len, MAX_BODY, head_len);
    free(copy);
    return reject;
}

/* A whole head: each shorter piece of it is "so far well", more bytes behind it change nothing. */
static void expect_good(const char *head)
{
    size_t len = strlen(head), head_len;
    for (size_t cut = 0; cut < len; cut++)
        CHECK(check(head, cut, &head_len) == REJECT_NONE && head_len == 0);
    CHECK(check(head, len, &head_len) == REJECT_NONE && head_len == len);
    char longer[HTTP_HEAD_MAX * 2];
    int longer_len = snprintf(longer, sizeof longer, "%s\x16garbage", head);
    CHECK(check(longer, (size_t)longer_len, &head_len) == REJECT_NONE && head_len == len);
}

/* A bad one: no piece of it is a whole head, and once refused it stays so, for the same reason. */
static void expect_bad_bytes(const char *head, size_t len, enum reject expected)
{
    size_t head_len;
    enum reject verdict = REJECT_NONE;
    for (size_t cut = 0; cut <= len; cut++) {
        enum reject now = check(head, cut, &head_len);
        CHECK(head_len == 0);
        CHECK(now == verdict || verdict == REJECT_NONE);
        verdict = now;
    }
    if (verdict != expected)
        fprintf(stderr, "%.*s: verdict %d, expected %d\n", (int)len, head, (int)verdict, (int)expected);
    CHECK(verdict == expected);
}

#define BAD(text, expected) expect_bad_bytes(text, sizeof text - 1, REJECT_##expected)
#define HOST                "Host: localhost:8000\r\n"

static void test_good(void)
{
    expect_good("GET / HTTP/1.1\r\n" HOST "\r\n");
    expect_good("GET / HTTP/1.0\r\n\r\n");
    expect_good("OPTIONS * HTTP/1.1\r\nhOsT:[::1]:80\r\n\r\n");
    expect_good("POST /token?name=A%20b&x={} HTTP/1.1\r\n" HOST "Content-Length:\t 1000 \r\n\r\n");
    expect_good("POST /token HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
    expect_good("POST /token HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\nX-Empty:\r\nX-Tab: a\tb\r\n\r\n");
    expect_good("m!#$%&'*+-.^_`|~9 /x HTTP/1.1\r\n" HOST "Cookie: a=b; c=d\r\n\r\n");
}

static void test_framing(void)
{
#define POST "POST /token HTTP/1.1\r\n" HOST
    /* H1 */
    BAD(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", BAD_REQUEST);
    BAD(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", BAD_REQUEST);
    BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", BAD_REQUEST);
    /* H2 */
    BAD(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", LENGTH_INVALID);
    BAD(POST "Content-Length: 5\r\ncontent-length: 5\r\n\r\n", LENGTH_INVALID);
    BAD(POST "Content-Length: 5, 5\r\n\r\n", LENGTH_INVALID);
    /* H3 */
    BAD(POST "Content-Length: -1\r\n\r\n", LENGTH_INVALID);
    BAD(POST "Content-Length: +5\r\n\r\n", LENGTH_INVALID);
    BAD(POST "Content-Length: 0x5\r\n\r\n", LENGTH_INVALID);
    BAD(POST "Content-Length: 5 5\r\n\r\n", LENGTH_INVALID);
    BAD(POST "Content-Length:\r\n\r\n", LENGTH_INVALID);
    BAD(POST "Content-Length: 99999999999999999999x\r\n\r\n", LENGTH_INVALID);
    BAD(POST "Content-Length: 99999999999999999999\r\n\r\n", BODY_TOO_LARGE);
    BAD(POST "Content-Length: 18446744073709551617\r\n\r\n", BODY_TOO_LARGE);
    BAD(POST "Content-Length: 1001\r\n\r\n", BODY_TOO_LARGE);
    /* H4 */
    BAD(POST "Transfer-Encoding: gzip\r\n\r\n", ENCODING_UNKNOWN);
    BAD(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", ENCODING_UNKNOWN);
    BAD(POST "Transfer-Encoding: xchunked\r\n\r\n", ENCODING_UNKNOWN);
    BAD(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", BAD_REQUEST);
#undef POST
}

static void test_host(void)
{
    /* H5 */
    BAD("GET / HTTP/1.1\r\n\r\n", HOST_MISSING);
    BAD("GET / HTTP/1.1\r\nHost:\r\n\r\n", HOST_MISSING);
    BAD("GET / HTTP/1.1\r\nHost: \t \r\n\r\n", HOST_MISSING);
    BAD("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", HOST_MISSING);
    BAD("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", HOST_MISSING);
    BAD("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", HOST_MISSING);
    BAD("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", HOST_MISSING);
    BAD("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", HOST_MISSING);
    BAD("GET / HTTP/1.1\r\nXHost: a\r\n\r\n", HOST_MISSING);
}

static void test_lines_and_fields(void)
{
    /* H6 */
    BAD("GET / HTTP/1.1\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1\r\nHost: x\n\r\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1\r\n" HOST "\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1\r\n" HOST "A: b\rC: d\r\n\r\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1\r\n" HOST "\rX\r\n", BAD_REQUEST);
    BAD("\r\nGET / HTTP/1.1\r\n" HOST "\r\n", BAD_REQUEST);
    /* H7 */
    BAD("GET / HTTP/1.1\r\nHost : x\r\n\r\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1\r\nHost\t: x\r\n\r\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1\r\n" HOST "a(b): c\r\n\r\n", BAD_REQUEST);
    /* H8 */
    BAD("GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1\r\n Host: x\r\n\r\n", BAD_REQUEST);
    /* H9, every byte */
    for (int c = 0; c < 256; c++) {
        char value[64], target[64];
        int len = snprintf(value, sizeof value, "GET / HTTP/1.1\r\n" HOST "A: b_c\r\n\r\n");
        *strchr(value, '_') = (char)c;
        int target_len = snprintf(target, sizeof target, "GET /_ HTTP/1.1\r\n" HOST "\r\n");
        *strchr(target, '_') = (char)c;
        size_t head_len;
        bool fits = (c >= ' ' && c < 0x7f) || c == '\t';
        CHECK((check(value, (size_t)len, &head_len) == REJECT_NONE && head_len == (size_t)len) == fits);
        bool is_visible = c > ' ' && c < 0x7f;
        CHECK((check(target, (size_t)target_len, &head_len) == REJECT_NONE && head_len > 0) == is_visible);
    }
}

static void test_request_line(void)
{
    /* H10 */
    BAD("GET / HTTP/9.9\r\n" HOST "\r\n", BAD_HTTP_VERSION);
    BAD("GET / HTTP/1.2\r\n" HOST "\r\n", BAD_HTTP_VERSION);
    BAD("GET / HTTP/0.9\r\n" HOST "\r\n", BAD_HTTP_VERSION);
    BAD("GET / HTTP/1.10\r\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET / HTTP/11\r\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET / HTP/1.1\r\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET / http/1.1\r\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET /\r\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET / \r\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET\r\n", BAD_REQUEST);
    BAD("GET  / HTTP/1.1\r\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET /  HTTP/1.1\r\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET / HTTP/1.1 \r\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET\t/ HTTP/1.1\r\n" HOST "\r\n", BAD_REQUEST);
    BAD("GET /a b HTTP/1.1\r\n" HOST "\r\n", BAD_REQUEST);
    BAD(" / HTTP/1.1\r\n" HOST "\r\n", BAD_REQUEST);
    /* H11 */
    BAD("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", BAD_REQUEST);
    BAD("SSH-2.0-OpenSSH_9.2p1\r\n", BAD_REQUEST);
    BAD("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", BAD_HTTP_VERSION);
    BAD("\0\0\0", BAD_REQUEST);
    size_t head_len;
    CHECK(check("\x16", 1, &head_len) == REJECT_BAD_REQUEST); /* at its first byte */
}

/* Writes a head of exactly `len` bytes, filled up with 'a' behind `start`. */
static void fill(char *head, size_t len, const char *start, const char *end)
{
    memset(head, 'a', len);
    memcpy(head, start, strlen(start));
    memcpy(head + len - strlen(end), end, strlen(end));
}

static void test_sizes(void)
{
    static char head[1 << 20];
    size_t head_len;
    /* H12 */
    static const size_t lengths[] = {HTTP_HEAD_MAX, HTTP_HEAD_MAX + 1, 20 << 10, sizeof head};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        fill(head, lengths[i], "GET /", " HTTP/1.1\r\n");
        enum reject expected = lengths[i] == HTTP_HEAD_MAX ? REJECT_HEADERS_TOO_LARGE : REJECT_URI_TOO_LONG;
        CHECK(check(head, lengths[i], &head_len) == expected);
    }
    /* H13 */
    fill(head, HTTP_HEAD_MAX, "GET / HTTP/1.1\r\n" HOST "A: ", "\r\n\r\n");
    CHECK(check(head, HTTP_HEAD_MAX, &head_len) == REJECT_NONE && head_len == HTTP_HEAD_MAX);
    fill(head, HTTP_HEAD_MAX + 1, "GET / HTTP/1.1\r\n" HOST "A: ", "\r\n\r\n");
    CHECK(check(head, HTTP_HEAD_MAX + 1, &head_len) == REJECT_HEADERS_TOO_LARGE);
    CHECK(check(head, HTTP_HEAD_MAX - 1, &head_len) == REJECT_NONE && head_len == 0);
    fill(head, 20 << 10, "GET / HTTP/1.1\r\n" HOST "A: ", "\r\n\r\n");
    CHECK(check(head, 20 << 10, &head_len) == REJECT_HEADERS_TOO_LARGE);
    for (int fields = 99; fields <= 101; fields++) {
        char *to = head + sprintf(head, "GET / HTTP/1.1\r\n" HOST);
        for (int i = 1; i < fields; i++)
            to += sprintf(to, "A: b\r\n");
        to += sprintf(to, "\r\n");
        enum reject expected = fields <= HTTP_HEAD_MAX_FIELDS ? REJECT_NONE : REJECT_HEADERS_TOO_LARGE;
        CHECK(check(head, (size_t)(to - head), &head_len) == expected);
    }
}

/* What libmicrohttpd keeps beside the head: tested for its limit from both sides, with query fields and with cookies.
 */
static void test_records(void)
{
    static const struct {
        const char *start, *part, *end;
        size_t cost, fixed;
    } kinds[] = {
        {"GET /?", "&", " HTTP/1.1\r\n" HOST "\r\n", HTTP_HEAD_RECORD, 2},
        {"GET / HTTP/1.1\r\n" HOST "Cookie: ", "a;", "\r\n\r\n", HTTP_HEAD_RECORD + 2, 4},
        {"GET / HTTP/1.1\r\n" HOST "Cookie: ", "a,", "\r\n\r\n", HTTP_HEAD_RECORD + 2, 4},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t most = (HTTP_HEAD_MAX_RECORDS - kinds[i].fixed * HTTP_HEAD_RECORD) / kinds[i].cost, head_len;
        for (size_t parts = most; parts <= most + 1; parts++) {
            char head[1024];
            strcpy(head, kinds[i].start);
            for (size_t n = 0; n < parts; n++)
                strcat(head, kinds[i].part);
            strcat(head, kinds[i].end);
            enum reject expected = parts == most ? REJECT_NONE : REJECT_HEADERS_TOO_LARGE;
            CHECK(check(head, strlen(head), &head_len) == expected);
        }
    }
}

int main(void)
{
    test_good();
    test_framing();
    test_host();
    test_lines_and_fields();
    test_request_line();
    test_sizes();
    test_records();
    return 0;
}
