/* One turn: asks the bot, streams its pieces, stores its answer. turns.h draws the states; turns.c keeps the table. */
#pragma once
#include "base/buf.h"
#include "bot/clean_text.h"
#include "bot/turns.h"
#include "protocol/keys.h"

enum { TURN_ID_MAX = 48 }; /* "<ms>-<seq>", two numbers of at most 20 digits */
enum { TURNS_BUCKETS = 256 };

struct turns {
    struct turns_options options;
    struct redis_link *link; /* NULL while Redis is away */
    int64_t count;
    uv_timer_t pulse; /* runs while a turn waits for its time */
    struct banter_turn *bucket[TURNS_BUCKETS];
};

enum turn_state { TURN_CHECKING, TURN_ASKED, TURN_ENDED, TURN_FORGOTTEN };

struct banter_turn {
    struct banter_turn *next; /* in the bucket */
    struct turns *turns;
    enum turn_state state;
    bool is_asking;         /* inside the bot's ask: what it says is sent when that returns */
    bool is_awaiting;       /* a command is on its way */
    uint64_t not_before_ms; /* the next command may go then */
    char entry[TURN_ID_MAX];
    char message[TURN_ID_MAX];
    char tag[TURN_TAG_MAX];
    struct token token;
    struct session_keys keys;
    char *question; /* a copy, if it began CHECKING */
    size_t question_len;
    void *data;       /* the bot's */
    const char *role; /* of the answer, once ENDED */
    struct buf text;  /* the answer so far */
    struct clean_text cleaner;
    size_t stored;  /* of `text`, bytes that are in the draft */
    size_t sending; /* the same, once the piece on its way has arrived */
};

/* A turn for `entry`, in no table yet. 0, -EINVAL if the entry is not one of ours, or -ENOMEM. */
int turn_new(struct banter_turn **turn, struct turns *turns, const struct turns_entry *entry) MUST_CHECK;

/* Begins it: asks the bot, or first Redis whether the session is still there. */
void turn_begin(struct banter_turn *turn, const struct turns_entry *entry);

/* Sends what is due; the one place that does. What cannot go now is tried at the next pulse. */
void turn_proceed(struct banter_turn *turn);

/* Stops a bot that talks past the cap: not where it is noticed, since that is inside the bot's own call. */
void turn_stop_if_cut(struct banter_turn *turn);

/* Ends it as lost: the bot is told, and the turn is gone from the table; its memory goes as soon as it can. */
void turn_lose(struct banter_turn *turn);

/* ---- turns.c ---- */

/* Takes the turn out of the table. */
void turns_remove(struct turns *turns, struct banter_turn *turn);

/* Has turn_proceed called again soon, for all. */
void turns_start_pulse(struct turns *turns);
