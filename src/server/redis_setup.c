#include "server/redis_setup.h"
#include "protocol/calls.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The scratch session goes by itself, should its end never be reached; a slow Redis must get through the test before.
 */
enum { SCRATCH_TTL_MS = 20000, SCRATCH_HISTORY = 100 };

static const char readme[] =
    "Banter keeps its conversations here. {0} is the partition tag: keys that share it share a Cluster slot.\n"
    "  banter:{0}:session:<token>   HASH    name, bot, session_start, expires_at; last: newest id of the history;\n"
    "                                       work: the question being answered; waiting: those after it\n"
    "  banter:{0}:messages:<token>  STREAM  the history: role, msg, reply_to; an entry's id is its time\n"
    "  banter:{0}:draft:<token>     STRING  the answer that is being streamed\n"
    "  banter:{0}:requests:<bot>    STREAM  questions for the bot's workers (group bots)\n"
    "  banter:{0}:replies:<token>   channel what happens in a session, as JSON\n"
    "  banter:{0}:stop:<bot>        channel turns that were stopped\n"
    "  banter:{0}:dead              STREAM  turns that failed five times: token and id\n"
    "  banter:nodes, banter:workers HASH    servers and workers that are alive\n"
    "Every key of a session has an expiry. The functions are the library `banter` (FUNCTION LIST).\n";

static void advance(struct redis_setup *setup);

static void fail(struct redis_setup *setup, const char *what, const char *detail, bool fatal)
{
    char why[256];
    snprintf(why, sizeof why, "%s%s%s", what, *detail ? ": " : "", detail);
    setup->on_done(setup, why, fatal);
}

/* The value of `name:` in the text that INFO answers, without the line end. */
static bool info_value(const char *info, const char *name, char *out, size_t size)
{
    const char *at = strstr(info, name);
    if (!at)
        return false;
    at += strlen(name);
    snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
    return true;
}

static void ask_info(struct redis_setup *setup, struct args *args)
{
    (void)setup;
    args_add_str(args, "INFO");
}

static bool check_info(struct redis_setup *setup, const struct redis_value *reply)
{
    char policy[32];
    int major = 0, minor = 0, patch = 0;
    if (!info_value(reply->str, "redis_version:", setup->redis_version, sizeof setup->redis_version) ||
        sscanf(setup->redis_version, "%d.%d.%d", &major, &minor, &patch) != 3) {
        fail(setup, "this does not answer INFO as Redis does", "", false);
        return false;
    }
    if (major * 10000 + minor * 100 + patch < 70005) {
        fail(setup, "Redis is older than 7.0.5, the first version that is safe to use here", setup->redis_version,
             true);
        return false;
    }
    if (info_value(reply->str, "maxmemory_policy:", policy, sizeof policy) && strcmp(policy, "noeviction") != 0) {
        fail(setup, "Redis would throw sessions away when its memory is full; set maxmemory-policy noeviction, it is",
             policy, true);
        return false;
    }
    return true;
}

static void ask_functions(struct redis_setup *setup, struct args *args)
{
    (void)setup;
    call_function_list(args);
}

/* [[library_name, banter, engine, LUA, functions, [...], library_code, text]]; RESP2 pairs */
static const struct redis_value *library_code(const struct redis_value *reply)
{
    if (reply->count == 0)
        return NULL;
    const struct redis_value *library = &reply->item[0];
    for (size_t i = 0; i + 1 < library->count; i += 2)
        if (strcmp(library->item[i].str, "library_code") == 0)
            return &library->item[i + 1];
    return NULL;
}

static bool check_functions(struct redis_setup *setup, const struct redis_value *reply)
{
    const struct redis_value *code = library_code(reply);
    int there = code ? calls_library_version(code->str, code->len) : 0;
    int ours = calls_library_version(functions_lua, functions_lua_len);
    if (there > ours && !setup->tolerate_newer) {
        fail(setup, "a newer Banter uses this Redis; start that version, or give this one a Redis of its own", "",
             true);
        return false;
    }
    bool same = code && code->len == functions_lua_len && memcmp(code->str, functions_lua, code->len) == 0;
    if (same || there > ours)
        setup->step++; /* nothing to load */
    return true;
}

static void ask_load(struct redis_setup *setup, struct args *args)
{
    (void)setup;
    call_function_load(args);
}

static void ask_readme(struct redis_setup *setup, struct args *args)
{
    (void)setup;
    args_add_str(args, "SET");
    args_add_str(args, KEYS_README);
    args_add(args, readme, sizeof readme - 1);
}

static void ask_open(struct redis_setup *setup, struct args *args)
{
    call_open(args, &setup->keys, setup->queue,
              &(struct call_open){.ttl_ms = SCRATCH_TTL_MS, .name = "self-test", .name_len = 9, .bot = "self-test"});
}

