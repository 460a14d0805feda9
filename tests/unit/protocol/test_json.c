#include "base/compiler.h"
#include "check.h"
#include "protocol/json.h"
#include <errno.h>

/* `unit` written `count` times behind `text`, which has room. */
static void repeat(char *text, const char *unit, int count)
{
    for (text += strlen(text); count-- > 0; text += strlen(unit))
        strcpy(text, unit);
}

static enum reject scan(const char *text)
{
    return json_scan(text, strlen(text));
}

/* J1, J2: `depth` objects and arrays around a number. */
static enum reject scan_nested(int depth, const char *open, const char *close)
{
    static char text[65536];
    text[0] = '\0';
    repeat(text, open, depth);
    strcat(text, "1");
    repeat(text, close, depth);
    return scan(text);
}

static void test_depth(void)
{
    CHECK(scan_nested(JSON_MAX_DEPTH, "[", "]") == REJECT_NONE);
    CHECK(scan_nested(JSON_MAX_DEPTH + 1, "[", "]") == REJECT_JSON_TOO_DEEP);
    CHECK(scan_nested(JSON_MAX_DEPTH, "{\"a\":", "}") == REJECT_NONE);
    CHECK(scan_nested(JSON_MAX_DEPTH + 1, "{\"a\":", "}") == REJECT_JSON_TOO_DEEP);
    CHECK(scan_nested(2047, "[", "]") == REJECT_JSON_TOO_DEEP);
    CHECK(scan_nested(20000, "[", "") == REJECT_JSON_TOO_DEEP);
    CHECK(scan("[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]],[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]") == REJECT_NONE);
}

static void test_brackets_in_strings_are_text(void)
{
    CHECK(scan("\"[[[[[[[[[[[[[[[[[[[[\"") == REJECT_NONE);
    CHECK(scan("\"\\\"[[[[[[[[[[[[[[[[[[[[\"") == REJECT_NONE);
    CHECK(scan("\"\\\\\"[[[[[[[[[[[[[[[[[[[[") == REJECT_JSON_TOO_DEEP);
}

/* J3, J4: an array and what is in it. */
static enum reject scan_array(const char *unit, int count)
{
    static char text[65536];
    strcpy(text, "[");
    repeat(text, unit, count);
    strcat(text, "]");
    return scan(text);
}

static void test_tokens(void)
{
    CHECK(scan_array("{},", JSON_MAX_TOKENS - 1) == REJECT_NONE);
    CHECK(scan_array("{},", JSON_MAX_TOKENS) == REJECT_JSON_TOO_MANY);
    CHECK(scan_array("-1.5e+3,", JSON_MAX_TOKENS - 1) == REJECT_NONE);
    CHECK(scan_array("-1.5e+3,", JSON_MAX_TOKENS) == REJECT_JSON_TOO_MANY);
    CHECK(scan_array("\"k\":true,", (JSON_MAX_TOKENS - 1) / 2) == REJECT_NONE);
    CHECK(scan_array("\"k\":true,", JSON_MAX_TOKENS / 2) == REJECT_JSON_TOO_MANY);
    CHECK(scan_array(",", 60000) == REJECT_NONE);
}

/* Copied to the end of its memory, where the sanitizer would see a byte that is read too far. */
static enum reject read_name(const char *text, size_t len, struct json_member *member)
{
    char *copy = malloc(len ? len : 1);
    CHECK(copy);
    memcpy(copy, text, len);
    *member = (struct json_member){.name = "name"};
    enum reject reject = json_read_members(copy, len, member, 1);
    free(copy);
    return reject;
}

static enum reject read_str(const char *text)
{
    struct json_member member;
    enum reject reject = read_name(text, strlen(text), &member);
    json_members_done(&member, 1);
    CHECK(!member.value);
    return reject;
}

static void test_members(void)
{
    static const char text[] = " {\"bot\":\"echo\",\"name\":\"J\\u00f6rg \\ud83d\\ude00\",\"x\":[1,{\"name\":2}]}\n";
    struct json_member members[] = {{.name = "name"}, {.name = "bot"}, {.name = "absent"}};
    CHECK(json_read_members(text, sizeof text - 1, members, COUNT_OF(members)) == REJECT_NONE);
    CHECK_STR(members[0].value, "J\u00F6rg \U0001F600");
    CHECK(members[0].len == strlen(members[0].value));
    CHECK_STR(members[1].value, "echo");
    CHECK(!members[2].value);
    json_members_done(members, COUNT_OF(members));
    CHECK(!members[0].value && !members[1].value);
    CHECK(read_str("{}") == REJECT_NONE);
    CHECK(read_str("{\"Name\":1,\"__proto__\":{}}") == REJECT_NONE);
    CHECK(read_str("{\"name\":\"\"}") == REJECT_NONE);
}

/* J10 */
static void test_members_of_the_wrong_type(void)
{
    static const char *const others[] = {"null", "true", "1", "1.5", "[\"Ann\"]", "{\"name\":\"Ann\"}"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        char text[64];
        snprintf(text, sizeof text, "{\"name\":%s}", others[i]);
        CHECK(read_str(text) == REJECT_FIELD_TYPE);
    }
}

