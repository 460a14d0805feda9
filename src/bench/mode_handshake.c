#include "bench/modes.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct caller {
    struct chat_client chat;
    struct handshake_load *state;
    struct token token;
    uint64_t begun_ns;
    bool has_token;
    bool is_calling; /* its client is not closed */
};

struct handshake_load {
    struct load *load;
    struct caller *caller;
    unsigned count, calling, ready;
    bool is_stopping;
};

static struct caller *caller_of(struct chat_client *client)
{
    return CONTAINER_OF(client, struct caller, chat);
}

static int call(struct caller *caller)
{
    struct handshake_load *state = caller->state;
    caller->begun_ns = load_now_ns();
    int error = chat_client_open(&caller->chat, state->load->pool, state->load->config->name,
                                 caller->has_token ? &caller->token : NULL);
    if (error)
        return error;
    caller->is_calling = true;
    state->calling++;
    return 0;
}

/* The first connection proves the token by an answer: later on a refusal would pass for an answer to our close. */
static void handle_open(struct chat_client *client)
{
    struct caller *caller = caller_of(client);
    if (caller->has_token) {
        chat_client_close(client);
        return;
    }
    caller->token = client->token;
    int error = chat_client_send(client, "hello", 5);
    if (error)
        load_count_error(caller->state->load, strerror(-error));
}

static void handle_text(struct chat_client *client, const char *text, size_t len)
{
    (void)text;
    (void)len;
    caller_of(client)->has_token = true;
    chat_client_close(client);
}

static void finish(struct handshake_load *state)
{
    free(state->caller);
    state->caller = NULL;
    load_is_finished(state->load);
}

static void call_again(struct caller *caller)
{
    int error = call(caller);
    if (error)
        load_count_error(caller->state->load, strerror(-error));
}

/* Stopped while opening: the error that did it has been counted, and what else is under way is only cut off. */
static bool was_given_up(const struct handshake_load *state)
{
    return state->is_stopping && state->ready < state->count;
}

static void count_loss(struct handshake_load *state, const struct chat_client_end *end)
{
    load_count_error(state->load, end->text[0] ? end->text : "no answer to a Close frame");
}

static void handle_closed(struct chat_client *client, const struct chat_client_end *end)
{
    struct caller *caller = caller_of(client);
    struct handshake_load *state = caller->state;
    bool is_opening = state->load->phase == LOAD_OPENING;
    bool is_good = caller->has_token && end->code == 1000 && end->is_answered;
    caller->is_calling = false;
    state->calling--;
    if (is_good && !is_opening)
        load_count(state->load, caller->begun_ns);
    if (state->is_stopping) {
        if (!is_good && !was_given_up(state))
            count_loss(state, end);
        if (state->calling == 0)
            finish(state);
        return;
    }
    if (!is_good)
        count_loss(state, end);
    else if (!is_opening)
        call_again(caller);
    else if (++state->ready == state->count)
        load_is_ready(state->load);
}

static int start(struct load *load)
{
    struct handshake_load *state = calloc(1, sizeof *state);
    if (!state)
        return -ENOMEM;
    *state = (struct handshake_load){.load = load, .count = (unsigned)load->config->bench.clients};
    state->caller = calloc(state->count, sizeof *state->caller);
    load->state = state;
    int error = state->caller ? 0 : -ENOMEM;
    for (unsigned i = 0; i < state->count && !error; i++) {
        state->caller[i].state = state;
        error = call(&state->caller[i]);
    }
    if (error && state->calling > 0) {
        load_count_error(load, strerror(-error)); /* ends the load in order */
        return 0;
    }
    if (error) {
        free(state->caller);
        free(state);
    }
    return error;
}

static void begin(struct load *load)
{
    struct handshake_load *state = load->state;
    for (unsigned i = 0; i < state->count; i++)
        call_again(&state->caller[i]);
}

static void stop(struct load *load)
{
    struct handshake_load *state = load->state;
    state->is_stopping = true;
    if (state->calling == 0)
        finish(state);
    else if (was_given_up(state)) /* the answers would not come */
        load->mode->abandon(load);
}

static void abandon(struct load *load)
{
    struct handshake_load *state = load->state;
    for (unsigned i = 0; i < state->count; i++)
        if (state->caller[i].is_calling)
            chat_client_close(&state->caller[i].chat);
}

static void release(struct load *load)
{
    free(load->state);
}

static const struct chat_client_callbacks callbacks = {
    .on_open = handle_open,
    .on_text = handle_text,
    .on_closed = handle_closed,
};

const struct load_mode mode_handshake = {
    .name = "handshake",
    .unit = "handshakes",
    .callbacks = &callbacks,
    .start = start,
    .begin = begin,
    .stop = stop,
    .abandon = abandon,
    .release = release,
};
