/*
 * Private to ws_stream: what the streams of one loop share. A stream borrows a context only while it has something
 * unfinished, and the context a decoder only while that is a frame or a message, so that a thousand streams with output
 * cost a thousand small buffers and one decoder.
 */
#pragma once
#include "net/ws_codec.h"
#include "net/ws_stream.h"

enum { WS_READ_SIZE = 64 * 1024 }; /* also what one stream may read in one turn of the loop */

struct ws_context {
    struct ws_context *next, *prev; /* in ws_pool.work; `next` alone in ws_pool.spare */
    struct ws_stream *owner;
    struct ws_decoder *decoder; /* NULL between messages */
    struct buf input;           /* read, but not decoded yet: the stream did not listen */
    struct buf output;          /* framed, but not taken by the kernel yet */
    size_t aging_bytes;         /* of the output: those that were there at aging_since_ms and are not written yet */
    uint64_t aging_since_ms;
    uint64_t message_since_ms; /* first byte of what is unfinished, 0 if nothing is */
    bool is_scheduled;         /* is in ws_pool.work */
};

struct ws_pool {
    struct ws_pool_options options; /* defaults filled in */
    struct ws_encoder *encoder;
    uv_idle_t idle; /* runs, and keeps the loop from sleeping, while `work` is not empty */
    struct ws_context *work;
    struct ws_context *spare;
    size_t spare_count, context_count;
    struct ws_decoder *spare_decoder[4];
    size_t spare_decoder_count;
    size_t output_mark; /* while more output than this waits a stream does not read */
    unsigned opened;    /* streams so far: spreads their pings */
    uint8_t input[WS_READ_SIZE];
};

/* The stream's context, a clean one if it had none. NULL: out of memory. */
struct ws_context *ws_pool_context(struct ws_stream *stream) MUST_CHECK;

/* Takes the stream's context back, with all that is in it. Harmless if it has none. */
void ws_pool_reclaim(struct ws_stream *stream);

/* Lets the context have a decoder. 0 or -ENOMEM. */
int ws_pool_lend_decoder(struct ws_pool *pool, struct ws_context *context) MUST_CHECK;

/* Takes the decoder back: for the next stream if it is idle, else it is freed. */
void ws_pool_reclaim_decoder(struct ws_pool *pool, struct ws_context *context);

/* Has ws_stream_work called for the context's stream before the loop sleeps. */
void ws_pool_schedule(struct ws_context *context);

/* Implemented by ws_stream.c. */
void ws_stream_work(struct ws_stream *stream);
