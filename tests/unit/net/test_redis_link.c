#include "link_fixture.h"
#include "redis_child.h"
#include <time.h>

static struct redis_child redis; /* one for all tests that leave it as it was */

static void test_types(void)
{
    struct fixture f;
    fixture_connect(&f, redis.url);
    ASK(&f, "PING");
    CHECK(f.got.type == REDIS_TYPE_STATUS);
    CHECK_STR(f.text, "PONG");
    ASK(&f, "ECHO", "hello");
    CHECK(f.got.type == REDIS_TYPE_STRING && f.got.len == 5);
    CHECK_STR(f.text, "hello");
    ASK(&f, "GET", "no-such-key");
    CHECK(f.got.type == REDIS_TYPE_NIL);
    CHECK_STR(f.text, "");
    ASK(&f, "INCRBY", "number", "-9223372036854775808");
    CHECK(f.got.type == REDIS_TYPE_INTEGER && f.got.integer == INT64_MIN);
    ASK(&f, "NO-SUCH-COMMAND");
    CHECK(f.got.type == REDIS_TYPE_ERROR && f.last_status == 0);
    CHECK(strncmp(f.text, "ERR unknown command", 19) == 0);
    ASK(&f, "LRANGE", "no-such-key", "0", "-1");
    CHECK(f.got.type == REDIS_TYPE_ARRAY && f.got.count == 0);
    ASK(&f, "ECHO", "");
    CHECK(f.got.type == REDIS_TYPE_STRING && f.got.len == 0);
    CHECK(redis_link_pending(f.link) == 0 && f.lost == 0);
    fixture_done(&f);
}

static void check_two_entries(void *data, int status, const struct redis_value *answer)
{
    struct fixture *f = data;
    CHECK(status == 0 && answer->type == REDIS_TYPE_ARRAY && answer->count == 2);
    const struct redis_value *second = &answer->item[1];
    CHECK(answer->item[0].count == 2 && second->count == 2);
    CHECK_STR(answer->item[0].item[0].str, "1-0");
    CHECK_STR(second->item[0].str, "2-0");
    CHECK(second->item[1].type == REDIS_TYPE_ARRAY && second->item[1].count == 4);
    CHECK_STR(second->item[1].item[0].str, "role");
    CHECK_STR(second->item[1].item[3].str, "hi");
    tell(f, &f->answers);
}

static void test_nested_arrays(void)
{
    struct fixture f;
    fixture_connect(&f, redis.url);
    ASK(&f, "XADD", "stream", "1-0", "role", "user");
    ASK(&f, "XADD", "stream", "2-0", "role", "user", "msg", "hi");
    CHECK(send_words(&f, check_two_entries, "XRANGE", "stream", "-", "+", NULL) == 0);
    run_until(&f, &f.answers, 3);
    fixture_done(&f);
}

static void check_next_number(void *data, int status, const struct redis_value *answer)
{
    struct fixture *f = data;
    CHECK(status == 0 && atoi(answer->str) == f->answers);
    tell(f, &f->answers);
}

/* What one turn queues leaves in one write, so Redis needs few reads for it, and the answers keep the order. */
static void test_pipelining(void)
{
    enum { COMMANDS = 1000 };
    struct fixture f;
    fixture_connect(&f, redis.url);
    ASK(&f, "CONFIG", "RESETSTAT");
    f.answers = 0;
    for (int i = 0; i < COMMANDS; i++) {
        char number[12];
        snprintf(number, sizeof number, "%d", i);
        CHECK(send_words(&f, check_next_number, "ECHO", number, NULL) == 0);
    }
    CHECK(f.answers == 0); /* never from inside the call */
    CHECK(redis_link_pending(f.link) == COMMANDS);
    run_until(&f, &f.answers, COMMANDS);
    ASK(&f, "EVAL", "return redis.call('INFO', 'stats'):match('total_reads_processed:(%d+)')", "0");
    CHECK(atoi(f.text) < 20);
    fixture_done(&f);
}

