#include "net/redis_pending.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void redis_pending_done(struct redis_pending_ring *ring)
{
    free(ring->entry);
    *ring = (struct redis_pending_ring){0};
}

int redis_pending_reserve(struct redis_pending_ring *ring)
{
    if (ring->count < ring->cap)
        return 0;
    if (ring->count >= REDIS_PENDING_MAX)
        return -ENOBUFS;
    size_t cap = ring->cap ? ring->cap * 2 : 64;
    struct redis_pending *entry = malloc(cap * sizeof *entry);
    if (!entry)
        return -ENOMEM;
    /* The ring is full: what stands from `first` to the end is the older part. */
    size_t older = ring->cap - ring->first;
    if (ring->cap > 0) {
        memcpy(entry, ring->entry + ring->first, older * sizeof *entry);
        memcpy(entry + older, ring->entry, ring->first * sizeof *entry);
    }
    free(ring->entry);
    *ring = (struct redis_pending_ring){.entry = entry, .count = ring->count, .cap = cap};
    return 0;
}

void redis_pending_push(struct redis_pending_ring *ring, struct redis_pending pending)
{
    assert(ring->count < ring->cap);
    ring->entry[(ring->first + ring->count++) & (ring->cap - 1)] = pending;
}

struct redis_pending redis_pending_pop(struct redis_pending_ring *ring)
{
    struct redis_pending oldest = *redis_pending_oldest(ring);
    ring->first = (ring->first + 1) & (ring->cap - 1);
    ring->count--;
    return oldest;
}

const struct redis_pending *redis_pending_oldest(const struct redis_pending_ring *ring)
{
    assert(ring->count > 0);
    return &ring->entry[ring->first];
}
