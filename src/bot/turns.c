#include "bot/turns.h"
#include "bot/clean_text.h"
#include "protocol/calls.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ID_MAX = 48, /* "<ms>-<seq>", two numbers of 20 digits */
    BUCKETS = 256,
    SUSPECT_DELIVERIES = 3,
};

enum turn_state { TURN_CHECKING, TURN_ASKED, TURN_ENDED, TURN_FORGOTTEN };

struct banter_turn {
    struct banter_turn *next; /* in the bucket */
    struct turns *turns;
    enum turn_state state;
    bool is_asking;         /* inside the bot's ask: what it says is sent when that returns */
    bool is_awaiting;       /* a command is on its way */
    uint64_t not_before_ms; /* the next command may go then */
    char entry[ID_MAX];
    char message[ID_MAX];
    char tag[TURN_TAG_MAX];
    struct token token;
    struct session_keys keys;
    char *question; /* kept while CHECKING */
    size_t question_len;
    void *data; /* the bot's */
    const char *role;
    struct buf text; /* the answer so far */
    struct clean_text cleaner;
    size_t stored;  /* of `text`, bytes that are in the draft */
    size_t sending; /* the same, once the piece on its way has arrived */
};

struct turns {
    struct turns_options options;
    struct redis_link *link; /* NULL while Redis is away */
    int64_t count;
    uv_timer_t pulse; /* runs while something waits for its time */
    struct banter_turn *bucket[BUCKETS];
};

static void proceed(struct banter_turn *turn);

/* ---- the table ---- */

static struct banter_turn **bucket_of(struct turns *turns, const char *entry)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = entry; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return &turns->bucket[hash % BUCKETS];
}

/* The place that points to the turn of `entry`, or to NULL. */
static struct banter_turn **find(struct turns *turns, const char *entry)
{
    struct banter_turn **at = bucket_of(turns, entry);
    while (*at && strcmp((*at)->entry, entry) != 0)
        at = &(*at)->next;
    return at;
}

static void turn_free(struct banter_turn *turn)
{
    buf_done(&turn->text);
    free(turn->question);
    free(turn);
}

/* Takes the turn out of the table; its memory goes at once, or when Redis has answered it. */
static void retire(struct banter_turn *turn)
{
    struct banter_turn **at = find(turn->turns, turn->entry);
    assert(*at == turn);
    *at = turn->next;
    turn->turns->count--;
    turn->state = TURN_FORGOTTEN;
    if (!turn->is_awaiting)
        turn_free(turn);
}

static void cancel(struct banter_turn *turn)
{
    const struct turns_options *options = &turn->turns->options;
    if (turn->state == TURN_ASKED)
        options->type->cancel(options->bot, turn);
    retire(turn);
}

const struct banter_turn *turns_next(const struct turns *turns, const struct banter_turn *turn)
{
    if (turn && turn->next)
        return turn->next;
    struct turns *table = (struct turns *)turns;
    struct banter_turn **bucket = turn ? bucket_of(table, turn->entry) + 1 : table->bucket;
    for (; bucket < table->bucket + BUCKETS; bucket++)
        if (*bucket)
            return *bucket;
    return NULL;
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
        turn->not_before_ms = uv_now(turn->turns->options.loop) + TURN_RETRY_MS;
        turn->turns->options.on_error(turn->turns->options.data, reply);
        proceed(turn);
        return false;
    }
    return true;
}

static void handle_lost(struct banter_turn *turn)
{
    metrics_add(turn->turns->options.metrics, METRIC_TURNS_LOST, 1);
    cancel(turn);
}

static void handle_delta(void *data, int status, const struct redis_value *reply)
{
    struct banter_turn *turn = data;
    if (!is_answered(turn, status, reply))
        return;
    if (says(reply, "LOST")) {
        handle_lost(turn);
        return;
    }
    turn->stored = says(reply, "AGAIN") ? 0 : turn->sending;
    proceed(turn);
}

static void handle_reply(void *data, int status, const struct redis_value *reply)
{
    struct banter_turn *turn = data;
    if (!is_answered(turn, status, reply))
        return;
    if (says(reply, "AGAIN")) {
        turn->stored = 0;
        proceed(turn);
    } else if (says(reply, "LOST")) {
        handle_lost(turn);
    } else {
        bool has_failed = strcmp(turn->role, "error") == 0;
        metrics_add(turn->turns->options.metrics, has_failed ? METRIC_TURNS_FAILED : METRIC_TURNS_ANSWERED, 1);
        retire(turn);
    }
}

static void ask(struct banter_turn *turn, const char *text, size_t len)
{
    const struct turns_options *options = &turn->turns->options;
    struct banter_question question = {.text = text, .len = len, .session = turn->token.text};
    turn->state = TURN_ASKED;
    turn->is_asking = true;
    options->type->ask(options->bot, turn, &question);
    turn->is_asking = false;
    proceed(turn);
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
    struct turns *turns = turn->turns;
    struct call_turn call = {.message = turn->message, .entry = turn->entry, .tag = turn->tag};
    turn->sending = turn->text.len;
    turn->not_before_ms = uv_now(turns->options.loop) + TURN_PIECE_INTERVAL_MS;
    call_delta(&args, &turn->keys, turns->options.requests, &call, (int64_t)turn->stored,
               turn->text.data + turn->stored, turn->text.len - turn->stored);
    return redis_link_command(turns->link, &args, handle_delta, turn);
}

