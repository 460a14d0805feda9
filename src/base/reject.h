/*
 * What we say to a peer that asked for something we do not do: one table of stable codes with HTTP status, WebSocket
 * close code, the field at fault and the sentence for people. Peers' mistakes are `enum reject`; our own failures are
 * negative errno.
 */
#pragma once

/* X(name, HTTP status, WebSocket close code or 0, code, loc, message) */
#define REJECTS(X)                                                                                                     \
    X(BAD_REQUEST, 400, 0, "bad_request", "request", "The request is not valid HTTP")                                  \
    X(BAD_HTTP_VERSION, 505, 0, "bad_http_version", "request", "Only HTTP/1.1 and HTTP/1.0 are spoken here")           \
    X(URI_TOO_LONG, 414, 0, "uri_too_long", "path", "The address is longer than 8 KiB")                                \
    X(HEADERS_TOO_LARGE, 431, 0, "headers_too_large", "headers", "The headers are longer than 8 KiB")                  \
    X(BODY_TOO_LARGE, 413, 1009, "body_too_large", "body", "The body is longer than 64 KiB")                           \
    X(LENGTH_INVALID, 400, 0, "bad_content_length", "Content-Length", "Content-Length is not one plain number")        \
    X(ENCODING_UNKNOWN, 501, 0, "unknown_transfer_encoding", "Transfer-Encoding", "Only chunked is understood")        \
    X(HOST_MISSING, 400, 0, "bad_host", "Host", "Send exactly one Host header")                                        \
    X(HOST_FORBIDDEN, 403, 0, "forbidden_host", "Host", "This name is not served here; see --host")                    \
    X(ORIGIN_FORBIDDEN, 403, 0, "forbidden_origin", "Origin", "This origin may not use this server; see --origin")     \
    X(NOT_FOUND, 404, 0, "not_found", "path", "There is nothing at this address; / says what there is")                \
    X(METHOD_NOT_ALLOWED, 405, 0, "method_not_allowed", "method", "This address does not take that method")            \
    X(MEDIA_TYPE, 415, 0, "unsupported_media_type", "Content-Type",                                                    \
      "Send application/json or application/x-www-form-urlencoded")                                                    \
    X(JSON_INVALID, 400, 0, "invalid_json", "body", "The body is not one JSON object of UTF-8 text")                   \
    X(JSON_TOO_DEEP, 400, 0, "json_too_deep", "body", "The JSON is nested deeper than 16")                             \
    X(JSON_TOO_MANY, 400, 0, "json_too_large", "body", "The JSON has more than 1000 parts")                            \
    X(FIELD_REPEATED, 400, 0, "repeated_field", "query", "A field was given more than once")                           \
    X(FIELD_TYPE, 400, 0, "invalid_type", "body", "A field has the wrong type: a string is expected")                  \
    X(NAME_INVALID, 400, 0, "invalid_name", "name", "Enter a valid name")                                              \
    X(BOT_UNKNOWN, 400, 0, "unknown_bot", "bot", "No worker has ever served a bot of this name")                       \
    X(LIMIT_INVALID, 400, 0, "invalid_limit", "limit", "limit is a number from 1 to 1000")                             \
    X(RESUME_ID_INVALID, 400, 1008, "bad_resume_id", "after", "after is the id of a message, or 0")                    \
    X(RESUME_RESET, 410, 1008, "reset", "after",                                                                       \
      "The history no longer holds that message; after=0 reads all there is")                                          \
    X(TOKEN_INVALID, 401, 1008, "invalid_token", "token", "Session not authenticated or expired token")                \
    X(TOKEN_EXPIRED, 400, 0, "invalid_token", "token", "Session expired or does not exist")                            \
    X(TOKEN_CONFLICT, 400, 0, "conflicting_tokens", "token", "Two different tokens were given; send one")              \
    X(TOKEN_SUBPROTOCOL_ALONE, 400, 0, "bearer_alone", "Sec-WebSocket-Protocol",                                       \
      "Offer chat.v1.text beside bearer.<token>: the secret one is never echoed")                                      \
    X(UPGRADE_REQUIRED, 426, 0, "upgrade_required", "Upgrade",                                                         \
      "Use a WebSocket client: this address speaks version 13 of it")                                                  \
    X(HANDSHAKE_INVALID, 400, 0, "bad_handshake", "Sec-WebSocket-Key",                                                 \
      "Send Connection: Upgrade and one Sec-WebSocket-Key: 16 bytes in base64")                                        \
    X(RATE_LIMITED, 429, 0, "rate_limited", "address", "Too many requests from this address; wait and try again")      \
    X(REDIS_AWAY, 503, 1013, "unavailable", "redis", "Redis is away; try again in a moment")                           \
    X(OVERLOADED, 503, 1013, "overloaded", "connections", "All connections are taken; try again in a moment")          \
    X(DRAINING, 503, 1001, "going_away", "server", "The server is going down; connect again")                          \
    X(LOOPBACK_ONLY, 403, 0, "loopback_only", "address", "This address answers to the same machine only")              \
    X(INTERNAL, 500, 1011, "internal_error", "server", "Something went wrong here; the log says more")                 \
    X(TEXT_EMPTY, 400, 0, "empty_message", "message", "message is empty")                                              \
    X(TEXT_NUL, 400, 0, "nul_in_message", "message", "message has a NUL character")                                    \
    X(TEXT_TOO_LONG, 413, 0, "message_too_long", "message", "message is too long")                                     \
    X(TOO_MANY_ERRORS, 400, 1008, "too_many_errors", "message", "too_many_errors")                                     \
    X(TOO_MANY_TURNS, 429, 0, "too_many_pending", "message", "too many messages wait for an answer")                   \
    X(BUSY, 503, 0, "busy", "message", "all places in the queue are taken; try again in a moment")                     \
    X(NOT_STORED, 503, 0, "not_stored", "message", "Redis is away; the message may not have been stored")              \
    X(REPLACED, 400, 1008, "replaced", "session", "replaced")                                                          \
    X(SLOW_READER, 400, 1008, "slow_reader", "connection", "slow_reader")

enum reject {
    REJECT_NONE,
#define REJECT_ENUM(name, ...) REJECT_##name,
    REJECTS(REJECT_ENUM)
#undef REJECT_ENUM
        REJECT_COUNT
};

struct reject_info {
    int status;       /* HTTP */
    int close_code;   /* WebSocket, 0 where it cannot end a connection */
    const char *code; /* stable, documented */
    const char *loc;  /* the field, header or part at fault */
    const char *msg;  /* for people; also the close reason, so plain ASCII and below 124 bytes */
};

/* The row of `reject`, which must not be REJECT_NONE. */
const struct reject_info *reject_info(enum reject reject);
