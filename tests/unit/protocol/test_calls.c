/* Each call as the words it sends. That the functions take them so is tested in tests/functions and by the scenarios.
 */
#include "check.h"
#include "protocol/calls.h"

#define TOKEN   "7d444840-9dc0-41d1-b245-5ffdce74fad2"
#define SESSION "banter:{0}:session:" TOKEN
#define HISTORY "banter:{0}:messages:" TOKEN
#define DRAFT   "banter:{0}:draft:" TOKEN
#define REPLIES "banter:{0}:replies:" TOKEN
#define QUEUE   "banter:{0}:requests:echo"
#define STOP    "banter:{0}:stop:echo"

static struct args args;
static struct session_keys keys;

/* CHECK_WORDS("FCALL", ...): the list is exactly these words. */
#define CHECK_WORDS(...) check_words((const char *const[]){__VA_ARGS__, NULL})

static void check_words(const char *const *expected)
{
    int i = 0;
    for (; expected[i] != NULL; i++) {
        CHECK(i < args.count);
        CHECK(args.len[i] == strlen(expected[i]));
        if (memcmp(args.value[i], expected[i], args.len[i]) != 0) {
            fprintf(stderr, "word %d is \"%.*s\", expected \"%s\"\n", i, (int)args.len[i], args.value[i], expected[i]);
            exit(1);
        }
    }
    CHECK(args.count == i);
}

static void test_calls_on_sessions(void)
{
    call_open(
        &args, &keys, QUEUE,
        &(struct call_open){.ttl_ms = 3600000, .name = "Ann!", .name_len = 3, .bot = "echo", .bot_must_exist = true});
    CHECK_WORDS("FCALL", "banter_open", "4", SESSION, HISTORY, QUEUE, DRAFT, "3600000", "0", "1", "Ann", "echo");
    call_attach(&args, &keys, "0-0", 100);
    CHECK_WORDS("FCALL", "banter_attach", "3", SESSION, HISTORY, DRAFT, "0-0", "100");
    call_refresh(&args, &keys, 60000);
    CHECK_WORDS("FCALL", "banter_refresh", "3", SESSION, HISTORY, DRAFT, "60000", REPLIES);
    call_end(&args, &keys);
    CHECK_WORDS("FCALL", "banter_end", "3", SESSION, HISTORY, DRAFT, REPLIES);
    call_abort(&args, &keys, QUEUE, STOP, "5-0", 1000);
    CHECK_WORDS("FCALL", "banter_abort", "4", SESSION, HISTORY, QUEUE, DRAFT, "5-0", "1000", STOP, REPLIES);
}

static void test_accept_says_how(void)
{
    static const struct {
        enum call_accept_how how;
        const char *word;
    } ways[] = {{ACCEPT_FRESH, "fresh"}, {ACCEPT_KEEP, "keep"}, {ACCEPT_RETRY, "retry"}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct call_accept accept = {.text = "hi", .text_len = 2, .client = "c1", .history = 500, .pending = 8};
        accept.how = ways[i].how;
        call_accept(&args, &keys, QUEUE, &accept);
        CHECK_WORDS("FCALL", "banter_accept", "4", SESSION, HISTORY, QUEUE, DRAFT, "hi", "c1", ways[i].word, "500",
                    "8");
    }
}

static void test_texts_are_binary_safe(void)
{
    call_accept(&args, &keys, QUEUE, &(struct call_accept){.text = "a\0\r\n*3", .text_len = 6, .client = ""});
    CHECK(args.len[7] == 6);
    CHECK(memcmp(args.value[7], "a\0\r\n*3", 6) == 0);
    CHECK(args.len[8] == 0);
}

static void test_calls_on_turns(void)
{
    const struct call_turn turn = {.message = "5-0", .entry = "6-0", .tag = "1.w.1"};
    call_delta(&args, &keys, QUEUE, &turn, 12, "piece", 5);
    CHECK_WORDS("FCALL", "banter_delta", "4", SESSION, HISTORY, QUEUE, DRAFT, "5-0", "6-0", "1.w.1", "12", "piece",
                REPLIES);
    const struct call_reply reply = {.text = "end", .len = 3, .role = "assistant", .cut = true, .history = 500};
    call_reply(&args, &keys, QUEUE, &turn, &reply);
    CHECK_WORDS("FCALL", "banter_reply", "4", SESSION, HISTORY, QUEUE, DRAFT, "5-0", "6-0", "1.w.1", "0", "end",
                "assistant", "1", "500", REPLIES);
}

