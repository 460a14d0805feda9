#include "base/compiler.h"
#include "base/wheel.h"
#include "check.h"

enum { TURN_MS = WHEEL_TICK_MS * WHEEL_SLOTS };

struct probe {
    struct wheel_timer timer;
    struct wheel *wheel;
    struct wheel_timer *cancels; /* what on_due cancels, or NULL */
    uint64_t again_ms;           /* what on_due arms itself for, or 0 */
    unsigned runs;
};

static void handle_due(struct wheel_timer *timer)
{
    struct probe *probe = CONTAINER_OF(timer, struct probe, timer);
    CHECK(!wheel_is_armed(timer));
    probe->runs++;
    if (probe->cancels)
        wheel_cancel(probe->cancels);
    if (probe->again_ms)
        wheel_arm(probe->wheel, timer, probe->again_ms);
}

static struct probe new_probe(struct wheel *wheel)
{
    return (struct probe){.timer.on_due = handle_due, .wheel = wheel};
}

/* Turned every millisecond, a timer runs once, never early, at most a tick late, whatever its distance. */
static void test_late_by_a_tick_at_most(void)
{
    static const uint64_t distances[] = {0, 1, 63, 64, 65, 1000, TURN_MS - 1, TURN_MS, TURN_MS + 1, 2 * TURN_MS + 77};
    for (size_t i = 0; i < COUNT_OF(distances); i++) {
        struct wheel wheel;
        uint64_t start = 1000003, due = start + distances[i], now = start;
        wheel_init(&wheel, start);
        struct probe probe = new_probe(&wheel);
        wheel_arm(&wheel, &probe.timer, due);
        while (probe.runs == 0 && now <= due + WHEEL_TICK_MS)
            wheel_turn(&wheel, ++now);
        CHECK(probe.runs == 1);
        CHECK(now >= due && now <= due + WHEEL_TICK_MS);
        wheel_turn(&wheel, now + 3 * TURN_MS);
        CHECK(probe.runs == 1);
    }
}

static void test_a_long_sleep_misses_nothing(void)
{
    struct wheel wheel;
    wheel_init(&wheel, 0);
    struct probe near = new_probe(&wheel), far = new_probe(&wheel), later = new_probe(&wheel);
    wheel_arm(&wheel, &near.timer, 10);
    wheel_arm(&wheel, &far.timer, 5 * TURN_MS);
    wheel_arm(&wheel, &later.timer, 20 * TURN_MS);
    wheel_turn(&wheel, 10 * TURN_MS);
    CHECK(near.runs == 1 && far.runs == 1 && later.runs == 0);
    wheel_turn(&wheel, 20 * TURN_MS + WHEEL_TICK_MS);
    CHECK(later.runs == 1);
}

static void test_arm_moves_and_cancel_forgets(void)
{
    struct wheel wheel;
    wheel_init(&wheel, 0);
    struct probe probe = new_probe(&wheel);
    wheel_cancel(&probe.timer);
    wheel_arm(&wheel, &probe.timer, 100);
    wheel_arm(&wheel, &probe.timer, 1000);
    wheel_turn(&wheel, 500);
    CHECK(probe.runs == 0 && wheel_is_armed(&probe.timer));
    wheel_cancel(&probe.timer);
    CHECK(!wheel_is_armed(&probe.timer));
    wheel_turn(&wheel, 5000);
    CHECK(probe.runs == 0);
}

static void test_callbacks_may_arm_and_cancel(void)
{
    struct wheel wheel;
    wheel_init(&wheel, 0);
    struct probe first = new_probe(&wheel), neighbour = new_probe(&wheel);
    first.cancels = &neighbour.timer;
    first.again_ms = 300;
    wheel_arm(&wheel, &first.timer, 100);
    wheel_arm(&wheel, &neighbour.timer, 100);
    wheel_turn(&wheel, 200);
    CHECK(first.runs == 1 && neighbour.runs == 0 && wheel_is_armed(&first.timer));
    wheel_turn(&wheel, 300 + WHEEL_TICK_MS);
    CHECK(first.runs == 2);
    first.again_ms = 0; /* armed again for a time that has passed: the next tick, not for ever in this one */
    wheel_turn(&wheel, 300 + 2 * WHEEL_TICK_MS);
    CHECK(first.runs == 3 && !wheel_is_armed(&first.timer));
}

int main(void)
{
    test_late_by_a_tick_at_most();
    test_a_long_sleep_misses_nothing();
    test_arm_moves_and_cancel_forgets();
    test_callbacks_may_arm_and_cancel();
    return 0;
}
