/*
 * Many timers for little: a hashed wheel. A timer is 40 bytes embedded in its owner; arming and cancelling cost a few
 * pointer writes; the owner of the wheel calls wheel_turn() from one real timer. Deadlines are kept to one
 * WHEEL_TICK_MS, always late, never early. One thread owns a wheel and all its timers.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { WHEEL_TICK_MS = 64, WHEEL_SLOTS = 512 };

struct wheel_timer {
    struct wheel_timer *next, *prev; /* NULL while not armed */
    uint64_t due_ms;
    void (*on_due)(struct wheel_timer *timer);
};

struct wheel {
    uint64_t now_tick;
    struct wheel_timer slot[WHEEL_SLOTS]; /* list heads */
};

/* `now_ms` is any monotonic clock; the same one must be used in all calls. */
void wheel_init(struct wheel *wheel, uint64_t now_ms);

/* Arms the timer, or moves it if it is armed. `on_due` must be set; it may arm and cancel any timer, and free its
 * owner. */
void wheel_arm(struct wheel *wheel, struct wheel_timer *timer, uint64_t due_ms);

/* Cancels; harmless on a timer that is not armed (all zero). */
void wheel_cancel(struct wheel_timer *timer);

bool wheel_is_armed(const struct wheel_timer *timer);

/* Runs everything that is due at `now_ms`. */
void wheel_turn(struct wheel *wheel, uint64_t now_ms);
