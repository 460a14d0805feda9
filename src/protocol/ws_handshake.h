/*
 * The server's half of the opening handshake (RFC 6455, 4.2): pure checks on header values, the accept key, and the
 * choice of a subprotocol. libmicrohttpd checks none of this.
 */
#pragma once
#include "base/reject.h"
#include "protocol/token.h"
#include <stdbool.h>

#define WS_PROTOCOL_TEXT "chat.v1.text"

struct ws_handshake {
    const char *upgrade; /* header values, NULL if absent */
    const char *connection;
    const char *key;
    unsigned key_count;
    const char *version;
    bool http_1_0;
};

/* REJECT_NONE, UPGRADE_REQUIRED (426) or HANDSHAKE_INVALID (400). */
enum reject ws_handshake_check(const struct ws_handshake *handshake);

enum { WS_ACCEPT_SIZE = 29 };

/* Sec-WebSocket-Accept for a key: base64(SHA-1(key + GUID)), NUL-terminated. */
void ws_handshake_accept(char out[WS_ACCEPT_SIZE], const char *key);

/*
 * Looks through the offered subprotocols: `*chosen` is the first one we know (to be echoed) or NULL, `bearer` and
 * `bearer_len` what follows "bearer." in the first offer of that form (NULL if none). REJECT_TOKEN_SUBPROTOCOL_ALONE if
 * a bearer was offered with no known dialect beside it: it must not be echoed, and a browser fails without an echo.
 */
enum reject ws_handshake_protocols(const char *protocols, const char **chosen, const char **bearer, size_t *bearer_len);
