#include "net/redis_command.h"
#include <errno.h>
#include <string.h>

enum { DIGITS_MAX = 20, HEADER_MAX = 1 + DIGITS_MAX + 2 };

/* Writes "*3\r\n" or "$11\r\n"; returns where it ends. */
static char *put_header(char *at, char mark, size_t number)
{
    char digits[DIGITS_MAX];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *at++ = mark;
    while (count > 0)
        *at++ = digits[--count];
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

int redis_command_append(struct buf *out, const struct args *args, size_t room)
{
    size_t need = HEADER_MAX;
    for (int i = 0; i < args->count; i++)
        need += HEADER_MAX + args->len[i] + 2;
    if (need > room || need > out->max - out->len)
        return -ENOBUFS;
    char *start = buf_reserve(out, need);
    if (!start)
        return -ENOMEM;
    char *at = put_header(start, '*', (size_t)args->count);
    for (int i = 0; i < args->count; i++) {
        at = put_header(at, '$', args->len[i]);
        memcpy(at, args->value[i], args->len[i]);
        at += args->len[i];
        *at++ = '\r';
        *at++ = '\n';
    }
    out->len += (size_t)(at - start);
    return 0;
}
