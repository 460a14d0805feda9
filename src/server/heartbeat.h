/*
 * Every second a reactor writes its figures into banter:nodes and reads those of all: the number of connections of
 * the whole deployment, the lengths of the queues that its sessions use, and the bots that have a live worker. The same
 * beat sends a probe through the subscription link: one that does not come back means that the link is dead though it
 * looks alive.
 */
#pragma once
#include "protocol/keys.h"
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct reactor;

enum { HEARTBEAT_BOTS_MAX = 16 };

struct heartbeat {
    uv_timer_t timer;
    void (*on_closed)(struct reactor *reactor);
    char id[40];
    char probe_channel[KEY_MAX];
    int64_t told;           /* connections of this reactor, as of the last beat */
    int64_t others;         /* of all others, then */
    uint64_t answered_ms;   /* when that was; 0: never */
    uint64_t probe_sent_ms; /* 0: none under way */
    struct heartbeat_queue {
        char bot[BOT_NAME_MAX + 1];
        char requests[KEY_MAX];
        int64_t length;
    } queue[HEARTBEAT_BOTS_MAX]; /* of the bots that sessions here have used */
    int queue_count;
    char live_bots[512]; /* names, separated by ", " */
};

int heartbeat_open(struct reactor *reactor);
/* Stops, and takes this reactor out of banter:nodes if Redis is there; `on_closed` runs when that is answered, or at
 * once. */
void heartbeat_close(struct reactor *reactor, void (*on_closed)(struct reactor *reactor));

/* The backend is ready (again): the first beat and the subscription of the probe. */
void heartbeat_start(struct reactor *reactor);

/* A message came on the probe channel. */
void heartbeat_probe_returned(struct reactor *reactor);

/* Connections over all server processes, or -1 if that is not known. */
int64_t heartbeat_count(const struct reactor *reactor);

/* Messages that wait for `bot`, as of the last beat; asks for them from now on. */
int64_t heartbeat_queue_length(struct reactor *reactor, const char *bot);
