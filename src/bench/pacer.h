/* Calls at a steady rate that does not slip: each call has its due time, and what comes late is caught up with. */
#pragma once
#include "base/compiler.h"
#include <stdint.h>
#include <uv.h>

struct pacer {
    uv_poll_t poll; /* on a timerfd: timers of the loop are as coarse as a millisecond */
    int fd;
    uint64_t begin_ns;
    uint64_t calls;
    double interval_ns;
    void (*on_due)(struct pacer *pacer, uint64_t due_ns);
};

/* Starts now, `rate` calls a second. `on_due` must be set. 0 or negative errno; on failure nothing is registered. */
int pacer_start(struct pacer *pacer, uv_loop_t *loop, double rate) MUST_CHECK;

/* Ends; may be called from on_due. Harmless on one that was not started (all zero). */
void pacer_stop(struct pacer *pacer);
