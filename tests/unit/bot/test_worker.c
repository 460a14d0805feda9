/* Whole workers against a real Redis: order, takeover, restarts, the end. */
#include "bot/worker.h"
#include "bot_fixture.h"

enum { SHORT_LEASE_MS = 300, LONG_LEASE_MS = 60000 };

static int ready, stopped, away;

static void handle_ready(void *data)
{
    (void)data;
    ready++;
}

static void handle_away(void *data, const char *why)
{
    (void)data;
    CHECK(why[0] != '\0');
    away++;
}

static void handle_stopped(void *data)
{
    (void)data;
    stopped++;
}

static struct worker *open_worker_on(struct fixture *f, uv_loop_t *loop, const char *bot, int64_t lease_ms)
{
    struct worker *worker = NULL;
    char error[256] = "";
    struct worker_options options = {
        .loop = loop,
        .address = &f->address,
        .bot = bot,
        .lease_ms = lease_ms,
        .history = HISTORY,
        .max_answer = ANSWER_MAX,
        .concurrency = 64,
        .metrics = &f->metrics,
        .on_ready = handle_ready,
        .on_away = handle_away,
        .on_stopped = handle_stopped,
    };
    int result = worker_open(&worker, &options, error, sizeof error);
    CHECK_STR(error, "");
    CHECK(result == 0);
    return worker;
}

static struct worker *open_worker(struct fixture *f, const char *bot, int64_t lease_ms)
{
    int before = ready;
    struct worker *worker = open_worker_on(f, &f->loop, bot, lease_ms);
    RUN_UNTIL(f, ready == before + 1);
    return worker;
}

static void stop_worker(struct fixture *f, struct worker *worker, uint64_t grace_ms)
{
    int before = stopped;
    worker_stop(worker, grace_ms);
    CHECK(stopped == before);
    RUN_UNTIL(f, stopped == before + 1);
}

static void begin(struct fixture *f, const char *const *redis_settings)
{
    ready = stopped = away = 0;
    fixture_open(f, "b", redis_settings);
}

/* The session's questions were "0", "1", ... and each has its answer, once and in order. */
static void check_answers(struct fixture *f, const struct session *session, size_t count)
{
    struct answers answers;
    char expected[32];
    session_read(f, session, &answers);
    CHECK(answers.questions == count && answers.count == count);
    for (size_t i = 0; i < count; i++) {
        snprintf(expected, sizeof expected, "BOT: %zu", i);
        CHECK_STR(answers.role[i], "assistant");
        CHECK_STR(answers.text[i], expected);
    }
}

static void say_numbers(struct fixture *f, const struct session *session, size_t from, size_t to)
{
    char text[24];
    for (size_t i = from; i < to; i++) {
        snprintf(text, sizeof text, "%zu", i);
        session_say(f, session, text, NULL);
    }
}

static int64_t length_of_queue(struct fixture *f)
{
    ASK(f, "XLEN", f->requests);
    return f->integer;
}

static void test_a_thousand_messages_in_order(void)
{
    enum { SESSIONS = 50, MESSAGES = 20 };
    static struct session session[SESSIONS];
    struct fixture f;
    begin(&f, NULL);
    struct worker *first = open_worker(&f, "b=echo", LONG_LEASE_MS); /* loads the functions too */
    struct worker *second = open_worker(&f, "b=echo", LONG_LEASE_MS);
    for (size_t i = 0; i < SESSIONS; i++)
        session_open(&f, &session[i]);
    for (size_t n = 0; n < MESSAGES; n++)
        for (size_t i = 0; i < SESSIONS; i++)
            say_numbers(&f, &session[i], n, n + 1);
    RUN_UNTIL(&f, counted(&f, METRIC_TURNS_ANSWERED) == SESSIONS * MESSAGES);
    for (size_t i = 0; i < SESSIONS; i++)
        check_answers(&f, &session[i], MESSAGES);
    CHECK(length_of_queue(&f) == 0 && counted(&f, METRIC_TURNS_LOST) == 0);
    ASK(&f, "HLEN", KEYS_WORKERS);
    CHECK(f.integer == 2);
    stop_worker(&f, first, 5000);
    stop_worker(&f, second, 5000);
    ASK(&f, "HLEN", KEYS_WORKERS);
    CHECK(f.integer == 0 && away == 0);
    fixture_close(&f);
}