static void check_big(void *data, int status, const struct redis_value *answer)
{
    struct fixture *f = data;
    CHECK(status == 0 && answer->type == REDIS_TYPE_STRING && answer->len == 1 << 20);
    CHECK(answer->str[0] == '\0' && answer->str[1] == '\r' && answer->str[2] == '\n' && answer->str[3] == 'x');
    CHECK(answer->str[(1 << 20) - 1] == 'x' && answer->str[1 << 20] == '\0');
    tell(f, &f->answers);
}

static void test_big_and_binary(void)
{
    enum { SIZE = 1 << 20 };
    struct fixture f;
    fixture_connect(&f, redis.url);
    char *big = malloc(SIZE);
    CHECK(big);
    memset(big, 'x', SIZE);
    memcpy(big, "\0\r\n", 3);
    struct args args;
    args_init(&args);
    args_add_str(&args, "SET");
    args_add_str(&args, "big");
    args_add(&args, big, SIZE);
    CHECK(redis_link_command(f.link, &args, handle_answer, &f) == 0);
    free(big);
    CHECK(send_words(&f, check_big, "GET", "big", NULL) == 0);
    CHECK(send_words(&f, check_big, "GET", "big", NULL) == 0);
    run_until(&f, &f.answers, 3);
    fixture_done(&f);
}

static void test_caps(void)
{
    struct fixture f;
    fixture_init(&f, redis.url);
    f.options.max_output = 300;
    fixture_open(&f);
    CHECK(!redis_link_is_connected(f.link));
    CHECK(send_words(&f, handle_answer, "PING", NULL) == -ENOTCONN);
    CHECK(send_words(&f, NULL, "PING", NULL) == -ENOTCONN);
    run_until(&f, &f.connected, 1);
    CHECK(redis_link_is_connected(f.link));
    int queued = 0;
    while (send_words(&f, handle_answer, "PING", NULL) == 0)
        queued++;
    CHECK(queued > 2 && queued < 30);
    CHECK(send_words(&f, handle_answer, "PING", NULL) == -ENOBUFS);
    run_until(&f, &f.answers, queued);
    CHECK(redis_link_pending(f.link) == 0);
    ASK(&f, "PING"); /* written, so there is room again */
    fixture_done(&f);
}

/* 8 MiB while Redis does not read: far more than a socket holds. */
static void test_output_beyond_the_kernel(void)
{
    enum { SIZE = 64 << 10, COMMANDS = 128 };
    static char text[SIZE + 1];
    struct fixture f;
    fixture_connect(&f, redis.url);
    memset(text, 'x', SIZE);
    kill(redis.pid, SIGSTOP);
    for (int i = 0; i < COMMANDS; i++)
        CHECK(send_words(&f, handle_answer, "ECHO", text, NULL) == 0);
    for (int i = 0; i < 4; i++)
        uv_run(&f.loop, UV_RUN_NOWAIT);
    CHECK(send_words(&f, handle_answer, "ECHO", "last", NULL) == 0);
    CHECK(redis_link_pending(f.link) == COMMANDS + 1);
    kill(redis.pid, SIGCONT);
    run_until(&f, &f.answers, COMMANDS + 1);
    CHECK_STR(f.text, "last");
    fixture_done(&f);
}

static void test_command_deadline(void)
{
    struct fixture f;
    fixture_init(&f, redis.url);
    f.options.command_timeout_ms = 100;
    f.options.connect_timeout_ms = 100;
    fixture_open(&f);
    run_until(&f, &f.connected, 1);
    kill(redis.pid, SIGSTOP);
    CHECK(send_words(&f, handle_answer, "PING", NULL) == 0);
    CHECK(send_words(&f, handle_answer, "PING", NULL) == 0);
    run_until(&f, &f.lost, 1);
    CHECK(f.answers == 2 && f.last_status == -ETIMEDOUT);
    CHECK_STR(f.why, "no answer from Redis for 100 ms");
    run_until(&f, &f.lost, 2); /* the kernel accepts, but nobody answers PING */
    CHECK_STR(f.why, "no connection to Redis within 100 ms");
    kill(redis.pid, SIGCONT);
    run_until(&f, &f.connected, 2);
    ASK(&f, "PING");
    CHECK(f.last_status == 0);
    fixture_done(&f);
}

