#include "base/compiler.h"
#include "check.h"
#include "protocol/message.h"
#include <errno.h>

static bool parse(const char *text, struct message_id *id)
{
    return message_id_parse(id, text, strlen(text));
}

static void test_ids_that_redis_prints(void)
{
    static const struct {
        const char *text;
        struct message_id id;
    } rows[] = {
        {"0-0", {0, 0}},
        {"0-1", {0, 1}},
        {"1795324800000-0", {1795324800000, 0}},
        {"10-20", {10, 20}},
        {"18446744073709551615-18446744073709551615", {UINT64_MAX, UINT64_MAX}},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct message_id id;
        char text[MESSAGE_ID_SIZE];
        CHECK(parse(rows[i].text, &id) && message_id_compare(&id, &rows[i].id) == 0);
        message_id_print(&id, text);
        CHECK_STR(text, rows[i].text);
        CHECK(message_position_parse(&id, rows[i].text, strlen(rows[i].text)));
    }
}

/* A12 */
static const char *const no_ids[] = {
    "",
    "-",
    "5",
    "5-",
    "-5",
    "--5",
    "5--5",
    "5-5-5",
    "-1-0",
    "+1-0",
    "1-+0",
    "1--1",
    "01-0",
    "1-00",
    "00-0",
    "1-01",
    " 1-0",
    "1-0 ",
    "1 -0",
    "1- 0",
    "1-0\n",
    "0x1-0",
    "a-0",
    "1-a",
    "1.0-0",
    "1:0",
    "1_0",
    "1e3-0",
    "$",
    ">",
    "+",
    "*",
    "1-*",
    "18446744073709551616-0",
    "0-18446744073709551616",
    "99999999999999999999-0",
    "0-99999999999999999999",
    "184467440737095516150-0",
    "\xD9\xA1-0",
};

/* Copied to the end of its memory, where the sanitizer would see a byte that is read too far. */
static char *copy_of(const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    CHECK(copy);
    memcpy(copy, text, len);
    return copy;
}

static void test_what_is_no_id(void)
{
    struct message_id id;
    for (size_t i = 0; i < COUNT_OF(no_ids); i++) {
        size_t len = strlen(no_ids[i]);
        char *bytes = copy_of(no_ids[i], len);
        CHECK(!message_id_parse(&id, bytes, len));
        CHECK(!message_position_parse(&id, bytes, len));
        free(bytes);
    }
    CHECK(!message_id_parse(&id, "1-0\0", 4));
    CHECK(!message_id_parse(&id, "1\0-0", 4));
    CHECK(message_id_parse(&id, "12-345", 4) && id.seq == 3); /* what stands behind `len` is not looked at */
}

static void test_positions(void)
{
    struct message_id id = {1, 1};
    CHECK(!parse("0", &id));
    CHECK(message_position_parse(&id, "0", 1) && id.ms == 0 && id.seq == 0);
    CHECK(!message_position_parse(&id, "00", 2) && !message_position_parse(&id, "1", 1));
}

static void test_order(void)
{
    static const struct message_id ids[] = {{0, 0}, {0, 1}, {0, UINT64_MAX}, {1, 0}, {2, 0}, {UINT64_MAX, 0}};
    for (int i = 0; i < (int)COUNT_OF(ids); i++)
        for (int j = 0; j < (int)COUNT_OF(ids); j++) {
            int order = message_id_compare(&ids[i], &ids[j]);
            CHECK((order > 0) == (i > j) && (order < 0) == (i < j));
        }
}

static void test_times(void)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {999, "1970-01-01T00:00:00.999Z"},
        {951782399005, "2000-02-28T23:59:59.005Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1795324800000, "2026-11-22T05:20:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {INT64_MAX, "292278994-08-17T07:12:55.807Z"}, /* the longest there is */
    };
    CHECK(setenv("TZ", "America/New_York", 1) == 0); /* nothing but UTC */
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char text[TIME_TEXT_SIZE];
        message_time_print(rows[i].ms, text);
        CHECK_STR(text, rows[i].text);
    }
}

