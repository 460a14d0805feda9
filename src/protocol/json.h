/*
 * JSON in and out, by jansson; nothing else includes it. What comes from outside is scanned first for depth and number
 * of parts, since jansson recurses and builds a tree of up to 80 times the input.
 */
#pragma once
#include "base/buf.h"
#include "base/reject.h"
#include <stddef.h>

enum { JSON_MAX_DEPTH = 16, JSON_MAX_TOKENS = 1000 };

/* Depth and number of values and keys of what may be JSON: NONE, JSON_TOO_DEEP or JSON_TOO_MANY. Linear; allocates
 * nothing. */
enum reject json_scan(const char *text, size_t len);

/* One member that is looked for: `value` is malloc'ed text if the member is there, else NULL. */
struct json_member {
    const char *name;
    char *value;
    size_t len;
};

/*
 * Reads string members of one JSON object (other members are ignored). NONE, JSON_INVALID (duplicate keys, NUL,
 * trailing bytes and all else that is not one object), JSON_TOO_DEEP, JSON_TOO_MANY, or FIELD_TYPE if a member is there
 * but no string. The caller frees with json_members_done, whatever is returned.
 */
enum reject json_read_members(const char *text, size_t len, struct json_member *members, size_t count);
void json_members_done(struct json_member *members, size_t count);

/* Appends `text` (valid UTF-8) as a JSON string with its quotes. 0 or a buf_append error. */
int json_append_string(struct buf *out, const char *text, size_t len) MUST_CHECK;

/* Seeds jansson's hash. Call once, before threads start. */
void json_init(void);
