#include "net/ws_stream.h"
#include "net/ws_pool.h"
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FLAG_PAUSED = 1,        /* by the owner */
    FLAG_AWAITING_PONG = 2, /* since since_ms; any byte will do */
    FLAG_OVERFLOWED = 4,    /* output was refused: closes from the loop */
    FLAG_CLOSING = 8,
    FLAG_SHUT = 16,    /* our Close is with the kernel, and nothing comes behind it */
    FLAG_AT_EOF = 32,  /* the peer writes no more */
    FLAG_FINISHED = 64 /* the handle is being closed: nothing moves any more */
};

static uint64_t now_of(const struct ws_stream *stream)
{
    return uv_now(stream->pool->options.loop);
}

/* May messages be delivered now? A peer that does not read our answers is not listened to either. */
static bool delivers(const struct ws_stream *stream)
{
    return !(stream->flags & (FLAG_PAUSED | FLAG_OVERFLOWED | FLAG_CLOSING | FLAG_FINISHED)) &&
           ws_stream_queued(stream) <= stream->pool->output_mark;
}

/* Should the socket be read? While closing, too: a close(2) over unread bytes resets, and our Close is lost. */
static bool reads(const struct ws_stream *stream)
{
    if (stream->flags & (FLAG_AT_EOF | FLAG_FINISHED))
        return false;
    if (stream->flags & FLAG_CLOSING)
        return true;
    return delivers(stream) && !(stream->context && stream->context->input.len > 0);
}

static void handle_closed(uv_handle_t *handle)
{
    struct ws_stream *stream = CONTAINER_OF(handle, struct ws_stream, poll);
    close(stream->fd);
    ws_pool_reclaim(stream);
    stream->pool->options.callbacks->on_closed(stream);
}

static void finish(struct ws_stream *stream)
{
    if (stream->flags & FLAG_FINISHED)
        return;
    stream->flags |= FLAG_CLOSING | FLAG_FINISHED;
    wheel_cancel(&stream->timer);
    uv_close((uv_handle_t *)&stream->poll, handle_closed);
}

static void tell_closing(struct ws_stream *stream, int code, const char *reason)
{
    const struct ws_callbacks *callbacks = stream->pool->options.callbacks;
    if (callbacks->on_closing)
        callbacks->on_closing(stream, code, reason);
}

/* The end without a handshake: the peer is gone, or memory is. */
static void lose(struct ws_stream *stream, const char *reason)
{
    bool was_closing = stream->flags & FLAG_CLOSING;
    finish(stream);
    if (!was_closing)
        tell_closing(stream, 1006, reason);
}

/* Queues a frame and has it written in this turn of the loop. 0, or as ws_encode. */
static int queue_frame(struct ws_stream *stream, enum ws_opcode opcode, const void *payload, size_t len)
{
    struct ws_context *context = ws_pool_context(stream);
    if (!context)
        return -ENOMEM;
    ws_pool_schedule(context);
    return ws_encode(stream->pool->encoder, &context->output, opcode, payload, len);
}

static void start_closing(struct ws_stream *stream, int code, const char *reason, const void *payload, size_t len)
{
    stream->flags |= FLAG_CLOSING;
    stream->since_ms = now_of(stream);
    if (queue_frame(stream, WS_OPCODE_CLOSE, payload, len))
        finish(stream);
    tell_closing(stream, code, reason);
}

void ws_stream_close(struct ws_stream *stream, int code, const char *reason)
{
    assert(ws_close_code_is_valid(code));
    if (stream->flags & FLAG_CLOSING)
        return;
    uint8_t payload[WS_CONTROL_MAX] = {(uint8_t)(code >> 8), (uint8_t)code};
    size_t len = strnlen(reason, WS_REASON_MAX);
    memcpy(payload + 2, reason, len);
    start_closing(stream, code, reason, payload, len + 2);
}

bool ws_stream_is_closing(const struct ws_stream *stream)
{
    return stream->flags & (FLAG_CLOSING | FLAG_OVERFLOWED);
}

bool ws_stream_peer_has_ended(const struct ws_stream *stream)
{
    return stream->flags & FLAG_AT_EOF;
}

size_t ws_stream_queued(const struct ws_stream *stream)
{
    return stream->context ? stream->context->output.len : 0;
}