#define FIELD(name, value)                                                                                             \
    {                                                                                                                  \
        name, value, sizeof name - 1, sizeof value - 1                                                                 \
    }

/* The entry {1795324800000, 0} with these fields, as JSON; the caller ends `out`. */
static int append(struct buf *out, size_t max, const struct message_field *fields, size_t count)
{
    static const struct message_id id = {1795324800000, 0};
    buf_init(out, max);
    int error = message_append_json(out, &id, fields, count);
    return error ? error : buf_append(out, "", 1);
}

#define HEAD "{\"id\":\"1795324800000-0\""
#define TIME ",\"timestamp\":\"2026-11-22T05:20:00.000Z\""

static void test_entries_as_json(void)
{
    static const struct message_field question[] = {FIELD("ms", "x"), FIELD("role", "user"),
                                                    FIELD("msg", "say \"hi\"\n"), FIELD("client", "c-1")};
    static const struct message_field answer[] = {FIELD("role", "assistant"), FIELD("msg", "\xC3\xA4"),
                                                  FIELD("reply_to", "5-1")};
    static const struct message_field marked[] = {FIELD("role", "assistant"), FIELD("msg", ""),
                                                  FIELD("reply_to", "5-1"), FIELD("aborted", "1"),
                                                  FIELD("truncated", "1")};
    struct buf out;
    CHECK(append(&out, 4096, question, COUNT_OF(question)) == 0);
    CHECK_STR(out.data, HEAD ",\"role\":\"user\",\"msg\":\"say \\\"hi\\\"\\n\"" TIME "}");
    buf_done(&out);
    CHECK(append(&out, 4096, answer, COUNT_OF(answer)) == 0);
    CHECK_STR(out.data, HEAD ",\"role\":\"assistant\",\"msg\":\"\xC3\xA4\"" TIME ",\"reply_to\":\"5-1\"}");
    buf_done(&out);
    CHECK(append(&out, 4096, marked, COUNT_OF(marked)) == 0);
    CHECK_STR(out.data, HEAD ",\"role\":\"assistant\",\"msg\":\"\"" TIME
                             ",\"reply_to\":\"5-1\",\"aborted\":true,\"truncated\":true}");
    buf_done(&out);
}

static void test_entries_that_cannot_be_json(void)
{
    static const struct message_field no_utf8[] = {FIELD("role", "user"), FIELD("msg", "a\xFF")};
    static const struct message_field half[] = {FIELD("role", "user"), FIELD("msg", "\xE2\x82")};
    static const struct message_field surrogate[] = {FIELD("role", "\xED\xA0\x80"), FIELD("msg", "a")};
    static const struct message_field right[] = {FIELD("role", "user"), FIELD("msg", "a")};
    struct buf out;
    CHECK(append(&out, 4096, no_utf8, COUNT_OF(no_utf8)) == -EILSEQ);
    buf_done(&out);
    CHECK(append(&out, 4096, half, COUNT_OF(half)) == -EILSEQ);
    buf_done(&out);
    CHECK(append(&out, 4096, surrogate, COUNT_OF(surrogate)) == -EILSEQ);
    buf_done(&out);
    for (size_t max = 0; max < strlen(HEAD ",\"role\":\"user\",\"msg\":\"a\"" TIME "}"); max++) {
        CHECK(append(&out, max, right, COUNT_OF(right)) == -ENOBUFS);
        buf_done(&out);
    }
}

#define IDS "\"id\":\"7-1\",\"prev\":\"5-0\",\"reply_to\":\"4-2\""

/* The answer that all forms below tell of, but for its text. */
static void check_ids(const struct event *event)
{
    static const struct message_id id = {7, 1}, prev = {5, 0}, reply_to = {4, 2};
    CHECK(event->type == EVENT_ANSWER);
    CHECK(message_id_compare(&event->id, &id) == 0);
    CHECK(message_id_compare(&event->prev, &prev) == 0);
    CHECK(message_id_compare(&event->reply_to, &reply_to) == 0);
}

