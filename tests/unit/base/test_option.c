#include "base/option.h"
#include "capture.h"
#include <errno.h>
#include <stddef.h>

static bool has_no_x(const char *item)
{
    return !strchr(item, 'x');
}

/* One row of each type, over fields that fit. */
static const struct option string = {.name = "string", .type = OPTION_STRING, .offset = offsetof(struct config, name)};
static const struct option formed = {.name = "formed",
                                     .type = OPTION_STRING,
                                     .fits = has_no_x,
                                     .form = "a word without x",
                                     .offset = offsetof(struct config, name)};
static const struct option secret = {.name = "secret",
                                     .type = OPTION_STRING,
                                     .fits = has_no_x,
                                     .form = "a word without x",
                                     .is_secret = true,
                                     .offset = offsetof(struct config, token)};
static const struct option choice = {.name = "choice",
                                     .type = OPTION_CHOICE,
                                     .choices = "always, everysec, no",
                                     .offset = offsetof(struct config, redis_fsync)};
static const struct option list = {
    .name = "list", .type = OPTION_LIST, .fits = has_no_x, .offset = offsetof(struct config, origin)};
static const struct option items = {.name = "items", .type = OPTION_ITEMS, .offset = offsetof(struct config, bot)};
static const struct option flag = {.name = "flag", .type = OPTION_FLAG, .offset = offsetof(struct config, json)};
static const struct option integer = {
    .name = "integer", .type = OPTION_INTEGER, .min = 1, .max = 64, .offset = offsetof(struct config, threads)};
static const struct option bytes = {.name = "bytes",
                                    .type = OPTION_BYTES,
                                    .min = 1,
                                    .max = 16 * 1024 * 1024,
                                    .offset = offsetof(struct config, max_text)};
static const struct option seconds = {.name = "seconds",
                                      .type = OPTION_SECONDS,
                                      .min = 0,
                                      .max = 365 * 86400,
                                      .offset = offsetof(struct config, token_ttl_s)};
static const struct option milliseconds = {.name = "milliseconds",
                                           .type = OPTION_MILLISECONDS,
                                           .min = 100,
                                           .max = 3600000,
                                           .offset = offsetof(struct config, pong_wait_ms)};

static struct config config;

static void check_number(const struct option *option, const char *text, int64_t expected)
{
    char why[OPTION_TEXT_BYTES];
    CHECK(option_parse(option, &config, text, why) == 0);
    CHECK(option_number(option, &config) == expected);
}

static void check_refused(const struct option *option, const char *text, const char *expected)
{
    char why[OPTION_TEXT_BYTES] = "";
    CHECK(option_parse(option, &config, text, why) == -EINVAL);
    CHECK_STR(why, expected);
}

static void test_numbers(void)
{
    check_number(&integer, "1", 1);
    check_number(&integer, "64", 64);
    check_number(&bytes, "16K", 16384);
    check_number(&bytes, "16k", 16384);
    check_number(&bytes, "1M", 1024 * 1024);
    check_number(&bytes, "7", 7);
    check_number(&seconds, "90", 90);
    check_number(&seconds, "90s", 90);
    check_number(&seconds, "2m", 120);
    check_number(&seconds, "1h", 3600);
    check_number(&seconds, "7d", 604800);
    check_number(&milliseconds, "25", 25000);
    check_number(&milliseconds, "250ms", 250);
    check_number(&milliseconds, "25s", 25000);
    check_number(&milliseconds, "1m", 60000);
    check_number(&milliseconds, "1h", 3600000);
}

static void test_wrong_numbers(void)
{
    config.threads = 5;
    check_refused(&integer, "abc", "\"abc\" is not a whole number; allowed: 1..64");
    check_refused(&integer, "", "\"\" is not a whole number; allowed: 1..64");
    check_refused(&integer, "-1", "\"-1\" is not a whole number; allowed: 1..64");
    check_refused(&integer, " 1", "\" 1\" is not a whole number; allowed: 1..64");
    check_refused(&integer, "1.5", "\"1.5\" is not a whole number; allowed: 1..64");
    check_refused(&integer, "1K", "\"1K\" is not a whole number; allowed: 1..64");
    check_refused(&integer, "0", "\"0\" is out of range; allowed: 1..64");
    check_refused(&integer, "65", "\"65\" is out of range; allowed: 1..64");
    check_refused(&integer, "99999999999999999999", "\"99999999999999999999\" is out of range; allowed: 1..64");
    CHECK(config.threads == 5);
    check_refused(&bytes, "1G", "\"1G\" is not a size; allowed: 1..16M");
    check_refused(&bytes, "17M", "\"17M\" is out of range; allowed: 1..16M");
    check_refused(&bytes, "9223372036854775807K", "\"9223372036854775807K\" is out of range; allowed: 1..16M");
    check_refused(&seconds, "soon", "\"soon\" is not a time; allowed: 0..365d");
    check_refused(&seconds, "5ms", "\"5ms\" is not a time; allowed: 0..365d");
    check_refused(&milliseconds, "99ms", "\"99ms\" is out of range; allowed: 100ms..1h");
}

