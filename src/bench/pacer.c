#include "bench/pacer.h"
#include "bench/load.h"
#include <errno.h>
#include <stdbool.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* What one turn catches up with; then the answers get their turn. */
enum { BURST = 64 };

static bool is_running(const struct pacer *pacer)
{
    return pacer->interval_ns > 0;
}

static uint64_t next_due(const struct pacer *pacer)
{
    return pacer->begin_ns + (uint64_t)(pacer->interval_ns * (double)pacer->calls);
}

static int arm(struct pacer *pacer)
{
    uint64_t due = next_due(pacer);
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u)},
    };
    return timerfd_settime(pacer->fd, TFD_TIMER_ABSTIME, &when, NULL) == 0 ? 0 : -errno;
}

static void handle_due(uv_poll_t *poll, int status, int events)
{
    struct pacer *pacer = CONTAINER_OF(poll, struct pacer, poll);
    (void)status;
    (void)events;
    for (int i = 0; i < BURST && is_running(pacer); i++) {
        uint64_t due = next_due(pacer);
        if (due > load_now_ns())
            break;
        pacer->calls++;
        pacer->on_due(pacer, due);
    }
    /* A time that has passed makes the descriptor readable at once; it cannot fail for a descriptor of ours. */
    if (is_running(pacer))
        (void)arm(pacer);
}

int pacer_start(struct pacer *pacer, uv_loop_t *loop, double rate)
{
    pacer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (pacer->fd < 0)
        return -errno;
    pacer->begin_ns = load_now_ns();
    pacer->calls = 0;
    pacer->interval_ns = 1e9 / rate;
    int error = arm(pacer);
    if (!error)
        error = uv_poll_init(loop, &pacer->poll, pacer->fd);
    if (error) {
        close(pacer->fd);
        pacer->interval_ns = 0;
        return error;
    }
    uv_poll_start(&pacer->poll, UV_READABLE, handle_due);
    return 0;
}

void pacer_stop(struct pacer *pacer)
{
    if (!is_running(pacer))
        return;
    pacer->interval_ns = 0;
    uv_close((uv_handle_t *)&pacer->poll, NULL);
    close(pacer->fd);
}
