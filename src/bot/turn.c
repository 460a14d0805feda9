#include "bot/turn.h"
#include "protocol/calls.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct turns_options *options_of(const struct banter_turn *turn)
{
    return &turn->turns->options;
}

/* ---- the end ---- */

static void turn_free(struct banter_turn *turn)
{
    buf_done(&turn->text);
    free(turn->question);
    free(turn);
}

/* Takes the turn out of the table; its memory goes at once, or when Redis has answered it. */
static void retire(struct banter_turn *turn)
{
    turns_remove(turn->turns, turn);
    turn->state = TURN_FORGOTTEN;
    if (!turn->is_awaiting)
        turn_free(turn);
}

void turn_lose(struct banter_turn *turn)
{
    metrics_add(options_of(turn)->metrics, METRIC_TURNS_LOST, 1);
    if (turn->state == TURN_ASKED)
        options_of(turn)->type->cancel(options_of(turn)->bot, turn);
    retire(turn);
}

/* ---- what Redis says ---- */

static bool says(const struct redis_value *reply, const char *word)
{
    return reply->len == strlen(word) && memcmp(reply->str, word, reply->len) == 0;
}

/* True if Redis answered the turn's command. Else the turn waits: for the link to come back, or for a while. */
static bool is_answered(struct banter_turn *turn, int status, const struct redis_value *reply)
{
    turn->is_awaiting = false;
    if (turn->state == TURN_FORGOTTEN) {
        turn_free(turn);
        return false;
    }
    if (status < 0)
        return false;
    if (reply->type == REDIS_TYPE_ERROR) {
        turn->not_before_ms = uv_now(options_of(turn)->loop) + TURN_RETRY_MS;
        options_of(turn)->on_error(options_of(turn)->data, reply);
        turn_proceed(turn);
        return false;
    }
    return true;
}

static void handle_delta(void *data, int status, const struct redis_value *reply)
{
    struct banter_turn *turn = data;
    if (!is_answered(turn, status, reply))
        return;
    if (says(reply, "LOST")) {
        turn_lose(turn);
        return;
    }
    turn->stored = says(reply, "AGAIN") ? 0 : turn->sending;
    turn_proceed(turn);
}

static void handle_reply(void *data, int status, const struct redis_value *reply)
{
    struct banter_turn *turn = data;
    if (!is_answered(turn, status, reply))
        return;
    if (says(reply, "AGAIN")) {
        turn->stored = 0;
        turn_proceed(turn);
    } else if (says(reply, "LOST")) {
        turn_lose(turn);
    } else {
        bool has_failed = strcmp(turn->role, "error") == 0;
        metrics_add(options_of(turn)->metrics, has_failed ? METRIC_TURNS_FAILED : METRIC_TURNS_ANSWERED, 1);
        retire(turn);
    }
}

static void ask(struct banter_turn *turn, const char *text, size_t len)
{
    struct banter_question question = {.text = text, .len = len, .session = turn->token.text};
    turn->state = TURN_ASKED;
    turn->is_asking = true;
    options_of(turn)->type->ask(options_of(turn)->bot, turn, &question);
    turn->is_asking = false;
    turn_proceed(turn);
}

static void handle_checked(void *data, int status, const struct redis_value *reply)
{
    struct banter_turn *turn = data;
    if (!is_answered(turn, status, reply))
        return;
    if (reply->integer == 0)
        banter_turn_failed(turn, "expired"); /* the reply will be LOST, and clears the entry away */
    else
        ask(turn, turn->question, turn->question_len);
}

/* ---- what we send ---- */

static int send_check(struct banter_turn *turn)
{
    struct args args;
    args_init(&args);
    args_add_str(&args, "EXISTS");
    args_add_str(&args, turn->keys.session);
    return redis_link_command(turn->turns->link, &args, handle_checked, turn);
}

static int send_piece(struct banter_turn *turn)
{
    struct args args;
    struct call_turn call = {.message = turn->message, .entry = turn->entry, .tag = turn->tag};
    turn->sending = turn->text.len;
    turn->not_before_ms = uv_now(options_of(turn)->loop) + TURN_PIECE_INTERVAL_MS;
    call_delta(&args, &turn->keys, options_of(turn)->requests, &call, (int64_t)turn->stored,
               turn->text.data + turn->stored, turn->text.len - turn->stored);
    return redis_link_command(turn->turns->link, &args, handle_delta, turn);
}

