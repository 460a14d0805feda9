#include "base/compiler.h"
#include "check.h"
#include "protocol/ws_handshake.h"

static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";

static struct ws_handshake right(void)
{
    return (struct ws_handshake){
        .upgrade = "websocket", .connection = "Upgrade", .key = key, .key_count = 1, .version = "13"};
}

/* The example of RFC 6455, 1.3. */
static void test_accept_key(void)
{
    char accept[WS_ACCEPT_SIZE];
    ws_handshake_accept(accept, key);
    CHECK_STR(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

/* W1 */
static void test_keys(void)
{
    static const char *const wrong[] = {
        "",
        "dGhlIHNhbXBsZQ==",                 /* 10 bytes */
        "dGhlIHNhbXBsZSBub25jZSBub25jZQ==", /* 22 */
        "dGhlIHNhbXBsZSBub25jZQ=",          /* one = missing, and all */
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZSA=", /* 17 bytes in 24 characters */
        "dGhlIHNhbXBsZSBub25jZSBu", /* 18 */
        "!GhlIHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZ===",
        "dGhlIHNhbXBsZSBub25j Q==", /* nettle skips blanks, the RFC does not */
        "dGhlIHNhbXBsZSBub25jZ-==",
        "dGhlIHNhbXBsZSBub25jZR==", /* bits set behind the last byte */
    };
    struct ws_handshake handshake = right();
    CHECK(ws_handshake_check(&handshake) == REJECT_NONE);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        handshake.key = wrong[i];
        CHECK(ws_handshake_check(&handshake) == REJECT_HANDSHAKE_INVALID);
    }
    handshake = right();
    handshake.key_count = 2;
    CHECK(ws_handshake_check(&handshake) == REJECT_HANDSHAKE_INVALID);
    handshake.key_count = 0;
    handshake.key = NULL;
    CHECK(ws_handshake_check(&handshake) == REJECT_HANDSHAKE_INVALID);
}

/* W2, H10 */
static void test_versions(void)
{
    static const char *const wrong[] = {NULL, "", "8", "12", "14", "013", "13.0", "13, 8", " 13", "+13"};
    struct ws_handshake handshake = right();
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        handshake.version = wrong[i];
        CHECK(ws_handshake_check(&handshake) == REJECT_UPGRADE_REQUIRED);
    }
    handshake = right();
    handshake.http_1_0 = true;
    CHECK(ws_handshake_check(&handshake) == REJECT_UPGRADE_REQUIRED);
}

/* W3, W4 */
static void test_upgrade_and_connection_are_lists(void)
{
    static const struct {
        const char *upgrade, *connection;
        enum reject reject;
    } rows[] = {
        {"WebSocket", "UPGRADE", REJECT_NONE},
        {"h2c, websocket", "keep-alive, Upgrade", REJECT_NONE},
        {"h2c,websocket", "keep-alive,\tupgrade\t,", REJECT_NONE},
        {", ,websocket ", "upgrade , close", REJECT_NONE},
        {NULL, "Upgrade", REJECT_UPGRADE_REQUIRED},
        {"", "Upgrade", REJECT_UPGRADE_REQUIRED},
        {" , ,", "Upgrade", REJECT_UPGRADE_REQUIRED},
        {"websockets", "Upgrade", REJECT_UPGRADE_REQUIRED},
        {"web", "Upgrade", REJECT_UPGRADE_REQUIRED},
        {"web socket", "Upgrade", REJECT_UPGRADE_REQUIRED},
        {"websocket h2c", "Upgrade", REJECT_UPGRADE_REQUIRED},
        {"h2c;websocket", "Upgrade", REJECT_UPGRADE_REQUIRED},
        {"websocket", NULL, REJECT_HANDSHAKE_INVALID},
        {"websocket", "", REJECT_HANDSHAKE_INVALID},
        {"websocket", "keep-alive", REJECT_HANDSHAKE_INVALID},
        {"websocket", "up", REJECT_HANDSHAKE_INVALID},
        {"websocket", "upgraded", REJECT_HANDSHAKE_INVALID},
        {"websocket", "keep-alive Upgrade", REJECT_HANDSHAKE_INVALID},
        {NULL, NULL, REJECT_UPGRADE_REQUIRED},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct ws_handshake handshake = right();
        handshake.upgrade = rows[i].upgrade;
        handshake.connection = rows[i].connection;
        CHECK(ws_handshake_check(&handshake) == rows[i].reject);
    }
}

/* W5: `bearer` NULL where none is offered. */
static void test_subprotocols(void)
{
    static const struct {
        const char *offered, *chosen, *bearer;
        enum reject reject;
    } rows[] = {
        {NULL, NULL, NULL, REJECT_NONE},
        {"", NULL, NULL, REJECT_NONE},
        {"chat.v1.text", "chat.v1.text", NULL, REJECT_NONE},
        {"graphql-ws, chat.v1.text", "chat.v1.text", NULL, REJECT_NONE},
        {"graphql-ws, mqtt", NULL, NULL, REJECT_NONE},
        {"Chat.V1.Text", NULL, NULL, REJECT_NONE}, /* names compare with their case */
        {"chat.v1.text2, chat.v1.tex", NULL, NULL, REJECT_NONE},
        {"chat.v1.text, bearer.abc", "chat.v1.text", "abc", REJECT_NONE},
        {"bearer.abc,chat.v1.text", "chat.v1.text", "abc", REJECT_NONE},
        {" bearer.abc\t, bearer.def , chat.v1.text", "chat.v1.text", "abc", REJECT_NONE},
        {"chat.v1.text, bearer.", "chat.v1.text", "", REJECT_NONE},
        {"chat.v1.text, bearer, xbearer.abc", "chat.v1.text", NULL, REJECT_NONE},
        {"bearer.abc", NULL, "abc", REJECT_TOKEN_SUBPROTOCOL_ALONE},
        {"mqtt, bearer.abc", NULL, "abc", REJECT_TOKEN_SUBPROTOCOL_ALONE},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *chosen, *bearer;
        size_t len;
        CHECK(ws_handshake_protocols(rows[i].offered, &chosen, &bearer, &len) == rows[i].reject);
        CHECK(!chosen == !rows[i].chosen && (!chosen || strcmp(chosen, rows[i].chosen) == 0));
        CHECK(!bearer == !rows[i].bearer && len == (bearer ? strlen(rows[i].bearer) : 0));
        CHECK(!bearer || memcmp(bearer, rows[i].bearer, len) == 0);
    }
}

int main(void)
{
    test_accept_key();
    test_keys();
    test_versions();
    test_upgrade_and_connection_are_lists();
    test_subprotocols();
    return 0;
}
