#include "check.h"
#include "client/http_response.h"
#include <errno.h>

static char bytes[HTTP_RESPONSE_HEAD_MAX + HTTP_RESPONSE_BODY_MAX + 1024];
static struct http_response response;

static int read_text(const char *text, bool ended)
{
    size_t len = strlen(text);
    memcpy(bytes, text, len);
    return http_response_read(&response, bytes, len, ended);
}

static bool body_is(const char *expected)
{
    return response.body_len == strlen(expected) && memcmp(response.body, expected, response.body_len) == 0;
}

static void test_sized_body(void)
{
    CHECK(read_text("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellorest", false) == 1);
    CHECK(response.status == 200);
    CHECK(response.keep_alive);
    CHECK(body_is("hello"));
    CHECK(strncmp(bytes + response.size, "rest", 4) == 0);
}

/* However the bytes arrive, the answer is "more" until the last one, and then the whole. */
static void test_every_prefix_wants_more(void)
{
    static const char *const whole[] = {
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(whole); i++) {
        size_t len = strlen(whole[i]);
        for (size_t part = 0; part < len; part++) {
            memcpy(bytes, whole[i], part);
            CHECK(http_response_read(&response, bytes, part, false) == 0);
            CHECK(http_response_read(&response, bytes, part, true) == -EPROTO);
        }
        CHECK(read_text(whole[i], false) == 1);
        CHECK(response.size == len);
    }
}

static void test_chunks_are_pulled_together(void)
{
    CHECK(read_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", false) ==
          1);
    CHECK(body_is("hello"));
}

static void test_body_to_the_end(void)
{
    const char *text = "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nhello";
    CHECK(read_text(text, false) == 0);
    CHECK(read_text(text, true) == 1);
    CHECK(body_is("hello"));
    CHECK(!response.keep_alive);
}

static void test_no_body(void)
{
    CHECK(read_text("HTTP/1.1 204 No Content\r\n\r\n", false) == 1);
    CHECK(response.body_len == 0);
    CHECK(read_text("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02hi", false) == 1);
    CHECK(memcmp(bytes + response.size, "\x81\x02hi", 4) == 0);
}

static void test_nonsense(void)
{
    static const char *const wrong[] = {
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 099 No\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK(read_text(wrong[i], false) == -EPROTO);
}

static void test_limits(void)
{
    memset(bytes, 'a', sizeof bytes);
    CHECK(http_response_read(&response, bytes, HTTP_RESPONSE_HEAD_MAX + 1, false) == -EMSGSIZE);
    CHECK(read_text("HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", false) == -EMSGSIZE);
    CHECK(read_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n", false) == -EMSGSIZE);
    const char *endless = "HTTP/1.1 200 OK\r\n\r\n";
    memset(bytes, 'a', sizeof bytes);
    memcpy(bytes, endless, strlen(endless));
    CHECK(http_response_read(&response, bytes, sizeof bytes, false) == -EMSGSIZE);
}

static void test_headers(void)
{
    size_t len;
    CHECK(read_text("HTTP/1.1 200 OK\r\nconnection:  keep-alive , Upgrade \r\nTwice: a\r\nTwice: b\r\n"
                    "X-Connection: close\r\nContent-Length: 0\r\n\r\n",
                    false) == 1);
    CHECK(http_response_header_has(&response, "Connection", "upgrade"));
    CHECK(http_response_header_has(&response, "Connection", "keep-alive"));
    CHECK(!http_response_header_has(&response, "Connection", "keep"));
    CHECK(!http_response_header_has(&response, "Connection", "close"));
    const char *value = http_response_header(&response, "CONNECTION", &len);
    CHECK(value && len == strlen("keep-alive , Upgrade"));
    CHECK(!http_response_header(&response, "Twice", &len));
    CHECK(!http_response_header(&response, "Absent", &len));
    CHECK(read_text("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", false) == 1);
    CHECK(!response.keep_alive);
}

int main(void)
{
    test_sized_body();
    test_every_prefix_wants_more();
    test_chunks_are_pulled_together();
    test_body_to_the_end();
    test_no_body();
    test_nonsense();
    test_limits();
    test_headers();
    return 0;
}
