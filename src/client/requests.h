/* The two HTTP requests of a client as text, and what must come back to the second one. Pure but for the random key. */
#pragma once
#include "base/buf.h"
#include "client/http_response.h"
#include "client/server_url.h"
#include "protocol/token.h"

enum { REQUESTS_KEY_SIZE = 25 };

/* Appends POST /token for a user of this name (any bytes). 0 or a buf_append error. */
int requests_write_token(struct buf *out, const struct server_url *url, const char *name) MUST_CHECK;

/* Appends the upgrade of GET /chat, with a new Sec-WebSocket-Key that is left in `key`. 0, a buf_append error, or -EIO.
 */
int requests_write_upgrade(struct buf *out, const struct server_url *url, const struct token *token,
                           char key[REQUESTS_KEY_SIZE]) MUST_CHECK;

/* Is this the 101 that answers an upgrade with that key? */
bool requests_upgrade_is_confirmed(const struct http_response *response, const char *key);
