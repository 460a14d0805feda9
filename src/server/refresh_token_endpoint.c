/*
 * POST /refresh_token sets the session's time to live anew and returns it with its newest messages; GET returns it as
 * it is. The history is read backwards, page by page, until it ends or 1 MiB is full.
 */
#include "protocol/calls.h"
#include "protocol/json.h"
#include "server/exchange.h"
#include "server/reactor.h"
#include "server/routes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 25, MESSAGES_MAX_BYTES = 1024 * 1024, MESSAGES_MAX = 4096, BODY_MAX = MESSAGES_MAX_BYTES + 8192 };

struct reading {
    struct exchange exchange;
    struct buf head;     /* the answer up to the messages */
    struct buf messages; /* their JSON, newest first */
    size_t ends[MESSAGES_MAX];
    size_t count;
    bool truncated;
    char before[48]; /* the next page ends before this id */
};

static void free_parts(struct reading *reading)
{
    buf_done(&reading->head);
    buf_done(&reading->messages);
}

/* Session gone, Redis away: the parts first, then the exchange. */
static void reject(struct reading *reading, enum reject why)
{
    free_parts(reading);
    exchange_reject(&reading->exchange, why);
}

static int append_oldest_first(struct buf *body, const struct reading *reading)
{
    int error = 0;
    for (size_t i = reading->count; i-- > 0 && !error;) {
        size_t start = i > 0 ? reading->ends[i - 1] : 0;
        error = buf_append(body, reading->messages.data + start, reading->ends[i] - start);
        if (!error && i > 0)
            error = buf_append_str(body, ",");
    }
    return error;
}

static void finish(struct reading *reading)
{
    struct buf body;
    buf_init(&body, BODY_MAX + MESSAGES_MAX);
    int error = buf_append(&body, reading->head.data, reading->head.len);
    if (!error)
        error = append_oldest_first(&body, reading);
    if (!error)
        error = buf_printf(&body, "]%s}\n", reading->truncated ? ",\"truncated\":true" : "");
    if (error) {
        buf_done(&body);
        reject(reading, REJECT_INTERNAL);
        return;
    }
    free_parts(reading);
    exchange_reply_json(&reading->exchange, 200, &body);
}

static void read_page(struct reading *reading);

static void handle_page(void *data, int status, const struct redis_value *reply)
{
    struct reading *reading = data;
    if (status || reply->type != REDIS_TYPE_ARRAY) {
        reject(reading, REJECT_REDIS_AWAY);
        return;
    }
    for (size_t i = 0; i < reply->count && !reading->truncated; i++) {
        size_t len = reading->messages.len;
        if (reading->count < MESSAGES_MAX && exchange_append_message(&reading->messages, &reply->item[i])) {
            reading->ends[reading->count++] = reading->messages.len;
            continue;
        }
        reading->messages.len = len;
        reading->truncated = true;
    }
    if (reading->truncated || reply->count < PAGE) {
        finish(reading);
        return;
    }
    snprintf(reading->before, sizeof reading->before, "(%s", reply->item[reply->count - 1].item[0].str);
    read_page(reading);
}

static void read_page(struct reading *reading)
{
    struct args args;
    args_init(&args);
    args_add_str(&args, "XREVRANGE");
    args_add_str(&args, reading->exchange.keys.messages);
    args_add_str(&args, reading->before);
    args_add_str(&args, "-");
    args_add_str(&args, "COUNT");
    args_add_number(&args, PAGE);
    if (backend_call(reading->exchange.reactor, &args, handle_page, reading))
        reject(reading, REJECT_REDIS_AWAY);
}

/* [name, session_start, expires_at, last] */
static int append_head(struct reading *reading, const struct redis_value *fields)
{
    const struct redis_value *name = &fields->item[0], *start = &fields->item[1], *expires = &fields->item[2];
    int error = buf_printf(&reading->head, "{\"token\":\"%s\",\"name\":", reading->exchange.token.text);
    if (!error)
        error = json_append_string(&reading->head, name->str, name->len);
    if (!error)
        error = buf_append_str(&reading->head, ",\"session_start\":");
    if (!error)
        error = json_append_string(&reading->head, start->str, start->len);
    if (!error)
        error = buf_append_str(&reading->head, ",\"expires_at\":");
    if (!error)
        error = json_append_string(&reading->head, expires->str, expires->len);
    return error ? error : buf_append_str(&reading->head, ",\"messages\":[");
}

static void handle_session(void *data, int status, const struct redis_value *reply)
{
    struct reading *reading = data;
    if (status || reply->type != REDIS_TYPE_ARRAY || reply->count != 4) {
        reject(reading, REJECT_REDIS_AWAY);
        return;
    }
    if (reply->item[3].type == REDIS_TYPE_NIL)
        reject(reading, REJECT_TOKEN_EXPIRED);
    else if (append_head(reading, reply))
        reject(reading, REJECT_INTERNAL);
    else
        read_page(reading);
}

static void read_session(struct reading *reading)
{
    struct args args;
    args_init(&args);
    args_add_str(&args, "HMGET");
    args_add_str(&args, reading->exchange.keys.session);
    args_add_str(&args, "name");
    args_add_str(&args, "session_start");
    args_add_str(&args, "expires_at");
    args_add_str(&args, "last");
    if (backend_call(reading->exchange.reactor, &args, handle_session, reading))
        reject(reading, REJECT_REDIS_AWAY);
}

static void handle_refreshed(void *data, int status, const struct redis_value *reply)
{
    struct reading *reading = data;
    if (status || reply->type == REDIS_TYPE_ERROR)
        reject(reading, REJECT_REDIS_AWAY);
    else if (reply->type != REDIS_TYPE_INTEGER)
        reject(reading, REJECT_TOKEN_EXPIRED);
    else
        read_session(reading);
}

static struct reading *start(struct reactor *reactor, struct http_request *request)
{
    struct reading *reading = exchange_new(reactor, request, sizeof *reading, true, REJECT_TOKEN_EXPIRED);
    if (!reading)
        return NULL;
    buf_init(&reading->head, BODY_MAX);
    buf_init(&reading->messages, MESSAGES_MAX_BYTES);
    strcpy(reading->before, "+");
    return reading;
}

void refresh_token_endpoint_get(struct reactor *reactor, struct http_request *request)
{
    struct reading *reading = start(reactor, request);
    if (reading)
        read_session(reading);
}

void refresh_token_endpoint_post(struct reactor *reactor, struct http_request *request)
{
    struct reading *reading = start(reactor, request);
    if (!reading)
        return;
    struct args args;
    call_refresh(&args, &reading->exchange.keys, reactor->config->token_ttl_s * 1000);
    if (backend_call(reactor, &args, handle_refreshed, reading))
        reject(reading, REJECT_REDIS_AWAY);
}