/* What the functions write, first without escapes, then with them, then what another version might. */
static void test_answers(void)
{
    static const struct {
        const char *json, *msg;
        bool is_error;
    } rows[] = {
        {"{\"type\":\"assistant\"," IDS ",\"msg\":\"BOT: hi\"}", "BOT: hi", false},
        {"{\"type\":\"error\"," IDS ",\"msg\":\"stopped\"}", "stopped", true},
        {"{\"type\":\"assistant\"," IDS ",\"msg\":\"\"}", "", false},
        {"{\"type\":\"assistant\"," IDS ",\"msg\":\"\xF0\x9F\x98\x80\"}", "\U0001F600", false},
        {"{\"type\":\"assistant\"," IDS ",\"msg\":\"}\"}", "}", false},
        {"{\"type\":\"assistant\"," IDS ",\"msg\":\"a\\\"b\\\\c\\/\\n\\u00e4\"}", "a\"b\\c/\n\u00E4", false},
        {"{\"type\":\"error\"," IDS ",\"msg\":\"\\\"\"}", "\"", true},
        {"{\"type\":\"assistant\"," IDS ",\"aborted\":true,\"msg\":\"half\"}", "half", false},
        {"{\"type\":\"assistant\"," IDS ",\"truncated\":true,\"msg\":\"cut\"}", "cut", false},
        {"{\"type\":\"assistant\"," IDS "}", NULL, false},
        {"{\"type\":\"error\"," IDS ",\"aborted\":true}", NULL, true},
        {"{\"type\":\"assistant\"," IDS ",\"msg\":1}", NULL, false},
        {"{\"msg\":\"hi\",\"new\":[{}]," IDS ",\"type\":\"assistant\"}", "hi", false},
        {" { \"type\" : \"assistant\" , " IDS " , \"msg\" : \"hi\" } ", "hi", false},
        {"{\"type\":\"assistant\"," IDS ",\"msg\":\"hi\",\"new\":\"x\"}", "hi", false},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event event;
        CHECK(event_parse(&event, rows[i].json, strlen(rows[i].json)));
        check_ids(&event);
        CHECK(event.is_error == rows[i].is_error);
        CHECK(!event.msg == !rows[i].msg);
        CHECK(!event.msg || (event.msg_len == strlen(rows[i].msg) && !memcmp(event.msg, rows[i].msg, event.msg_len)));
        event_done(&event);
    }
}

static void test_nul_in_an_answer_is_kept(void)
{
    static const char json[] = "{\"type\":\"assistant\"," IDS ",\"msg\":\"a\\u0000b\"}";
    struct event event;
    CHECK(event_parse(&event, json, sizeof json - 1));
    CHECK(event.msg_len == 3 && memcmp(event.msg, "a\0b", 3) == 0);
    event_done(&event);
}

static void test_other_types(void)
{
    static const struct {
        const char *json;
        enum event_type type;
    } rows[] = {
        {"{\"type\":\"delta\",\"reply_to\":\"4-2\",\"by\":\"1.w.r\",\"offset\":0,\"msg\":\"BO\"}", EVENT_DELTA},
        {"{\"type\":\"refresh\"}", EVENT_REFRESH},
        {"{\"type\":\"end\"}", EVENT_END},
        {"{\"type\":\"user\"}", EVENT_UNKNOWN},
        {"{\"type\":\"assistants\"," IDS "}", EVENT_UNKNOWN},
        {"{\"type\":\"\"}", EVENT_UNKNOWN},
        {"{\"type\":1}", EVENT_UNKNOWN},
        {"{}", EVENT_UNKNOWN},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct event event;
        CHECK(event_parse(&event, rows[i].json, strlen(rows[i].json)));
        CHECK(event.type == rows[i].type && !event.msg);
        event_done(&event);
    }
}

