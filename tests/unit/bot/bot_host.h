/* A host for one bot, without a worker: defines what include/banter/bot.h leaves to hosts, and keeps what the bot says.
 */
#pragma once
#include "banter/bot.h"
#include "check.h"
#include <stdbool.h>

struct banter_turn {
    void *data;
    char text[1024];
    size_t len;
    bool is_done, has_failed;
};

void banter_turn_set_data(struct banter_turn *turn, void *data)
{
    turn->data = data;
}

void *banter_turn_data(const struct banter_turn *turn)
{
    return turn->data;
}

void banter_turn_delta(struct banter_turn *turn, const char *text, size_t len)
{
    CHECK(!turn->is_done && turn->len + len < sizeof turn->text);
    memcpy(turn->text + turn->len, text, len);
    turn->len += len;
    turn->text[turn->len] = '\0';
}

void banter_turn_done(struct banter_turn *turn, const char *text, size_t len)
{
    banter_turn_delta(turn, text, len);
    turn->is_done = true;
}

void banter_turn_failed(struct banter_turn *turn, const char *why)
{
    turn->has_failed = true;
    banter_turn_done(turn, why, strlen(why));
}

static inline void host_ask(const struct banter_bot_type *type, struct banter_bot *bot, struct banter_turn *turn,
                            const char *text)
{
    *turn = (struct banter_turn){0};
    char *copy = strdup(text); /* it is the bot's only until ask returns */
    type->ask(bot, turn, &(struct banter_question){.text = copy, .len = strlen(text), .session = "s"});
    free(copy);
}
