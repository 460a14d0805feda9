#include "protocol/calls.h"
#include <assert.h>
#include <string.h>

static void command(struct args *args, const char *name)
{
    args_init(args);
    args_add_str(args, name);
}

static void function_call(struct args *args, const char *function, int64_t count_of_keys)
{
    command(args, "FCALL");
    args_add_str(args, function);
    args_add_number(args, count_of_keys);
}

/* All functions on a session take the same four keys, in this order. */
static void session_call(struct args *args, const char *function, const struct session_keys *keys, const char *requests)
{
    function_call(args, function, 4);
    args_add_str(args, keys->session);
    args_add_str(args, keys->messages);
    args_add_str(args, requests);
    args_add_str(args, keys->draft);
}

/* Those that find the bot's queue by themselves, for callers that know the token only. */
static void token_call(struct args *args, const char *function, const struct session_keys *keys)
{
    function_call(args, function, 3);
    args_add_str(args, keys->session);
    args_add_str(args, keys->messages);
    args_add_str(args, keys->draft);
}

static void add_flag(struct args *args, bool flag)
{
    args_add_str(args, flag ? "1" : "0");
}

static void add_all(struct args *args, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        args_add_str(args, words[i]);
}

int calls_library_version(const char *code, size_t len)
{
    static const char mark[] = "-- version ";
    const char *end = code + len;
    const char *line = memchr(code, '\n', len);
    if (line == NULL || (size_t)(end - ++line) < sizeof mark - 1 || memcmp(line, mark, sizeof mark - 1) != 0)
        return 0;
    int version = 0;
    for (const char *c = line + sizeof mark - 1; c < end && *c >= '0' && *c <= '9' && version < 100000; c++)
        version = version * 10 + (*c - '0');
    return version;
}

void call_function_list(struct args *args)
{
    command(args, "FUNCTION");
    args_add_str(args, "LIST");
    args_add_str(args, "LIBRARYNAME");
    args_add_str(args, "banter");
    args_add_str(args, "WITHCODE");
}

void call_function_load(struct args *args)
{
    command(args, "FUNCTION");
    args_add_str(args, "LOAD");
    args_add_str(args, "REPLACE");
    args_add(args, functions_lua, functions_lua_len);
}

void call_open(struct args *args, const struct session_keys *keys, const char *requests, const struct call_open *open)
{
    session_call(args, "banter_open", keys, requests);
    args_add_number(args, open->ttl_ms);
    args_add_number(args, open->max_life_ms);
    add_flag(args, open->bot_must_exist);
    args_add(args, open->name, open->name_len);
    args_add_str(args, open->bot);
}

void call_attach(struct args *args, const struct session_keys *keys, const char *after, int64_t limit)
{
    token_call(args, "banter_attach", keys);
    args_add_str(args, after);
    args_add_number(args, limit);
}

void call_accept(struct args *args, const struct session_keys *keys, const char *requests,
                 const struct call_accept *accept)
{
    static const char *const how[] = {[ACCEPT_FRESH] = "fresh", [ACCEPT_KEEP] = "keep", [ACCEPT_RETRY] = "retry"};
    session_call(args, "banter_accept", keys, requests);
    args_add(args, accept->text, accept->text_len);
    args_add_str(args, accept->client);
    args_add_str(args, how[accept->how]);
    args_add_number(args, accept->history);
    args_add_number(args, accept->pending);
}

void call_refresh(struct args *args, const struct session_keys *keys, int64_t ttl_ms)
{
    token_call(args, "banter_refresh", keys);
    args_add_number(args, ttl_ms);
    args_add_str(args, keys->replies);
}

void call_end(struct args *args, const struct session_keys *keys)
{
    token_call(args, "banter_end", keys);
    args_add_str(args, keys->replies);
}

static void add_turn(struct args *args, const struct call_turn *turn)
{
    args_add_str(args, turn->message);
    args_add_str(args, turn->entry);
    args_add_str(args, turn->tag);
}

void call_delta(struct args *args, const struct session_keys *keys, const char *requests, const struct call_turn *turn,
                int64_t offset, const char *piece, size_t len)
{
    session_call(args, "banter_delta", keys, requests);
    add_turn(args, turn);
    args_add_number(args, offset);
    args_add(args, piece, len);
    args_add_str(args, keys->replies);
}

