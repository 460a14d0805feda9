/* The bots of --bot inside banterd: their workers share one thread with a loop of its own. */
#pragma once
#include "base/config.h"
#include "base/metrics.h"
#include "net/redis_locator.h"
#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

enum { BOT_THREAD_MAX = 16 };

struct worker;

struct bot_thread {
    pthread_t thread;
    const struct config *config;
    uv_loop_t loop;
    uv_async_t stop_request;
    atomic_int stops;
    atomic_bool has_ended;
    uv_async_t *wake_when_ended;
    struct bot_thread_place {
        struct bot_thread *bots;
        struct worker *worker; /* NULL: stopped */
    } place[BOT_THREAD_MAX];
    size_t running;
    struct metrics metrics;
};

/* Starts the workers of all `config->bot`; `wake_when_ended` is sent, and has_ended true, when the thread is over. 0,
 * or -EINVAL with a sentence in `error`. */
int bot_thread_start(struct bot_thread *bots, const struct config *config, const struct redis_address *redis,
                     uv_async_t *wake_when_ended, char *error, size_t size) MUST_CHECK;

/* From any thread: what is in work is finished; called again: at once. */
void bot_thread_stop(struct bot_thread *bots);

void bot_thread_join(struct bot_thread *bots);
