/* Streams text like a language model, without one: the same question always gets the same pieces, at a steady rate. */
#include "base/compiler.h"
#include "bot/bot_types.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { RATE_MAX = 1000, LENGTH_MAX = 100000 };

static const char *const words[] = {
    "bots",    "talk",   "and",   "people", "listen", "while", "every", "answer", "comes", "in",    "small",
    "pieces,", "one",    "after", "the",    "other,", "until", "the",   "whole",  "of",    "it",    "stands",
    "there;",  "nobody", "waits", "for",    "long,",  "since", "the",   "first",  "word",  "comes", "soon.",
};

struct banter_bot {
    uv_loop_t *loop;
    uint64_t interval_ms;
    long length;
    long fail_after; /* 0: never */
};

/* An answer on its way; frees itself when its timer has closed. */
struct stream {
    uv_timer_t timer;
    struct banter_turn *turn;
    const struct banter_bot *bot;
    size_t first; /* the word it begins with */
    long said;    /* pieces so far */
};

static const struct banter_bot_option options[] = {
    {"rate", "20", "pieces a second"},
    {"length", "40", "pieces of an answer"},
    {"fail-after", "0", "pieces before it breaks off; 0: never"},
    {NULL, NULL, NULL},
};

static int fake_llm_open(struct banter_bot **bot, const struct banter_bot_settings *settings, char *error,
                         size_t error_size)
{
    long rate, length, fail_after;
    if (!bot_types_read_number("fake-llm", "rate", settings->value[0], 1, RATE_MAX, &rate, error, error_size) ||
        !bot_types_read_number("fake-llm", "length", settings->value[1], 1, LENGTH_MAX, &length, error, error_size) ||
        !bot_types_read_number("fake-llm", "fail-after", settings->value[2], 0, LENGTH_MAX, &fail_after, error,
                               error_size))
        return -EINVAL;
    *bot = malloc(sizeof **bot);
    if (!*bot) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    **bot = (struct banter_bot){
        .loop = settings->loop, .interval_ms = (uint64_t)(1000 / rate), .length = length, .fail_after = fail_after};
    return 0;
}

static void fake_llm_close(struct banter_bot *bot)
{
    free(bot);
}

static void handle_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct stream, timer));
}

static void handle_due(uv_timer_t *timer)
{
    struct stream *stream = CONTAINER_OF(timer, struct stream, timer);
    const struct banter_bot *bot = stream->bot;
    if (bot->fail_after > 0 && stream->said == bot->fail_after) {
        banter_turn_failed(stream->turn, "the model broke off, as it was told to");
        uv_close((uv_handle_t *)timer, handle_closed);
        return;
    }
    char piece[16];
    const char *word = words[(stream->first + (size_t)stream->said) % COUNT_OF(words)];
    int len = snprintf(piece, sizeof piece, "%s%s", stream->said > 0 ? " " : "", word);
    stream->said++;
    if (stream->said < bot->length) {
        banter_turn_delta(stream->turn, piece, (size_t)len);
        return;
    }
    banter_turn_done(stream->turn, piece, (size_t)len);
    uv_close((uv_handle_t *)timer, handle_closed);
}

static void fake_llm_ask(struct banter_bot *bot, struct banter_turn *turn, const struct banter_question *question)
{
    struct stream *stream = malloc(sizeof *stream);
    if (!stream) {
        banter_turn_failed(turn, "out of memory");
        return;
    }
    size_t sum = 0;
    for (size_t i = 0; i < question->len; i++)
        sum = sum * 31 + (unsigned char)question->text[i];
    stream->turn = turn;
    stream->bot = bot;
    stream->first = sum % COUNT_OF(words);
    stream->said = 0;
    banter_turn_set_data(turn, stream);
    uv_timer_init(bot->loop, &stream->timer);
    uv_timer_start(&stream->timer, handle_due, bot->interval_ms, bot->interval_ms);
}

static void fake_llm_cancel(struct banter_bot *bot, struct banter_turn *turn)
{
    (void)bot;
    struct stream *stream = banter_turn_data(turn);
    uv_close((uv_handle_t *)&stream->timer, handle_closed);
}

const struct banter_bot_type bot_fake_llm = {
    .abi = BANTER_BOT_ABI,
    .size = sizeof(struct banter_bot_type),
    .name = "fake-llm",
    .summary = "streams text that means nothing, for demos and tests",
    .options = options,
    .open = fake_llm_open,
    .close = fake_llm_close,
    .ask = fake_llm_ask,
    .cancel = fake_llm_cancel,
};
