#include "base/compiler.h"
#include "check.h"
#include "protocol/validate.h"

static enum reject text(const char *bytes)
{
    return validate_text(bytes, strlen(bytes), 16);
}

static void test_texts_that_pass(void)
{
    CHECK(text("a") == REJECT_NONE);
    CHECK(text(" a ") == REJECT_NONE);
    CHECK(text("\n\t.") == REJECT_NONE);
    CHECK(text("\u00A0\u00E4") == REJECT_NONE);
    CHECK(text("\u200C") == REJECT_NONE); /* the joiners of Persian and of emoji are no white space */
    CHECK(text("%s%n\r\n\x1b[31m") == REJECT_NONE);
}

/* J11: the limit counts bytes. */
static void test_limit(void)
{
    CHECK(text("0123456789abcdef") == REJECT_NONE);
    CHECK(text("0123456789abcdefg") == REJECT_TEXT_TOO_LONG);
    CHECK(text("\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4") == REJECT_NONE);
    CHECK(text("\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4\u00E4.") == REJECT_TEXT_TOO_LONG);
    CHECK(text("                 ") == REJECT_TEXT_TOO_LONG);
    CHECK(validate_text("a", 1, 1) == REJECT_NONE);
}

static void test_blank_texts(void)
{
    static const char *const blank[] = {
        "",       " ",      "\t\n\v\f\r", "\u00A0", "\u1680", "\u2000", "\u2007", "\u200A",
        "\u200B", "\u2028", "\u2029",     "\u202F", "\u205F", "\u3000", "\uFEFF", " \u00A0\u3000\n",
    };
    for (size_t i = 0; i < COUNT_OF(blank); i++) {
        CHECK(text(blank[i]) == REJECT_TEXT_EMPTY);
        CHECK(validate_name(blank[i], strlen(blank[i])) == REJECT_NAME_INVALID);
    }
    CHECK(validate_text(NULL, 0, 16) == REJECT_TEXT_EMPTY);
}

static void test_nul(void)
{
    CHECK(validate_text("\0", 1, 16) == REJECT_TEXT_NUL);
    CHECK(validate_text(" \0 ", 3, 16) == REJECT_TEXT_NUL);
    CHECK(validate_text("hi\0", 3, 16) == REJECT_TEXT_NUL);
}

static enum reject name(const char *bytes)
{
    return validate_name(bytes, strlen(bytes));
}

static void test_names_that_pass(void)
{
    CHECK(name("Ann") == REJECT_NONE);
    CHECK(name(" A ") == REJECT_NONE);
    CHECK(name("J\u00F6rg O'Neill <\"&>") == REJECT_NONE);
    CHECK(name("\U0001F600") == REJECT_NONE);
    CHECK(name("\u00A1") == REJECT_NONE); /* just behind the control characters */
}

static void test_control_characters_in_names(void)
{
    static const char *const others[] = {"a\nb", "\x1b[31m", "a\tb", "a\x7F", "a\xC2\x80", "\xC2\x9F", "\xC2\x85.b"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        CHECK(name(others[i]) == REJECT_NAME_INVALID);
    CHECK(validate_name("a\0b", 3) == REJECT_NAME_INVALID);
}

static void test_names_that_are_no_utf8(void)
{
    CHECK(name("\xFF") == REJECT_NAME_INVALID);
    CHECK(name("Ann\xC3") == REJECT_NAME_INVALID);
    CHECK(name("\xED\xA0\x80") == REJECT_NAME_INVALID);
}

/* 64 characters, each of four bytes; one more is too many. */
static void test_length_of_names_counts_characters(void)
{
    char long_name[(NAME_MAX_CHARACTERS + 1) * 4];
    for (size_t i = 0; i < sizeof long_name; i += 4)
        memcpy(long_name + i, "\U0001F600", 4);
    CHECK(validate_name(long_name, sizeof long_name - 4) == REJECT_NONE);
    CHECK(validate_name(long_name, sizeof long_name) == REJECT_NAME_INVALID);
}

int main(void)
{
    test_texts_that_pass();
    test_limit();
    test_blank_texts();
    test_nul();
    test_names_that_pass();
    test_control_characters_in_names();
    test_names_that_are_no_utf8();
    test_length_of_names_counts_characters();
    return 0;
}
