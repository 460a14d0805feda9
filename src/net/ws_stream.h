/*
 * One WebSocket (RFC 6455) on a socket of ours, from the end of the handshake to the last byte. wslay frames, unmasks
 * and checks UTF-8 (ws_codec.h); the limits, the clocks and the end are here.
 *
 *        open           Close sent or received, peer gone, protocol error
 *   ───────────> OPEN ─────────────────────────────────────────────────────> CLOSING
 *                                                                              │ our Close written, shutdown(SHUT_WR),
 *                                                                              │ drained until EOF or close_wait_ms
 *                                                                              v
 *                                            on_closed, exactly once, then the memory is the owner's again
 *
 * Memory: a stream that is idle (between messages, nothing to write) holds no buffer and no decoder; both belong to the
 * `ws_pool` of the loop. Each header is looked at before wslay sees it, so that sizes, fragments and control frames are
 * refused before anything is allocated. What one turn of the loop writes leaves in one system call. Output that the
 * peer does not read is kept up to max_output bytes and for at most max_output_age_ms; while much of it waits, reading
 * stops (a flood of pings pins nothing). Pings are sent and awaited here.
 *
 * One thread (the loop's) owns pool and streams. Callbacks run from the loop, except where said; they may call anything
 * in this header, also ws_stream_close on the same stream.
 */
#pragma once
#include "base/buf.h"
#include "base/wheel.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct ws_stream;

struct ws_callbacks {
    /* A whole text message: valid UTF-8 (NULs possible), in memory that lives until the callback returns. */
    void (*on_text)(struct ws_stream *stream, const char *text, size_t len);
    /* Queued output has all been written (after ws_stream_queued was above 0). May be NULL. */
    void (*on_drained)(struct ws_stream *stream);
    /* The closing has begun, by whoever: nothing more is delivered. `code` and `reason` as they travelled; 1006 and
     * what happened where none did; 1005 where the peer gave no code. A peer's reason is the peer's text. For counting
     * and for leaving tables; called once, also from inside ws_stream_close. May be NULL. */
    void (*on_closing)(struct ws_stream *stream, int code, const char *reason);
    /* All handles are closed: the stream's memory may be freed. */
    void (*on_closed)(struct ws_stream *stream);
};

struct ws_pool_options {
    uv_loop_t *loop;
    struct wheel *wheel; /* turned by the owner, by the clock of uv_now */
    const struct ws_callbacks *callbacks;
    bool is_client;              /* frames are masked, and must come unmasked */
    size_t max_message;          /* bytes of one incoming message: past it 1009, as soon as a header declares more */
    unsigned max_fragments;      /* of one message: past it 1008. 0: 64 */
    size_t max_output;           /* 0: 256 KiB */
    uint64_t max_output_age_ms;  /* 0: 30000 */
    uint64_t message_timeout_ms; /* an unfinished incoming message: 1008. 0: 30000 */
    uint64_t ping_interval_ms;   /* 0: 25000; UINT64_MAX: never */
    uint64_t pong_wait_ms;       /* 0: 10000 */
    uint64_t close_wait_ms;      /* 0: 2000 */
};

struct ws_pool;

/* One pool per loop; holds the shared read buffer and what idle streams have given back. 0 or negative errno. */
int ws_pool_new(struct ws_pool **pool, const struct ws_pool_options *options) MUST_CHECK;

/* All streams must be closed. The memory itself goes when the loop has turned once more. NULL is fine. */
void ws_pool_free(struct ws_pool *pool);

/* Streams that are not idle now: something is unfinished, unread or unsent. */
size_t ws_pool_contexts(const struct ws_pool *pool);

/* Embedded in its owner (CONTAINER_OF finds it); fields are private to ws_stream.c. */
struct ws_stream {
    uv_poll_t poll;
    struct ws_pool *pool;
    struct ws_context *context; /* NULL while idle */
    struct wheel_timer timer;   /* of all concerns: ping, pong, unfinished message, old output, close */
    uint64_t since_ms;          /* the last ping; the start of the closing */
    int fd;
    uint16_t flags;
    uint16_t polled; /* uv_poll events now asked for */
};

/*
 * Takes over `fd` (non-blocking, handshake done) and reads `early` first: the bytes that came behind the handshake.
 * They are delivered from the loop, not from inside this call. With `paused` nothing is read until ws_stream_resume. 0
 * or negative errno; on failure `fd` is still the caller's and no callback comes.
 */
int ws_stream_open(struct ws_stream *stream, struct ws_pool *pool, int fd, const void *early, size_t early_len,
                   bool paused) MUST_CHECK;

/*
 * Queues one text message (valid UTF-8); it is written at the end of the loop turn. 0; -ENOBUFS past max_output, and
 * the stream then closes by itself, from the loop, with 1008 `slow_reader`; -EPIPE when closing has begun; -ENOMEM,
 * -EIO. No callback runs inside.
 */
int ws_stream_send_text(struct ws_stream *stream, const char *text, size_t len) MUST_CHECK;

/* Bytes accepted but not yet taken by the kernel. */
size_t ws_stream_queued(const struct ws_stream *stream);

/* Stops and restarts the delivery of messages, exact to the message. Meanwhile the peer's pings and Close wait unread,
 * too; ours go on, for the proxies between us, but nobody is blamed for not answering. Idempotent. */
void ws_stream_pause(struct ws_stream *stream);
void ws_stream_resume(struct ws_stream *stream);

/* Starts the closing handshake behind everything queued. `reason` is ASCII, at most 123 bytes, copied. Idempotent. */
void ws_stream_close(struct ws_stream *stream, int code, const char *reason);

bool ws_stream_is_closing(const struct ws_stream *stream);

/* For on_closed: has the peer ended its side? If not, it was lost, or waited for in vain. */
bool ws_stream_peer_has_ended(const struct ws_stream *stream);
