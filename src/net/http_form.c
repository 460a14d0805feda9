#include "net/http_form.h"
#include <stdbool.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes one decoded byte from the front of at..end, which is not empty. */
static char take_byte(const char **at, const char *end)
{
    char c = *(*at)++;
    if (c == '+')
        return ' ';
    if (c != '%' || end - *at < 2)
        return c;
    int high = hex_value((*at)[0]), low = hex_value((*at)[1]);
    if (high < 0 || low < 0)
        return c;
    *at += 2;
    return (char)(high * 16 + low);
}

static bool decodes_to(const char *at, const char *end, const char *name)
{
    for (; at < end; name++) {
        char c = take_byte(&at, end);
        if (c == '\0' || c != *name)
            return false;
    }
    return *name == '\0';
}

unsigned http_form_find(const char *text, size_t len, const char *name, const char **raw, size_t *raw_len)
{
    unsigned count = 0;
    const char *end = text + len;
    for (const char *at = text; at < end;) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        const char *stop = next ? next : end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        const char *name_end = equals ? equals : stop;
        if (decodes_to(at, name_end, name) && count++ == 0) {
            *raw = equals ? equals + 1 : stop;
            *raw_len = (size_t)(stop - *raw);
        }
        at = next ? next + 1 : end;
    }
    return count;
}

size_t http_form_decode(char *out, const char *raw, size_t len)
{
    char *to = out;
    for (const char *at = raw, *end = raw + len; at < end;)
        *to++ = take_byte(&at, end);
    return (size_t)(to - out);
}
