/* A link under test with its loop, and what its callbacks have told. */
#pragma once
#include "check.h"
#include "net/redis_link.h"
#include <errno.h>
#include <stdarg.h>

struct fixture {
    uv_loop_t loop;
    struct redis_address address;
    struct redis_link_options options;
    struct redis_link *link;
    int connected, lost, pushes, answers;
    int last_status;
    char why[300];          /* of the last loss */
    struct redis_value got; /* the last answer's own fields; its text is in `text`, its items are gone */
    char text[300];
};

/* Counts something that run_until may wait for. */
static inline void tell(struct fixture *f, int *count)
{
    ++*count;
    uv_stop(&f->loop);
}

static inline void handle_connected(void *data)
{
    struct fixture *f = data;
    tell(f, &f->connected);
}

static inline void handle_lost(void *data, const char *why)
{
    struct fixture *f = data;
    snprintf(f->why, sizeof f->why, "%s", why);
    tell(f, &f->lost);
}

static inline void keep(struct fixture *f, const struct redis_value *value)
{
    f->got = *value;
    f->got.item = NULL;
    snprintf(f->text, sizeof f->text, "%s", value->str);
}

static inline void handle_answer(void *data, int status, const struct redis_value *answer)
{
    struct fixture *f = data;
    f->last_status = status;
    CHECK((status == 0) == (answer != NULL));
    if (answer)
        keep(f, answer);
    tell(f, &f->answers);
}

/* Sets up without opening: a test may change `options` first. */
static inline void fixture_init(struct fixture *f, const char *url)
{
    char error[300];
    *f = (struct fixture){0};
    CHECK(uv_loop_init(&f->loop) == 0);
    CHECK(redis_address_parse(&f->address, url, error, sizeof error) == 0);
    f->options = (struct redis_link_options){
        .loop = &f->loop, .address = &f->address, .on_connected = handle_connected, .on_lost = handle_lost, .data = f};
}

static inline void fixture_open(struct fixture *f)
{
    CHECK(redis_link_open(&f->link, &f->options) == 0);
}

/* Runs the loop until `count` has reached `target`; the test's own deadline ends it otherwise. */
static inline void run_until(struct fixture *f, const int *count, int target)
{
    while (*count < target)
        CHECK(uv_run(&f->loop, UV_RUN_DEFAULT) != 0 || *count >= target);
}

static inline void fixture_connect(struct fixture *f, const char *url)
{
    fixture_init(f, url);
    fixture_open(f);
    run_until(f, &f->connected, 1);
}

/* All handles must be gone when the loop has ended. */
static inline void fixture_done(struct fixture *f)
{
    redis_link_close(&f->link);
    CHECK(f->link == NULL);
    while (uv_run(&f->loop, UV_RUN_DEFAULT) != 0)
        ; /* a last callback has stopped it */
    CHECK(uv_loop_close(&f->loop) == 0);
}

/* The words up to NULL as a command, answered to `callback`. */
static inline int send_words(struct fixture *f, redis_reply_cb callback, ...)
{
    struct args args;
    va_list words;
    args_init(&args);
    va_start(words, callback);
    for (const char *word; (word = va_arg(words, const char *));)
        args_add_str(&args, word);
    va_end(words);
    return redis_link_command(f->link, &args, callback, f);
}

/* Sends the words and runs the loop until they are answered; the answer is in `got` and `text`. */
#define ASK(f, ...)                                                                                                    \
    do {                                                                                                               \
        int before_ = (f)->answers;                                                                                    \
        CHECK(send_words(f, handle_answer, __VA_ARGS__, NULL) == 0);                                                   \
        run_until(f, &(f)->answers, before_ + 1);                                                                      \
    } while (0)
