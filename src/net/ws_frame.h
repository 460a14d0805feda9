/*
 * What RFC 6455 and our limits say about one frame, as pure functions: bytes in, verdict out. Everything is judged as
 * soon as its byte is there, before anything is allocated.
 */
#pragma once
#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ws_opcode {
    WS_OPCODE_CONTINUATION = 0,
    WS_OPCODE_TEXT = 1,
    WS_OPCODE_BINARY = 2,
    WS_OPCODE_CLOSE = 8,
    WS_OPCODE_PING = 9,
    WS_OPCODE_PONG = 10
};

enum { WS_HEADER_MAX = 14, WS_CONTROL_MAX = 125, WS_REASON_MAX = WS_CONTROL_MAX - 2 };

/* Why a connection must be failed: a close code and a reason (a literal). Code 0: nothing is wrong. */
struct ws_fault {
    int code;
    const char *reason;
};

struct ws_frame {
    uint64_t payload_len;
    size_t header_len;
    enum ws_opcode opcode;
    bool is_final;
    uint8_t mask[4]; /* zeros in a frame without one */
};

enum ws_parse { WS_PARSE_INCOMPLETE, WS_PARSE_DONE, WS_PARSE_FAULT };

/* Reads a header from its first `len` bytes. `fault` is set with WS_PARSE_FAULT alone, `frame` is whole with
 * WS_PARSE_DONE. */
enum ws_parse ws_frame_parse(struct ws_frame *frame, struct ws_fault *fault, const uint8_t *bytes, size_t len,
                             bool must_be_masked) MUST_CHECK;

bool ws_frame_is_control(const struct ws_frame *frame);

/* A message while its frames come in; all zero between messages. */
struct ws_message {
    uint64_t len;
    unsigned fragments;
    bool is_open;
};

/* May this data frame (not control) come next? Counts it if so. Past max_len 1009, past max_fragments 1008. */
struct ws_fault ws_message_admit(struct ws_message *message, const struct ws_frame *frame, uint64_t max_len,
                                 unsigned max_fragments) MUST_CHECK;

/* The payload of a Close frame: its code (1005 if it has none), or why it is none. The reason is what stands behind two
 * bytes. */
struct ws_fault ws_close_parse(const uint8_t *payload, size_t len, int *code) MUST_CHECK;

/* May this code travel in a Close frame? */
bool ws_close_code_is_valid(int code);