static void test_strings(void)
{
    char why[OPTION_TEXT_BYTES];
    CHECK(!option_is_set(&string, &config));
    CHECK(option_parse(&string, &config, "Ann", why) == 0 && option_parse(&string, &config, "Bob", why) == 0);
    CHECK_STR(config.name, "Bob");
    check_refused(&string, "", "\"\" is empty");
    check_refused(&formed, "x\n", "\"x\n\" is not right; allowed: a word without x");
    CHECK_STR(config.name, "Bob");
    CHECK(option_is_set(&string, &config));
    option_clear(&string, &config);
    CHECK(!config.name);
    check_refused(&secret, "x-hidden", "the value is not right; allowed: a word without x");
    check_refused(&formed, "x123456789012345678901234567890123456789012345678901234567890",
                  "\"x12345678901234567890123456789012345678901234567890123456789...\" is not right; "
                  "allowed: a word without x");
}

static void test_choices(void)
{
    char why[OPTION_TEXT_BYTES];
    CHECK(option_parse(&choice, &config, "no", why) == 0);
    CHECK(option_parse(&choice, &config, "everysec", why) == 0);
    CHECK(option_parse(&choice, &config, "always", why) == 0);
    CHECK_STR(config.redis_fsync, "always");
    check_refused(&choice, "every", "\"every\" is unknown; allowed: always, everysec, no");
    check_refused(&choice, "always, everysec", "\"always, everysec\" is unknown; allowed: always, everysec, no");
    check_refused(&choice, "", "\"\" is empty; allowed: always, everysec, no");
    option_clear(&choice, &config);
}

static void test_flags(void)
{
    static const char *const yes[] = {"true", "1", "on", "yes", "YES"}, *const no[] = {"false", "0", "off", "no"};
    char why[OPTION_TEXT_BYTES];
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        config.json = false;
        CHECK(option_parse(&flag, &config, yes[i], why) == 0 && config.json);
    }
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        config.json = true;
        CHECK(option_parse(&flag, &config, no[i], why) == 0 && !config.json);
    }
    check_refused(&flag, "maybe", "\"maybe\" is neither yes nor no; allowed: yes, no");
}

static void test_lists(void)
{
    char why[OPTION_TEXT_BYTES];
    CHECK(option_parse(&list, &config, "a, b ,c", why) == 0 && option_parse(&list, &config, "d", why) == 0);
    CHECK(config.origin.count == 4);
    CHECK_STR(config.origin.item[1], "b");
    CHECK_STR(config.origin.item[3], "d");
    check_refused(&list, "e,,f", "\"\" is empty");
    check_refused(&list, "e,x", "\"x\" is not right");
    check_refused(&list, "", "\"\" is empty");
    CHECK(config.origin.count == 4); /* nothing of a wrong value stays */
    option_clear(&list, &config);
    CHECK(config.origin.count == 0);
    CHECK(option_parse(&items, &config, "echo\nllm:url=x,n=2\n", why) == 0);
    CHECK(config.bot.count == 2);
    CHECK_STR(config.bot.item[1], "llm:url=x,n=2");
    option_clear(&items, &config);
}

static void check_printed(const struct option *option, const char *text, const char *expected)
{
    static struct capture capture;
    char why[OPTION_TEXT_BYTES];
    CHECK(option_parse(option, &config, text, why) == 0);
    capture_begin(&capture, STDOUT_FILENO);
    option_print(option, &config, " + ", stdout);
    CHECK_STR(capture_end(&capture), expected);
    option_clear(option, &config);
}

/* What is printed can be read again and is as short as can be. */
static void test_print(void)
{
    check_printed(&bytes, "16384", "16K");
    check_printed(&bytes, "1025", "1025");
    check_printed(&seconds, "3600", "1h");
    check_printed(&seconds, "0", "0");
    check_printed(&milliseconds, "1500ms", "1500ms");
    check_printed(&milliseconds, "25", "25s");
    check_printed(&integer, "12", "12");
    check_printed(&flag, "on", "yes");
    check_printed(&string, "a b", "a b");
    check_printed(&list, "a,b", "a + b");
}

int main(void)
{
    test_numbers();
    test_wrong_numbers();
    test_strings();
    test_choices();
    test_flags();
    test_lists();
    test_print();
    return 0;
}
