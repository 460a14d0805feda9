/*
 * GET /chat: the WebSocket handshake. What a browser can be told by HTTP is answered here; a bad token is not: only a
 * close frame after the 101 lets a page read why (1008).
 */
#include "protocol/ws_handshake.h"
#include "server/access.h"
#include "server/handover.h"
#include "server/reactor.h"
#include "server/routes.h"
#include <stdlib.h>
#include <string.h>

struct upgrade {
    struct reactor *reactor;
    struct connection_request request;
};

static void handle_upgraded(void *data, int fd, const void *early, size_t early_len)
{
    struct upgrade *upgrade = data;
    if (fd >= 0)
        handover_connection(upgrade->reactor, fd, early, early_len, &upgrade->request);
    free(upgrade);
}

static enum reject check_handshake(const struct http_request *request, const char **key)
{
    struct ws_handshake handshake = {
        .upgrade = http_request_header_list(request, "Upgrade"),
        .connection = http_request_header_list(request, "Connection"),
        .version = http_request_header(request, "Sec-WebSocket-Version", NULL),
        .http_1_0 = http_request_is_http_1_0(request),
    };
    handshake.key = *key = http_request_header(request, "Sec-WebSocket-Key", &handshake.key_count);
    return ws_handshake_check(&handshake);
}

/* ?after=ID. What is wrong with it is told after the 101, like a bad token. */
static void read_after(const struct http_request *request, struct connection_request *wanted)
{
    struct http_field field;
    unsigned count = http_request_query(request, "after", &field);
    wanted->has_after = count > 0;
    if (!wanted->reject && count > 0 && (count > 1 || !message_position_parse(&wanted->after, field.value, field.len)))
        wanted->reject = REJECT_RESUME_ID_INVALID;
}

/* REJECT_NONE with what the connection will be, or what HTTP answers. */
static enum reject read_request(struct reactor *reactor, const struct http_request *request,
                                struct connection_request *wanted, const char **protocol)
{
    const char *bearer;
    size_t bearer_len;
    const char *protocols = http_request_header_list(request, "Sec-WebSocket-Protocol");
    enum reject reject = ws_handshake_protocols(protocols, protocol, &bearer, &bearer_len);
    if (reject)
        return reject;
    wanted->peer_cell = access_peer_cell(reactor->server, http_request_peer(request));
    wanted->token_cell = access_token_cell(reactor->server, request);
    if (!access_token_allows(reactor->server, wanted->token_cell))
        return REJECT_RATE_LIMITED; /* it has guessed too often */
    wanted->reject = access_read_token(request, bearer, bearer_len, &wanted->token);
    if (wanted->reject == REJECT_TOKEN_CONFLICT || wanted->reject == REJECT_FIELD_REPEATED)
        return wanted->reject;
    read_after(request, wanted);
    return REJECT_NONE;
}

static enum reject check(struct reactor *reactor, const struct http_request *request, const char **key)
{
    enum reject reject = check_handshake(request, key);
    if (!reject)
        reject = access_check_origin(reactor->server, request);
    if (!reject && reactor->state != REACTOR_SERVING)
        reject = REJECT_DRAINING;
    if (!reject && !reactor->backend.is_ready)
        reject = REJECT_REDIS_AWAY;
    return reject;
}

void chat_endpoint_get(struct reactor *reactor, struct http_request *request)
{
    const char *key, *protocol = NULL;
    struct connection_request wanted = {0};
    enum reject reject = check(reactor, request, &key);
    if (!reject)
        reject = read_request(reactor, request, &wanted, &protocol);
    struct upgrade *upgrade = reject ? NULL : malloc(sizeof *upgrade);
    if (!upgrade) {
        if (reject == REJECT_UPGRADE_REQUIRED) {
            http_reply_header(request, "Upgrade", "websocket");
            http_reply_header(request, "Sec-WebSocket-Version", "13");
        }
        http_reply_reject(request, reject ? reject : REJECT_INTERNAL, NULL);
        return;
    }
    *upgrade = (struct upgrade){.reactor = reactor, .request = wanted};
    char accept[WS_ACCEPT_SIZE];
    ws_handshake_accept(accept, key);
    http_request_upgrade(request, accept, protocol, handle_upgraded, upgrade);
}
