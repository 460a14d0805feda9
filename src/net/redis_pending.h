/*
 * The commands of a link that wait for their answers, oldest first: a ring that grows to a cap. One thread owns it.
 */
#pragma once
#include "base/compiler.h"
#include "net/redis_link.h"

enum { REDIS_PENDING_MAX = 1 << 20 };

struct redis_pending {
    redis_reply_cb callback; /* or NULL */
    void *data;
    uint64_t queued_ms;
};

/* All zero is an empty ring. */
struct redis_pending_ring {
    struct redis_pending *entry;
    size_t first, count, cap; /* cap is 0 or a power of two */
};

void redis_pending_done(struct redis_pending_ring *ring);

/* Makes sure that one redis_pending_push succeeds. 0, -ENOBUFS at REDIS_PENDING_MAX, or -ENOMEM. */
int redis_pending_reserve(struct redis_pending_ring *ring) MUST_CHECK;

void redis_pending_push(struct redis_pending_ring *ring, struct redis_pending pending);

/* The ring must not be empty. */
struct redis_pending redis_pending_pop(struct redis_pending_ring *ring);
const struct redis_pending *redis_pending_oldest(const struct redis_pending_ring *ring);
