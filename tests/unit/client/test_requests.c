#include "check.h"
#include "client/requests.h"
#include "protocol/ws_handshake.h"

static struct server_url url;
static struct buf out;

static const char *text(void)
{
    CHECK(buf_append(&out, "", 1) == 0);
    return out.data;
}

static void test_token_request(void)
{
    buf_init(&out, 4096);
    CHECK(server_url_parse(&url, "http://localhost:8000/bots") == NULL);
    CHECK(requests_write_token(&out, &url, "Ann é\r\n&") == 0);
    CHECK_STR(text(), "POST /bots/token?name=Ann%20%C3%A9%0D%0A%26 HTTP/1.1\r\nHost: localhost:8000\r\n"
                      "Content-Length: 0\r\n\r\n");
    buf_done(&out);
}

/* The server's own check is the judge of the key. */
static void test_upgrade_request(void)
{
    char key[REQUESTS_KEY_SIZE], other[REQUESTS_KEY_SIZE];
    const struct token token = {"01b4a705-18b4-4300-91dc-357703cc2460"};
    for (int i = 0; i < 100; i++) {
        buf_init(&out, 4096);
        CHECK(requests_write_upgrade(&out, &url, &token, key) == 0);
        const struct ws_handshake handshake = {
            .upgrade = "websocket", .connection = "Upgrade", .version = "13", .key = key, .key_count = 1};
        CHECK(ws_handshake_check(&handshake) == REJECT_NONE);
        CHECK(strstr(text(), key));
        CHECK(strstr(out.data, "\r\nAuthorization: Bearer 01b4a705-18b4-4300-91dc-357703cc2460\r\n"));
        CHECK(strncmp(out.data, "GET /bots/chat?", 15) == 0);
        buf_done(&out);
    }
    CHECK(requests_write_upgrade(&out, &url, &token, other) == 0);
    CHECK(strcmp(key, other) != 0);
    buf_done(&out);
}

static bool is_confirmed(const char *key, const char *format, const char *accept)
{
    char bytes[512];
    struct http_response response;
    int len = snprintf(bytes, sizeof bytes, format, accept);
    CHECK(http_response_read(&response, bytes, (size_t)len, false) == 1);
    return requests_upgrade_is_confirmed(&response, key);
}

static void test_confirmation(void)
{
    const char *key = "dGhlIHNhbXBsZSBub25jZQ==", *accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; /* RFC 6455, 1.3 */
    const char *good =
        "HTTP/1.1 101 X\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n";
    CHECK(is_confirmed(key, good, accept));
    CHECK(!is_confirmed(key, good, "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="));
    CHECK(!is_confirmed("AAAAAAAAAAAAAAAAAAAAAA==", good, accept));
    CHECK(!is_confirmed(key, "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept));
    CHECK(!is_confirmed(key, "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept));
    CHECK(!is_confirmed(key, "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n%s", ""));
    CHECK(!is_confirmed(key,
                        "HTTP/1.1 200 X\r\nContent-Length: 0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n",
                        accept));
}

int main(void)
{
    test_token_request();
    test_upgrade_request();
    test_confirmation();
    return 0;
}