static void test_messages_from_before_the_group_are_answered(void)
{
    struct session session;
    struct fixture f;
    begin(&f, NULL);
    load_functions(&f);
    ASK(&f, "DEL", f.requests);
    session_open(&f, &session);
    say_numbers(&f, &session, 0, 1);
    struct worker *worker = open_worker(&f, "b=echo", LONG_LEASE_MS);
    RUN_UNTIL(&f, counted(&f, METRIC_TURNS_ANSWERED) == 1);
    check_answers(&f, &session, 1);

    ASK(&f, "XGROUP", "DESTROY", f.requests, KEYS_GROUP); /* the worker makes it again, at 0 */
    say_numbers(&f, &session, 1, 2);
    RUN_UNTIL(&f, counted(&f, METRIC_TURNS_ANSWERED) == 2);
    check_answers(&f, &session, 2);

    ASK(&f, "FUNCTION", "FLUSH"); /* its next beat says so, and it loads them again */
    RUN_UNTIL(&f, (ASK(&f, "FUNCTION", "LIST"), f.count == 1));
    say_numbers(&f, &session, 2, 3);
    RUN_UNTIL(&f, counted(&f, METRIC_TURNS_ANSWERED) == 3);
    check_answers(&f, &session, 3);
    stop_worker(&f, worker, 5000);
    fixture_close(&f);
}

/* The first worker falls silent in the middle of a turn: its loop does not run. Then it wakes and goes on. */
static void test_a_silent_worker_loses_its_turn(void)
{
    struct session session;
    struct fixture f;
    uv_loop_t other;
    begin(&f, NULL);
    CHECK(uv_loop_init(&other) == 0);
    struct worker *silent = open_worker_on(&f, &other, "b=echo:delay=100", SHORT_LEASE_MS);
    while (ready == 0)
        uv_run(&other, UV_RUN_ONCE);
    session_open(&f, &session);
    say_numbers(&f, &session, 0, 3);
    do {
        uv_run(&other, UV_RUN_NOWAIT);
        ASK(&f, "XPENDING", f.requests, KEYS_GROUP, "-", "+", "10");
    } while (f.count == 0);
    uv_run(&other, UV_RUN_NOWAIT); /* it has read its entry, and has not answered */

    struct worker *healthy = open_worker(&f, "b=echo", SHORT_LEASE_MS);
    RUN_UNTIL(&f, counted(&f, METRIC_TURNS_ANSWERED) == 3);
    uint64_t claimed = counted(&f, METRIC_TURNS_CLAIMED); /* its last read may have been given one more */
    CHECK(claimed == 1 || claimed == 2);
    check_answers(&f, &session, 3);

    while (counted(&f, METRIC_TURNS_LOST) == 0)
        uv_run(&other, UV_RUN_ONCE);
    check_answers(&f, &session, 3);
    CHECK(counted(&f, METRIC_TURNS_ANSWERED) == 3);
    worker_stop(silent, 5000);
    uv_run(&other, UV_RUN_DEFAULT);
    CHECK(stopped == 1 && uv_loop_close(&other) == 0);
    stop_worker(&f, healthy, 5000);
    fixture_close(&f);
}

/* A long answer outlives many leases: renewing keeps it, and does not count as a delivery. */
static void test_a_slow_bot_keeps_its_turn(void)
{
    struct session session;
    struct fixture f;
    begin(&f, NULL);
    struct worker *slow = open_worker(&f, "b=echo:delay=1500", SHORT_LEASE_MS);
    session_open(&f, &session);
    say_numbers(&f, &session, 0, 1);
    RUN_UNTIL(&f, (ASK(&f, "XPENDING", f.requests, KEYS_GROUP, "-", "+", "10"), f.count == 1));
    struct worker *other = open_worker(&f, "b=echo", SHORT_LEASE_MS);
    RUN_UNTIL(&f, counted(&f, METRIC_TURNS_ANSWERED) == 1);
    check_answers(&f, &session, 1);
    CHECK(counted(&f, METRIC_TURNS_CLAIMED) == 0 && counted(&f, METRIC_TURNS_LOST) == 0);
    stop_worker(&f, slow, 5000);
    stop_worker(&f, other, 5000);
    fixture_close(&f);
}

