/*
 * What the endpoints that ask Redis have in common: the request that waits, its token, and the calls. An exchange is
 * freed by its one answer.
 */
#pragma once
#include "base/args.h"
#include "base/buf.h"
#include "net/http_listener.h"
#include "net/redis_link.h"
#include "protocol/keys.h"
#include "protocol/message.h"
#include <stdbool.h>

struct reactor;

struct exchange {
    struct reactor *reactor;
    struct http_request *request;
    struct token token;
    int token_cell; /* of its address, as access.h says */
    struct session_keys keys;
};

/*
 * Allocates an exchange of `size` bytes, zeroed (struct exchange is its first member), and reads its token unless it is
 * a new one (`wants_token` false). NULL if the request was answered: no token (as `no_token` says), no memory.
 */
void *exchange_new(struct reactor *reactor, struct http_request *request, size_t size, bool wants_token,
                   enum reject no_token);

/* Sends a command for it. False if the request was answered with 503 and the exchange is gone. */
bool exchange_call(struct exchange *exchange, const struct args *args, redis_reply_cb callback) MUST_CHECK;

/* True if the answer is usable; false if the request was answered with 503 and the exchange is gone. */
bool exchange_check(struct exchange *exchange, int status, const struct redis_value *reply) MUST_CHECK;

/* The ends. Answers that hold a token or what it opens are never cached. */
void exchange_reply_json(struct exchange *exchange, int status, struct buf *body);
void exchange_reject(struct exchange *exchange, enum reject reject);

/* Appends a stream entry, [id, [field, value, ...]], as the JSON of a message. False if it is none. */
bool exchange_append_message(struct buf *out, const struct redis_value *entry);
