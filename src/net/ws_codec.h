/*
 * Frames to bytes and bytes to events; no I/O. wslay does the framing, the masking and the UTF-8 check, and only here.
 *
 * wslay sees data frames alone, each after its header was judged by ws_frame.h, and does not collect them
 * (`no_buffering`): the message grows in one buffer of ours as its bytes come, not as a header promises. Control frames
 * are small and decoded here, since wslay refuses valid Close frames, checks their reasons wrongly and queues its own
 * answers.
 *
 * One thread owns a decoder or an encoder.
 */
#pragma once
#include "base/buf.h"
#include "net/ws_frame.h"

struct ws_decoder_options {
    bool is_client;
    size_t max_message;
    unsigned max_fragments;
};

struct ws_decoder;

/* What one call of ws_decoder_take has brought; the bytes live until the next call. */
struct ws_event {
    enum { WS_EVENT_NONE, WS_EVENT_TEXT, WS_EVENT_PING, WS_EVENT_PONG, WS_EVENT_CLOSE, WS_EVENT_FAULT } type;
    const char *data; /* payload of TEXT, PING, PONG, CLOSE; the reason of FAULT */
    size_t len;
    int code; /* of CLOSE and FAULT */
};

/* NULL: out of memory. */
struct ws_decoder *ws_decoder_new(const struct ws_decoder_options *options) MUST_CHECK;

void ws_decoder_free(struct ws_decoder *decoder);

/* Takes bytes, at least one and at most to the end of a frame; returns how many. After CLOSE and FAULT it takes no
 * more. */
size_t ws_decoder_take(struct ws_decoder *decoder, const uint8_t *bytes, size_t len, struct ws_event *event) MUST_CHECK;

/* Nothing unfinished: the decoder may go on with another connection's bytes. */
bool ws_decoder_is_idle(const struct ws_decoder *decoder);

struct ws_encoder;

/* A client masks what it sends. NULL: out of memory. */
struct ws_encoder *ws_encoder_new(bool is_client) MUST_CHECK;

void ws_encoder_free(struct ws_encoder *encoder);

/* Appends one whole frame to `out`. 0; -ENOBUFS past the buffer's cap; -ENOMEM; -EIO without randomness for the mask. A
 * frame that fails leaves no byte. */
int ws_encode(struct ws_encoder *encoder, struct buf *out, enum ws_opcode opcode, const void *payload,
              size_t len) MUST_CHECK;