/* The answer comes in time, but this loop looks too late: that is not Redis's fault. */
static void test_own_stall(void)
{
    struct fixture f;
    fixture_init(&f, redis.url);
    f.options.command_timeout_ms = 200;
    fixture_open(&f);
    run_until(&f, &f.connected, 1);
    kill(redis.pid, SIGSTOP);
    CHECK(send_words(&f, handle_answer, "PING", NULL) == 0);
    uv_run(&f.loop, UV_RUN_NOWAIT);
    kill(redis.pid, SIGCONT);
    nanosleep(&(struct timespec){.tv_nsec = 300 * 1000 * 1000}, NULL);
    run_until(&f, &f.answers, 1);
    CHECK(f.last_status == 0 && f.lost == 0);
    fixture_done(&f);
}

static void test_killed_and_restarted(void)
{
    struct redis_child mortal;
    struct fixture f;
    redis_child_start(&mortal, false, NULL);
    fixture_connect(&f, mortal.url);
    kill(mortal.pid, SIGSTOP);
    CHECK(send_words(&f, handle_answer, "PING", NULL) == 0);
    uv_run(&f.loop, UV_RUN_NOWAIT);
    redis_child_kill(&mortal);
    run_until(&f, &f.lost, 1);
    CHECK(f.answers == 1 && f.last_status == -ECONNRESET);
    CHECK(!redis_link_is_connected(f.link) && redis_link_pending(f.link) == 0);
    run_until(&f, &f.lost, 2);
    CHECK_STR(f.why, "cannot connect to Redis: connection refused");
    redis_child_run(&mortal);
    run_until(&f, &f.connected, 2);
    ASK(&f, "PING");
    fixture_done(&f);
    redis_child_done(&mortal);
}

static void check_refusal(const char *url, const char *why)
{
    struct fixture f;
    fixture_init(&f, url);
    fixture_open(&f);
    run_until(&f, &f.lost, 1);
    if (strncmp(f.why, why, strlen(why)) != 0)
        CHECK_STR(f.why, why);
    CHECK(!strstr(f.why, "sesame"));
    CHECK(f.connected == 0);
    fixture_done(&f);
}

static void check_works(const char *url)
{
    struct fixture f;
    fixture_connect(&f, url);
    ASK(&f, "PING");
    CHECK_STR(f.text, "PONG");
    fixture_done(&f);
}

static void test_credentials(void)
{
    static const char *const settings[] = {
        "--requirepass", "opensesame", "--user", "ann",        "on",    ">annsesame",  "~*", "+@connection",
        "--user",        "bob",        "on",     ">bobsesame", "-@all", "--databases", "4",  NULL};
    struct redis_child locked;
    char url[300];
    redis_child_start(&locked, false, settings);
    snprintf(url, sizeof url, "unix://:wrongsesame@%s", locked.socket);
    check_refusal(url, "Redis refused the password: WRONGPASS");
    check_refusal(locked.url, "Redis wants a password: NOAUTH");
    snprintf(url, sizeof url, "unix://bob:bobsesame@%s", locked.socket);
    check_refusal(url, "Redis does not let this user in: NOPERM");
    snprintf(url, sizeof url, "unix://:opensesame@%s?db=4", locked.socket);
    check_refusal(url, "Redis refused the database number: ERR DB index is out of range");
    snprintf(url, sizeof url, "unix://:opensesame@%s?db=3", locked.socket);
    check_works(url);
    snprintf(url, sizeof url, "unix://ann:annsesame@%s", locked.socket);
    check_works(url);
    redis_child_done(&locked);
    snprintf(url, sizeof url, "unix://:opensesame@%s", redis.socket);
    check_refusal(url, "Redis refused the password: ERR AUTH");
}

