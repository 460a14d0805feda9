/*
 * Messages of a conversation: their ids, an entry of the history as HTTP shows it, and the events of a session's
 * channel.
 */
#pragma once
#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A Redis stream id, "ms-seq": the place of a message in its history, and its time. {0, 0} stands before all. */
struct message_id {
    uint64_t ms, seq;
};

enum { MESSAGE_ID_SIZE = 44 };

/* True if the bytes are exactly an id in the form that Redis prints: no sign, no leading zeros, both parts. */
bool message_id_parse(struct message_id *id, const char *bytes, size_t len);

/* Like message_id_parse, but "0" is {0, 0} too, as users may write for "from the beginning". */
bool message_position_parse(struct message_id *id, const char *bytes, size_t len);

void message_id_print(const struct message_id *id, char out[MESSAGE_ID_SIZE]);

/* < 0, 0, > 0 as `a` stands before, at, or behind `b`. */
int message_id_compare(const struct message_id *a, const struct message_id *b);

enum { TIME_TEXT_SIZE = 32 };

/* Milliseconds since 1970 as ISO 8601 in UTC, "2026-11-22T05:20:00.000Z". */
void message_time_print(int64_t ms, char out[TIME_TEXT_SIZE]);

/* One field of a history entry, as stored. */
struct message_field {
    const char *name, *value;
    size_t name_len, value_len;
};

/*
 * Appends a history entry as the JSON object of GET /messages: id, role, msg, timestamp, reply_to and truncated where
 * there. 0, a buf_append error, or -EILSEQ if what was stored is not UTF-8.
 */
int message_append_json(struct buf *out, const struct message_id *id, const struct message_field *fields,
                        size_t count) MUST_CHECK;

enum event_type {
    EVENT_ANSWER, /* an entry with reply_to was added: role assistant or error */
    EVENT_DELTA,
    EVENT_REFRESH,
    EVENT_END,
    EVENT_UNKNOWN, /* of a newer version: to be ignored */
};

/* What travels on banter:{p}:replies:<token>. */
struct event {
    enum event_type type;
    bool is_error;
    struct message_id id, prev, reply_to; /* ANSWER: the entry, the one before it, and what it answers */
    const char *msg;                      /* ANSWER: the text; NULL if it was too long to travel */
    size_t msg_len;
    void *tree; /* what `msg` points into; NULL: it points into what was parsed */
};

/* False if the bytes are no event. `msg` may point into `json`: an event that outlives it is kept by event_keep. The
 * caller ends it with event_done. */
bool event_parse(struct event *event, const char *json, size_t len);

/* Makes the event independent of the bytes it was parsed from. 0 or -ENOMEM. */
int event_keep(struct event *event) MUST_CHECK;

void event_done(struct event *event);
