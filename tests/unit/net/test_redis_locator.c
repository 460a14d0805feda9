#include "check.h"
#include "net/redis_locator.h"
#include <errno.h>

static struct redis_address parse(const char *url)
{
    struct redis_address address;
    char error[300] = "";
    if (redis_address_parse(&address, url, error, sizeof error)) {
        fprintf(stderr, "%s: %s\n", url, error);
        exit(1);
    }
    return address;
}

static void check_printed(const char *url, const char *expected)
{
    struct redis_address address = parse(url);
    char printed[300];
    redis_address_print(&address, printed, sizeof printed);
    CHECK_STR(printed, expected);
}

/* The message holds `part`, and nothing of a secret; the address stays as it was. */
static void check_refused(const char *url, const char *part)
{
    struct redis_address address = {.port = 4711};
    char error[300] = "";
    CHECK(redis_address_parse(&address, url, error, sizeof error) == -EINVAL);
    if (!strstr(error, part))
        fprintf(stderr, "%s: got \"%s\"\n", url, error);
    CHECK(strstr(error, part));
    CHECK(!strstr(error, "sesame"));
    CHECK(strlen(error) < sizeof error - 1);
    CHECK(address.port == 4711);
}

static void test_tcp(void)
{
    struct redis_address address = parse("redis://localhost");
    CHECK(!address.is_unix);
    CHECK_STR(address.host, "localhost");
    CHECK(address.port == 6379 && address.db == 0);
    CHECK_STR(address.user, "");
    CHECK_STR(address.password, "");

    address = parse("redis://ann:s3cret@redis-1.example.org:6380/12");
    CHECK_STR(address.host, "redis-1.example.org");
    CHECK(address.port == 6380 && address.db == 12);
    CHECK_STR(address.user, "ann");
    CHECK_STR(address.password, "s3cret");

    CHECK_STR(parse("REDIS://h:1/").host, "h");
    CHECK(parse("redis://h:65535/").port == 65535);
    CHECK_STR(parse("redis://ann@h").user, "ann"); /* the password may come from elsewhere */
}

static void test_credentials(void)
{
    struct redis_address address = parse("redis://:p%40ss%2Fw%3a%25@h");
    CHECK_STR(address.user, "");
    CHECK_STR(address.password, "p@ss/w:%");
    address = parse("redis://a%3Ab:x:y@z@h:1");
    CHECK_STR(address.user, "a:b");
    CHECK_STR(address.password, "x:y@z");
    CHECK_STR(address.host, "h");
    address = parse("unix://ann:secr%20et@/run/redis@1.sock?db=3");
    CHECK_STR(address.user, "ann");
    CHECK_STR(address.password, "secr et");
    CHECK_STR(address.host, "/run/redis@1.sock");
}

static void test_ipv6(void)
{
    struct redis_address address = parse("redis://[::1]:6380/1");
    CHECK_STR(address.host, "::1");
    CHECK(address.port == 6380 && address.db == 1);
    address = parse("redis://:pw@[fe80::1%eth0]");
    CHECK_STR(address.host, "fe80::1%eth0");
    CHECK(address.port == 6379);
}

static void test_unix(void)
{
    struct redis_address address = parse("unix:///run/redis/redis.sock");
    CHECK(address.is_unix && address.db == 0);
    CHECK_STR(address.host, "/run/redis/redis.sock");
    CHECK_STR(parse("unix:///a%3Fb").host, "/a?b");
    CHECK(parse("unix:///a?db=7").db == 7);
}

static void test_printing(void)
{
    check_printed("redis://ann:secret@h:1/2", "redis://h:1/2");
    check_printed("redis://[::1]", "redis://[::1]:6379/0");
    check_printed("unix://ann:secret@/a/b", "unix:///a/b");
    check_printed("unix:///a/b?db=5", "unix:///a/b?db=5");
}

static void test_mistakes(void)
{
    check_refused("", "must begin with redis:// or unix://");
    check_refused("localhost:6379", "must begin with redis://");
    check_refused("http://h", "must begin with redis://");
    check_refused("rediss://:sesame@h", "TLS");
    check_refused("redis+sentinel://h", "Sentinel and Cluster are not supported");
    check_refused("redis+cluster://h", "Sentinel and Cluster are not supported");
    check_refused("redis://", "names no host");
    check_refused("redis://:6379", "names no host");
    check_refused("redis://:sesame@", "names no host");
    check_refused("redis://h:0", "port");
    check_refused("redis://h:65536", "port");
    check_refused("redis://h:99999999999999999999", "port");
    check_refused("redis://h:", "port");
    check_refused("redis://h:-1", "port");
    check_refused("redis://h/x", "database");
    check_refused("redis://h/-1", "database");
    check_refused("redis://h/1/2", "database");
    check_refused("redis://h/100000", "database");
    check_refused("redis://h?db=1", "nothing may follow a ?");
    check_refused("redis://h h", "character that no host name has");
    check_refused("redis://h#1", "character that no host name has");
    check_refused("redis://::1:6379", "brackets");
    check_refused("redis://[::1", "lacks its ]");
    check_refused("redis://[::1]6379", "only a port may follow");
    check_refused("redis://[]:1", "names no host");
    check_refused("redis://:sesame%4@h", "two hex digits");
    check_refused("redis://:sesame%zz@h", "two hex digits");
    check_refused("redis://:sesame%00@h", "NUL");
    check_refused("unix://run/redis.sock", "absolute path");
    check_refused("unix://", "absolute path");
    check_refused("unix:///", "absolute path");
    check_refused("unix:///a?timeout=1", "?db=N");
    check_refused("unix:///a?db=", "?db=N");
    check_refused("unix:///a?db=x", "database");
}

/* A character that should have been escaped moves part of the password elsewhere: still nothing of it is repeated. */
static void test_password_with_delimiters(void)
{
    check_refused("redis://:open/sesame@h:1/0", "%2F for /");
    check_refused("redis://:open?sesame@h:1/0", "%3F for ?");
    check_refused("redis://:1/sesame@h", "%2F for /");
    check_refused("unix://:open/sesame@/run/redis.sock", "%2F for /");
}

static void test_lengths(void)
{
    char url[600];
    char filler[300];
    memset(filler, 'a', sizeof filler - 1);
    filler[sizeof filler - 1] = '\0';
    snprintf(url, sizeof url, "redis://%s", filler);
    check_refused(url, "longer than 255 bytes");
    snprintf(url, sizeof url, "redis://:%s@h", filler);
    check_refused(url, "password in the Redis URL is longer than 255 bytes");
    snprintf(url, sizeof url, "redis://%s@h", filler);
    check_refused(url, "user in the Redis URL is longer than 127 bytes");
    snprintf(url, sizeof url, "unix:///%.107s", filler);
    check_refused(url, "longer than the 107 bytes");
    snprintf(url, sizeof url, "unix:///%.106s", filler);
    CHECK(strlen(parse(url).host) == 107);
    snprintf(url, sizeof url, "redis://:%.255s@h", filler);
    CHECK(strlen(parse(url).password) == 255);
}

int main(void)
{
    test_tcp();
    test_credentials();
    test_ipv6();
    test_unix();
    test_printing();
    test_mistakes();
    test_password_with_delimiters();
    test_lengths();
    return 0;
}
