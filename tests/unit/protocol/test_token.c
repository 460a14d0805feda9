#include "check.h"
#include "protocol/token.h"

static const char canonical[] = "7d444840-9dc0-41d1-b245-5ffdce74fad2";

static void test_made_tokens_are_tokens_and_differ(void)
{
    struct token first, second, parsed;
    CHECK(token_make(&first) == 0);
    CHECK(token_make(&second) == 0);
    CHECK(strlen(first.text) == TOKEN_LEN);
    CHECK(strcmp(first.text, second.text) != 0);
    CHECK(token_parse(&parsed, first.text, TOKEN_LEN));
    CHECK_STR(parsed.text, first.text);
}

/* 500 of them: each of the 122 random bits is seen both set and not. */
static void test_all_random_bits_are_random(void)
{
    static const int random_digits[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 15, 16, 17, 20, 21, 22, 24, 35};
    for (size_t i = 0; i < sizeof random_digits / sizeof *random_digits; i++) {
        unsigned set = 0, not_set = 0;
        for (int n = 0; n < 500; n++) {
            struct token token;
            CHECK(token_make(&token) == 0);
            char digit[2] = {token.text[random_digits[i]], '\0'};
            unsigned value = (unsigned)strtoul(digit, NULL, 16);
            set |= value;
            not_set |= ~value & 0xf;
        }
        CHECK(set == 0xf && not_set == 0xf);
    }
}

static void test_only_a_canonical_uuid4_is_a_token(void)
{
    static const char *const others[] = {
        "7D444840-9DC0-41D1-B245-5FFDCE74FAD2",   /* upper case */
        "7d444840-9dc0-11d1-b245-5ffdce74fad2",   /* version 1 */
        "7d444840-9dc0-41d1-c245-5ffdce74fad2",   /* another variant */
        "7d4448409-dc0-41d1-b245-5ffdce74fad2",   /* a dash elsewhere */
        "7d444840-9dc0-41d1-b245-5ffdce74fadg",   /* no digit */
        "7d444840-9dc0-41d1-b245-5ffdce74fad",    /* short */
        "7d444840-9dc0-41d1-b245-5ffdce74fad22",  /* long */
        "{7d444840-9dc0-41d1-b245-5ffdce74fad2}", /* braces */
        "7d444840-9dc0-41d1-b245-5ffdce74fa\r\n", "banter:{0}:session:7d444840-9dc0-41d1", "",
    };
    struct token token;
    CHECK(token_parse(&token, canonical, sizeof canonical - 1));
    CHECK_STR(token.text, canonical);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK(!token_parse(&token, others[i], strlen(others[i])));
    CHECK_STR(token.text, canonical); /* a refused one leaves it as it was */
    char with_nul[TOKEN_LEN];
    memcpy(with_nul, canonical, TOKEN_LEN);
    with_nul[20] = '\0';
    CHECK(!token_parse(&token, with_nul, sizeof with_nul));
}

/* printf %s 7d444840-9dc0-41d1-b245-5ffdce74fad2 | sha256sum | cut -c1-8 */
static void test_the_fingerprint_is_the_beginning_of_sha256(void)
{
    struct token token;
    char fingerprint[9];
    CHECK(token_parse(&token, canonical, sizeof canonical - 1));
    token_fingerprint(&token, fingerprint);
    CHECK_STR(fingerprint, "b9838c8c");
}

int main(void)
{
    test_made_tokens_are_tokens_and_differ();
    test_all_random_bits_are_random();
    test_only_a_canonical_uuid4_is_a_token();
    test_the_fingerprint_is_the_beginning_of_sha256();
    return 0;
}
