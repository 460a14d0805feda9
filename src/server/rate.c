#include "server/rate.h"
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { CELLS = 65536 };

struct rate_table {
    uint64_t interval_ns; /* one event's share of time */
    uint64_t burst_ns;
    uint64_t key;
    int64_t most;
    _Atomic int64_t sockets[CELLS];
    _Atomic uint64_t due_ns[CELLS]; /* when the cell's allowance will be whole again */
};

struct rate_table *rate_table_new(int64_t per_minute, int64_t most)
{
    struct rate_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->most = most;
    table->interval_ns = per_minute ? 60000000000u / (uint64_t)per_minute : 0;
    table->burst_ns = table->interval_ns * (uint64_t)per_minute;
    if (getrandom(&table->key, sizeof table->key, 0) != sizeof table->key) {
        free(table);
        return NULL;
    }
    return table;
}

void rate_table_free(struct rate_table *table)
{
    free(table);
}

static uint64_t address_bits(const struct sockaddr *address)
{
    uint64_t bits = 0;
    if (address->sa_family == AF_INET) {
        memcpy(&bits, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(v6);
        memcpy(&bits, v6->s6_addr + (mapped ? 12 : 0), mapped ? 4 : 8);
    }
    return bits;
}

/* A multiply-and-fold mix with a secret key, so that nobody can aim at another's cell. */
int rate_cell(const struct rate_table *table, const struct sockaddr *address)
{
    __uint128_t product = (__uint128_t)(address_bits(address) ^ table->key) * 0x9E3779B97F4A7C15u;
    uint64_t mixed = (uint64_t)product ^ (uint64_t)(product >> 64) ^ table->key;
    product = (__uint128_t)mixed * 0xD6E8FEB86659FD93u;
    return (int)(((uint64_t)product ^ (uint64_t)(product >> 64)) % CELLS);
}

static uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* When the cell's allowance is whole again if one more event happens at `now`; 0 if it may not. */
static uint64_t next_due(const struct rate_table *table, uint64_t due, uint64_t now)
{
    if (table->interval_ns == 0)
        return now; /* no limit, whichever thread's look at the clock was first */
    uint64_t next = (due > now ? due : now) + table->interval_ns;
    return next > now + table->burst_ns ? 0 : next;
}

bool rate_allows(struct rate_table *table, int cell)
{
    return next_due(table, atomic_load(&table->due_ns[cell]), now_ns()) != 0;
}

bool rate_charge(struct rate_table *table, int cell)
{
    uint64_t now = now_ns(), due = atomic_load(&table->due_ns[cell]), next;
    do
        next = next_due(table, due, now);
    while (next != 0 && !atomic_compare_exchange_weak(&table->due_ns[cell], &due, next));
    return next != 0;
}

bool rate_enter(struct rate_table *table, int cell)
{
    if (atomic_fetch_add(&table->sockets[cell], 1) < table->most)
        return true;
    atomic_fetch_sub(&table->sockets[cell], 1);
    return false;
}

void rate_leave(struct rate_table *table, int cell)
{
    atomic_fetch_sub(&table->sockets[cell], 1);
}
