#include "client/http_response.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

/* "HTTP/1.1 200 OK" -> 200; 0 if it is nothing of the kind. */
static int read_status(const char *line, size_t len)
{
    if (len < 12 || memcmp(line, "HTTP/1.", 7) != 0 || line[8] != ' ')
        return 0;
    int status = 0;
    for (int i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return 0;
        status = 10 * status + (line[i] - '0');
    }
    return status >= 100 ? status : 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Reads digits of `base` (10 or 16); false if there are none, others among them, or more than a body may have. */
static bool read_size(const char *digits, size_t len, unsigned base, size_t *size)
{
    size_t value = 0;
    for (size_t i = 0; i < len; i++) {
        static const char all[] = "0123456789abcdef";
        const char *digit = memchr(all, tolower((unsigned char)digits[i]), base);
        if (!digit || value > HTTP_RESPONSE_BODY_MAX)
            return false;
        value = value * base + (size_t)(digit - all);
    }
    *size = value;
    return len > 0;
}

const char *http_response_header(const struct http_response *response, const char *name, size_t *len)
{
    const char *found = NULL, *end = response->head + response->head_len;
    size_t name_len = strlen(name);
    const char *line = memchr(response->head, '\n', response->head_len);
    while (line && ++line < end) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = next ? next : end;
        if ((size_t)(line_end - line) > name_len && line[name_len] == ':' && strncasecmp(line, name, name_len) == 0) {
            if (found)
                return NULL;
            found = line + name_len + 1;
            while (found < line_end && is_blank(*found))
                found++;
            while (line_end > found && is_blank(line_end[-1]))
                line_end--;
            *len = (size_t)(line_end - found);
        }
        line = next;
    }
    return found;
}

bool http_response_header_has(const struct http_response *response, const char *name, const char *word)
{
    size_t len, word_len = strlen(word);
    const char *at = http_response_header(response, name, &len);
    if (!at)
        return false;
    for (const char *end = at + len; at < end; at++) {
        while (at < end && (*at == ',' || is_blank(*at)))
            at++;
        const char *item = at;
        while (at < end && *at != ',')
            at++;
        size_t item_len = (size_t)(at - item);
        while (item_len > 0 && is_blank(item[item_len - 1]))
            item_len--;
        if (item_len == word_len && strncasecmp(item, word, word_len) == 0)
            return true;
    }
    return false;
}

/* Walks the chunks from `at`; with `out`, moves their bytes there. 1 and the sizes when the last one is there, else as
 * above. */
static int read_chunks(const char *at, size_t len, char *out, size_t *body_len, size_t *raw_len)
{
    const char *start = at, *end = at + len;
    size_t total = 0;
    for (;;) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        if (!eol)
            return 0;
        size_t size, digits = strspn(at, "0123456789abcdefABCDEF");
        if (!read_size(at, digits, 16, &size) || (at[digits] != '\r' && at[digits] != ';'))
            return -EPROTO;
        at = eol + 1;
        if (total + size > HTTP_RESPONSE_BODY_MAX)
            return -EMSGSIZE;
        if ((size_t)(end - at) < size + 2)
            return 0;
        if (memcmp(at + size, "\r\n", 2) != 0) /* after the last chunk: trailers, which nobody sends */
            return -EPROTO;
        if (out && size > 0)
            memmove(out + total, at, size);
        total += size;
        at += size + 2;
        if (size == 0) {
            *body_len = total;
            *raw_len = (size_t)(at - start);
            return 1;
        }
    }
}

static int read_chunked_body(struct http_response *response, char *body, size_t len)
{
    size_t raw_len;
    int done = read_chunks(body, len, NULL, &response->body_len, &raw_len);
    if (done != 1)
        return done;
    response->size = response->head_len + raw_len;
    return read_chunks(body, len, body, &response->body_len, &raw_len);
}

static int read_sized_body(struct http_response *response, const char *digits, size_t digits_len, size_t len)
{
    if (!read_size(digits, digits_len, 10, &response->body_len))
        return -EPROTO;
    if (response->body_len > HTTP_RESPONSE_BODY_MAX)
        return -EMSGSIZE;
    response->size = response->head_len + response->body_len;
    return len >= response->body_len;
}

static int read_body(struct http_response *response, char *body, size_t len, bool ended)
{
    size_t value_len;
    response->body = body;
    if (response->status < 200 || response->status == 204 || response->status == 304) {
        response->size = response->head_len;
        return 1;
    }
    if (http_response_header_has(response, "Transfer-Encoding", "chunked"))
        return read_chunked_body(response, body, len);
    const char *digits = http_response_header(response, "Content-Length", &value_len);
    if (digits)
        return read_sized_body(response, digits, value_len, len);
    if (len > HTTP_RESPONSE_BODY_MAX)
        return -EMSGSIZE;
    response->body_len = len;
    response->size = response->head_len + len;
    response->keep_alive = false;
    return ended;
}

int http_response_read(struct http_response *response, char *bytes, size_t len, bool ended)
{
    const char *empty_line = memmem(bytes, len, "\r\n\r\n", 4);
    *response = (struct http_response){.head = bytes};
    if (!empty_line)
        return len > HTTP_RESPONSE_HEAD_MAX ? -EMSGSIZE : ended ? -EPROTO : 0;
    response->head_len = (size_t)(empty_line + 4 - bytes);
    response->status = read_status(bytes, response->head_len);
    if (response->status == 0)
        return -EPROTO;
    response->keep_alive = bytes[7] == '1' && !http_response_header_has(response, "Connection", "close") && !ended;
    int done = read_body(response, bytes + response->head_len, len - response->head_len, ended);
    return done == 0 && ended ? -EPROTO : done;
}
