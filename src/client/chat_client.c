#include "client/chat_client.h"
#include "base/reject.h"
#include "client/requests.h"
#include "protocol/token_reply.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ANSWER_MAX = 1024 * 1024,      /* what --max-answer goes up to; a longer one ends the conversation with 1009 */
    OUTPUT_MAX = 16 * 1024 * 1024, /* 16 messages on their way, each as long as --max-text goes up to */
    REQUEST_MAX = 4096,
};

struct chat_client_pool {
    struct chat_client_pool_options options;
    struct ws_pool *ws_pool;
    struct wheel wheel;
    uv_timer_t tick;
    union server_address addresses[SERVER_URL_ADDRESSES_MAX];
    unsigned address_count;
    unsigned address; /* the first one that has not refused us yet */
    unsigned opened;  /* chooses the source address */
    struct sockaddr_in source;
};

static const struct ws_callbacks stream_callbacks;
static const struct http_exchange_callbacks exchange_callbacks;

static void handle_tick(uv_timer_t *timer)
{
    struct chat_client_pool *pool = CONTAINER_OF(timer, struct chat_client_pool, tick);
    wheel_turn(&pool->wheel, uv_now(pool->options.loop));
}

static void handle_tick_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_timer_t *)handle, struct chat_client_pool, tick));
}

int chat_client_pool_new(struct chat_client_pool **pool, const struct chat_client_pool_options *options,
                         const char **why)
{
    struct chat_client_pool *made = calloc(1, sizeof *made);
    *why = strerror(ENOMEM);
    if (!made)
        return -ENOMEM;
    made->options = *options;
    int count = server_url_resolve(options->url, made->addresses, why), error = -EHOSTUNREACH;
    uv_update_time(options->loop); /* the lookup may have taken seconds */
    if (count == 0)
        goto free_made;
    made->address_count = (unsigned)count;
    wheel_init(&made->wheel, uv_now(options->loop));
    const struct ws_pool_options ws_options = {
        .loop = options->loop,
        .wheel = &made->wheel,
        .callbacks = &stream_callbacks,
        .is_client = true,
        .max_message = ANSWER_MAX,
        .max_output = OUTPUT_MAX,
        .ping_interval_ms = options->ping_interval_ms,
    };
    error = ws_pool_new(&made->ws_pool, &ws_options);
    if (error) {
        *why = strerror(-error);
        goto free_made;
    }
    uv_timer_init(options->loop, &made->tick);
    uv_timer_start(&made->tick, handle_tick, WHEEL_TICK_MS, WHEEL_TICK_MS);
    *pool = made;
    return 0;
free_made:
    free(made);
    return error;
}

void chat_client_pool_free(struct chat_client_pool *pool)
{
    if (!pool)
        return;
    ws_pool_free(pool->ws_pool);
    uv_close((uv_handle_t *)&pool->tick, handle_tick_closed);
}

static const struct sockaddr *next_source(struct chat_client_pool *pool, const struct sockaddr *to)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)to;
    if (pool->options.sources == 0 || to->sa_family != AF_INET || v4->sin_addr.s_addr != htonl(INADDR_LOOPBACK))
        return NULL;
    unsigned offset = pool->opened++ % pool->options.sources;
    pool->source = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK + offset),
    };
    return (const struct sockaddr *)&pool->source;
}

void chat_client_pool_next(struct chat_client_pool *pool, const struct sockaddr **to, const struct sockaddr **source)
{
    *to = &pool->addresses[pool->address].any;
    *source = next_source(pool, *to);
}

/* --- The way to the end ------------------------------------------------------------------------------------------ */

/* Notes why, the first time, and lets all parts go. */
static void PRINTF_LIKE(3, 4) fail(struct chat_client *client, int error, const char *format, ...)
{
    if (client->state == CHAT_CLIENT_ENDING)
        return;
    va_list values;
    va_start(values, format);
    vsnprintf(client->end_text, sizeof client->end_text, format, values);
    va_end(values);
    client->end.error = error;
    client->state = CHAT_CLIENT_ENDING;
    wheel_cancel(&client->deadline);
    if (client->parts > 0)
        http_exchange_close(&client->exchange);
}