/* Gives the kernel what it takes, in one call. 0 or negative errno. */
static int write_output(struct ws_stream *stream)
{
    struct ws_context *context = stream->context;
    ssize_t sent = send(stream->fd, context->output.data, context->output.len, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return -errno;
    size_t written = sent < 0 ? 0 : (size_t)sent;
    buf_consume(&context->output, written);
    context->aging_bytes -= written < context->aging_bytes ? written : context->aging_bytes;
    if (context->aging_bytes == 0) {
        context->aging_bytes = context->output.len;
        context->aging_since_ms = now_of(stream);
    }
    return 0;
}

static void flush(struct ws_stream *stream)
{
    if (ws_stream_queued(stream) == 0 || stream->flags & FLAG_FINISHED)
        return;
    if (write_output(stream)) {
        lose(stream, "connection lost");
        return;
    }
    const struct ws_callbacks *callbacks = stream->pool->options.callbacks;
    if (ws_stream_queued(stream) == 0 && !(stream->flags & FLAG_CLOSING) && callbacks->on_drained)
        callbacks->on_drained(stream);
}

/* Is there room for one more message? Before a reader is called slow the kernel is asked. */
static bool has_room(struct ws_stream *stream, size_t len)
{
    size_t max = stream->pool->options.max_output;
    if (len > max)
        return false;
    if (ws_stream_queued(stream) > max - len && !(stream->polled & UV_WRITABLE))
        (void)write_output(stream); /* an error shows again when the loop flushes */
    return ws_stream_queued(stream) <= max - len;
}

int ws_stream_send_text(struct ws_stream *stream, const char *text, size_t len)
{
    if (ws_stream_is_closing(stream))
        return -EPIPE;
    struct ws_context *context = ws_pool_context(stream);
    if (!context)
        return -ENOMEM;
    if (!has_room(stream, len)) {
        stream->flags |= FLAG_OVERFLOWED;
        ws_pool_schedule(context);
        return -ENOBUFS;
    }
    return queue_frame(stream, WS_OPCODE_TEXT, text, len);
}

static void answer_ping(struct ws_stream *stream, const struct ws_event *ping)
{
    if (queue_frame(stream, WS_OPCODE_PONG, ping->data, ping->len))
        lose(stream, "out of memory");
}

static void answer_close(struct ws_stream *stream, const struct ws_event *event)
{
    char reason[WS_REASON_MAX + 1] = "";
    if (event->len > 2)
        memcpy(reason, event->data + 2, event->len - 2);
    start_closing(stream, event->code, reason, event->data, event->len);
}

static void handle_event(struct ws_stream *stream, const struct ws_event *event)
{
    switch (event->type) {
    case WS_EVENT_TEXT:
        stream->pool->options.callbacks->on_text(stream, event->data, event->len);
        break;
    case WS_EVENT_PING:
        answer_ping(stream, event);
        break;
    case WS_EVENT_CLOSE:
        answer_close(stream, event);
        break;
    case WS_EVENT_FAULT:
        ws_stream_close(stream, event->code, event->data);
        break;
    case WS_EVENT_PONG:
    case WS_EVENT_NONE:
        break;
    }
}

/* Decodes while there is somebody to deliver to; returns how many bytes it took. */
static size_t take(struct ws_stream *stream, const void *bytes, size_t len)
{
    struct ws_context *context = ws_pool_context(stream);
    if (!context || ws_pool_lend_decoder(stream->pool, context)) {
        lose(stream, "out of memory");
        return len;
    }
    size_t taken = 0;
    while (taken < len && delivers(stream)) {
        struct ws_event event;
        taken += ws_decoder_take(context->decoder, (const uint8_t *)bytes + taken, len - taken, &event);
        if (event.type != WS_EVENT_NONE) {
            if (ws_decoder_is_idle(context->decoder))
                context->message_since_ms = 0;
            handle_event(stream, &event);
        }
    }
    if (ws_decoder_is_idle(context->decoder))
        context->message_since_ms = 0;
    else if (context->message_since_ms == 0)
        context->message_since_ms = now_of(stream);
    return taken;
}

static void take_input(struct ws_stream *stream)
{
    struct ws_context *context = stream->context;
    if (!context || context->input.len == 0 || !delivers(stream))
        return;
    buf_consume(&context->input, take(stream, context->input.data, context->input.len));
    if (context->input.len == 0)
        buf_done(&context->input);
}

static void read_socket(struct ws_stream *stream)
{
    uint8_t *input = stream->pool->input;
    ssize_t got = recv(stream->fd, input, WS_READ_SIZE, 0);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            lose(stream, "connection lost");
        return;
    }
    if (got == 0) {
        stream->flags |= FLAG_AT_EOF;
        if (!(stream->flags & FLAG_CLOSING))
            lose(stream, "ended without a Close frame");
        return;
    }
    stream->flags &= (uint16_t)~FLAG_AWAITING_PONG;
    if (stream->flags & FLAG_CLOSING)
        return;
    size_t len = (size_t)got, taken = take(stream, input, len);
    if (taken < len && !(stream->flags & FLAG_CLOSING) &&
        buf_append(&stream->context->input, input + taken, len - taken))
        lose(stream, "out of memory");
}

