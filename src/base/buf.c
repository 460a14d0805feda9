#include "base/buf.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_done(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->max);
}

static int grow(struct buf *buf, size_t extra)
{
    if (extra > buf->max - buf->len)
        return -ENOBUFS;
    size_t need = buf->len + extra;
    if (need <= buf->cap)
        return 0;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < need)
        cap *= 2;
    if (cap > buf->max)
        cap = buf->max;
    char *data = realloc(buf->data, cap);
    if (!data)
        return -ENOMEM;
    buf->data = data;
    buf->cap = cap;
    return 0;
}

int buf_append(struct buf *buf, const void *bytes, size_t len)
{
    int error = grow(buf, len);
    if (error)
        return error;
    if (len > 0)
        memcpy(buf->data + buf->len, bytes, len);
    buf->len += len;
    return 0;
}

int buf_append_str(struct buf *buf, const char *text)
{
    return buf_append(buf, text, strlen(text));
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    char small[512];
    va_list values;
    va_start(values, format);
    int len = vsnprintf(small, sizeof small, format, values);
    va_end(values);
    if (len < 0)
        return -EINVAL;
    if ((size_t)len < sizeof small)
        return buf_append(buf, small, (size_t)len);
    char *large;
    va_start(values, format);
    len = vasprintf(&large, format, values);
    va_end(values);
    if (len < 0)
        return -ENOMEM;
    int error = buf_append(buf, large, (size_t)len);
    free(large);
    return error;
}

char *buf_reserve(struct buf *buf, size_t len)
{
    return grow(buf, len) ? NULL : buf->data + buf->len;
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf->len = 0;
        return;
    }
    memmove(buf->data, buf->data + len, buf->len - len);
    buf->len -= len;
}
