#include "protocol/message.h"
#include "protocol/json.h"
#include "protocol/utf8.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A decimal number as Redis prints it, without sign or leading zeros. Moves `at` behind it. */
static bool read_number(uint64_t *number, const char *bytes, size_t len, size_t *at)
{
    size_t start = *at;
    *number = 0;
    for (; *at < len && bytes[*at] >= '0' && bytes[*at] <= '9'; ++*at) {
        unsigned digit = (unsigned)(bytes[*at] - '0');
        if (*number > (UINT64_MAX - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    size_t digits = *at - start;
    return digits == 1 || (digits > 1 && bytes[start] != '0');
}

bool message_id_parse(struct message_id *id, const char *bytes, size_t len)
{
    size_t at = 0;
    if (!read_number(&id->ms, bytes, len, &at) || at == len || bytes[at++] != '-')
        return false;
    return read_number(&id->seq, bytes, len, &at) && at == len;
}

bool message_position_parse(struct message_id *id, const char *bytes, size_t len)
{
    if (len == 1 && *bytes == '0') {
        *id = (struct message_id){0, 0};
        return true;
    }
    return message_id_parse(id, bytes, len);
}

void message_id_print(const struct message_id *id, char out[MESSAGE_ID_SIZE])
{
    snprintf(out, MESSAGE_ID_SIZE, "%" PRIu64 "-%" PRIu64, id->ms, id->seq);
}

int message_id_compare(const struct message_id *a, const struct message_id *b)
{
    if (a->ms != b->ms)
        return a->ms < b->ms ? -1 : 1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

void message_time_print(int64_t ms, char out[TIME_TEXT_SIZE])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t len = strftime(out, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out + len, TIME_TEXT_SIZE - len, ".%03dZ", (int)(ms % 1000));
}

static const struct message_field *find_field(const struct message_field *fields, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (fields[i].name_len == strlen(name) && memcmp(fields[i].name, name, fields[i].name_len) == 0)
            return &fields[i];
    return NULL;
}

static int append_member(struct buf *out, const char *key, const struct message_field *field)
{
    if (!field)
        return 0;
    int error = buf_printf(out, ",\"%s\":", key);
    return error ? error : json_append_string(out, field->value, field->value_len);
}

int message_append_json(struct buf *out, const struct message_id *id, const struct message_field *fields, size_t count)
{
    char id_text[MESSAGE_ID_SIZE], time_text[TIME_TEXT_SIZE];
    message_id_print(id, id_text);
    message_time_print((int64_t)id->ms, time_text);
    int error = buf_printf(out, "{\"id\":\"%s\"", id_text);
    if (!error)
        error = append_member(out, "role", find_field(fields, count, "role"));
    if (!error)
        error = append_member(out, "msg", find_field(fields, count, "msg"));
    if (!error)
        error = buf_printf(out, ",\"timestamp\":\"%s\"", time_text);
    if (!error)
        error = append_member(out, "reply_to", find_field(fields, count, "reply_to"));
    static const char *const marks[] = {"aborted", "truncated"};
    for (size_t i = 0; i < COUNT_OF(marks) && !error; i++)
        if (find_field(fields, count, marks[i]))
            error = buf_printf(out, ",\"%s\":true", marks[i]);
    return error ? error : buf_append_str(out, "}");
}

static bool read_id(struct message_id *id, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value && json_is_string(value) && message_id_parse(id, json_string_value(value), json_string_length(value));
}

static enum event_type type_of(const char *name, bool *is_error)
{
    static const struct {
        const char *name;
        enum event_type type;
        bool is_error;
    } types[] = {
        {"assistant", EVENT_ANSWER, false}, {"error", EVENT_ANSWER, true}, {"delta", EVENT_DELTA, false},
        {"refresh", EVENT_REFRESH, false},  {"end", EVENT_END, false},
    };
    *is_error = false;
    for (size_t i = 0; name && i < COUNT_OF(types); i++)
        if (strcmp(types[i].name, name) == 0) {
            *is_error = types[i].is_error;
            return types[i].type;
        }
    return EVENT_UNKNOWN;
}

static bool skip(const char **at, const char *end, const char *literal)
{
    size_t len = strlen(literal);
    if ((size_t)(end - *at) < len || memcmp(*at, literal, len) != 0)
        return false;
    *at += len;
    return true;
}

static bool skip_id(const char **at, const char *end, struct message_id *id)
{
    const char *quote = memchr(*at, '"', (size_t)(end - *at));
    if (!quote || !message_id_parse(id, *at, (size_t)(quote - *at)))
        return false;
    *at = quote;
    return true;
}

/*
 * An answer in exactly the form that functions.lua writes, without escapes: what nearly all events are. Reading it in
 * place saves a tree, a tenth of what a message costs the server. False for anything else, which is no judgement.
 */
static bool read_plain_answer(struct event *event, const char *at, const char *end)
{
    if (!skip(&at, end, "{\"type\":\""))
        return false;
    event->is_error = !skip(&at, end, "assistant");
    if (event->is_error && !skip(&at, end, "error"))
        return false;
    if (!skip(&at, end, "\",\"id\":\"") || !skip_id(&at, end, &event->id) || !skip(&at, end, "\",\"prev\":\"") ||
        !skip_id(&at, end, &event->prev) || !skip(&at, end, "\",\"reply_to\":\"") ||
        !skip_id(&at, end, &event->reply_to) || !skip(&at, end, "\",\"msg\":\"") || end - at < 2)
        return false;
    event->msg = at;
    event->msg_len = (size_t)(end - at) - 2;
    return memcmp(end - 2, "\"}", 2) == 0 && !memchr(at, '\\', event->msg_len) && !memchr(at, '"', event->msg_len) &&
           utf8_is_valid(at, event->msg_len);
}

static bool read_tree(struct event *event, const json_t *tree)
{
    event->type = type_of(json_string_value(json_object_get(tree, "type")), &event->is_error);
    if (event->type != EVENT_ANSWER)
        return true;
    const json_t *msg = json_object_get(tree, "msg");
    if (json_is_string(msg)) {
        event->msg = json_string_value(msg);
        event->msg_len = json_string_length(msg);
    }
    return read_id(&event->id, tree, "id") && read_id(&event->prev, tree, "prev") &&
           read_id(&event->reply_to, tree, "reply_to");
}

bool event_parse(struct event *event, const char *json, size_t len)
{
    *event = (struct event){.type = EVENT_ANSWER};
    if (read_plain_answer(event, json, json + len))
        return true;
    json_t *tree = json_loadb(json, len, JSON_ALLOW_NUL, NULL);
    *event = (struct event){.type = EVENT_UNKNOWN, .tree = tree};
    if (json_is_object(tree) && read_tree(event, tree))
        return true;
    event_done(event);
    return false;
}

int event_keep(struct event *event)
{
    if (event->tree || !event->msg)
        return 0;
    json_t *copy = json_stringn_nocheck(event->msg, event->msg_len);
    if (!copy)
        return -ENOMEM;
    event->tree = copy;
    event->msg = json_string_value(copy);
    return 0;
}

void event_done(struct event *event)
{
    json_decref(event->tree);
    *event = (struct event){.type = EVENT_UNKNOWN};
}