static void test_database(void)
{
    struct fixture f;
    char url[200];
    snprintf(url, sizeof url, "unix://%s?db=5", redis.socket);
    fixture_connect(&f, url);
    ASK(&f, "CLIENT", "INFO");
    CHECK(strstr(f.text, " db=5 "));
    fixture_done(&f);
}

static void test_max_clients(void)
{
    static const char *const settings[] = {"--maxclients", "1", NULL};
    struct redis_child full;
    struct fixture f;
    redis_child_start(&full, false, settings);
    fixture_connect(&f, full.url);
    check_refusal(full.url, "Redis takes no more connections: ERR max number of clients reached");
    fixture_done(&f);
    redis_child_done(&full);
}

static void test_tcp(void)
{
    struct redis_child tcp;
    char url[64];
    redis_child_start(&tcp, true, NULL);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", tcp.port);
    check_works(url);
    snprintf(url, sizeof url, "redis://localhost:%d", tcp.port); /* ::1 comes first, and refuses */
    check_works(url);
    redis_child_done(&tcp);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", redis_child_free_port());
    check_refusal(url, "cannot connect to Redis: connection refused");
    check_refusal("unix:///no/such/socket", "cannot connect to Redis: no such file or directory");
}

static void check_before_lost(void *data, int status, const struct redis_value *answer)
{
    struct fixture *f = data;
    CHECK(status == -ECONNRESET && !answer && f->lost == 0);
    CHECK(send_words(f, handle_answer, "PING", NULL) == -ENOTCONN);
    redis_link_reset(f->link, "nothing is left to lose");
    tell(f, &f->answers);
}

static void test_queued_when_lost(void)
{
    struct fixture f;
    fixture_connect(&f, redis.url);
    for (int i = 0; i < 100; i++)
        CHECK(send_words(&f, i % 2 ? check_before_lost : NULL, "PING", NULL) == 0);
    redis_link_reset(f.link, "because");
    CHECK(f.answers == 50 && f.lost == 1);
    CHECK_STR(f.why, "because");
    run_until(&f, &f.connected, 2);
    ASK(&f, "ECHO", "new");
    CHECK_STR(f.text, "new");
    CHECK(f.answers == 51);
    fixture_done(&f);
}

static void reset_and_read_on(void *data, int status, const struct redis_value *answer)
{
    struct fixture *f = data;
    CHECK(status == 0);
    redis_link_reset(f->link, "from a callback");
    CHECK(f->lost == 1 && f->answers == 2);
    CHECK_STR(answer->item[1].str, "b"); /* still ours until we return */
}

static void test_reset_in_callback(void)
{
    struct fixture f;
    fixture_connect(&f, redis.url);
    ASK(&f, "RPUSH", "list", "a", "b");
    f.answers = 0;
    CHECK(send_words(&f, reset_and_read_on, "LRANGE", "list", "0", "-1", NULL) == 0);
    CHECK(send_words(&f, handle_answer, "PING", NULL) == 0);
    CHECK(send_words(&f, handle_answer, "PING", NULL) == 0);
    run_until(&f, &f.lost, 1);
    CHECK(f.last_status == -ECONNRESET);
    run_until(&f, &f.connected, 2);
    fixture_done(&f);
}

static void close_and_read_on(void *data, int status, const struct redis_value *answer)
{
    struct fixture *f = data;
    CHECK(status == 0);
    redis_link_close(&f->link);
    CHECK(f->answers == 1 && f->last_status == -ECANCELED && f->lost == 0);
    CHECK_STR(answer->str, "bye");
    CHECK(send_words(f, handle_answer, "PING", NULL) == -ENOTCONN);
}

static void test_close_in_callback(void)
{
    struct fixture f;
    fixture_connect(&f, redis.url);
    CHECK(send_words(&f, close_and_read_on, "ECHO", "bye", NULL) == 0);
    CHECK(send_words(&f, handle_answer, "PING", NULL) == 0);
    while (f.link)
        uv_run(&f.loop, UV_RUN_ONCE);
    fixture_done(&f);
}

