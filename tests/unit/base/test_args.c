#include "base/args.h"
#include "check.h"

static void test_words_are_borrowed_and_numbers_stored(void)
{
    struct args args;
    args_init(&args);
    CHECK(args.count == 0);
    const char binary[] = {'a', '\0', '\r', '\n'};
    args_add_str(&args, "XADD");
    args_add(&args, binary, sizeof binary);
    args_add_number(&args, INT64_MIN);
    args_add_number(&args, 7);
    CHECK(args.count == 4);
    CHECK(args.len[0] == 4 && strcmp(args.value[0], "XADD") == 0);
    CHECK(args.value[1] == binary && args.len[1] == 4);
    CHECK_STR(args.value[2], "-9223372036854775808");
    CHECK_STR(args.value[3], "7");
    CHECK(args.len[2] == 20 && args.len[3] == 1);
}

static void test_a_list_can_be_full(void)
{
    struct args args;
    args_init(&args);
    for (int i = 0; i < ARGS_NUMBERS_MAX; i++)
        args_add_number(&args, i);
    for (int i = ARGS_NUMBERS_MAX; i < ARGS_MAX; i++)
        args_add_str(&args, "");
    CHECK(args.count == ARGS_MAX);
    CHECK_STR(args.value[ARGS_NUMBERS_MAX - 1], "11");
    CHECK(args.len[ARGS_MAX - 1] == 0);
}

int main(void)
{
    test_words_are_borrowed_and_numbers_stored();
    test_a_list_can_be_full();
    return 0;
}
