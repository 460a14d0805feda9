#include "server/exchange.h"
#include "server/access.h"
#include "server/reactor.h"
#include <stdlib.h>
#include <string.h>

enum { FIELDS_MAX = 16 };

void *exchange_new(struct reactor *reactor, struct http_request *request, size_t size, bool wants_token,
                   enum reject no_token)
{
    struct token token;
    enum reject reject = REJECT_NONE;
    int cell = access_token_cell(reactor->server, request);
    if (wants_token && !access_token_allows(reactor->server, cell))
        reject = REJECT_RATE_LIMITED; /* it has guessed too often */
    else if (wants_token)
        reject = access_read_token(request, NULL, 0, &token);
    if (reject) {
        http_reply_reject(request, reject == REJECT_TOKEN_INVALID ? no_token : reject, NULL);
        return NULL;
    }
    struct exchange *exchange = calloc(1, size);
    if (!exchange) {
        http_reply_reject(request, REJECT_INTERNAL, NULL);
        return NULL;
    }
    exchange->reactor = reactor;
    exchange->request = request;
    exchange->token_cell = cell;
    if (wants_token) {
        exchange->token = token;
        keys_of_session(&exchange->keys, &token);
    }
    return exchange;
}

bool exchange_call(struct exchange *exchange, const struct args *args, redis_reply_cb callback)
{
    if (backend_call(exchange->reactor, args, callback, exchange) == 0)
        return true;
    exchange_reject(exchange, REJECT_REDIS_AWAY);
    return false;
}

bool exchange_check(struct exchange *exchange, int status, const struct redis_value *reply)
{
    if (!status && reply->type != REDIS_TYPE_ERROR)
        return true;
    bool is_full = !status && redis_value_is_error(reply, "OOM");
    exchange_reject(exchange, is_full ? REJECT_BUSY : REJECT_REDIS_AWAY);
    return false;
}

void exchange_reply_json(struct exchange *exchange, int status, struct buf *body)
{
    http_reply_header(exchange->request, "Cache-Control", "no-store");
    http_reply(exchange->request, status, status == 204 ? NULL : "application/json", body->data ? body->data : "",
               body->len);
    buf_done(body);
    free(exchange);
}

void exchange_reject(struct exchange *exchange, enum reject reject)
{
    bool is_guess = reject == REJECT_TOKEN_INVALID || reject == REJECT_TOKEN_EXPIRED;
    if (is_guess && !access_token_charge(exchange->reactor->server, exchange->token_cell))
        reject = REJECT_RATE_LIMITED;
    http_reply_header(exchange->request, "Cache-Control", "no-store");
    http_reply_reject(exchange->request, reject, NULL);
    free(exchange);
}

bool exchange_append_message(struct buf *out, const struct redis_value *entry)
{
    struct message_id id;
    struct message_field fields[FIELDS_MAX];
    size_t count = 0;
    if (entry->count < 2 || !message_id_parse(&id, entry->item[0].str, entry->item[0].len))
        return false;
    const struct redis_value *flat = &entry->item[1];
    for (size_t i = 0; i + 1 < flat->count && count < FIELDS_MAX; i += 2)
        fields[count++] = (struct message_field){
            .name = flat->item[i].str,
            .name_len = flat->item[i].len,
            .value = flat->item[i + 1].str,
            .value_len = flat->item[i + 1].len,
        };
    return message_append_json(out, &id, fields, count) == 0;
}
