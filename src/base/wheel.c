#include "base/wheel.h"
#include <assert.h>
#include <stddef.h>

void wheel_init(struct wheel *wheel, uint64_t now_ms)
{
    wheel->now_tick = now_ms / WHEEL_TICK_MS;
    for (int i = 0; i < WHEEL_SLOTS; i++)
        wheel->slot[i].next = wheel->slot[i].prev = &wheel->slot[i];
}

static void link_before(struct wheel_timer *head, struct wheel_timer *timer)
{
    timer->next = head;
    timer->prev = head->prev;
    head->prev->next = timer;
    head->prev = timer;
}

void wheel_arm(struct wheel *wheel, struct wheel_timer *timer, uint64_t due_ms)
{
    assert(timer->on_due);
    wheel_cancel(timer);
    timer->due_ms = due_ms;
    uint64_t tick = due_ms / WHEEL_TICK_MS + 1; /* late by a tick at most, never early */
    if (tick <= wheel->now_tick)
        tick = wheel->now_tick + 1;
    link_before(&wheel->slot[tick % WHEEL_SLOTS], timer);
}

void wheel_cancel(struct wheel_timer *timer)
{
    if (!timer->next)
        return;
    timer->prev->next = timer->next;
    timer->next->prev = timer->prev;
    timer->next = timer->prev = NULL;
}

bool wheel_is_armed(const struct wheel_timer *timer)
{
    return timer->next != NULL;
}

static void turn_slot(struct wheel *wheel, struct wheel_timer *head, uint64_t now_ms)
{
    /* Callbacks may cancel any timer, so the slot is moved to a list of its own and emptied from the front. */
    struct wheel_timer todo = {.next = &todo, .prev = &todo};
    if (head->next == head)
        return;
    todo.next = head->next;
    todo.prev = head->prev;
    todo.next->prev = todo.prev->next = &todo;
    head->next = head->prev = head;
    while (todo.next != &todo) {
        struct wheel_timer *timer = todo.next;
        wheel_cancel(timer);
        if (timer->due_ms > now_ms)
            wheel_arm(wheel, timer, timer->due_ms); /* a later turn of the wheel */
        else
            timer->on_due(timer);
    }
}

void wheel_turn(struct wheel *wheel, uint64_t now_ms)
{
    uint64_t tick = now_ms / WHEEL_TICK_MS;
    uint64_t first = wheel->now_tick + 1;
    if (tick >= first + WHEEL_SLOTS)
        first = tick - WHEEL_SLOTS + 1; /* after a long sleep one full turn sees every slot */
    for (uint64_t t = first; t <= tick; t++) {
        wheel->now_tick = t;
        turn_slot(wheel, &wheel->slot[t % WHEEL_SLOTS], now_ms);
    }
}