static void test_a_stopped_turn_is_cancelled_at_once(void)
{
    struct session session;
    struct fixture f;
    struct args args;
    char message[48], stop[KEY_MAX];
    begin(&f, NULL);
    struct worker *worker = open_worker(&f, "b=echo:delay=60000", LONG_LEASE_MS);
    keys_stop(stop, "b");
    RUN_UNTIL(&f, (ASK(&f, "PUBSUB", "CHANNELS", stop), f.count == 1));
    session_open(&f, &session);
    session_say(&f, &session, "tell", message);
    RUN_UNTIL(&f, (ASK(&f, "XPENDING", f.requests, KEYS_GROUP, "-", "+", "10"), f.count == 1));
    call_abort(&args, &session.keys, f.requests, stop, message, HISTORY);
    ask(&f, &args);
    RUN_UNTIL(&f, counted(&f, METRIC_TURNS_LOST) == 1);
    stop_worker(&f, worker, 60000); /* nothing is left to wait for */
    fixture_close(&f);
}

static void test_redis_dies_and_comes_back(void)
{
    enum { SESSIONS = 10, MESSAGES = 10, KILLS = 3 };
    static const char *const settings[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    struct session session[SESSIONS];
    struct fixture f;
    begin(&f, settings);
    struct worker *worker = open_worker(&f, "b=echo:delay=5", LONG_LEASE_MS);
    for (size_t i = 0; i < SESSIONS; i++)
        session_open(&f, &session[i]);
    for (int kill = 0; kill < KILLS; kill++) {
        uint64_t enough = counted(&f, METRIC_TURNS_ANSWERED) + SESSIONS * MESSAGES / 2;
        for (size_t i = 0; i < SESSIONS; i++)
            say_numbers(&f, &session[i], (size_t)kill * MESSAGES, (size_t)(kill + 1) * MESSAGES);
        RUN_UNTIL(&f, counted(&f, METRIC_TURNS_ANSWERED) >= enough);
        redis_child_kill(&f.redis);
        RUN_UNTIL(&f, away == kill + 1);
        redis_child_run(&f.redis);
        RUN_UNTIL(&f, redis_link_is_connected(f.link));
    }
    RUN_UNTIL(&f, length_of_queue(&f) == 0);
    for (size_t i = 0; i < SESSIONS; i++)
        check_answers(&f, &session[i], KILLS * MESSAGES);
    stop_worker(&f, worker, 5000);
    fixture_close(&f);
}

/* Redis gave the worker an entry, but the answer that held it was lost with the connection: the lease is not waited
 * for. */
static void test_an_entry_that_never_arrived(void)
{
    struct session session;
    struct fixture f;
    struct args args;
    uv_loop_t other;
    char name[64];
    begin(&f, NULL);
    CHECK(uv_loop_init(&other) == 0);
    struct worker *worker = open_worker_on(&f, &other, "b=echo", LONG_LEASE_MS);
    while (ready == 0)
        uv_run(&other, UV_RUN_ONCE);
    RUN_UNTIL(&f, (ASK(&f, "INFO", "clients"), strstr(f.text, "blocked_clients:0") != NULL)); /* its read is over */
    ASK(&f, "HKEYS", KEYS_WORKERS);
    snprintf(name, sizeof name, "%.63s", f.text);
    session_open(&f, &session);
    say_numbers(&f, &session, 0, 1);
    const char *requests = f.requests;
    call_read(&args, &requests, 1, name, 1, 1000);
    ask(&f, &args);
    CHECK(f.count == 1);
    ASK(&f, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    while (counted(&f, METRIC_TURNS_ANSWERED) == 0)
        uv_run(&other, UV_RUN_ONCE);
    check_answers(&f, &session, 1);
    worker_stop(worker, 5000);
    uv_run(&other, UV_RUN_DEFAULT);
    CHECK(stopped == 1 && uv_loop_close(&other) == 0);
    fixture_close(&f);
}

static void test_redis_comes_back_empty(void)
{
    struct session session;
    struct fixture f;
    begin(&f, NULL);
    struct worker *worker = open_worker(&f, "b=echo", LONG_LEASE_MS);
    redis_child_kill(&f.redis);
    RUN_UNTIL(&f, away == 1);
    redis_child_run(&f.redis);
    RUN_UNTIL(&f, redis_link_is_connected(f.link));
    RUN_UNTIL(&f, (ASK(&f, "HLEN", KEYS_WORKERS), f.integer == 1));
    session_open(&f, &session);
    say_numbers(&f, &session, 0, 2);
    RUN_UNTIL(&f, counted(&f, METRIC_TURNS_ANSWERED) == 2);
    check_answers(&f, &session, 2);
    CHECK(ready == 1);
    stop_worker(&f, worker, 5000);
    fixture_close(&f);
}

/* What is in work at a stop is finished; what its time does not suffice for goes back, and is taken at once by another.
 */
static void test_stopping(void)
{
    struct session session;
    struct fixture f;
    begin(&f, NULL);
    struct worker *worker = open_worker(&f, "b=echo:delay=300", LONG_LEASE_MS);
    session_open(&f, &session);
    say_numbers(&f, &session, 0, 2);
    RUN_UNTIL(&f, (ASK(&f, "XPENDING", f.requests, KEYS_GROUP, "-", "+", "10"), f.count == 1));
    stop_worker(&f, worker, 5000);
    CHECK(counted(&f, METRIC_TURNS_ANSWERED) == 1 && length_of_queue(&f) == 1);

    worker = open_worker(&f, "b=echo:delay=60000", LONG_LEASE_MS);
    RUN_UNTIL(&f, (ASK(&f, "XPENDING", f.requests, KEYS_GROUP, "-", "+", "10"), f.count == 1));
    worker_stop(worker, 60000);
    stop_worker(&f, worker, 0);
    worker = open_worker(&f, "b=echo", LONG_LEASE_MS);
    RUN_UNTIL(&f, counted(&f, METRIC_TURNS_ANSWERED) == 2);
    check_answers(&f, &session, 2);
    stop_worker(&f, worker, 5000);
    fixture_close(&f);
}

static void test_stopping_without_redis(void)
{
    struct fixture f;
    begin(&f, NULL);
    redis_child_kill(&f.redis);
    struct worker *worker = open_worker_on(&f, &f.loop, "b=echo", LONG_LEASE_MS);
    RUN_UNTIL(&f, away == 1);
    CHECK(ready == 0);
    stop_worker(&f, worker, 5000);
    fixture_close(&f);
}

static void test_what_is_wrong_is_said(void)
{
    struct fixture f;
    struct worker *worker = NULL;
    char error[256], name[BOT_NAME_MAX + 1];
    begin(&f, NULL);
    struct worker_options options = {.loop = &f.loop, .address = &f.address, .bot = "ecoh", .metrics = &f.metrics};
    CHECK(worker_open(&worker, &options, error, sizeof error) == -EINVAL && !worker);
    CHECK_STR(error, "--bot ecoh: there is no bot type \"ecoh\". Did you mean echo?");
    options.bot = "echo:delay=x";
    CHECK(worker_open(&worker, &options, error, sizeof error) == -EINVAL && !worker);
    CHECK_STR(error, "echo: delay=x: a number from 0 to 60000 is expected");
    CHECK(!worker_bot_spec_check("ecoh", name, error, sizeof error));
    CHECK(worker_bot_spec_check("x=echo:delay=1", name, error, sizeof error));
    CHECK_STR(name, "x");
    fixture_close(&f);
}

int main(void)
{
    test_what_is_wrong_is_said();
    test_a_thousand_messages_in_order();
    test_messages_from_before_the_group_are_answered();
    test_a_silent_worker_loses_its_turn();
    test_a_slow_bot_keeps_its_turn();
    test_a_stopped_turn_is_cancelled_at_once();
    test_redis_dies_and_comes_back();
    test_an_entry_that_never_arrived();
    test_redis_comes_back_empty();
    test_stopping();
    test_stopping_without_redis();
    return 0;
}
