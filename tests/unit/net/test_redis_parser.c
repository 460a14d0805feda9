#include "check.h"
#include "net/redis_link.h"
#include "net/redis_parser.h"
#include <errno.h>

static struct redis_parser *parser;

static void begin(void)
{
    redis_parser_free(parser);
    CHECK(redis_parser_new(&parser) == 0);
}

static void feed(const char *text)
{
    CHECK(redis_parser_feed(parser, text, strlen(text)) == 0);
}

static const struct redis_value *next(void)
{
    const struct redis_value *value = NULL;
    CHECK(redis_parser_next(parser, &value) == 1);
    return value;
}

static bool is_hungry(void)
{
    const struct redis_value *value;
    return redis_parser_next(parser, &value) == 0;
}

static void check_refused(const char *bytes, const char *why)
{
    const struct redis_value *value;
    begin();
    feed(bytes);
    CHECK(redis_parser_next(parser, &value) == -EPROTO);
    if (!strstr(redis_parser_error(parser), why))
        CHECK_STR(redis_parser_error(parser), why);
}

#define ENTRIES "*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\na\r\n$0\r\n\r\n*3\r\n:-7\r\n$-1\r\n*0\r\n"

static void check_entries(const struct redis_value *value)
{
    CHECK(value->type == REDIS_TYPE_ARRAY && value->count == 2);
    const struct redis_value *first = &value->item[0], *second = &value->item[1];
    CHECK(first->count == 2 && second->count == 3);
    CHECK_STR(first->item[0].str, "1-0");
    CHECK_STR(first->item[1].item[0].str, "a");
    CHECK(first->item[1].item[1].type == REDIS_TYPE_STRING && first->item[1].item[1].len == 0);
    CHECK(second->item[0].type == REDIS_TYPE_INTEGER && second->item[0].integer == -7);
    CHECK(second->item[1].type == REDIS_TYPE_NIL);
    CHECK_STR(second->item[1].str, "");
    CHECK(second->item[2].type == REDIS_TYPE_ARRAY && second->item[2].count == 0);
}

static void test_byte_by_byte(void)
{
    begin();
    for (size_t i = 0; i < strlen(ENTRIES); i++) {
        CHECK(is_hungry());
        CHECK(redis_parser_feed(parser, &ENTRIES[i], 1) == 0);
    }
    check_entries(next());
    CHECK(is_hungry());
}

static void test_many_at_once(void)
{
    begin();
    for (int i = 0; i < 2000; i++)
        feed(ENTRIES "+OK\r\n-ERR no\r\n*-1\r\n");
    for (int i = 0; i < 2000; i++) {
        check_entries(next());
        CHECK(next()->type == REDIS_TYPE_STATUS);
        const struct redis_value *error = next();
        CHECK(error->type == REDIS_TYPE_ERROR && error->len == 6);
        CHECK_STR(error->str, "ERR no");
        CHECK(next()->type == REDIS_TYPE_NIL);
    }
    CHECK(is_hungry());
}

/* Answers of all sizes through one arena: each begins with an empty one. */
static void test_sizes(void)
{
    enum { BIG = 3 << 20 };
    begin();
    char *bulk = malloc(BIG + 64);
    CHECK(bulk);
    for (int size = 1; size < BIG; size = size * 3 + 1) {
        int head = sprintf(bulk, "*2\r\n$1\r\nx\r\n$%d\r\n", size);
        memset(bulk + head, 'y', (size_t)size);
        memcpy(bulk + head + size, "\r\n", 2);
        CHECK(redis_parser_feed(parser, bulk, (size_t)(head + size + 2)) == 0);
        feed(ENTRIES);
        const struct redis_value *value = next();
        CHECK(value->item[1].len == (size_t)size && value->item[1].str[size - 1] == 'y');
        CHECK(value->item[1].str[size] == '\0');
        check_entries(next());
    }
    free(bulk);
}

static void test_nesting(void)
{
    begin();
    for (int i = 0; i <= PARSER_MAX_DEPTH; i++)
        feed("*1\r\n");
    feed(":1\r\n");
    const struct redis_value *value = next();
    for (int i = 0; i <= PARSER_MAX_DEPTH; i++)
        value = &value->item[0];
    CHECK(value->integer == 1);
    check_refused("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "nest");
}

static void test_garbage(void)
{
    check_refused("HTTP/1.1 400 Bad Request\r\n", "Protocol error, got \"H\" as reply type byte");
    check_refused("*1\r\nx\r\n", "got \"x\"");
    check_refused("*2147483647\r\n", "");
    check_refused("*2000000\r\n", "an array too long");
    check_refused("*9223372036854775807\r\n", "");
    check_refused("*-2\r\n", "");
    check_refused("*x\r\n", "");
    check_refused("$-2\r\n", "");
    check_refused("$99999999999999999999\r\n", "");
    check_refused("$1x\r\na\r\n", "");
    check_refused(":1x\r\n", "");
    /* RESP3: hiredis 0.14 does not know it, later ones do, and we refuse it */
    check_refused("%1\r\n+a\r\n+b\r\n", "");
    check_refused(">1\r\n+a\r\n", "");
    check_refused("~1\r\n+a\r\n", "");
    check_refused(",1.5\r\n", "");
    check_refused("#t\r\n", "");
    check_refused("(123\r\n", "");
    check_refused("=5\r\ntxt:a\r\n", "");
}

/* Each string is small enough, all together are not. */
static void test_tree_cap(void)
{
    enum { SIZE = 1 << 20 };
    static char bulk[SIZE + 16];
    const struct redis_value *value;
    int head = sprintf(bulk, "$%d\r\n", SIZE);
    memcpy(bulk + head + SIZE, "\r\n", 2);
    begin();
    feed("*1000\r\n");
    int result = 0, count = 0;
    for (; result == 0; count++) {
        CHECK(redis_parser_feed(parser, bulk, (size_t)(head + SIZE + 2)) == 0);
        result = redis_parser_next(parser, &value);
    }
    CHECK(result == -EPROTO && count == PARSER_MAX_BYTES / SIZE);
    CHECK_STR(redis_parser_error(parser), "an answer above 64 MiB");
}

/* A bulk string that is announced and sent, but never ends. */
static void test_input_cap(void)
{
    enum { CHUNK = 1 << 20 };
    static char chunk[CHUNK];
    begin();
    feed("$9000000000000\r\n");
    int error = 0, chunks = 0;
    for (; !error; chunks++) {
        error = redis_parser_feed(parser, chunk, CHUNK);
        CHECK(error || is_hungry());
    }
    CHECK(error == -EMSGSIZE && chunks == PARSER_MAX_BYTES / CHUNK);
}

int main(void)
{
    test_byte_by_byte();
    test_many_at_once();
    test_sizes();
    test_nesting();
    test_garbage();
    test_tree_cap();
    test_input_cap();
    redis_parser_free(parser);
    redis_parser_free(NULL);
    return 0;
}
