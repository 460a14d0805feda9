/* Says back what it hears; at once, or after a while to show how a bot that needs time is written. */
#include "base/compiler.h"
#include "bot/bot_types.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { DELAY_MAX_MS = 60 * 1000 };

struct banter_bot {
    uv_loop_t *loop;
    uint64_t delay_ms;
};

/* An answer that waits for its time; frees itself when its timer has closed. */
struct delayed {
    uv_timer_t timer;
    struct banter_turn *turn;
    size_t len;
    char text[];
};

static const struct banter_bot_option options[] = {
    {"delay", "0", "milliseconds before the answer"},
    {NULL, NULL, NULL},
};

static int echo_open(struct banter_bot **bot, const struct banter_bot_settings *settings, char *error,
                     size_t error_size)
{
    long ms;
    if (!bot_types_read_number("echo", "delay", settings->value[0], 0, DELAY_MAX_MS, &ms, error, error_size))
        return -EINVAL;
    *bot = malloc(sizeof **bot);
    if (!*bot) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    **bot = (struct banter_bot){.loop = settings->loop, .delay_ms = (uint64_t)ms};
    return 0;
}

static void echo_close(struct banter_bot *bot)
{
    free(bot);
}

static void answer(struct banter_turn *turn, const char *text, size_t len)
{
    banter_turn_delta(turn, "BOT: ", 5);
    banter_turn_done(turn, text, len);
}

static void handle_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct delayed, timer));
}

static void handle_due(uv_timer_t *timer)
{
    struct delayed *delayed = CONTAINER_OF(timer, struct delayed, timer);
    answer(delayed->turn, delayed->text, delayed->len);
    uv_close((uv_handle_t *)timer, handle_closed);
}

static void echo_ask(struct banter_bot *bot, struct banter_turn *turn, const struct banter_question *question)
{
    if (bot->delay_ms == 0) {
        answer(turn, question->text, question->len);
        return;
    }
    struct delayed *delayed = malloc(sizeof *delayed + question->len);
    if (!delayed) {
        banter_turn_failed(turn, "out of memory");
        return;
    }
    delayed->turn = turn;
    delayed->len = question->len;
    memcpy(delayed->text, question->text, question->len);
    banter_turn_set_data(turn, delayed);
    uv_timer_init(bot->loop, &delayed->timer);
    uv_timer_start(&delayed->timer, handle_due, bot->delay_ms, 0);
}

static void echo_cancel(struct banter_bot *bot, struct banter_turn *turn)
{
    (void)bot;
    struct delayed *delayed = banter_turn_data(turn);
    uv_close((uv_handle_t *)&delayed->timer, handle_closed);
}

const struct banter_bot_type bot_echo = {
    .abi = BANTER_BOT_ABI,
    .size = sizeof(struct banter_bot_type),
    .name = "echo",
    .summary = "says BOT: and what it was told",
    .options = options,
    .open = echo_open,
    .close = echo_close,
    .ask = echo_ask,
    .cancel = echo_cancel,
};
