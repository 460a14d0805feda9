/* POST /token opens a session; DELETE /token ends it. */
#include "protocol/calls.h"
#include "protocol/json.h"
#include "protocol/validate.h"
#include "server/access.h"
#include "server/exchange.h"
#include "server/reactor.h"
#include "server/routes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BODY_MAX = 8192, NAME_MAX_BYTES = NAME_MAX_CHARACTERS * 4, HOST_MAX_BYTES = 300 };

struct opening {
    struct exchange exchange;
    char name[NAME_MAX_BYTES + 1];
    size_t name_len;
    char bot[BOT_NAME_MAX + 1];
};

/* What the request asks for; the members' memory is jansson's copy or the request's own. */
struct wish {
    struct http_field name, bot;
    struct json_member member[2];
};

static bool media_type_is(const char *content_type, const char *type)
{
    size_t len = strlen(type);
    return content_type && strncasecmp(content_type, type, len) == 0 &&
           (content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ');
}

static enum reject read_json(const char *body, size_t len, struct wish *wish)
{
    enum reject reject = json_read_members(body, len, wish->member, COUNT_OF(wish->member));
    if (reject)
        return reject;
    if (wish->member[0].value)
        wish->name = (struct http_field){wish->member[0].value, wish->member[0].len};
    if (wish->member[1].value)
        wish->bot = (struct http_field){wish->member[1].value, wish->member[1].len};
    return REJECT_NONE;
}

/* A field of the query, or of a form body. */
static enum reject read_field(const struct http_request *request, const char *name, struct http_field *field)
{
    unsigned in_query = http_request_query(request, name, field);
    unsigned in_form = in_query ? 0 : http_request_form(request, name, field);
    return in_query > 1 || in_form > 1 ? REJECT_FIELD_REPEATED : REJECT_NONE;
}

static enum reject read_wish(const struct http_request *request, struct wish *wish)
{
    size_t len;
    const char *body = http_request_body(request, &len);
    const char *content_type = http_request_header(request, "Content-Type", NULL);
    enum reject reject = REJECT_NONE;
    if (len > 0 && media_type_is(content_type, "application/json"))
        reject = read_json(body, len, wish);
    else if (len > 0 && !media_type_is(content_type, "application/x-www-form-urlencoded"))
        reject = REJECT_MEDIA_TYPE; /* also keeps other sites' plain forms out */
    if (!reject && !wish->name.value)
        reject = read_field(request, "name", &wish->name);
    if (!reject && !wish->bot.value)
        reject = read_field(request, "bot", &wish->bot);
    return reject;
}

static enum reject take_wish(struct opening *opening, const struct wish *wish)
{
    const char *bot = wish->bot.value ? wish->bot.value : opening->exchange.reactor->server->default_bot;
    size_t bot_len = wish->bot.value ? wish->bot.len : strlen(bot);
    if (!wish->name.value || validate_name(wish->name.value, wish->name.len))
        return REJECT_NAME_INVALID;
    if (!keys_bot_name_is_valid(bot, bot_len))
        return REJECT_BOT_UNKNOWN;
    opening->name_len = wish->name.len;
    memcpy(opening->name, wish->name.value, wish->name.len);
    memcpy(opening->bot, bot, bot_len);
    return REJECT_NONE;
}

static void reply_opened(struct opening *opening, int64_t expires_ms, int64_t now_ms)
{
    struct exchange *exchange = &opening->exchange;
    const char *token = exchange->token.text;
    char start[TIME_TEXT_SIZE], expires[TIME_TEXT_SIZE], base[HOST_MAX_BYTES];
    struct buf body, url;
    buf_init(&body, BODY_MAX);
    buf_init(&url, BODY_MAX);
    message_time_print(now_ms, start);
    message_time_print(expires_ms, expires);
    access_socket_base(exchange->reactor->server, exchange->request, base, sizeof base);
    int error = buf_printf(&body, "{\"token\":\"%s\",\"messages\":[],\"name\":", token);
    if (!error)
        error = json_append_string(&body, opening->name, opening->name_len);
    if (!error)
        error = buf_printf(&body,
                           ",\"session_start\":\"%s\",\"expires_at\":\"%s\",\"expires_in\":%lld,\"chat_url\":", start,
                           expires, (long long)(expires_ms - now_ms + 999) / 1000);
    if (!error)
        error = buf_printf(&url, "%s/chat?token=%s", base, token);
    if (!error)
        error = json_append_string(&body, url.data, url.len);
    if (!error)
        error = buf_append_str(&body, "}\n");
    buf_done(&url);
    metrics_add(&exchange->reactor->metrics, METRIC_TOKENS_OPENED, 1);
    if (error) {
        buf_done(&body);
        exchange_reject(exchange, REJECT_INTERNAL);
    } else {
        exchange_reply_json(exchange, 200, &body);
    }
}

static void reject_bot(struct opening *opening)
{
    char msg[640];
    const char *live = opening->exchange.reactor->heartbeat.live_bots;
    snprintf(msg, sizeof msg, "No worker has ever served a bot of this name. Alive now: %s", *live ? live : "none");
    http_reply_reject(opening->exchange.request, REJECT_BOT_UNKNOWN, msg);
    free(opening);
}

static void handle_opened(void *data, int status, const struct redis_value *reply)
{
    struct opening *opening = data;
    if (!exchange_check(&opening->exchange, status, reply))
        return;
    if (reply->type == REDIS_TYPE_ARRAY && reply->count == 2)
        reply_opened(opening, reply->item[0].integer, reply->item[1].integer);
    else if (strcmp(reply->str, "UNKNOWN") == 0)
        reject_bot(opening);
    else
        exchange_reject(&opening->exchange, REJECT_INTERNAL);
}

static void open_session(struct opening *opening)
{
    struct exchange *exchange = &opening->exchange;
    struct reactor *reactor = exchange->reactor;
    const struct config *config = reactor->config;
    char requests[KEY_MAX];
    struct args args;
    if (token_make(&exchange->token)) {
        exchange_reject(exchange, REJECT_INTERNAL);
        return;
    }
    keys_of_session(&exchange->keys, &exchange->token);
    keys_requests(requests, opening->bot);
    call_open(&args, &exchange->keys, requests,
              &(struct call_open){
                  .ttl_ms = config->token_ttl_s * 1000,
                  .max_life_ms = config->max_session_life_s * 1000,
                  .name = opening->name,
                  .name_len = opening->name_len,
                  .bot = opening->bot,
                  .bot_must_exist = strcmp(opening->bot, reactor->server->default_bot) != 0,
              });
    if (!exchange_call(exchange, &args, handle_opened))
        return; /* answered */
}

void token_endpoint_post(struct reactor *reactor, struct http_request *request)
{
    if (!access_token_charge(reactor->server, access_token_cell(reactor->server, request))) {
        http_reply_reject(request, REJECT_RATE_LIMITED, NULL);
        return;
    }
    struct opening *opening = exchange_new(reactor, request, sizeof *opening, false, REJECT_NONE);
    if (!opening)
        return;
    struct wish wish = {.member = {{.name = "name"}, {.name = "bot"}}};
    enum reject reject = read_wish(request, &wish);
    if (!reject)
        reject = take_wish(opening, &wish);
    json_members_done(wish.member, COUNT_OF(wish.member));
    if (reject == REJECT_BOT_UNKNOWN)
        reject_bot(opening);
    else if (reject)
        exchange_reject(&opening->exchange, reject);
    else
        open_session(opening);
}

static void handle_ended(void *data, int status, const struct redis_value *reply)
{
    struct exchange *exchange = data;
    if (!exchange_check(exchange, status, reply))
        return;
    struct buf nothing = {0};
    if (strcmp(reply->str, "OK") == 0)
        exchange_reply_json(exchange, 204, &nothing);
    else
        exchange_reject(exchange, REJECT_TOKEN_INVALID);
}

void token_endpoint_delete(struct reactor *reactor, struct http_request *request)
{
    struct exchange *exchange = exchange_new(reactor, request, sizeof *exchange, true, REJECT_TOKEN_INVALID);
    if (!exchange)
        return;
    struct args args;
    call_end(&args, &exchange->keys);
    if (!exchange_call(exchange, &args, handle_ended))
        return; /* answered */
}