static int send_reply(struct banter_turn *turn)
{
    struct args args;
    struct call_turn call = {.message = turn->message, .entry = turn->entry, .tag = turn->tag};
    struct call_reply reply = {
        .offset = (int64_t)turn->stored,
        .text = turn->text.len > 0 ? turn->text.data + turn->stored : "",
        .len = turn->text.len - turn->stored,
        .role = turn->role,
        .cut = turn->cleaner.is_cut,
        .history = options_of(turn)->history,
    };
    call_reply(&args, &turn->keys, options_of(turn)->requests, &call, &reply);
    return redis_link_command(turn->turns->link, &args, handle_reply, turn);
}

static bool has_something_to_send(const struct banter_turn *turn)
{
    return turn->state != TURN_ASKED || turn->text.len > turn->stored;
}

static int send_next(struct banter_turn *turn)
{
    switch (turn->state) {
    case TURN_CHECKING:
        return send_check(turn);
    case TURN_ASKED:
        return send_piece(turn);
    default:
        assert(turn->state == TURN_ENDED);
        return send_reply(turn);
    }
}

void turn_proceed(struct banter_turn *turn)
{
    if (turn->is_awaiting || turn->is_asking || !turn->turns->link || !has_something_to_send(turn))
        return;
    turn->is_awaiting = uv_now(options_of(turn)->loop) >= turn->not_before_ms && send_next(turn) == 0;
    if (!turn->is_awaiting)
        turns_start_pulse(turn->turns);
}

/* ---- what the bot says ---- */

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
    assert(turn->state == TURN_ASKED);
    clean_text_append(&turn->cleaner, &turn->text, text, len);
    if (turn->cleaner.is_cut)
        turns_start_pulse(turn->turns);
    turn_proceed(turn);
}

static void end(struct banter_turn *turn, const char *role, const char *text, size_t len)
{
    clean_text_append(&turn->cleaner, &turn->text, text, len);
    clean_text_end(&turn->cleaner, &turn->text);
    turn->role = role;
    turn->state = TURN_ENDED;
    turn->not_before_ms = 0; /* the end need not keep the pace of the pieces */
    turn_proceed(turn);
}

void banter_turn_done(struct banter_turn *turn, const char *text, size_t len)
{
    assert(turn->state == TURN_ASKED);
    end(turn, "assistant", text, len);
}

void banter_turn_failed(struct banter_turn *turn, const char *why)
{
    assert(turn->state == TURN_ASKED || turn->state == TURN_CHECKING);
    turn->text.len = turn->stored = turn->sending = 0; /* the draft, and a piece on its way, do not count any more */
    turn->cleaner = (struct clean_text){0};
    end(turn, "error", why, strlen(why));
}

void turn_stop_if_cut(struct banter_turn *turn)
{
    if (turn->state != TURN_ASKED || !turn->cleaner.is_cut)
        return;
    options_of(turn)->type->cancel(options_of(turn)->bot, turn);
    banter_turn_done(turn, "", 0);
}

/* ---- the beginning ---- */

static bool copy(char *out, size_t size, const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len >= size)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

static bool copy_names(struct banter_turn *turn, const struct turns_entry *entry)
{
    return copy(turn->entry, sizeof turn->entry, entry->id) &&
           copy(turn->message, sizeof turn->message, entry->message) && copy(turn->tag, sizeof turn->tag, entry->tag) &&
           token_parse(&turn->token, entry->token, entry->token_len);
}

static int keep_question(struct banter_turn *turn, const struct turns_entry *entry)
{
    turn->question = malloc(entry->text_len + 1);
    if (!turn->question)
        return -ENOMEM;
    memcpy(turn->question, entry->text, entry->text_len);
    turn->question_len = entry->text_len;
    return 0;
}

int turn_new(struct banter_turn **turn, struct turns *turns, const struct turns_entry *entry)
{
    struct banter_turn *made = malloc(sizeof *made);
    if (!made)
        return -ENOMEM;
    *made = (struct banter_turn){.turns = turns, .state = TURN_CHECKING};
    buf_init(&made->text, turns->options.max_answer);
    int error = copy_names(made, entry) ? 0 : -EINVAL;
    if (!error && entry->may_be_expired)
        error = keep_question(made, entry);
    if (error) {
        turn_free(made);
        return error;
    }
    keys_of_session(&made->keys, &made->token);
    *turn = made;
    return 0;
}

void turn_begin(struct banter_turn *turn, const struct turns_entry *entry)
{
    if (entry->may_be_expired)
        turn_proceed(turn);
    else
        ask(turn, entry->text, entry->text_len);
}
