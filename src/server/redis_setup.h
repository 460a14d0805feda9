/*
 * Makes a fresh command link usable: checks Redis's version and eviction policy, loads the function library where it is
 * missing or older, tries every right that the server needs on a scratch session, and writes banter:README. Runs as a
 * chain of commands on the link; one at a time per link.
 */
#pragma once
#include "net/redis_link.h"
#include "protocol/keys.h"
#include <stdbool.h>

struct redis_setup {
    struct redis_link *link;
    bool tolerate_newer; /* a newer library is fine: we have served with an older one before */
    int step;
    struct token token; /* of the scratch session */
    struct session_keys keys;
    char queue[KEY_MAX];
    char message[48], entry[48];
    char redis_version[24];
    /* The end of the chain: NULL, or why not (valid during the call). `fatal`: trying again will not help. */
    void (*on_done)(struct redis_setup *setup, const char *why, bool fatal);
};

/* Starts the chain; `link` must be connected. If the link is lost on the way, on_done is not called. */
void redis_setup_start(struct redis_setup *setup, struct redis_link *link, bool tolerate_newer);
