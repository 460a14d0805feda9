/*
 * What a connection says before anything else: AUTH and SELECT where the address asks for them, and PING, which tells
 * whether this is a Redis that serves us. All leave in one write. Pure: bytes and answers, no I/O.
 */
#pragma once
#include "base/buf.h"
#include "base/compiler.h"
#include "net/redis_locator.h"

struct redis_value;

struct redis_greeting {
    const char *command[3]; /* literals, in the order sent */
    int sent, answered;
};

/* Begins anew: appends the commands to `out`. 0, -ENOBUFS or -ENOMEM. */
int redis_greeting_start(struct redis_greeting *greeting, const struct redis_address *address,
                         struct buf *out) MUST_CHECK;

/* The answer to the oldest command. 1: that was the last; 0: more must come; -EACCES with a sentence in `why` that says
 * what Redis objects to, never a credential. */
int redis_greeting_take(struct redis_greeting *greeting, const struct redis_value *answer, char *why,
                        size_t why_size) MUST_CHECK;
