/*
 * The words of one command: a bounded list of byte strings, borrowed from the caller but for numbers, which it stores
 * itself, so a list must not be copied. Binary safe; nothing is ever quoted or split. Filled by protocol/calls.h, sent
 * by net/redis_link.h.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { ARGS_MAX = 32, ARGS_NUMBERS_MAX = 12 };

struct args {
    int count;
    int numbers;
    const char *value[ARGS_MAX];
    size_t len[ARGS_MAX];
    char number[ARGS_NUMBERS_MAX][24];
};

/* An empty list. */
void args_init(struct args *args);

/* Appends `len` bytes, which must live until the command is sent. Asserts that there is room: lists are ours. */
void args_add(struct args *args, const char *bytes, size_t len);

/* Appends a string that must live until the command is sent. */
void args_add_str(struct args *args, const char *text);

/* Appends a decimal number. */
void args_add_number(struct args *args, int64_t number);
