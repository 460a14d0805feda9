#include "bench/crowd.h"
#include "bench/modes.h"
#include "bench/pacer.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Unanswered questions of one client; below the server's default --max-pending of 32. */
enum { ASKED_MAX = 16, TEXT_MAX = 16 * 1024 };

struct question {
    uint64_t number;
    uint64_t due_ns;
};

/* Questions of one client, oldest first: answers come in their order. */
struct talk {
    struct question asked[ASKED_MAX];
    unsigned first, count;
};

struct chat_load {
    struct crowd crowd;
    struct load *load;
    struct talk *talk; /* one per member */
    struct pacer pacer;
    uint64_t last_number;
    unsigned under_way; /* questions of all clients */
    unsigned turn;      /* whose turn it is in the open loop */
    bool is_stopping;
    char text[TEXT_MAX];
};

static struct chat_load *chat_load_of(struct crowd_member *member)
{
    return CONTAINER_OF(member->crowd, struct chat_load, crowd);
}

static size_t write_question(struct chat_load *state, uint64_t number)
{
    int len = snprintf(state->text, sizeof state->text, "%s %" PRIu64, state->load->config->bench.message, number);
    return (size_t)len < sizeof state->text ? (size_t)len : sizeof state->text - 1;
}

static void ask(struct crowd_member *member, uint64_t due_ns)
{
    struct chat_load *state = chat_load_of(member);
    struct talk *talk = &state->talk[crowd_index(member)];
    if (talk->count == ASKED_MAX) {
        load_count_error(state->load, "a client has 16 unanswered questions: the rate is more than the server takes");
        return;
    }
    size_t len = write_question(state, ++state->last_number);
    int error = chat_client_send(&member->chat, state->text, len);
    if (error) { /* the client is ending; its on_closed says why */
        state->load->errors++;
        return;
    }
    talk->asked[(talk->first + talk->count++) % ASKED_MAX] =
        (struct question){.number = state->last_number, .due_ns = due_ns};
    state->under_way++;
}

/* An echo has the question at its end; what stands in front of it ("BOT: ") is the bot's. */
static bool is_answer_to(struct chat_load *state, uint64_t number, const char *text, size_t len)
{
    size_t question_len = write_question(state, number);
    return len >= question_len && memcmp(text + len - question_len, state->text, question_len) == 0;
}

static void close_if_quiet(struct chat_load *state)
{
    if (state->is_stopping && state->under_way == 0)
        crowd_close(&state->crowd);
}

static void handle_text(struct chat_client *client, const char *text, size_t len)
{
    struct crowd_member *member = crowd_member_of(client);
    struct chat_load *state = chat_load_of(member);
    struct talk *talk = &state->talk[crowd_index(member)];
    const struct question *question = &talk->asked[talk->first];
    if (talk->count == 0 || !is_answer_to(state, question->number, text, len)) {
        state->load->mismatches++;
        load_count_error(state->load, "an answer does not match its question");
    } else {
        load_count(state->load, question->due_ns);
    }
    if (talk->count == 0)
        return;
    talk->first = (talk->first + 1) % ASKED_MAX;
    talk->count--;
    state->under_way--;
    bool is_closed_loop = state->load->config->bench.rate == 0;
    if (is_closed_loop && !state->is_stopping)
        ask(member, load_now_ns());
    close_if_quiet(state);
}

static void handle_open(struct chat_client *client)
{
    crowd_note_open(crowd_member_of(client));
}

static void handle_closed(struct chat_client *client, const struct chat_client_end *end)
{
    struct crowd_member *member = crowd_member_of(client);
    struct chat_load *state = chat_load_of(member);
    struct talk *talk = &state->talk[crowd_index(member)];
    state->load->errors += talk->count;
    state->under_way -= talk->count;
    talk->count = 0;
    close_if_quiet(state);
    crowd_note_closed(member, end);
}

static void handle_due(struct pacer *pacer, uint64_t due_ns)
{
    struct chat_load *state = CONTAINER_OF(pacer, struct chat_load, pacer);
    for (unsigned tried = 0; tried < state->crowd.count; tried++) {
        struct crowd_member *member = &state->crowd.member[state->turn++ % state->crowd.count];
        if (member->is_closed)
            continue;
        ask(member, due_ns);
        return;
    }
}

static int start(struct load *load)
{
    struct chat_load *state = calloc(1, sizeof *state);
    int error = -ENOMEM;
    if (!state)
        return error;
    state->load = load;
    state->pacer.on_due = handle_due;
    if (strlen(load->config->bench.message) + 24 > TEXT_MAX)
        error = -EMSGSIZE;
    else
        state->talk = calloc((size_t)load->config->bench.clients, sizeof *state->talk);
    if (state->talk)
        error = crowd_open(&state->crowd, load);
    if (error) {
        free(state->talk);
        free(state);
        return error;
    }
    load->state = state;
    return 0;
}

static void begin(struct load *load)
{
    struct chat_load *state = load->state;
    if (load->config->bench.rate > 0) {
        int error = pacer_start(&state->pacer, &load->loop, (double)load->config->bench.rate);
        if (error)
            load_count_error(load, strerror(-error));
        return;
    }
    for (unsigned i = 0; i < state->crowd.count; i++)
        if (!state->crowd.member[i].is_closed)
            ask(&state->crowd.member[i], load_now_ns());
}

static void stop(struct load *load)
{
    struct chat_load *state = load->state;
    state->is_stopping = true;
    pacer_stop(&state->pacer);
    close_if_quiet(state);
}

static void abandon(struct load *load)
{
    struct chat_load *state = load->state;
    if (state->under_way > 0)
        load_count_error(load, "questions were never answered");
    crowd_close(&state->crowd);
}

static void release(struct load *load)
{
    struct chat_load *state = load->state;
    free(state->talk);
    free(state);
}

static const struct chat_client_callbacks callbacks = {
    .on_open = handle_open,
    .on_text = handle_text,
    .on_closed = handle_closed,
};

const struct load_mode mode_chat = {
    .name = "chat",
    .unit = "messages",
    .callbacks = &callbacks,
    .start = start,
    .begin = begin,
    .stop = stop,
    .abandon = abandon,
    .release = release,
};
