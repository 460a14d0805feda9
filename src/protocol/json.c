#include "protocol/json.h"
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void json_init(void)
{
    json_object_seed(0);
}

/* The end of the string that starts at `at` (a quote): behind its closing quote, or `len`. */
static size_t skip_string(const char *text, size_t len, size_t at)
{
    for (at++; at < len && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at + 1;
}

static bool is_scalar(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '+' ||
           c == '.';
}

enum reject json_scan(const char *text, size_t len)
{
    int depth = 0, tokens = 0;
    for (size_t at = 0; at < len;) {
        char c = text[at];
        if (c == '{' || c == '[') {
            if (++depth > JSON_MAX_DEPTH)
                return REJECT_JSON_TOO_DEEP;
            tokens++;
            at++;
        } else if (c == '"') {
            tokens++;
            at = skip_string(text, len, at);
        } else if (is_scalar(c)) {
            tokens++;
            while (at < len && is_scalar(text[at]))
                at++;
        } else {
            depth -= c == '}' || c == ']';
            at++;
        }
        if (tokens > JSON_MAX_TOKENS)
            return REJECT_JSON_TOO_MANY;
    }
    return REJECT_NONE;
}

static enum reject read_member(const json_t *object, struct json_member *member)
{
    const json_t *value = json_object_get(object, member->name);
    if (!value)
        return REJECT_NONE;
    if (!json_is_string(value))
        return REJECT_FIELD_TYPE;
    member->len = json_string_length(value);
    member->value = malloc(member->len + 1);
    if (!member->value)
        return REJECT_INTERNAL;
    memcpy(member->value, json_string_value(value), member->len + 1);
    return REJECT_NONE;
}

enum reject json_read_members(const char *text, size_t len, struct json_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        members[i].value = NULL;
    enum reject reject = json_scan(text, len);
    if (reject)
        return reject;
    json_t *object = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(object))
        reject = REJECT_JSON_INVALID;
    for (size_t i = 0; !reject && i < count; i++)
        reject = read_member(object, &members[i]);
    json_decref(object);
    return reject;
}

void json_members_done(struct json_member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(members[i].value);
        members[i].value = NULL;
    }
}

static int append_chunk(const char *bytes, size_t len, void *out)
{
    return buf_append(out, bytes, len) ? -1 : 0;
}

int json_append_string(struct buf *out, const char *text, size_t len)
{
    json_t *string = json_stringn(text, len);
    if (!string)
        return -EILSEQ;
    int failed = json_dump_callback(string, append_chunk, out, JSON_ENCODE_ANY | JSON_COMPACT);
    json_decref(string);
    return failed ? -ENOBUFS : 0;
}
