/*
 * A bot worker: takes messages of one bot from Redis, lets the bot answer them, and stores the answers (rules 24–31 of
 * the protocol, quoted by number where they are kept). Runs on the loop of whoever opens it: banter-bot's main, or a
 * thread in banterd.
 *
 * A worker has three links: one waits in XREADGROUP, one hears which turns users stop, one is for everything else. Many
 * turns are in work at once; replies of one loop turn leave in one write. Leases are renewed every lease/3; what other
 * workers were given and let lie is claimed. While Redis is away the worker keeps its turns and goes on when it is
 * back; a turn that was given to another then says LOST.
 */
#pragma once
#include "base/metrics.h"
#include "net/redis_locator.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

struct worker;

struct worker_options {
    uv_loop_t *loop;
    const struct redis_address *address; /* borrowed */
    const char *bot;                     /* NAME[:options] or NAME=TYPE[:options], as given to --bot; copied */
    int64_t lease_ms;
    int64_t history;
    int64_t max_answer;
    int64_t concurrency; /* turns in work at once; claims may come on top, at most as many again */
    uint64_t redis_timeout_ms;
    struct metrics *metrics;
    void (*on_ready)(void *data); /* Redis answered and the group is there; once. May be NULL */
    void (*on_away)(void *data,
                    const char *why); /* Redis cannot be used; once per outage, goes on trying. May be NULL */
    void (*on_stopped)(void *data);   /* after worker_stop: the worker is freed, what is left closes on the loop */
    void *data;
};

/* True if `spec` is a well-formed --bot value of a known type with known options; else a sentence in `error`. `name`
 * gets the bot's name (BOT_NAME_MAX + 1 bytes). For checking the command line before anything starts. */
bool worker_bot_spec_check(const char *spec, char *name, char *error, size_t error_size);

/* One line per type and option, for --help. */
void worker_print_bot_types(FILE *out);

/* Starts. 0, or negative errno with a sentence in `error`; -EINVAL where `bot` is wrong. */
int worker_open(struct worker **worker, const struct worker_options *options, char *error,
                size_t error_size) MUST_CHECK;

/*
 * Takes no more; turns that are in work are finished within `grace_ms`, what was not begun is given back; then
 * on_stopped, from the loop. A second call with 0 cuts the grace short.
 */
void worker_stop(struct worker *worker, uint64_t grace_ms);