static void test_garbage(void)
{
    static const char *const others[] = {
        "",
        " ",
        "null",
        "1",
        "\"assistant\"",
        "[]",
        "{",
        "}",
        "PING",
        "\xFF\xFE",
        "{\"type\":\"assistant\"}",
        "{\"type\":\"assistant\",\"id\":\"7-1\",\"prev\":\"5-0\"}",
        "{\"type\":\"assistant\",\"id\":\"7\",\"prev\":\"5-0\",\"reply_to\":\"4-2\",\"msg\":\"hi\"}",
        "{\"type\":\"assistant\",\"id\":\"7-1\",\"prev\":\"0\",\"reply_to\":\"4-2\",\"msg\":\"hi\"}",
        "{\"type\":\"assistant\",\"id\":\"7-1\",\"prev\":\"5-0\",\"reply_to\":\"\",\"msg\":\"hi\"}",
        "{\"type\":\"assistant\",\"id\":7,\"prev\":\"5-0\",\"reply_to\":\"4-2\",\"msg\":\"hi\"}",
        "{\"type\":\"assistant\"," IDS ",\"msg\":\"a\xFF\"}",
        "{\"type\":\"assistant\"," IDS ",\"msg\":\"\xED\xA0\x80\"}",
        "{\"type\":\"assistant\"," IDS ",\"msg\":\"\\ud800\"}",
        "{\"type\":\"assistant\"," IDS ",\"msg\":\"a\"b\"}",
        "{\"type\":\"assistant\"," IDS ",\"msg\":\"\"} ,",
        "{\"type\":\"assistant\"," IDS ",\"msg\":\"hi\"}{}",
    };
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        struct event event;
        char *json = copy_of(others[i], strlen(others[i]));
        CHECK(!event_parse(&event, json, strlen(others[i])));
        CHECK(!event.tree && !event.msg);
        free(json);
    }
}

static void test_truncation_at_every_byte(void)
{
    static const char *const whole[] = {
        "{\"type\":\"assistant\"," IDS ",\"msg\":\"BOT: \xC3\xA4}\"}",
        "{\"type\":\"error\"," IDS ",\"aborted\":true,\"msg\":\"a\\\"b\"}",
        "{\"type\":\"assistant\"," IDS "}",
        "{\"type\":\"refresh\"}",
    };
    for (size_t i = 0; i < COUNT_OF(whole); i++)
        for (size_t len = 0; len < strlen(whole[i]); len++) {
            struct event event;
            char *json = copy_of(whole[i], len);
            CHECK(!event_parse(&event, json, len));
            free(json);
        }
}

/* Either form, kept: its text lives on when the bytes are gone. */
static void test_keep(void)
{
    static const char *const forms[] = {
        "{\"type\":\"assistant\"," IDS ",\"msg\":\"BOT: hi\"}",
        "{\"type\":\"assistant\"," IDS ",\"msg\":\"BOT: \\u0068i\"}",
    };
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct event event;
        size_t len = strlen(forms[i]);
        char *json = copy_of(forms[i], len);
        CHECK(event_parse(&event, json, len));
        CHECK(event_keep(&event) == 0 && event_keep(&event) == 0);
        memset(json, 'x', len);
        free(json);
        check_ids(&event);
        CHECK(event.msg_len == 7);
        CHECK_STR(event.msg, "BOT: hi");
        event_done(&event);
    }
}

static void test_keep_without_a_text(void)
{
    static const char json[] = "{\"type\":\"assistant\"," IDS "}";
    struct event event;
    CHECK(event_parse(&event, json, sizeof json - 1));
    CHECK(event_keep(&event) == 0);
    check_ids(&event);
    CHECK(!event.msg);
    event_done(&event);
    event_done(&event);
    CHECK(event_keep(&event) == 0 && !event.tree);
}

int main(void)
{
    test_ids_that_redis_prints();
    test_what_is_no_id();
    test_positions();
    test_order();
    test_times();
    test_entries_as_json();
    test_entries_that_cannot_be_json();
    test_answers();
    test_nul_in_an_answer_is_kept();
    test_other_types();
    test_garbage();
    test_truncation_at_every_byte();
    test_keep();
    test_keep_without_a_text();
    return 0;
}