static void test_calls_of_workers(void)
{
    const char *const two[] = {"6-0", "7-0"}, *const queue[] = {QUEUE};
    const struct call_claim claim = {
        .worker = "w", .lease_ms = 60000, .room = 3, .suspects = 1, .history = 500, .deliveries = 5, .run = 77};
    call_claim(&args, QUEUE, &claim);
    CHECK_WORDS("FCALL", "banter_claim", "2", QUEUE, "banter:{0}:dead", "w", "60000", "3", "1", "5", "77", "500",
                "banter:{0}:");
    call_read(&args, queue, 1, "w", 16, 2000);
    CHECK_WORDS("XREADGROUP", "GROUP", "bots", "w", "COUNT", "16", "BLOCK", "2000", "STREAMS", QUEUE, ">");
    call_renew(&args, QUEUE, "w", two, 2);
    CHECK_WORDS("FCALL", "banter_renew", "1", QUEUE, "w", "6-0", "7-0");
    call_release(&args, QUEUE, "w", two, 2);
    CHECK_WORDS("FCALL", "banter_release", "1", QUEUE, "w", "6-0", "7-0");
    call_group(&args, QUEUE);
    CHECK_WORDS("XGROUP", "CREATE", QUEUE, "bots", "0", "MKSTREAM");
}

static void test_calls_of_the_house(void)
{
    const char *const queues[] = {QUEUE, "banter:{0}:requests:llm"};
    call_beat_server(&args, "n1", 42, "0.1.0", queues, 2);
    CHECK_WORDS("FCALL", "banter_beat_server", "4", "banter:nodes", "banter:workers", QUEUE, queues[1], "n1", "42",
                "0.1.0");
    call_beat_worker(&args, "w1", "echo", 3, "0.1.0");
    CHECK_WORDS("FCALL", "banter_beat_worker", "1", "banter:workers", "w1", "echo", "3", "0.1.0");
    call_leave(&args, true, "n1");
    CHECK_WORDS("HDEL", "banter:nodes", "n1");
    call_leave(&args, false, "w1");
    CHECK_WORDS("HDEL", "banter:workers", "w1");
    call_sweep(&args, QUEUE, "", 100);
    CHECK_WORDS("FCALL", "banter_sweep", "1", QUEUE, "", "100", "banter:{0}:");
    call_retire(&args, QUEUE, 3600000);
    CHECK_WORDS("FCALL", "banter_retire", "1", QUEUE, "3600000");
}

/* The greatest lists there are must fit into struct args. */
static void test_lists_at_their_limits(void)
{
    const char *many[CALL_RENEW_MAX];
    for (size_t i = 0; i < CALL_RENEW_MAX; i++)
        many[i] = "6-0";
    call_renew(&args, QUEUE, "w", many, CALL_RENEW_MAX);
    call_release(&args, QUEUE, "w", many, CALL_RENEW_MAX);
    call_read(&args, many, CALL_READ_MAX, "w", 1, 1);
    call_beat_server(&args, "n1", 1, "0.1.0", many, CALL_BEAT_MAX);
    CHECK(args.count == CALL_BEAT_MAX + 8);
}

static void test_the_library_travels_with_its_version(void)
{
    CHECK(strlen(functions_lua) == functions_lua_len);
    CHECK(calls_library_version(functions_lua, functions_lua_len) > 0);
    call_function_load(&args);
    CHECK_WORDS("FUNCTION", "LOAD", "REPLACE", functions_lua);
    call_function_list(&args);
    CHECK_WORDS("FUNCTION", "LIST", "LIBRARYNAME", "banter", "WITHCODE");
}

static int version_of(const char *code)
{
    return calls_library_version(code, strlen(code));
}

static void test_versions(void)
{
    CHECK(version_of("#!lua name=banter\n-- version 12\n-- more\n") == 12);
    CHECK(version_of("#!lua name=banter\n-- version 7") == 7);
    CHECK(calls_library_version("#!lua\n-- version 123", 19) == 12); /* reads no further than `len` */
    CHECK(version_of("#!lua name=banter\n-- version \n5") == 0);
    CHECK(version_of("#!lua name=banter\n-- versi") == 0);
    CHECK(version_of("#!lua name=banter\n\n-- version 5") == 0);
    CHECK(version_of("#!lua name=banter -- version 5") == 0);
    CHECK(version_of("#!lua\n-- version 99999999999999999999") == 999999); /* does not overflow */
    CHECK(version_of("") == 0);
}

int main(void)
{
    struct token token;
    CHECK(token_parse(&token, TOKEN, TOKEN_LEN));
    keys_of_session(&keys, &token);
    test_calls_on_sessions();
    test_accept_says_how();
    test_texts_are_binary_safe();
    test_calls_on_turns();
    test_calls_of_workers();
    test_calls_of_the_house();
    test_lists_at_their_limits();
    test_the_library_travels_with_its_version();
    test_versions();
    return 0;
}
