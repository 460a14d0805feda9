/*
 * The turns that a worker has in work: each carries one entry of the queue from its question to the stored answer.
 *
 *                its session is there            the bot has ended it           stored, or LOST
 *   CHECKING ─────────────────────────> ASKED ───────────────────────> ENDED ──────────────────> freed
 *      ^  turns_take: perhaps expired     ^  turns_take
 *
 *   turns_forget, LOST: the bot is told to cancel, and the turn is freed; while Redis still owes it an answer it is
 * FORGOTTEN.
 *
 * A turn has at most one command on its way, so that an answer always belongs to what was sent last. Pieces leave at
 * most every TURN_PIECE_INTERVAL_MS (rule 22). What Redis did not answer, or answered with an error, is sent again
 * (rule 29).
 */
#pragma once
#include "banter/bot.h"
#include "base/metrics.h"
#include "net/redis_link.h"
#include <stdbool.h>

enum { TURN_PIECE_INTERVAL_MS = 50, TURN_RETRY_MS = 200 };
enum { TURN_TAG_MAX = 80 }; /* "<delivery>.<worker>.<run>" */

struct turns;

struct turns_options {
    uv_loop_t *loop;
    const struct banter_bot_type *type; /* `type` and what else is a pointer here: borrowed */
    struct banter_bot *bot;
    const char *requests; /* the queue's key */
    int64_t history;
    size_t max_answer;
    struct metrics *metrics;
    void (*on_error)(void *data, const struct redis_value *error); /* Redis refuses; the turn is tried again */
    void *data;
};

/* 0 or -ENOMEM. */
int turns_open(struct turns **turns, const struct turns_options *options) MUST_CHECK;

/* Cancels and frees all. No command may be on its way any more: close the link before. NULL is fine. */
void turns_close(struct turns **turns);

/* From now on commands go to `link`, and what is due is sent; NULL: Redis is away, and all waits. */
void turns_set_link(struct turns *turns, struct redis_link *link);

/* An entry of the queue. Strings may go when turns_take has returned. */
struct turns_entry {
    const char *id;
    const char *token;
    size_t token_len;
    const char *message; /* the question's history id */
    const char *text;
    size_t text_len;
    const char *tag;
    bool may_be_expired; /* see that the session exists before the bot is asked (rule 31) */
};

/* Begins a turn. An entry that is in work already goes on as it is. 0, -EINVAL if it is not one of ours, or -ENOMEM. */
int turns_take(struct turns *turns, const struct turns_entry *entry) MUST_CHECK;

/* The entry is not ours any more: the bot is told, nothing is stored. Harmless for one that is not in work. */
void turns_forget(struct turns *turns, const char *entry);
void turns_forget_all(struct turns *turns);

/* Turns whose answer is not stored yet, and those of them that were delivered three times or more (rule 27). */
int64_t turns_count(const struct turns *turns);
int64_t turns_count_suspects(const struct turns *turns);

/* The entry ids one after the other, from NULL to NULL, while nothing changes. */
const struct banter_turn *turns_next(const struct turns *turns, const struct banter_turn *turn);
const char *turns_entry_id(const struct banter_turn *turn);