static void finish_if_done(struct chat_client *client)
{
    if (client->parts > 0)
        return;
    client->end.text = client->end_text;
    client->pool->options.callbacks->on_closed(client, &client->end);
}

static void handle_deadline(struct wheel_timer *timer)
{
    struct chat_client *client = CONTAINER_OF(timer, struct chat_client, deadline);
    const struct chat_client_pool_options *options = &client->pool->options;
    fail(client, -ETIMEDOUT, "no answer from %s within %llu ms", options->url->authority,
         (unsigned long long)options->timeout_ms);
}

void chat_client_close(struct chat_client *client)
{
    if (client->state == CHAT_CLIENT_TALKING)
        ws_stream_close(&client->stream, 1000, "");
    else
        fail(client, -ECANCELED, "closed here");
}

/* --- The HTTP part ----------------------------------------------------------------------------------------------- */

/* Sends what the state asks for. An error ends the client. */
static void send_request(struct chat_client *client)
{
    struct buf request;
    buf_init(&request, REQUEST_MAX);
    const struct server_url *url = client->pool->options.url;
    int error = client->state == CHAT_CLIENT_ASKING
                    ? requests_write_token(&request, url, client->name)
                    : requests_write_upgrade(&request, url, &client->token, client->key);
    if (!error)
        error = http_exchange_send(&client->exchange, request.data, request.len);
    buf_done(&request);
    if (error)
        fail(client, error, "cannot send a request: %s", strerror(-error));
}

/* Connects to the first address that does not fail at once. */
static int connect_exchange(struct chat_client *client)
{
    struct chat_client_pool *pool = client->pool;
    int error = -EHOSTUNREACH;
    for (; client->address < pool->address_count; client->address++) {
        const struct sockaddr *to = &pool->addresses[client->address].any;
        error =
            http_exchange_open(&client->exchange, pool->options.loop, &exchange_callbacks, to, next_source(pool, to));
        if (!error) {
            client->parts++;
            return 0;
        }
    }
    return error;
}

int chat_client_open(struct chat_client *client, struct chat_client_pool *pool, const char *name,
                     const struct token *token)
{
    *client = (struct chat_client){
        .state = token ? CHAT_CLIENT_UPGRADING : CHAT_CLIENT_ASKING,
        .pool = pool,
        .address = pool->address,
        .name = name,
        .deadline.on_due = handle_deadline,
    };
    if (token)
        client->token = *token;
    int error = connect_exchange(client);
    if (error)
        return error;
    wheel_arm(&pool->wheel, &client->deadline, uv_now(pool->options.loop) + pool->options.timeout_ms);
    send_request(client);
    return 0;
}

/* What the table of refusals says to a code, which a server of another version may not have from there. */
static const char *explain_code(const char *code)
{
    for (enum reject each = REJECT_NONE + 1; each < REJECT_COUNT; each++)
        if (strcmp(reject_info(each)->code, code) == 0)
            return reject_info(each)->msg;
    return "no reason given";
}

static void handle_refusal(struct chat_client *client, const struct http_response *response)
{
    char code[REFUSAL_CODE_SIZE];
    token_reply_refusal(code, response->body, response->body_len);
    const char *authority = client->pool->options.url->authority;
    if (code[0])
        fail(client, -EACCES, "%s refused: %s (%d %s)", authority, explain_code(code), response->status, code);
    else
        fail(client, -EPROTO, "%s is no Banter server: it answered %d to %s", authority, response->status,
             client->state == CHAT_CLIENT_ASKING ? "POST /token" : "the upgrade of GET /chat");
}

