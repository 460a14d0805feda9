/* The GNU C attributes we use, by names that read. */
#pragma once
#include <stddef.h>

#define MUST_CHECK                             __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_value) __attribute__((format(printf, format_index, first_value)))
#define NORETURN                               __attribute__((noreturn))
#define CONTAINER_OF(pointer, type, member)    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define COUNT_OF(array)                        (sizeof(array) / sizeof((array)[0]))
