#include "base/compiler.h"
#include "base/suggestion.h"
#include "check.h"

static const char *nearest(const char *mistyped)
{
    static const char *const words[] = {"history", "host", "listen", "max-text", "max-session-life", "bot"};
    struct suggestion suggestion;
    suggestion_init(&suggestion, mistyped);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        suggestion_offer(&suggestion, words[i]);
    return suggestion.nearest;
}

static void test_slips(void)
{
    CHECK_STR(nearest("histori"), "history");  /* wrong */
    CHECK_STR(nearest("histry"), "history");   /* missing */
    CHECK_STR(nearest("hisstory"), "history"); /* too many */
    CHECK_STR(nearest("ilsten"), "listen");    /* swapped */
    CHECK_STR(nearest("max-sesion-lief"), "max-session-life");
    CHECK_STR(nearest("bto"), "bot");
    CHECK_STR(nearest("host"), "host");
}

static void test_nothing_near(void)
{
    CHECK(!nearest("port")); /* two slips in four letters */
    CHECK(!nearest("x"));
    CHECK(!nearest(""));
    CHECK(!nearest("a-name-that-is-longer-than-any-word-there-could-be"));
}

int main(void)
{
    test_slips();
    test_nothing_near();
    return 0;
}
