/*
 * What a bot is to Banter: one struct of functions. A worker opens it once, gives it questions, and gets each answer as
 * pieces (optional) and an end. All calls, both ways, happen on the worker's thread; a bot that wants threads of its
 * own comes back to the loop (uv_async_send) before it calls the host.
 *
 *   open ──> ask ──> banter_turn_delta* ──> banter_turn_done | banter_turn_failed        (exactly one end per ask)
 *             └────> cancel (the answer is not wanted any more: no call for this turn after it returns)
 */
#ifndef BANTER_BOT_H
#define BANTER_BOT_H
#include <stddef.h>
#include <stdint.h>

#define BANTER_BOT_ABI 1

struct banter_bot;  /* one opened bot, the bot's own struct */
struct banter_turn; /* one question in work, the host's handle */
struct uv_loop_s;

/* What may stand as `key=value` in `--bot TYPE:key=value,...`. */
struct banter_bot_option {
    const char *key;
    const char *default_value;
    const char *help;
};

struct banter_bot_settings {
    const char *name;         /* under which sessions choose it */
    struct uv_loop_s *loop;   /* the worker's loop (libuv), for timers and sockets */
    const char *const *value; /* one for each of the type's options, in their order: as given, or the default */
};

struct banter_question {
    const char *text; /* UTF-8, valid until ask returns */
    size_t len;
    const char *session; /* an opaque name of the conversation, the same for all its questions; never log it */
};

struct banter_bot_type {
    uint32_t abi;     /* BANTER_BOT_ABI */
    uint32_t size;    /* sizeof(struct banter_bot_type), so that later versions can add to it */
    const char *name; /* TYPE */
    const char *summary;
    const struct banter_bot_option *options; /* ended by a NULL key; may be NULL. Others are refused before open. */

    /* 0 and `*bot`, or non-zero and a sentence in `error` (what is wrong, what would be right). */
    int (*open)(struct banter_bot **bot, const struct banter_bot_settings *settings, char *error, size_t error_size);
    /* No turn is in work any more. What the bot has on the loop may close later, on the loop. */
    void (*close)(struct banter_bot *bot);
    /* Starts an answer; may also end it at once. Many may be in work at a time. */
    void (*ask)(struct banter_bot *bot, struct banter_turn *turn, const struct banter_question *question);
    void (*cancel)(struct banter_bot *bot, struct banter_turn *turn);
};

/* A pointer of the bot's own, kept with the turn. */
void banter_turn_set_data(struct banter_turn *turn, void *data);
void *banter_turn_data(const struct banter_turn *turn);

/* The next piece of the answer: UTF-8 (what is invalid is replaced; a character may be split between pieces). Copied.
 */
void banter_turn_delta(struct banter_turn *turn, const char *text, size_t len);

/* The end: `text` is what is still missing after the pieces (all of it if there were none). The turn is gone. */
void banter_turn_done(struct banter_turn *turn, const char *text, size_t len);

/* The end without an answer: `why` is shown to the user. The turn is gone. */
void banter_turn_failed(struct banter_turn *turn, const char *why);

#endif