static int send_reply(struct banter_turn *turn)
{
    struct args args;
    struct turns *turns = turn->turns;
    struct call_turn call = {.message = turn->message, .entry = turn->entry, .tag = turn->tag};
    struct call_reply reply = {
        .offset = (int64_t)turn->stored,
        .text = turn->text.len > 0 ? turn->text.data + turn->stored : "",
        .len = turn->text.len - turn->stored,
        .role = turn->role,
        .cut = turn->cleaner.is_cut,
        .history = turns->options.history,
    };
    call_reply(&args, &turn->keys, turns->options.requests, &call, &reply);
    return redis_link_command(turns->link, &args, handle_reply, turn);
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

static void handle_pulse(uv_timer_t *pulse);

/* Sends what is due; the one place that does. What cannot go now is tried at the next pulse. */
static void proceed(struct banter_turn *turn)
{
    struct turns *turns = turn->turns;
    if (turn->is_awaiting || turn->is_asking || !turns->link || !has_something_to_send(turn))
        return;
    turn->is_awaiting = uv_now(turns->options.loop) >= turn->not_before_ms && send_next(turn) == 0;
    if (!turn->is_awaiting && !uv_is_active((uv_handle_t *)&turns->pulse))
        uv_timer_start(&turns->pulse, handle_pulse, TURN_PIECE_INTERVAL_MS, TURN_PIECE_INTERVAL_MS);
}

/* A bot that talks past the cap is stopped here, since it must not be cancelled from inside its own call. */
static void stop_talker(struct banter_turn *turn)
{
    const struct turns_options *options = &turn->turns->options;
    options->type->cancel(options->bot, turn);
    turn->role = "assistant";
    turn->state = TURN_ENDED;
}

static void handle_pulse(uv_timer_t *pulse)
{
    struct turns *turns = CONTAINER_OF(pulse, struct turns, pulse);
    uv_timer_stop(pulse); /* whoever still waits starts it again */
    for (const struct banter_turn *each = turns_next(turns, NULL); each; each = turns_next(turns, each)) {
        struct banter_turn *turn = (struct banter_turn *)each;
        if (turn->state == TURN_ASKED && turn->cleaner.is_cut)
            stop_talker(turn);
        proceed(turn);
    }
}

void turns_set_link(struct turns *turns, struct redis_link *link)
{
    turns->link = link;
    for (const struct banter_turn *turn = turns_next(turns, NULL); turn; turn = turns_next(turns, turn))
        proceed((struct banter_turn *)turn);
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
    proceed(turn);
}

static void end(struct banter_turn *turn, const char *role, const char *text, size_t len)
{
    clean_text_append(&turn->cleaner, &turn->text, text, len);
    clean_text_end(&turn->cleaner, &turn->text);
    turn->role = role;
    turn->state = TURN_ENDED;
    turn->not_before_ms = 0; /* the end need not keep the pace of the pieces */
    proceed(turn);
}

void banter_turn_done(struct banter_turn *turn, const char *text, size_t len)
{
    assert(turn->state == TURN_ASKED);
    end(turn, "assistant", text, len);
}

void banter_turn_failed(struct banter_turn *turn, const char *why)
{
    turn->text.len = turn->stored = turn->sending = 0; /* the draft, and a piece on its way, do not count any more */
    turn->cleaner = (struct clean_text){0};
    end(turn, "error", why, strlen(why));
}

/* ---- what the worker says ---- */

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

int turns_take(struct turns *turns, const struct turns_entry *entry)
{
    struct banter_turn **at = find(turns, entry->id);
    if (*at)
        return 0;
    struct banter_turn *turn = malloc(sizeof *turn);
    if (!turn)
        return -ENOMEM;
    *turn = (struct banter_turn){.turns = turns, .state = TURN_CHECKING};
    buf_init(&turn->text, turns->options.max_answer);
    int error = copy_names(turn, entry) ? 0 : -EINVAL;
    if (!error && entry->may_be_expired)
        error = keep_question(turn, entry);
    if (error) {
        turn_free(turn);
        return error;
    }
    keys_of_session(&turn->keys, &turn->token);
    *at = turn;
    turns->count++;
    if (entry->may_be_expired)
        proceed(turn);
    else
        ask(turn, entry->text, entry->text_len);
    return 0;
}

void turns_forget(struct turns *turns, const char *entry)
{
    struct banter_turn *turn = *find(turns, entry);
    if (turn)
        handle_lost(turn);
}

void turns_forget_all(struct turns *turns)
{
    const struct banter_turn *turn;
    while ((turn = turns_next(turns, NULL)) != NULL)
        cancel((struct banter_turn *)turn);
}

int64_t turns_count(const struct turns *turns)
{
    return turns->count;
}

int64_t turns_count_suspects(const struct turns *turns)
{
    int64_t count = 0;
    for (const struct banter_turn *turn = turns_next(turns, NULL); turn; turn = turns_next(turns, turn))
        count += strtol(turn->tag, NULL, 10) >= SUSPECT_DELIVERIES; /* a tag begins with the number of the delivery */
    return count;
}

const char *turns_entry_id(const struct banter_turn *turn)
{
    return turn->entry;
}

int turns_open(struct turns **turns, const struct turns_options *options)
{
    *turns = calloc(1, sizeof **turns);
    if (!*turns)
        return -ENOMEM;
    (*turns)->options = *options;
    uv_timer_init(options->loop, &(*turns)->pulse);
    return 0;
}

static void handle_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct turns, pulse));
}

void turns_close(struct turns **turns)
{
    if (!*turns)
        return;
    turns_forget_all(*turns);
    uv_close((uv_handle_t *)&(*turns)->pulse, handle_closed);
    *turns = NULL;
}
