#include "check.h"
#include "net/redis_greeting.h"
#include "net/redis_link.h"
#include <errno.h>

static char why[256];

static struct redis_greeting start(const char *url, const char *expected)
{
    struct redis_greeting greeting;
    struct redis_address address;
    struct buf out;
    buf_init(&out, 4096);
    CHECK(redis_address_parse(&address, url, why, sizeof why) == 0);
    CHECK(redis_greeting_start(&greeting, &address, &out) == 0);
    CHECK(out.len == strlen(expected) && memcmp(out.data, expected, out.len) == 0);
    buf_done(&out);
    return greeting;
}

static int take(struct redis_greeting *greeting, enum redis_type type, const char *text)
{
    struct redis_value answer = {.type = type, .str = text, .len = strlen(text)};
    return redis_greeting_take(greeting, &answer, why, sizeof why);
}

#define PING   "*1\r\n$4\r\nPING\r\n"
#define SELECT "*2\r\n$6\r\nSELECT\r\n$2\r\n12\r\n"

static void test_words(void)
{
    struct redis_greeting greeting = start("redis://h", PING);
    CHECK(take(&greeting, REDIS_TYPE_STATUS, "PONG") == 1);
    greeting = start("redis://:pw@h", "*2\r\n$4\r\nAUTH\r\n$2\r\npw\r\n" PING);
    CHECK(take(&greeting, REDIS_TYPE_STATUS, "OK") == 0);
    CHECK(take(&greeting, REDIS_TYPE_STATUS, "PONG") == 1);
    greeting = start("redis://ann:pw@h/12", "*3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$2\r\npw\r\n" SELECT PING);
    CHECK(take(&greeting, REDIS_TYPE_STATUS, "OK") == 0);
    CHECK(take(&greeting, REDIS_TYPE_STATUS, "OK") == 0);
    CHECK(take(&greeting, REDIS_TYPE_STATUS, "PONG") == 1);
}

static void check_refusal(const char *url, const char *error, const char *expected)
{
    struct redis_address address;
    struct redis_greeting greeting;
    struct buf out;
    buf_init(&out, 4096);
    CHECK(redis_address_parse(&address, url, why, sizeof why) == 0);
    CHECK(redis_greeting_start(&greeting, &address, &out) == 0);
    CHECK(take(&greeting, REDIS_TYPE_ERROR, error) == -EACCES);
    CHECK_STR(why, expected);
    buf_done(&out);
}

static void test_refusals(void)
{
    check_refusal("redis://:pw@h", "WRONGPASS invalid", "Redis refused the password: WRONGPASS invalid");
    check_refusal("redis://h", "NOAUTH Authentication required.",
                  "Redis wants a password: NOAUTH Authentication required.");
    check_refusal("redis://h", "LOADING Redis is loading", "Redis is not ready: LOADING Redis is loading");
    check_refusal("redis://h", "STRANGE but true", "Redis refused PING: STRANGE but true");
    /* what is behind Redis's address may repeat what it was sent */
    check_refusal("redis://:sesame@h", "ERR unknown command 'AUTH', with args beginning with: 'sesame'",
                  "Redis refused AUTH: ERR");
}

static void test_not_redis(void)
{
    struct redis_greeting greeting = start("redis://h", PING);
    CHECK(take(&greeting, REDIS_TYPE_ARRAY, "") ==
          -EACCES); /* a socket that is connected to itself hears its own PING */
    CHECK_STR(why, "what answers at Redis's address is not Redis");
}

int main(void)
{
    test_words();
    test_refusals();
    test_not_redis();
    return 0;
}
