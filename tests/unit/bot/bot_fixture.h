/*
 * A Redis, a loop and a link of the test's own on it, and the calls that servers make: what a worker's tests need
 * around the worker. Functions that ask run the loop until the answer is there, so workers on the same loop go on
 * meanwhile.
 */
#pragma once
#include "base/metrics.h"
#include "net/redis_link.h"
#include "protocol/calls.h"
#include "redis_child.h"
#include <errno.h>
#include <uv.h>

enum { DEADLINE_MS = 10000, HISTORY = 200, PENDING = 32, ANSWER_MAX = 128 * 1024 };

struct fixture {
    struct redis_child redis;
    struct redis_address address;
    uv_loop_t loop;
    uv_timer_t heartbeat; /* lets uv_run come back, to look whether what we wait for is true */
    struct redis_link *link;
    struct metrics metrics;
    char requests[KEY_MAX];
    bool is_answered;
    int status;
    int64_t integer; /* of the last answer */
    size_t count;
    char text[8192]; /* INFO fits */
};

#define RUN_UNTIL(f, condition)                                                                                        \
    do {                                                                                                               \
        uint64_t deadline_ = uv_hrtime() / 1000000 + DEADLINE_MS;                                                      \
        while (!(condition)) {                                                                                         \
            CHECK(uv_hrtime() / 1000000 < deadline_);                                                                  \
            uv_run(&(f)->loop, UV_RUN_ONCE);                                                                           \
        }                                                                                                              \
    } while (0)

static inline void handle_heartbeat(uv_timer_t *timer)
{
    (void)timer;
}

static inline void handle_link_connected(void *data)
{
    (void)data;
}

static inline void handle_link_lost(void *data, const char *why)
{
    (void)data, (void)why;
}

static inline void fixture_open(struct fixture *f, const char *bot, const char *const *redis_settings)
{
    char error[256];
    *f = (struct fixture){0};
    redis_child_start(&f->redis, false, redis_settings);
    CHECK(redis_address_parse(&f->address, f->redis.url, error, sizeof error) == 0);
    CHECK(uv_loop_init(&f->loop) == 0);
    uv_timer_init(&f->loop, &f->heartbeat);
    uv_timer_start(&f->heartbeat, handle_heartbeat, 2, 2);
    struct redis_link_options options = {
        .loop = &f->loop,
        .address = &f->address,
        .on_connected = handle_link_connected,
        .on_lost = handle_link_lost,
        .data = f,
    };
    CHECK(redis_link_open(&f->link, &options) == 0);
    keys_requests(f->requests, bot);
    RUN_UNTIL(f, redis_link_is_connected(f->link));
}

/* The workers on the loop must have stopped. */
static inline void fixture_close(struct fixture *f)
{
    redis_link_close(&f->link);
    uv_close((uv_handle_t *)&f->heartbeat, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&f->loop) == 0);
    redis_child_done(&f->redis);
}

static inline void handle_answer(void *data, int status, const struct redis_value *reply)
{
    struct fixture *f = data;
    f->is_answered = true;
    f->status = status;
    f->text[0] = '\0';
    if (status < 0)
        return;
    const struct redis_value *first = reply->type == REDIS_TYPE_ARRAY && reply->count > 0 ? &reply->item[0] : reply;
    f->integer = reply->integer;
    f->count = reply->count;
    snprintf(f->text, sizeof f->text, "%s", first->str);
}

/* Sends the command; `f` then has the first word of the answer. */
static inline void ask(struct fixture *f, const struct args *args)
{
    f->is_answered = false;
    CHECK(redis_link_command(f->link, args, handle_answer, f) == 0);
    RUN_UNTIL(f, f->is_answered);
}

static inline void ask_words(struct fixture *f, const char *const *words)
{
    struct args args;
    args_init(&args);
    for (; *words; words++)
        args_add_str(&args, *words);
    ask(f, &args);
}
#define ASK(f, ...) ask_words(f, (const char *const[]){__VA_ARGS__, NULL})

static inline void load_functions(struct fixture *f)
{
    struct args args;
    call_function_load(&args);
    ask(f, &args);
    CHECK_STR(f->text, "banter");
    call_group(&args, f->requests);
    ask(f, &args);
}

struct session {
    struct token token;
    struct session_keys keys;
};

static inline void session_open(struct fixture *f, struct session *session)
{
    struct args args;
    CHECK(token_make(&session->token) == 0);
    keys_of_session(&session->keys, &session->token);
    call_open(&args, &session->keys, f->requests,
              &(struct call_open){.ttl_ms = 600000, .name = "Ann", .name_len = 3, .bot = "b"});
    ask(f, &args);
    CHECK(f->count == 2);
}

/* `id` (may be NULL) gets the message's id. */
static inline void session_say(struct fixture *f, const struct session *session, const char *text, char id[48])
{
    struct args args;
    struct call_accept accept = {.text = text,
                                 .text_len = strlen(text),
                                 .client = "",
                                 .how = ACCEPT_FRESH,
                                 .history = HISTORY,
                                 .pending = PENDING};
    call_accept(&args, &session->keys, f->requests, &accept);
    ask(f, &args);
    CHECK(f->count == 2 && strchr(f->text, '-') != NULL);
    if (id)
        snprintf(id, 48, "%.47s", f->text);
}

/* The answers in a session's history, in order. */
struct answers {
    size_t questions, count;
    char role[64][16];
    char text[64][256];
    size_t len[64];
    bool is_truncated[64];
    bool is_answered;
};

static inline void note_entry(struct answers *answers, const struct redis_value *entry)
{
    const struct redis_value *fields = &entry->item[1];
    const char *role = fields->item[1].str; /* role and msg come first */
    if (strcmp(role, "user") == 0) {
        answers->questions++;
        return;
    }
    CHECK(answers->count < 64);
    snprintf(answers->role[answers->count], 16, "%s", role);
    snprintf(answers->text[answers->count], 256, "%.255s", fields->item[3].str);
    answers->len[answers->count] = fields->item[3].len;
    for (size_t i = 0; i + 1 < fields->count; i += 2)
        if (strcmp(fields->item[i].str, "truncated") == 0)
            answers->is_truncated[answers->count] = true;
    answers->count++;
}

static inline void handle_history(void *data, int status, const struct redis_value *reply)
{
    struct answers *answers = data;
    CHECK(status == 0 && reply->type == REDIS_TYPE_ARRAY);
    for (size_t i = 0; i < reply->count; i++)
        note_entry(answers, &reply->item[i]);
    answers->is_answered = true;
}

static inline void session_read(struct fixture *f, const struct session *session, struct answers *answers)
{
    struct args args;
    *answers = (struct answers){0};
    args_init(&args);
    args_add_str(&args, "XRANGE");
    args_add_str(&args, session->keys.messages);
    args_add_str(&args, "-");
    args_add_str(&args, "+");
    CHECK(redis_link_command(f->link, &args, handle_history, answers) == 0);
    RUN_UNTIL(f, answers->is_answered);
}

static inline uint64_t counted(const struct fixture *f, enum metric metric)
{
    return metrics_get(&f->metrics, metric);
}
