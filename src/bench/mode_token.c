#include "bench/modes.h"
#include "protocol/token_reply.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asker {
    struct http_exchange exchange;
    struct token_load *state;
    uint64_t begun_ns;
    bool is_waiting; /* for a response */
    bool is_closed;
};

struct token_load {
    struct load *load;
    struct asker *asker;
    unsigned count, started, ready, closed;
    bool is_stopping;
    struct buf request; /* the same for all */
};

static void ask(struct asker *asker)
{
    const struct buf *request = &asker->state->request;
    asker->begun_ns = load_now_ns();
    asker->is_waiting = true;
    int error = http_exchange_send(&asker->exchange, request->data, request->len);
    if (error)
        load_count_error(asker->state->load, strerror(-error));
}

/* Reads the whole JSON the first time only: the load's own work would count against the server on the same cores. */
static bool is_token(const struct http_response *response, bool is_first)
{
    struct token token;
    if (response->status != 200)
        return false;
    return is_first ? token_reply_read(&token, response->body, response->body_len)
                    : memmem(response->body, response->body_len, "\"token\"", 7) != NULL;
}

static void handle_response(struct http_exchange *exchange, const struct http_response *response)
{
    struct asker *asker = CONTAINER_OF(exchange, struct asker, exchange);
    struct token_load *state = asker->state;
    bool is_opening = state->load->phase == LOAD_OPENING;
    asker->is_waiting = false;
    if (!is_token(response, is_opening)) {
        char sentence[64];
        snprintf(sentence, sizeof sentence, "POST /token was answered with %d", response->status);
        load_count_error(state->load, sentence);
    } else {
        load_count(state->load, asker->begun_ns);
    }
    if (state->is_stopping)
        http_exchange_close(exchange);
    else if (!is_opening)
        ask(asker);
    else if (++state->ready == state->count)
        load_is_ready(state->load);
}

static void finish(struct token_load *state)
{
    buf_done(&state->request);
    free(state->asker);
    state->asker = NULL;
    load_is_finished(state->load);
}

static void handle_closed(struct http_exchange *exchange, int error)
{
    struct asker *asker = CONTAINER_OF(exchange, struct asker, exchange);
    struct token_load *state = asker->state;
    asker->is_closed = true;
    state->closed++;
    if (error && !state->is_stopping)
        load_count_error(state->load, strerror(-error));
    if (state->is_stopping && state->closed == state->started)
        finish(state);
}

static const struct http_exchange_callbacks exchange_callbacks = {
    .on_response = handle_response,
    .on_closed = handle_closed,
};

static int open_askers(struct token_load *state)
{
    const struct sockaddr *to, *source;
    while (state->started < state->count) {
        struct asker *asker = &state->asker[state->started];
        asker->state = state;
        chat_client_pool_next(state->load->pool, &to, &source);
        int error = http_exchange_open(&asker->exchange, &state->load->loop, &exchange_callbacks, to, source);
        if (error)
            return error;
        state->started++;
        ask(asker);
    }
    return 0;
}

static int start(struct load *load)
{
    struct token_load *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    state->load = load;
    state->count = (unsigned)load->config->bench.clients;
    state->asker = calloc(state->count, sizeof *state->asker);
    buf_init(&state->request, 8192);
    int error = state->asker ? requests_write_token(&state->request, &load->url, load->config->name) : -ENOMEM;
    load->state = state;
    if (!error)
        error = open_askers(state);
    if (error && state->started > 0) {
        load_count_error(load, strerror(-error)); /* ends the load in order */
        return 0;
    }
    if (error) {
        buf_done(&state->request);
        free(state->asker);
        free(state);
    }
    return error;
}

static void begin(struct load *load)
{
    struct token_load *state = load->state;
    for (unsigned i = 0; i < state->started; i++)
        if (!state->asker[i].is_closed)
            ask(&state->asker[i]);
}

static void close_askers(struct token_load *state, bool also_waiting)
{
    state->is_stopping = true;
    if (state->closed == state->started) {
        finish(state);
        return;
    }
    for (unsigned i = 0; i < state->started; i++)
        if (!state->asker[i].is_closed && (also_waiting || !state->asker[i].is_waiting))
            http_exchange_close(&state->asker[i].exchange);
}

static void stop(struct load *load)
{
    close_askers(load->state, false);
}

static void abandon(struct load *load)
{
    load_count_error(load, "requests were never answered");
    close_askers(load->state, true);
}

static void release(struct load *load)
{
    free(load->state);
}

const struct load_mode mode_token = {
    .name = "token",
    .unit = "tokens",
    .start = start,
    .begin = begin,
    .stop = stop,
    .abandon = abandon,
    .release = release,
};
