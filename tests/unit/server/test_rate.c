#include "addresses.h"
#include "base/compiler.h"
#include "server/rate.h"
#include <pthread.h>
#include <time.h>

static int cell_of(const struct rate_table *table, const char *text, uint16_t port)
{
    struct sockaddr_storage address = address_of(text, port);
    return rate_cell(table, (struct sockaddr *)&address);
}

static uint64_t now_ns(void)
{
    struct timespec time;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* One event comes back in 12 s: long after this test is over. */
static void test_burst(void)
{
    struct rate_table *table = rate_table_new(5, 1);
    CHECK(table);
    int cell = cell_of(table, "192.0.2.1", 1), other = (cell + 1) % 65536;
    for (int i = 0; i < 5; i++) {
        CHECK(rate_allows(table, cell) && rate_allows(table, cell)); /* asking costs nothing */
        CHECK(rate_charge(table, cell));
    }
    CHECK(!rate_allows(table, cell) && !rate_charge(table, cell));
    CHECK(rate_allows(table, other) && rate_charge(table, other));
    rate_table_free(table);
}

static void test_one_a_minute(void)
{
    struct rate_table *table = rate_table_new(1, 1);
    CHECK(table);
    CHECK(rate_charge(table, 0) && !rate_charge(table, 0));
    CHECK(rate_charge(table, 65535) && !rate_charge(table, 65535));
    rate_table_free(table);
    rate_table_free(NULL);
}

/*
 * A burst, then one event each 10 ms, by the real clock: however slow this machine is, nothing comes earlier than its
 * share of time, and the asking ends when it has come. Refused events cost nothing, or it would never end.
 */
static void test_refill(void)
{
    enum { PER_MINUTE = 6000, REFILLS = 5 };
    const uint64_t interval_ns = 60000000000u / PER_MINUTE;
    struct rate_table *table = rate_table_new(PER_MINUTE, 1);
    CHECK(table);
    uint64_t start = now_ns();
    for (int i = 0; i < PER_MINUTE; i++)
        CHECK(rate_charge(table, 7));
    for (int i = 0; i < REFILLS;)
        i += rate_charge(table, 7);
    uint64_t elapsed = now_ns() - start;
    CHECK(elapsed >= REFILLS * interval_ns);
    CHECK(elapsed < 100 * interval_ns);
    rate_table_free(table);
}

enum { BURST = 100000 };

/* One of two threads that charge the same cell at the same time. */
struct charging {
    pthread_barrier_t *start;
    struct rate_table *table;
    int allowed;
};

static void *charge(void *data)
{
    struct charging *charging = data;
    pthread_barrier_wait(charging->start);
    for (int i = 0; i < BURST; i++)
        charging->allowed += rate_charge(charging->table, 7);
    return NULL;
}

/* How many events the two were allowed of BURST each. */
static uint64_t charge_from_two_threads(struct rate_table *table)
{
    pthread_t thread;
    pthread_barrier_t start;
    struct charging here = {.start = &start, .table = table}, there = here;
    CHECK(table && pthread_barrier_init(&start, NULL, 2) == 0);
    CHECK(pthread_create(&thread, NULL, charge, &there) == 0);
    charge(&here);
    CHECK(pthread_join(thread, NULL) == 0);
    pthread_barrier_destroy(&start);
    rate_table_free(table);
    return (uint64_t)(here.allowed + there.allowed);
}

/* Also for threads that look at the clock in one order and at the cell in the other. */
static void test_no_limit(void)
{
    CHECK(charge_from_two_threads(rate_table_new(0, 1)) == 2 * BURST);
}

/* Two that want the whole burst get it once, and what has come back meanwhile. */
static void test_threads_share_an_allowance(void)
{
    uint64_t start = now_ns();
    uint64_t allowed = charge_from_two_threads(rate_table_new(BURST, 1));
    uint64_t refilled = (now_ns() - start) / (60000000000u / BURST);
    CHECK(allowed >= BURST && allowed <= BURST + refilled + 1);
}

static void test_sockets(void)
{
    struct rate_table *table = rate_table_new(1, 2);
    CHECK(table);
    CHECK(rate_enter(table, 7) && rate_enter(table, 7));
    CHECK(!rate_enter(table, 7) && !rate_enter(table, 7));
    CHECK(rate_enter(table, 8));
    rate_leave(table, 7);
    CHECK(rate_enter(table, 7) && !rate_enter(table, 7));
    rate_table_free(table);
}

static void test_what_shares_a_cell(void)
{
    struct rate_table *table = rate_table_new(1, 1);
    CHECK(table);
    CHECK(cell_of(table, "192.0.2.1", 1) == cell_of(table, "192.0.2.1", 65535));
    CHECK(cell_of(table, "192.0.2.1", 1) == cell_of(table, "::ffff:192.0.2.1", 1));
    CHECK(cell_of(table, "2001:db8:1:2::1", 1) == cell_of(table, "2001:db8:1:2:ffff:ffff:ffff:ffff", 2));
    rate_table_free(table);
}

/* Four of 65,536 cells: that two of them meet in all of ten tables does not happen. */
static void test_what_does_not(void)
{
    static const char *const others[] = {"192.0.2.2", "2.0.192.1", "2001:db8:1:3::1", "::"};
    bool differs[COUNT_OF(others)] = {false}, is_keyed = false;
    int first = -1;
    for (int i = 0; i < 10; i++) {
        struct rate_table *table = rate_table_new(1, 1);
        CHECK(table);
        int cell = cell_of(table, "192.0.2.1", 1);
        CHECK(cell >= 0 && cell < 65536);
        is_keyed = is_keyed || (first >= 0 && cell != first);
        first = cell;
        for (size_t k = 0; k < COUNT_OF(others); k++)
            differs[k] = differs[k] || cell_of(table, others[k], 1) != cell;
        rate_table_free(table);
    }
    CHECK(is_keyed); /* each table has a key of its own */
    for (size_t k = 0; k < COUNT_OF(others); k++)
        CHECK(differs[k]);
}

/* The addresses of one network do not crowd into few cells. */
static void test_spread(void)
{
    static bool is_used[65536];
    struct rate_table *table = rate_table_new(1, 1);
    int used = 0;
    CHECK(table);
    for (int i = 0; i < 4096; i++) {
        char text[24];
        snprintf(text, sizeof text, "10.0.%d.%d", i / 256, i % 256);
        int cell = cell_of(table, text, 1);
        used += !is_used[cell];
        is_used[cell] = true;
    }
    CHECK(used > 3600); /* 3,971 are to be expected */
    rate_table_free(table);
}

int main(void)
{
    test_burst();
    test_one_a_minute();
    test_refill();
    test_no_limit();
    test_threads_share_an_allowance();
    test_sockets();
    test_what_shares_a_cell();
    test_what_does_not();
    test_spread();
    return 0;
}
