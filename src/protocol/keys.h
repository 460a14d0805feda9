/*
 * The names of everything that Banter keeps in Redis. `{0}` is the partition tag: all keys of a session and its queue
 * share it, so that they share a slot in a Cluster. With one Redis there is one partition.
 */
#pragma once
#include "protocol/token.h"

enum { BOT_NAME_MAX = 32 };

#define KEYS_PREFIX  "banter:{0}:"
#define KEYS_NODES   "banter:nodes"
#define KEYS_WORKERS "banter:workers"
#define KEYS_README  "banter:README"
#define KEYS_DEAD    KEYS_PREFIX "dead"
#define KEYS_GROUP   "bots"

enum { KEY_MAX = 80 };

/* The keys of one session, and of the queue of its bot. */
struct session_keys {
    char session[KEY_MAX];
    char messages[KEY_MAX];
    char draft[KEY_MAX];
    char replies[KEY_MAX]; /* Pub/Sub channel */
};
void keys_of_session(struct session_keys *keys, const struct token *token);

/* banter:{0}:requests:<bot> and banter:{0}:stop:<bot>; `bot` must be a valid name. */
void keys_requests(char out[KEY_MAX], const char *bot);
void keys_stop(char out[KEY_MAX], const char *bot);

/* [a-z0-9-], 1 to 32 characters. */
bool keys_bot_name_is_valid(const char *name, size_t len);