static void close_in_failure(void *data, int status, const struct redis_value *answer)
{
    struct fixture *f = data;
    CHECK(status == -ECONNRESET && !answer);
    redis_link_close(&f->link);
    CHECK(f->answers == 1 && f->last_status == -ECANCELED);
}

static void test_close_while_losing(void)
{
    struct fixture f;
    fixture_connect(&f, redis.url);
    CHECK(send_words(&f, close_in_failure, "PING", NULL) == 0);
    CHECK(send_words(&f, handle_answer, "PING", NULL) == 0);
    redis_link_reset(f.link, "because");
    CHECK(!f.link && f.lost == 0);
    fixture_done(&f);
}

static void close_when_told(void *data)
{
    redis_link_close(&((struct fixture *)data)->link);
}

static void close_when_lost(void *data, const char *why)
{
    (void)why;
    close_when_told(data);
}

static void test_close_elsewhere(void)
{
    struct fixture f;
    fixture_init(&f, redis.url); /* before anything has happened */
    fixture_open(&f);
    fixture_done(&f);
    fixture_init(&f, redis.url); /* while dialing */
    fixture_open(&f);
    uv_run(&f.loop, UV_RUN_NOWAIT);
    fixture_done(&f);
    fixture_init(&f, redis.url);
    f.options.on_connected = close_when_told;
    fixture_open(&f);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    fixture_done(&f);
    fixture_init(&f, "unix:///no/such/socket");
    f.options.on_lost = close_when_lost;
    fixture_open(&f);
    uv_run(&f.loop, UV_RUN_DEFAULT);
    fixture_done(&f);
    redis_link_close(&(struct redis_link *){NULL});
}

static void handle_push(void *data, const struct redis_value *value)
{
    struct fixture *f = data;
    CHECK(value->type == REDIS_TYPE_ARRAY && value->count == 3);
    snprintf(f->text, sizeof f->text, "%s %s %s", value->item[0].str, value->item[1].str, value->item[2].str);
    tell(f, &f->pushes);
}

/* Subscriptions know no command deadline: the link stays up though it hears nothing for longer. */
static void test_push(void)
{
    struct fixture f, publisher;
    fixture_init(&f, redis.url);
    f.options.on_push = handle_push;
    f.options.command_timeout_ms = 20;
    fixture_open(&f);
    run_until(&f, &f.connected, 1);
    CHECK(send_words(&f, NULL, "SUBSCRIBE", "news", NULL) == 0);
    CHECK(redis_link_pending(f.link) == 0);
    run_until(&f, &f.pushes, 1);
    CHECK_STR(f.text, "subscribe news ");
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    uv_run(&f.loop, UV_RUN_NOWAIT);
    fixture_connect(&publisher, redis.url);
    ASK(&publisher, "PUBLISH", "news", "hello");
    CHECK(publisher.got.integer == 1);
    run_until(&f, &f.pushes, 2);
    CHECK_STR(f.text, "message news hello");
    ASK(&publisher, "CLIENT", "KILL", "TYPE", "pubsub");
    run_until(&f, &f.connected, 2);
    CHECK(f.lost == 1);
    CHECK_STR(f.why, "Redis closed the connection");
    fixture_done(&publisher);
    fixture_done(&f);
}

int main(void)
{
    redis_child_start(&redis, false, NULL);
    test_types();
    test_nested_arrays();
    test_pipelining();
    test_big_and_binary();
    test_caps();
    test_output_beyond_the_kernel();
    test_command_deadline();
    test_own_stall();
    test_killed_and_restarted();
    test_credentials();
    test_database();
    test_max_clients();
    test_tcp();
    test_queued_when_lost();
    test_reset_in_callback();
    test_close_in_callback();
    test_close_while_losing();
    test_close_elsewhere();
    test_push();
    redis_child_done(&redis);
    return 0;
}