/* A later member that is wrong leaves nothing behind of the earlier ones; the leak check sees to it. */
static void test_half_read_members_are_freed(void)
{
    static const char text[] = "{\"name\":\"Ann\",\"bot\":1}";
    struct json_member members[] = {{.name = "name"}, {.name = "bot"}};
    CHECK(json_read_members(text, sizeof text - 1, members, COUNT_OF(members)) == REJECT_FIELD_TYPE);
    json_members_done(members, COUNT_OF(members));
}

/* J6 to J9 */
static void test_what_is_not_one_object_of_utf8_text(void)
{
    static const char *const others[] = {
        "{\"name\":\"a\",\"name\":\"b\"}",
        "{\"x\":1,\"x\":1}",
        "{\"name\":\"a\",\"n\\u0061me\":\"b\"}",
        "{\"name\":\"\\u0000\"}",
        "{\"a\\u0000b\":1}",
        "{\"name\":\"\\ud800\"}",
        "{\"name\":\"\\udc00\"}",
        "{\"name\":\"\\ud800\\u0041\"}",
        "{\"name\":\"\\udc00\\ud800\"}",
        "{\"name\":\"\xFF\"}",
        "{\"name\":\"\xC0\xAF\"}",
        "{\"name\":\"\xED\xA0\x80\"}",
        "{\"name\":\"a\nb\"}",
        "{\"name\":\"\\x41\"}",
        "{\"x\":99999999999999999999}",
        "{\"x\":1e999}",
        "{\"x\":NaN}",
        "{\"x\":Infinity}",
        "{\"x\":01}",
        "{\"x\":+1}",
        "{\"name\":\"a\"} x",
        "{\"name\":\"a\"}{}",
        "{\"name\":\"a\",}",
        "{\"name\":\"a\"",
        "{\"name\":\"a",
        "{\"name\":\"a\\",
        "{name:\"a\"}",
        "{'name':'a'}",
        "{\"name\":\"a\"}/**/",
        "",
        " ",
        "[]",
        "[\"name\"]",
        "\"name\"",
        "1",
        "null",
        "]]]]]]]]]]]]]]]]]][[[[[[[[[[[[[[[[[[",
        "\xEF\xBB\xBF{\"name\":\"a\"}",
        "name=Ann",
    };
    for (size_t i = 0; i < COUNT_OF(others); i++)
        CHECK(read_str(others[i]) == REJECT_JSON_INVALID);
    struct json_member member;
    CHECK(read_name("{\"name\":\"a\"}\0", 13, &member) == REJECT_JSON_INVALID);
    CHECK(read_name("{\"name\":\"a\0b\"}", 14, &member) == REJECT_JSON_INVALID);
    CHECK(read_name("\0", 1, &member) == REJECT_JSON_INVALID);
}

static void test_truncation_at_every_byte(void)
{
    static const char text[] = "{\"name\":\"\\u00e4\xC3\xA4\\\\\",\"x\":[1,true,{}]}";
    struct json_member member;
    for (size_t len = 0; len < sizeof text - 1; len++)
        CHECK(read_name(text, len, &member) == REJECT_JSON_INVALID);
    CHECK(read_name(text, sizeof text - 1, &member) == REJECT_NONE);
    json_members_done(&member, 1);
}

static void test_limits_come_before_the_tree(void)
{
    CHECK(read_str("{\"x\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}") == REJECT_JSON_TOO_DEEP);
    char text[8192] = "{\"name\":\"Ann\",\"x\":[";
    repeat(text, "1,", JSON_MAX_TOKENS);
    strcat(text, "1]}");
    CHECK(read_str(text) == REJECT_JSON_TOO_MANY);
}

static void test_strings_that_are_written(void)
{
    struct buf out;
    buf_init(&out, 128);
    static const char text[] = "a\"b\\c/\n\x1f\0\u00E4\U0001F600";
    CHECK(json_append_string(&out, text, sizeof text - 1) == 0);
    CHECK(buf_append(&out, "", 1) == 0);
    CHECK_STR(out.data, "\"a\\\"b\\\\c/\\n\\u001F\\u0000\u00E4\U0001F600\"");
    buf_done(&out);
    CHECK(json_append_string(&out, "\xFF", 1) == -EILSEQ && out.len == 0);
    buf_init(&out, 4);
    CHECK(json_append_string(&out, "abcd", 4) == -ENOBUFS);
    buf_done(&out);
}

int main(void)
{
    json_init();
    test_depth();
    test_brackets_in_strings_are_text();
    test_tokens();
    test_members();
    test_members_of_the_wrong_type();
    test_half_read_members_are_freed();
    test_what_is_not_one_object_of_utf8_text();
    test_truncation_at_every_byte();
    test_limits_come_before_the_tree();
    test_strings_that_are_written();
    return 0;
}