static void handle_token(struct chat_client *client, const struct http_response *response)
{
    if (response->status != 200 || !token_reply_read(&client->token, response->body, response->body_len)) {
        handle_refusal(client, response);
        return;
    }
    client->state = CHAT_CLIENT_UPGRADING;
    const struct chat_client_callbacks *callbacks = client->pool->options.callbacks;
    if (callbacks->on_token)
        callbacks->on_token(client, &client->token, response->body, response->body_len);
    if (client->state != CHAT_CLIENT_UPGRADING)
        return;
    if (response->keep_alive)
        send_request(client);
    else
        http_exchange_close(&client->exchange); /* handle_exchange_closed connects again */
}

static void handle_upgrade(struct chat_client *client, const struct http_response *response)
{
    if (!requests_upgrade_is_confirmed(response, client->key)) {
        handle_refusal(client, response);
        return;
    }
    const char *early;
    size_t early_len;
    int fd = http_exchange_detach(&client->exchange, &early, &early_len);
    int error = ws_stream_open(&client->stream, client->pool->ws_pool, fd, early, early_len, false);
    if (error) {
        close(fd);
        fail(client, error, "cannot open the WebSocket: %s", strerror(-error));
        return;
    }
    client->parts++;
    client->state = CHAT_CLIENT_TALKING;
    wheel_cancel(&client->deadline);
    client->pool->options.callbacks->on_open(client);
}

static void handle_response(struct http_exchange *exchange, const struct http_response *response)
{
    struct chat_client *client = CONTAINER_OF(exchange, struct chat_client, exchange);
    client->pool->address = client->address;
    if (client->state == CHAT_CLIENT_ASKING)
        handle_token(client, response);
    else if (client->state == CHAT_CLIENT_UPGRADING)
        handle_upgrade(client, response);
}

static bool means_unreachable(int error)
{
    return error == -ECONNREFUSED || error == -ENETUNREACH || error == -EHOSTUNREACH;
}

/* Another address may serve, and a server may close after each response. */
static int connect_again(struct chat_client *client, int error)
{
    if (error && (!means_unreachable(error) || ++client->address >= client->pool->address_count))
        return error;
    return connect_exchange(client);
}

static void handle_exchange_closed(struct http_exchange *exchange, int error)
{
    struct chat_client *client = CONTAINER_OF(exchange, struct chat_client, exchange);
    client->parts--;
    if (client->state == CHAT_CLIENT_ASKING || client->state == CHAT_CLIENT_UPGRADING) {
        error = connect_again(client, error);
        if (!error) {
            send_request(client);
            return;
        }
        fail(client, error, means_unreachable(error) ? "cannot connect to %s: %s" : "no answer from %s: %s",
             client->pool->options.url->authority, strerror(-error));
    }
    finish_if_done(client);
}

static const struct http_exchange_callbacks exchange_callbacks = {
    .on_response = handle_response,
    .on_closed = handle_exchange_closed,
};

/* --- The WebSocket part ------------------------------------------------------------------------------------------ */

static struct chat_client *client_of(struct ws_stream *stream)
{
    return CONTAINER_OF(stream, struct chat_client, stream);
}

int chat_client_send(struct chat_client *client, const char *text, size_t len)
{
    return client->state == CHAT_CLIENT_TALKING ? ws_stream_send_text(&client->stream, text, len) : -ENOTCONN;
}

static void handle_text(struct ws_stream *stream, const char *text, size_t len)
{
    client_of(stream)->pool->options.callbacks->on_text(client_of(stream), text, len);
}

static void handle_stream_closing(struct ws_stream *stream, int code, const char *reason)
{
    struct chat_client *client = client_of(stream);
    client->state = CHAT_CLIENT_ENDING;
    client->end.code = code;
    snprintf(client->end_text, sizeof client->end_text, "%s", reason);
}

static void handle_stream_closed(struct ws_stream *stream)
{
    struct chat_client *client = client_of(stream);
    client->end.is_answered = ws_stream_peer_has_ended(stream);
    client->parts--;
    finish_if_done(client);
}

static const struct ws_callbacks stream_callbacks = {
    .on_text = handle_text,
    .on_closing = handle_stream_closing,
    .on_closed = handle_stream_closed,
};