void call_reply(struct args *args, const struct session_keys *keys, const char *requests, const struct call_turn *turn,
                const struct call_reply *reply)
{
    session_call(args, "banter_reply", keys, requests);
    add_turn(args, turn);
    args_add_number(args, reply->offset);
    args_add(args, reply->text, reply->len);
    args_add_str(args, reply->role);
    add_flag(args, reply->cut);
    args_add_number(args, reply->history);
    args_add_str(args, keys->replies);
}

void call_abort(struct args *args, const struct session_keys *keys, const char *requests, const char *stop,
                const char *message, int64_t history)
{
    session_call(args, "banter_abort", keys, requests);
    args_add_str(args, message);
    args_add_number(args, history);
    args_add_str(args, stop);
    args_add_str(args, keys->replies);
}

void call_claim(struct args *args, const char *requests, const struct call_claim *claim)
{
    function_call(args, "banter_claim", 2);
    args_add_str(args, requests);
    args_add_str(args, KEYS_DEAD);
    args_add_str(args, claim->worker);
    args_add_number(args, claim->lease_ms);
    args_add_number(args, claim->room);
    args_add_number(args, claim->suspects);
    args_add_number(args, claim->deliveries);
    args_add_number(args, claim->run);
    args_add_number(args, claim->history);
    args_add_str(args, KEYS_PREFIX);
}

void call_read(struct args *args, const char *const *requests, int count_of_requests, const char *worker, int64_t count,
               int64_t block_ms)
{
    assert(count_of_requests <= CALL_READ_MAX);
    command(args, "XREADGROUP");
    args_add_str(args, "GROUP");
    args_add_str(args, KEYS_GROUP);
    args_add_str(args, worker);
    args_add_str(args, "COUNT");
    args_add_number(args, count);
    args_add_str(args, "BLOCK");
    args_add_number(args, block_ms);
    args_add_str(args, "STREAMS");
    add_all(args, requests, count_of_requests);
    for (int i = 0; i < count_of_requests; i++)
        args_add_str(args, ">");
}

static void own_entries_call(struct args *args, const char *function, const char *requests, const char *worker,
                             const char *const *entries, int count)
{
    assert(count <= CALL_RENEW_MAX);
    function_call(args, function, 1);
    args_add_str(args, requests);
    args_add_str(args, worker);
    add_all(args, entries, count);
}

void call_own(struct args *args, const char *requests, const char *worker, int64_t count)
{
    function_call(args, "banter_own", 1);
    args_add_str(args, requests);
    args_add_str(args, worker);
    args_add_number(args, count);
}

void call_renew(struct args *args, const char *requests, const char *worker, const char *const *entries, int count)
{
    own_entries_call(args, "banter_renew", requests, worker, entries, count);
}

void call_release(struct args *args, const char *requests, const char *worker, const char *const *entries, int count)
{
    own_entries_call(args, "banter_release", requests, worker, entries, count);
}

void call_group(struct args *args, const char *requests)
{
    command(args, "XGROUP");
    args_add_str(args, "CREATE");
    args_add_str(args, requests);
    args_add_str(args, KEYS_GROUP);
    args_add_str(args, "0");
    args_add_str(args, "MKSTREAM");
}

void call_beat_server(struct args *args, const char *id, int64_t connections, const char *version,
                      const char *const *requests, int count_of_requests)
{
    assert(count_of_requests <= CALL_BEAT_MAX);
    function_call(args, "banter_beat_server", 2 + count_of_requests);
    args_add_str(args, KEYS_NODES);
    args_add_str(args, KEYS_WORKERS);
    add_all(args, requests, count_of_requests);
    args_add_str(args, id);
    args_add_number(args, connections);
    args_add_str(args, version);
}

void call_beat_worker(struct args *args, const char *id, const char *bot, int64_t in_work, const char *version)
{
    function_call(args, "banter_beat_worker", 1);
    args_add_str(args, KEYS_WORKERS);
    args_add_str(args, id);
    args_add_str(args, bot);
    args_add_number(args, in_work);
    args_add_str(args, version);
}

void call_leave(struct args *args, bool is_server, const char *id)
{
    command(args, "HDEL");
    args_add_str(args, is_server ? KEYS_NODES : KEYS_WORKERS);
    args_add_str(args, id);
}

void call_sweep(struct args *args, const char *requests, const char *after, int64_t count)
{
    function_call(args, "banter_sweep", 1);
    args_add_str(args, requests);
    args_add_str(args, after);
    args_add_number(args, count);
    args_add_str(args, KEYS_PREFIX);
}

void call_retire(struct args *args, const char *requests, int64_t idle_ms)
{
    function_call(args, "banter_retire", 1);
    args_add_str(args, requests);
    args_add_number(args, idle_ms);
}
