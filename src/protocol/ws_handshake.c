#include "protocol/ws_handshake.h"
#include <ctype.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <string.h>
#include <strings.h>

static const char *const known_protocols[] = {WS_PROTOCOL_TEXT};

/* Takes the next item of a comma-separated header value, without the blanks around it. False at the end. */
static bool next_item(const char **rest, const char **item, size_t *len)
{
    const char *at = *rest;
    while (*at == ' ' || *at == '\t' || *at == ',')
        at++;
    if (*at == '\0')
        return false;
    size_t n = strcspn(at, ",");
    *rest = at + n;
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t'))
        n--;
    *item = at;
    *len = n;
    return true;
}

static bool list_has(const char *list, const char *word)
{
    const char *item;
    size_t len;
    while (next_item(&list, &item, &len))
        if (len == strlen(word) && strncasecmp(item, word, len) == 0)
            return true;
    return false;
}

/* A key is the base64 form of 16 bytes: 22 characters and "==". */
static bool key_is_valid(const char *key)
{
    struct base64_decode_ctx decode;
    uint8_t bytes[BASE64_DECODE_LENGTH(24)];
    size_t len = sizeof bytes;
    if (strlen(key) != 24)
        return false;
    base64_decode_init(&decode);
    return base64_decode_update(&decode, &len, bytes, 24, key) && base64_decode_final(&decode) && len == 16;
}

enum reject ws_handshake_check(const struct ws_handshake *handshake)
{
    if (handshake->http_1_0 || !handshake->upgrade || !list_has(handshake->upgrade, "websocket"))
        return REJECT_UPGRADE_REQUIRED;
    if (!handshake->connection || !list_has(handshake->connection, "upgrade"))
        return REJECT_HANDSHAKE_INVALID;
    if (!handshake->version || strcmp(handshake->version, "13") != 0)
        return REJECT_UPGRADE_REQUIRED;
    if (handshake->key_count != 1 || !key_is_valid(handshake->key))
        return REJECT_HANDSHAKE_INVALID;
    return REJECT_NONE;
}

void ws_handshake_accept(char out[WS_ACCEPT_SIZE], const char *key)
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    struct sha1_ctx sha1;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&sha1);
    sha1_update(&sha1, strlen(key), (const uint8_t *)key);
    sha1_update(&sha1, sizeof guid - 1, (const uint8_t *)guid);
    sha1_digest(&sha1, sizeof digest, digest);
    base64_encode_raw(out, sizeof digest, digest);
    out[WS_ACCEPT_SIZE - 1] = '\0';
}

enum reject ws_handshake_protocols(const char *protocols, const char **chosen, const char **bearer, size_t *bearer_len)
{
    static const char prefix[] = "bearer.";
    const char *item;
    size_t len;
    *chosen = *bearer = NULL;
    *bearer_len = 0;
    while (protocols && next_item(&protocols, &item, &len)) {
        for (size_t i = 0; !*chosen && i < COUNT_OF(known_protocols); i++)
            if (len == strlen(known_protocols[i]) && memcmp(item, known_protocols[i], len) == 0)
                *chosen = known_protocols[i];
        if (!*bearer && len >= sizeof prefix - 1 && memcmp(item, prefix, sizeof prefix - 1) == 0) {
            *bearer = item + sizeof prefix - 1;
            *bearer_len = len - (sizeof prefix - 1);
        }
    }
    return *bearer && !*chosen ? REJECT_TOKEN_SUBPROTOCOL_ALONE : REJECT_NONE;
}
