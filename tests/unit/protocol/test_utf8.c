#include "base/compiler.h"
#include "check.h"
#include "protocol/utf8.h"
#include <stdint.h>

/* The first and the last code point of each length and beside the surrogates; then a BOM, a non-character, an emoji. */
static void test_all_boundaries_are_valid(void)
{
    static const char *const valid[] = {
        "\x01",         "\x7F",         "\xC2\x80",        "\xDF\xBF",         "\xE0\xA0\x80",
        "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",    "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF",
        "\xEF\xBB\xBF", "\xEF\xB7\x90", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < COUNT_OF(valid); i++) {
        size_t len = strlen(valid[i]);
        CHECK(utf8_sequence(valid[i], len) == len && utf8_is_valid(valid[i], len) && utf8_count(valid[i], len) == 1);
    }
    CHECK(utf8_sequence("", 1) == 1); /* U+0000 */
    CHECK(utf8_is_valid("", 0));
}

/* W24: alone, at the end, and in the middle. */
static void check_invalid(const char *const *sequences, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char text[32];
        size_t len = strlen(sequences[i]);
        snprintf(text, sizeof text, "\xC3\xA4x%syz", sequences[i]);
        CHECK(utf8_sequence(sequences[i], len) == 0 && !utf8_is_valid(sequences[i], len));
        CHECK(!utf8_is_valid(text, 3 + len) && !utf8_is_valid(text, 3 + len + 2));
    }
}

static void test_invalid_sequences(void)
{
    static const char *const lone[] = {"\x80", "\xBF", "\xC0", "\xC1", "\xF5", "\xFE", "\xFF", "\x80\xBF\x80"};
    static const char *const broken[] = {"\xC2 ",         "\xC2\xC2\x80",  "\xE2\x82 ",    "\xE2(\xA1",
                                         "\xF0\x9F\x98 ", "\xF0(\x8C\xBC", "\xF0\x90(\xBC"};
    static const char *const overlong[] = {"\xC0\x80",         "\xC0\xAF",         "\xC1\xBF",
                                           "\xE0\x80\x80",     "\xE0\x80\xAF",     "\xE0\x9F\xBF",
                                           "\xF0\x80\x80\x80", "\xF0\x80\x80\xAF", "\xF0\x8F\xBF\xBF"};
    static const char *const surrogates[] = {"\xED\xA0\x80",
                                             "\xED\xAD\xBF",
                                             "\xED\xAE\x80",
                                             "\xED\xAF\xBF",
                                             "\xED\xB0\x80",
                                             "\xED\xBF\xBF",
                                             "\xED\xA0\xBD\xED\xB8\x80"};
    static const char *const above_10ffff[] = {"\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xF7\xBF\xBF\xBF",
                                               "\xF8\x88\x80\x80\x80", "\xFC\x84\x80\x80\x80\x80"};
    check_invalid(lone, COUNT_OF(lone));
    check_invalid(broken, COUNT_OF(broken));
    check_invalid(overlong, COUNT_OF(overlong));
    check_invalid(surrogates, COUNT_OF(surrogates));
    check_invalid(above_10ffff, COUNT_OF(above_10ffff));
}

/* The bytes lie at the end of their memory, where the sanitizer would see one that is read too far. */
static void test_truncated_sequences(void)
{
    static const char *const whole[] = {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < COUNT_OF(whole); i++)
        for (size_t len = 1; len < strlen(whole[i]); len++) {
            char *text = malloc(len);
            CHECK(text);
            memcpy(text, whole[i], len);
            CHECK(utf8_sequence(text, len) == 0 && !utf8_is_valid(text, len));
            free(text);
        }
    CHECK(utf8_sequence("", 0) == 0);
}

static size_t encode(uint32_t code, char out[4])
{
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = len; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(lead[len] | code);
    return len;
}

static void test_every_code_point(void)
{
    for (uint32_t code = 0; code < 0x1FFFFF; code++) {
        char text[4];
        size_t len = encode(code, text);
        bool is_character = code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
        CHECK(utf8_sequence(text, len) == (is_character ? len : 0));
    }
}

static void test_count(void)
{
    static const char text[] = "a\0\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z";
    CHECK(utf8_count(text, sizeof text - 1) == 6);
    CHECK(utf8_count("", 0) == 0);
}

int main(void)
{
    test_all_boundaries_are_valid();
    test_invalid_sequences();
    test_truncated_sequences();
    test_every_code_point();
    test_count();
    return 0;
}
