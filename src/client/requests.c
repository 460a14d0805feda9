#include "client/requests.h"
#include "protocol/ws_handshake.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>

static int write_percent_encoded(struct buf *out, const char *text)
{
    int error = 0;
    for (; *text && !error; text++) {
        unsigned char byte = (unsigned char)*text;
        bool is_plain = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
        error = is_plain ? buf_append(out, text, 1) : buf_printf(out, "%%%02X", byte);
    }
    return error;
}

int requests_write_token(struct buf *out, const struct server_url *url, const char *name)
{
    int error = buf_printf(out, "POST %s/token?name=", url->path);
    if (!error)
        error = write_percent_encoded(out, name);
    if (!error)
        error = buf_printf(out, " HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", url->authority);
    return error;
}

/* The base64 form of 16 random bytes: 21 characters of 6 bits each, one of 2, and the padding. */
static int make_key(char key[REQUESTS_KEY_SIZE])
{
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char random[22];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return -EIO;
    for (int i = 0; i < 22; i++)
        key[i] = base64[random[i] & (i < 21 ? 0x3f : 0x30)];
    memcpy(key + 22, "==", 3);
    return 0;
}

int requests_write_upgrade(struct buf *out, const struct server_url *url, const struct token *token,
                           char key[REQUESTS_KEY_SIZE])
{
    int error = make_key(key);
    if (error)
        return error;
    /* The token goes in a header: addresses end up in the logs of proxies. */
    return buf_printf(out,
                      "GET %s/chat?format=text HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"
                      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                      "Sec-WebSocket-Key: %s\r\n\r\n",
                      url->path, url->authority, token->text, key);
}

bool requests_upgrade_is_confirmed(const struct http_response *response, const char *key)
{
    char expected[WS_ACCEPT_SIZE];
    size_t len;
    ws_handshake_accept(expected, key);
    const char *accept = http_response_header(response, "Sec-WebSocket-Accept", &len);
    return response->status == 101 && accept && len == strlen(expected) && memcmp(accept, expected, len) == 0 &&
           http_response_header_has(response, "Upgrade", "websocket") &&
           http_response_header_has(response, "Connection", "upgrade");
}
