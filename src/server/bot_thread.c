#include "server/bot_thread.h"
#include "base/log.h"
#include "bot/worker.h"
#include <errno.h>
#include <stdio.h>

enum { STACK_BYTES = 1024 * 1024, GRACE_MS = 5000 };

static void handle_stopped(void *data)
{
    struct bot_thread_place *place = data;
    struct bot_thread *bots = place->bots;
    place->worker = NULL;
    if (--bots->running == 0)
        uv_close((uv_handle_t *)&bots->stop_request, NULL);
}

static void handle_stop(uv_async_t *async)
{
    struct bot_thread *bots = CONTAINER_OF(async, struct bot_thread, stop_request);
    uint64_t grace_ms = atomic_load(&bots->stops) > 1 ? 0 : GRACE_MS;
    for (size_t i = 0; i < COUNT_OF(bots->place); i++)
        if (bots->place[i].worker)
            worker_stop(bots->place[i].worker, grace_ms);
}

static void *run(void *data)
{
    struct bot_thread *bots = data;
    log_set_context("bots");
    uv_run(&bots->loop, UV_RUN_DEFAULT);
    atomic_store(&bots->has_ended, true);
    uv_async_send(bots->wake_when_ended);
    return NULL;
}

static int open_workers(struct bot_thread *bots, const struct redis_address *redis, char *error, size_t size)
{
    const struct config *config = bots->config;
    for (size_t i = 0; i < config->bot.count; i++) {
        struct worker_options options = {
            .loop = &bots->loop,
            .address = redis,
            .bot = config->bot.item[i],
            .lease_ms = config->lease_s * 1000,
            .history = config->history,
            .max_answer = config->max_answer,
            .concurrency = config->concurrency,
            .redis_timeout_ms = (uint64_t)config->redis_timeout_ms,
            .metrics = &bots->metrics,
            .on_stopped = handle_stopped,
            .data = &bots->place[i],
        };
        bots->place[i].bots = bots;
        int code = worker_open(&bots->place[i].worker, &options, error, size);
        if (code)
            return code;
        bots->running++;
    }
    return 0;
}

int bot_thread_start(struct bot_thread *bots, const struct config *config, const struct redis_address *redis,
                     uv_async_t *wake_when_ended, char *error, size_t size)
{
    bots->config = config;
    bots->wake_when_ended = wake_when_ended;
    if (config->bot.count > BOT_THREAD_MAX) {
        snprintf(error, size, "at most %d --bot run inside banterd; start banter-bot for more", BOT_THREAD_MAX);
        return -EINVAL;
    }
    if (uv_loop_init(&bots->loop) || uv_async_init(&bots->loop, &bots->stop_request, handle_stop)) {
        snprintf(error, size, "cannot start the thread of the bots");
        return -ENOMEM;
    }
    int code = open_workers(bots, redis, error, size);
    if (code)
        return code;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    code = pthread_create(&bots->thread, &attributes, run, bots);
    pthread_attr_destroy(&attributes);
    if (code)
        snprintf(error, size, "cannot start the thread of the bots");
    return -code;
}

void bot_thread_stop(struct bot_thread *bots)
{
    atomic_fetch_add(&bots->stops, 1);
    uv_async_send(&bots->stop_request);
}

void bot_thread_join(struct bot_thread *bots)
{
    pthread_join(bots->thread, NULL);
    if (uv_loop_close(&bots->loop))
        log_error("the bots left handles behind", NULL);
}
