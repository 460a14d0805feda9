#include "bot/clean_text.h"
#include "check.h"

#define BAD "\xEF\xBF\xBD"

static void holds(const struct buf *out, const char *expected)
{
    CHECK(out->len == strlen(expected) && (out->len == 0 || memcmp(out->data, expected, out->len) == 0));
}

static void cleans_in_pieces(const char *dirty, size_t len, size_t piece, const char *expected)
{
    struct clean_text clean = {0};
    struct buf out;
    buf_init(&out, 4096);
    for (size_t at = 0; at < len; at += piece)
        clean_text_append(&clean, &out, dirty + at, len - at < piece ? len - at : piece);
    clean_text_end(&clean, &out);
    holds(&out, expected);
    CHECK(!clean.is_cut);
    buf_done(&out);
}

/* Wherever the text is torn, the same comes out. */
static void cleans(const char *dirty, size_t len, const char *expected)
{
    for (size_t piece = 1; piece <= len; piece++)
        cleans_in_pieces(dirty, len, piece, expected);
}
#define CLEANS(dirty, expected) cleans(dirty, sizeof(dirty) - 1, expected)

static void cuts(const char *text, size_t max, const char *expected, bool is_cut)
{
    struct clean_text clean = {0};
    struct buf out;
    buf_init(&out, max);
    clean_text_append(&clean, &out, text, strlen(text));
    clean_text_append(&clean, &out, "", 0);
    clean_text_end(&clean, &out);
    CHECK(clean.is_cut == is_cut);
    holds(&out, expected);
    buf_done(&out);
}

static void test_nothing_follows_a_cut(void)
{
    struct clean_text clean = {0};
    struct buf out;
    buf_init(&out, 4);
    clean_text_append(&clean, &out, "abc\xC3\xA4", 5);
    clean_text_append(&clean, &out, "d", 1);
    CHECK(clean.is_cut && out.len == 3);
    buf_done(&out);
}

int main(void)
{
    CLEANS("plain", "plain");
    CLEANS("gr\xC3\xBC\xC3\x9F dich \xE2\x82\xAC \xF0\x9F\x98\x80!",
           "gr\xC3\xBC\xC3\x9F dich \xE2\x82\xAC \xF0\x9F\x98\x80!");
    CLEANS("a\0b", "a" BAD "b");
    CLEANS("\xFF\xFE", BAD BAD);
    CLEANS("a\x80z", "a" BAD "z");
    CLEANS("\xC3(", BAD "(");
    CLEANS("\xE2\x82", BAD);
    CLEANS("\xE2\x82\0", BAD BAD);
    CLEANS("\xE2\xC3\xBC", BAD "\xC3\xBC");
    CLEANS("\xC0\xAF", BAD BAD);
    CLEANS("\xE0\x80\x80", BAD);     /* overlong */
    CLEANS("\xED\xA0\x80", BAD);     /* a surrogate */
    CLEANS("\xF4\x90\x80\x80", BAD); /* past U+10FFFF */
    CLEANS("\xF5\x80", BAD BAD);
    cuts("abcdef", 6, "abcdef", false);
    cuts("abcdefg", 6, "abcdef", true);
    cuts("abcd\xE2\x82\xAC", 7, "abcd\xE2\x82\xAC", false);
    cuts("abcd\xE2\x82\xAC", 6, "abcd", true);
    cuts("abcd\xE2\x82\xAC"
         "e",
         7, "abcd\xE2\x82\xAC", true);
    cuts("\xFF", 2, "", true);
    test_nothing_follows_a_cut();
    return 0;
}
