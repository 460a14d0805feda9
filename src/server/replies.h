/*
 * From the session's channel to its connections. The whole resume rule, for each connection: the event's `prev` is its
 * position: send; its id is at or before the position: drop; else there is a hole: read the history.
 */
#pragma once
#include "protocol/message.h"
#include <stddef.h>

struct reactor;
struct session;

/* A message on the events link. */
void replies_handle(struct reactor *reactor, const char *channel, size_t channel_len, const char *payload, size_t len);

/* A user's message was stored as `id` behind `prev`: an entry like any other, which no event announces. */
void replies_user_entry(struct session *session, const struct message_id *id, const struct message_id *prev);

/* Something moved (a position, or an answer came in): tries what was held back. */
void replies_retry(struct session *session);

/* Drops what was held back. */
void replies_drop_held(struct session *session);