static uint64_t deadline(uint64_t since_ms, uint64_t wait_ms)
{
    return wait_ms > UINT64_MAX - since_ms ? UINT64_MAX : since_ms + wait_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t message_deadline(const struct ws_stream *stream)
{
    const struct ws_context *context = stream->context;
    if (!context || context->message_since_ms == 0)
        return UINT64_MAX;
    return deadline(context->message_since_ms, stream->pool->options.message_timeout_ms);
}

static uint64_t output_deadline(const struct ws_stream *stream)
{
    const struct ws_context *context = stream->context;
    if (!context || context->aging_bytes == 0)
        return UINT64_MAX;
    return deadline(context->aging_since_ms, stream->pool->options.max_output_age_ms);
}

static uint64_t own_deadline(const struct ws_stream *stream)
{
    const struct ws_pool_options *options = &stream->pool->options;
    if (stream->flags & FLAG_CLOSING)
        return deadline(stream->since_ms, options->close_wait_ms);
    return deadline(stream->since_ms,
                    stream->flags & FLAG_AWAITING_PONG ? options->pong_wait_ms : options->ping_interval_ms);
}

/* Arms the timer for what is due first. One that is armed too early stays so: it looks again when it runs. */
static void arm_timer(struct ws_stream *stream)
{
    uint64_t due = own_deadline(stream);
    if (!(stream->flags & FLAG_CLOSING))
        due = earlier(due, earlier(message_deadline(stream), output_deadline(stream)));
    if (due != UINT64_MAX && (!wheel_is_armed(&stream->timer) || due < stream->timer.due_ms))
        wheel_arm(stream->pool->options.wheel, &stream->timer, due);
}

static void handle_poll(uv_poll_t *poll, int status, int events);

static void poll_for(struct ws_stream *stream, unsigned events)
{
    if (events == stream->polled || stream->flags & FLAG_FINISHED)
        return;
    stream->polled = (uint16_t)events;
    if (events) /* neither can fail once uv_poll_init has not */
        uv_poll_start(&stream->poll, (int)events, handle_poll);
    else
        uv_poll_stop(&stream->poll);
}

/* While closing: what was read means nothing any more, and behind our Close frame comes only the end. */
static void settle_closing(struct ws_stream *stream)
{
    struct ws_context *context = stream->context;
    if (context) {
        buf_done(&context->input);
        ws_pool_reclaim_decoder(stream->pool, context);
    }
    if (ws_stream_queued(stream) > 0)
        return;
    if (stream->flags & FLAG_AT_EOF) {
        finish(stream);
    } else if (!(stream->flags & FLAG_SHUT)) {
        shutdown(stream->fd, SHUT_WR);
        stream->flags |= FLAG_SHUT;
    }
}

static void settle_context(struct ws_stream *stream)
{
    struct ws_context *context = stream->context;
    if (!context)
        return;
    if (context->decoder && ws_decoder_is_idle(context->decoder))
        ws_pool_reclaim_decoder(stream->pool, context);
    if (context->input.len > 0 && delivers(stream))
        ws_pool_schedule(context);
    if (!context->decoder && context->input.len == 0 && context->output.len == 0 && !context->is_scheduled)
        ws_pool_reclaim(stream);
}

/* Ends whatever the loop calls, and is the only place that decides what the stream holds and waits for next. */
static void settle(struct ws_stream *stream)
{
    if (stream->flags & FLAG_CLOSING && !(stream->flags & FLAG_FINISHED))
        settle_closing(stream);
    if (stream->flags & FLAG_FINISHED)
        return;
    settle_context(stream);
    /* Taking back an interest costs two system calls, and a pause is often over before the next byte comes: reading
     * stays asked for until an unwanted byte shows up. */
    unsigned events = stream->polled & UV_READABLE;
    if (reads(stream))
        events |= UV_READABLE;
    if (ws_stream_queued(stream) > 0 && !stream->context->is_scheduled)
        events |= UV_WRITABLE;
    poll_for(stream, events);
    arm_timer(stream);
}

static void handle_poll(uv_poll_t *poll, int status, int events)
{
    struct ws_stream *stream = CONTAINER_OF(poll, struct ws_stream, poll);
    if (status < 0) {
        lose(stream, "connection lost");
        return;
    }
    if (events & UV_WRITABLE)
        flush(stream);
    if (events & UV_READABLE) {
        if (reads(stream))
            read_socket(stream);
        else
            poll_for(stream, stream->polled & ~(unsigned)UV_READABLE);
    }
    settle(stream);
}

void ws_stream_work(struct ws_stream *stream)
{
    if (stream->flags & FLAG_FINISHED)
        return;
    if (stream->flags & FLAG_OVERFLOWED)
        ws_stream_close(stream, 1008, "slow_reader");
    take_input(stream);
    if (!(stream->polled & UV_WRITABLE)) /* else the kernel is full, and says when it is not */
        flush(stream);
    settle(stream);
}

static bool has_unread_bytes(const struct ws_stream *stream)
{
    uint8_t byte;
    return recv(stream->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void send_ping(struct ws_stream *stream, uint64_t now)
{
    stream->since_ms = now;
    if (ws_stream_queued(stream) > 0)
        return; /* it would only wait, too; the age of the output tells whether the peer lives */
    stream->flags |= FLAG_AWAITING_PONG;
    if (queue_frame(stream, WS_OPCODE_PING, NULL, 0))
        lose(stream, "out of memory");
}

/* A peer is not blamed while we do not listen, nor when it was us who slept: timers run before sockets. */
static void end_pong_wait(struct ws_stream *stream)
{
    if (reads(stream) && !has_unread_bytes(stream))
        ws_stream_close(stream, 1008, "ping_timeout");
    else
        stream->flags &= (uint16_t)~FLAG_AWAITING_PONG;
}

static void end_message_wait(struct ws_stream *stream, uint64_t now)
{
    if (reads(stream))
        ws_stream_close(stream, 1008, "message_timeout");
    else
        stream->context->message_since_ms = now;
}

static void handle_due(struct wheel_timer *timer)
{
    struct ws_stream *stream = CONTAINER_OF(timer, struct ws_stream, timer);
    uint64_t now = now_of(stream);
    if (now >= own_deadline(stream)) {
        if (stream->flags & FLAG_CLOSING)
            finish(stream);
        else if (stream->flags & FLAG_AWAITING_PONG)
            end_pong_wait(stream);
        else
            send_ping(stream, now);
    }
    if (now >= output_deadline(stream))
        ws_stream_close(stream, 1008, "slow_reader");
    if (now >= message_deadline(stream))
        end_message_wait(stream, now);
    settle(stream);
}

/* The first ping comes after half an interval to a whole one, so that sockets opened together do not ping together. */
static uint64_t first_since(struct ws_pool *pool)
{
    enum { STEPS = 1024, STRIDE = 633 }; /* 633/1024 is near the golden ratio: neighbours land far apart */
    uint64_t now = uv_now(pool->options.loop);
    if (pool->options.ping_interval_ms == UINT64_MAX)
        return now;
    uint64_t early = pool->options.ping_interval_ms / 2 * (pool->opened++ * STRIDE % STEPS) / STEPS;
    return now > early ? now - early : 0;
}

int ws_stream_open(struct ws_stream *stream, struct ws_pool *pool, int fd, const void *early, size_t early_len,
                   bool paused)
{
    *stream = (struct ws_stream){.pool = pool,
                                 .fd = fd,
                                 .flags = paused ? FLAG_PAUSED : 0,
                                 .timer.on_due = handle_due,
                                 .since_ms = first_since(pool)};
    int error = 0;
    if (early_len > 0) {
        struct ws_context *context = ws_pool_context(stream);
        error = context ? buf_append(&context->input, early, early_len) : -ENOMEM;
    }
    if (!error)
        error = uv_poll_init(pool->options.loop, &stream->poll, fd);
    if (error) {
        ws_pool_reclaim(stream);
        return error;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* fails on a unix socket, which has no delay */
    settle(stream);
    return 0;
}

void ws_stream_pause(struct ws_stream *stream)
{
    stream->flags |= FLAG_PAUSED;
}

void ws_stream_resume(struct ws_stream *stream)
{
    stream->flags &= (uint16_t)~FLAG_PAUSED;
    /* Input that waits is not delivered from here, and inside on_text nothing may move: the loop goes on with a
     * context. */
    if (stream->context)
        ws_pool_schedule(stream->context);
    else
        poll_for(stream, stream->polled | UV_READABLE);
}
