/* The whole test framework: a failed CHECK says where and ends the process with 1. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: CHECK(%s) failed\n", __FILE__, __LINE__, __func__, #condition);                \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define CHECK_STR(actual, expected)                                                                                    \
    do {                                                                                                               \
        const char *actual_ = (actual), *expected_ = (expected);                                                       \
        if (actual_ == NULL || strcmp(actual_, expected_) != 0) {                                                      \
            fprintf(stderr, "%s:%d: %s: got \"%s\", expected \"%s\"\n", __FILE__, __LINE__, __func__,                  \
                    actual_ ? actual_ : "(null)", expected_);                                                          \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)
