#include "bench/load.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A server closes what is silent for long; a load is not, and pings would count as its work. */
static const uint64_t never = UINT64_MAX;

enum { SOURCES = 16, PROGRESS_MS = 500 };

uint64_t load_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct load *load_of(uv_timer_t *timer)
{
    return timer->data;
}

static void read_usage(struct load *load, struct process_usage *usage)
{
    for (unsigned i = 0; i < load->processes; i++) {
        int error = process_usage_read(&usage[i], load->pid[i]);
        if (error) {
            char sentence[96];
            snprintf(sentence, sizeof sentence, "cannot look at process %d: %s", load->pid[i], strerror(-error));
            load_count_error(load, sentence);
        }
    }
}

void load_note_memory(struct load *load)
{
    read_usage(load, load->before);
}

/* --- Phases ------------------------------------------------------------------------------------------------------ */

static void handle_patience_over(uv_timer_t *timer)
{
    struct load *load = load_of(timer);
    load->mode->abandon(load);
}

static void end(struct load *load)
{
    if (load->phase == LOAD_ENDING)
        return;
    load->phase = LOAD_ENDING;
    uv_timer_start(&load->phase_timer, handle_patience_over, (uint64_t)load->config->timeout_ms, 0);
    load->mode->stop(load);
}

static void handle_opening_over(uv_timer_t *timer)
{
    load_count_error(load_of(timer), "not everything was open in time; --timeout waits longer");
}

static void handle_window_end(uv_timer_t *timer)
{
    struct load *load = load_of(timer);
    load->window_end_ns = load_now_ns();
    read_usage(load, load->after);
    end(load);
}

static void handle_warm(uv_timer_t *timer)
{
    struct load *load = load_of(timer);
    load->phase = LOAD_MEASURING;
    if (load->memory_units == 0)
        read_usage(load, load->before);
    load->window_begin_ns = load_now_ns();
    uv_timer_start(timer, handle_window_end, (uint64_t)load->config->bench.duration_ms, 0);
}

void load_is_ready(struct load *load)
{
    if (load->phase != LOAD_OPENING)
        return;
    load->phase = LOAD_WARMING;
    uv_timer_start(&load->phase_timer, handle_warm, (uint64_t)load->config->bench.warmup_ms, 0);
    if (load->mode->begin)
        load->mode->begin(load);
}

void load_is_finished(struct load *load)
{
    uv_close((uv_handle_t *)&load->phase_timer, NULL);
    uv_close((uv_handle_t *)&load->progress_timer, NULL);
    chat_client_pool_free(load->pool);
    load->pool = NULL;
}

/* --- Counting ---------------------------------------------------------------------------------------------------- */

void load_count(struct load *load, uint64_t begun_ns)
{
    bool is_inside = load->window_begin_ns > 0 && begun_ns >= load->window_begin_ns &&
                     (load->window_end_ns == 0 || begun_ns < load->window_end_ns);
    if (is_inside)
        histogram_add(&load->latency_ns, load_now_ns() - begun_ns);
}

void load_count_error(struct load *load, const char *sentence)
{
    if (load->errors++ == 0)
        fprintf(stderr, "banter-bench: %s\n", sentence);
    if (load->phase == LOAD_OPENING)
        end(load);
}

static void handle_progress(uv_timer_t *timer)
{
    static const char *const phases[] = {"opening", "warming up", "measuring", "ending"};
    struct load *load = load_of(timer);
    fprintf(stderr, "\r\033[K%s: %llu %s", phases[load->phase], (unsigned long long)load->latency_ns.count,
            load->mode->unit);
}

/* --- The run ----------------------------------------------------------------------------------------------------- */

static int open_pool(struct load *load)
{
    const struct chat_client_pool_options options = {
        .loop = &load->loop,
        .url = &load->url,
        .callbacks = load->mode->callbacks,
        .timeout_ms = (uint64_t)load->config->timeout_ms,
        .ping_interval_ms = never,
        .sources = SOURCES,
    };
    const char *why = server_url_parse(&load->url, load->config->url);
    int error = why ? -EINVAL : chat_client_pool_new(&load->pool, &options, &why);
    if (error)
        fprintf(stderr, "banter-bench: %s: %s\n", load->config->url, why);
    return error;
}

static int init(struct load *load, const struct config *config, const struct load_mode *mode)
{
    *load = (struct load){.config = config, .mode = mode};
    for (size_t i = 0; i < config->bench.pid.count && i < LOAD_PROCESSES_MAX; i++)
        load->pid[load->processes++] = atoi(config->bench.pid.item[i]);
    int error = uv_loop_init(&load->loop);
    if (error)
        return error;
    uv_timer_init(&load->loop, &load->phase_timer);
    uv_timer_init(&load->loop, &load->progress_timer);
    load->phase_timer.data = load->progress_timer.data = load;
    return 0;
}

/* No more than the timeout for the first client, and a millisecond for each one after it. */
static void watch_opening(struct load *load)
{
    if (load->phase == LOAD_OPENING)
        uv_timer_start(&load->phase_timer, handle_opening_over,
                       (uint64_t)(load->config->timeout_ms + load->config->bench.clients), 0);
}

int load_run(struct load *load, const struct config *config, const struct load_mode *mode)
{
    bool is_tty = isatty(STDERR_FILENO);
    int error = init(load, config, mode);
    if (error) {
        fprintf(stderr, "banter-bench: %s\n", uv_strerror(error));
        return error;
    }
    error = open_pool(load);
    if (!error && (error = mode->start(load)) != 0)
        fprintf(stderr, "banter-bench: cannot start: %s\n", strerror(-error));
    if (error)
        load_is_finished(load);
    else
        watch_opening(load);
    if (!error && is_tty)
        uv_timer_start(&load->progress_timer, handle_progress, PROGRESS_MS, PROGRESS_MS);
    uv_run(&load->loop, UV_RUN_DEFAULT);
    if (is_tty)
        fputs("\r\033[K", stderr);
    int busy = uv_loop_close(&load->loop);
    assert(busy == 0);
    (void)busy;
    if (!error)
        mode->release(load);
    return error;
}