static void ask_accept(struct redis_setup *setup, struct args *args)
{
    call_accept(
        args, &setup->keys, setup->queue,
        &(struct call_accept){.text = "?", .text_len = 1, .client = "", .history = SCRATCH_HISTORY, .pending = 1});
}

static bool check_accept(struct redis_setup *setup, const struct redis_value *reply)
{
    if (reply->count == 2 && reply->item[0].len < sizeof setup->message) {
        strcpy(setup->message, reply->item[0].str);
        return true;
    }
    fail(setup, "a message could not be stored", "", false);
    return false;
}

/* Should the last step never be reached: the queue of no bot does not stay for ever. */
static void ask_expiry(struct redis_setup *setup, struct args *args)
{
    args_add_str(args, "PEXPIRE");
    args_add_str(args, setup->queue);
    args_add_number(args, SCRATCH_TTL_MS);
}

static void ask_entry(struct redis_setup *setup, struct args *args)
{
    args_add_str(args, "XRANGE");
    args_add_str(args, setup->queue);
    args_add_str(args, "-");
    args_add_str(args, "+");
}

static bool check_entry(struct redis_setup *setup, const struct redis_value *reply)
{
    if (reply->count == 1 && reply->item[0].count == 2 && reply->item[0].item[0].len < sizeof setup->entry) {
        strcpy(setup->entry, reply->item[0].item[0].str);
        return true;
    }
    fail(setup, "a message did not reach the queue", "", false);
    return false;
}

static void ask_reply(struct redis_setup *setup, struct args *args)
{
    struct call_turn turn = {.message = setup->message, .entry = setup->entry, .tag = "1.self-test.1"};
    call_reply(args, &setup->keys, setup->queue, &turn,
               &(struct call_reply){.text = "!", .len = 1, .role = "assistant", .history = SCRATCH_HISTORY});
}

static void ask_end(struct redis_setup *setup, struct args *args)
{
    call_end(args, &setup->keys);
}

static void ask_forget_queue(struct redis_setup *setup, struct args *args)
{
    args_add_str(args, "DEL");
    args_add_str(args, setup->queue);
}

/* The chain. `check` (NULL: any answer but an error will do) may refuse, or skip the step behind it. */
static const struct step {
    void (*ask)(struct redis_setup *setup, struct args *args);
    bool (*check)(struct redis_setup *setup, const struct redis_value *reply);
    const char *trouble;
} steps[] = {
    {ask_info, check_info, "Redis does not let this user run INFO"},
    {ask_functions, check_functions, "Redis does not let this user list functions"},
    {ask_load, NULL, "Redis does not let this user load functions"},
    {ask_readme, NULL, "Redis does not let this user write banter:README"},
    {ask_open, NULL, "the self-test could not open a session"},
    {ask_accept, check_accept, "the self-test could not store a message"},
    {ask_expiry, NULL, "the self-test could not set an expiry"},
    {ask_entry, check_entry, "the self-test could not read the queue"},
    {ask_reply, NULL, "the self-test could not store and publish an answer"},
    {ask_end, NULL, "the self-test could not end its session"},
    {ask_forget_queue, NULL, "the self-test could not delete its queue"},
};

static void handle_reply(void *data, int status, const struct redis_value *reply)
{
    struct redis_setup *setup = data;
    const struct step *step = &steps[setup->step];
    if (status)
        return; /* the link is lost; its next connection starts over */
    if (redis_value_is_error(reply, "OOM")) {
        setup->on_done(setup, NULL,
                       false); /* full, not forbidden: what needs no memory works, new messages are refused as busy */
        return;
    }
    if (reply->type == REDIS_TYPE_ERROR) {
        fail(setup, step->trouble, reply->str, false);
        return;
    }
    if (step->check && !step->check(setup, reply))
        return;
    setup->step++;
    if ((size_t)setup->step < COUNT_OF(steps))
        advance(setup);
    else
        setup->on_done(setup, NULL, false);
}

static void advance(struct redis_setup *setup)
{
    struct args args;
    args_init(&args);
    steps[setup->step].ask(setup, &args);
    if (redis_link_command(setup->link, &args, handle_reply, setup))
        fail(setup, "a command could not be sent", "", false);
}

void redis_setup_start(struct redis_setup *setup, struct redis_link *link, bool tolerate_newer)
{
    setup->link = link;
    setup->tolerate_newer = tolerate_newer;
    setup->step = 0;
    if (token_make(&setup->token)) {
        fail(setup, "the kernel gave no random bytes", "", false);
        return;
    }
    keys_of_session(&setup->keys, &setup->token);
    /* The scratch queue bears the token as its name, which is too long for any bot's. */
    snprintf(setup->queue, sizeof setup->queue, KEYS_PREFIX "requests:%s", setup->token.text);
    advance(setup);
}
