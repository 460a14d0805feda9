/*
 * The calls of the function library (functions.lua), as argument lists: what a function does stands there, what to send
 * and what comes back stands here. Each starts a new list; strings are borrowed until the command is sent.
 *
 * Every function may answer an error; the words in capitals below are plain answers. `id` is a history id ("ms-seq").
 */
#pragma once
#include "base/args.h"
#include "protocol/keys.h"
#include <stdbool.h>

/* functions.lua, as loaded by FUNCTION LOAD, and the number in its second line ("-- version N"). */
extern const char functions_lua[];
extern const size_t functions_lua_len;

/* The version in the text of a function library; 0 if it names none. */
int calls_library_version(const char *code, size_t len);

/* FUNCTION LIST LIBRARYNAME banter WITHCODE / FUNCTION LOAD REPLACE <functions_lua>. */
void call_function_list(struct args *args);
void call_function_load(struct args *args);

struct call_open {
    int64_t ttl_ms;
    int64_t max_life_ms; /* 0: none */
    const char *name;
    size_t name_len;
    const char *bot;
    bool bot_must_exist; /* refuse a bot whose queue nobody has ever served */
};
/* -> [expires_ms, now_ms] by Redis's clock | "EXISTS" | "UNKNOWN" (bot). `requests` is the bot's queue key. */
void call_open(struct args *args, const struct session_keys *keys, const char *requests, const struct call_open *open);

/*
 * -> ["OK", last, work, draft, [[id, [field, value, ...]], ...], pttl_ms, name, bot]
 *  | ["GONE"] | ["RESET", oldest id or "0-0", last]
 *
 * The entries after `after`, at most `limit`; "" = from now on, no entries; "0-0" = from the beginning. Fewer than
 * `limit` entries: caught up with `last`.
 */
void call_attach(struct args *args, const struct session_keys *keys, const char *after, int64_t limit);

enum call_accept_how {
    ACCEPT_FRESH, /* the client id is ours, new, kept in the history only */
    ACCEPT_KEEP,  /* the client id is the client's: repeats are looked for */
    ACCEPT_RETRY, /* ours, but an earlier try may have been stored */
};
struct call_accept {
    const char *text;
    size_t text_len;
    const char *client; /* "" : none */
    enum call_accept_how how;
    int64_t history, pending;
};
/* -> [id, id before it] | ["REPEATED", id of the first one] | ["CONFLICT", id] | ["GONE"] | ["FULL"] */
void call_accept(struct args *args, const struct session_keys *keys, const char *requests,
                 const struct call_accept *accept);

/* -> the new expiry in ms | "GONE". Sets the TTL anew (never shorter, never past the session's own end). */
void call_refresh(struct args *args, const struct session_keys *keys, int64_t ttl_ms);

/* -> "OK" | "GONE". Deletes the session and tells its servers and its worker. */
void call_end(struct args *args, const struct session_keys *keys);

/* One turn, as a worker holds it. `tag` is "<delivery>.<worker>.<run>", unique per run. */
struct call_turn {
    const char *message; /* history id of the question */
    const char *entry;   /* id in the queue */
    const char *tag;
};
/* -> "OK" | "AGAIN" (send all from offset 0) | "LOST" */
void call_delta(struct args *args, const struct session_keys *keys, const char *requests, const struct call_turn *turn,
                int64_t offset, const char *piece, size_t len);
/* `role` "assistant" or "error". -> id | "AGAIN" | "LOST". `cut`: the entry is marked truncated. */
struct call_reply {
    int64_t offset;
    const char *text;
    size_t len;
    const char *role;
    bool cut;
    int64_t history;
};
void call_reply(struct args *args, const struct session_keys *keys, const char *requests, const struct call_turn *turn,
                const struct call_reply *reply);

/* -> id of the stored answer | "LATER" (it waited; it will be answered as stopped) | "NONE" | "GONE" */
void call_abort(struct args *args, const struct session_keys *keys, const char *requests, const char *stop,
                const char *message, int64_t history);

struct call_claim {
    const char *worker;
    int64_t lease_ms;
    int64_t room;     /* entries wanted at most */
    int64_t suspects; /* of them, entries on their third delivery or later, at most */
    int64_t history;
    int64_t deliveries; /* after so many an entry goes to the dead letters */
    int64_t run;        /* first of `room` unused run numbers, for the tags */
};
/* -> [[entry, token, message, text, tag, expires_at], ...] */
void call_claim(struct args *args, const char *requests, const struct call_claim *claim);

/*
 * XREADGROUP GROUP bots <worker> COUNT n BLOCK ms STREAMS <requests> >, of at most CALL_READ_MAX queues. Entries have
 * token, id, msg, expires; one that lacks token or id is not ours: leave it, a claim drops it.
 */
enum { CALL_READ_MAX = 11 };
void call_read(struct args *args, const char *const *requests, int count_of_requests, const char *worker, int64_t count,
               int64_t block_ms);

/* What `worker` has been given already, at most `count` entries, in the shape of call_read's answer; counts as no
 * delivery. */
void call_own(struct args *args, const char *requests, const char *worker, int64_t count);

/* -> the entries among those given that are not `worker`'s any more. At most CALL_RENEW_MAX at a time. */
enum { CALL_RENEW_MAX = 24 };
void call_renew(struct args *args, const char *requests, const char *worker, const char *const *entries, int count);

/* Gives entries not begun back, for any worker to claim at once. At most CALL_RENEW_MAX at a time. -> how many */
void call_release(struct args *args, const char *requests, const char *worker, const char *const *entries, int count);

/* The group `bots` at 0, with MKSTREAM. -> OK | BUSYGROUP error, which is fine. */
void call_group(struct args *args, const char *requests);

/*
 * A heartbeat: writes the figures (one JSON object) under `id` into KEYS_NODES or KEYS_WORKERS. A server's drops the
 * fields of those, in both, that have not beaten for 6 s.
 *
 * Server -> [connections of all nodes, redis time in ms, [length of each queue], [names of bots with a live worker]]
 *
 * Worker -> [redis time in ms]
 */
enum { CALL_BEAT_MAX = 20 }; /* queues asked for */
void call_beat_server(struct args *args, const char *id, int64_t connections, const char *version,
                      const char *const *requests, int count_of_requests);
void call_beat_worker(struct args *args, const char *id, const char *bot, int64_t in_work, const char *version);

/* Takes a node or worker out of its hash at once, at an orderly end. */
void call_leave(struct args *args, bool is_server, const char *id);

/* Drops queue entries without a session after `after`, looks at `count` at most. -> id to go on after, "" at the end */
void call_sweep(struct args *args, const char *requests, const char *after, int64_t count);

/* Deletes consumers with nothing pending that have been idle for `idle_ms`. -> how many */
void call_retire(struct args *args, const char *requests, int64_t idle_ms);
