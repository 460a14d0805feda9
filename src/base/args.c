#include "base/args.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void args_init(struct args *args)
{
    args->count = 0;
    args->numbers = 0;
}

void args_add(struct args *args, const char *bytes, size_t len)
{
    assert(args->count < ARGS_MAX);
    args->value[args->count] = bytes;
    args->len[args->count] = len;
    args->count++;
}

void args_add_str(struct args *args, const char *text)
{
    args_add(args, text, strlen(text));
}

void args_add_number(struct args *args, int64_t number)
{
    assert(args->numbers < ARGS_NUMBERS_MAX);
    char *text = args->number[args->numbers++];
    int len = snprintf(text, sizeof args->number[0], "%" PRId64, number);
    args_add(args, text, (size_t)len);
}
