#include "net/ws_codec.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <wslay/wslay.h>

enum { MESSAGE_KEEP = 4096 }; /* a larger buffer is given back after its message */

struct ws_decoder {
    wslay_event_context_ptr wslay;
    struct ws_decoder_options options;
    const uint8_t *feed; /* what wslay may read now */
    size_t feed_len;
    uint8_t head[WS_HEADER_MAX]; /* of a header that is not whole yet */
    size_t head_len;
    struct ws_frame frame;
    uint64_t payload_left; /* of `frame` */
    bool is_in_frame, is_over, is_out_of_memory;
    uint8_t control[WS_CONTROL_MAX];
    size_t control_len;
    struct ws_message message;
    struct buf text;
};

static ssize_t give_bytes(wslay_event_context_ptr wslay, uint8_t *bytes, size_t len, int flags, void *data)
{
    (void)flags;
    struct ws_decoder *decoder = data;
    if (decoder->feed_len == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    size_t given = len < decoder->feed_len ? len : decoder->feed_len;
    memcpy(bytes, decoder->feed, given);
    decoder->feed += given;
    decoder->feed_len -= given;
    return (ssize_t)given;
}

static void take_chunk(wslay_event_context_ptr wslay, const struct wslay_event_on_frame_recv_chunk_arg *chunk,
                       void *data)
{
    (void)wslay;
    struct ws_decoder *decoder = data;
    if (buf_append(&decoder->text, chunk->data, chunk->data_length))
        decoder->is_out_of_memory = true;
}

struct ws_decoder *ws_decoder_new(const struct ws_decoder_options *options)
{
    static const struct wslay_event_callbacks callbacks = {.recv_callback = give_bytes,
                                                           .on_frame_recv_chunk_callback = take_chunk};
    struct ws_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    decoder->options = *options;
    buf_init(&decoder->text, options->max_message);
    int error = options->is_client ? wslay_event_context_client_init(&decoder->wslay, &callbacks, decoder)
                                   : wslay_event_context_server_init(&decoder->wslay, &callbacks, decoder);
    if (error) {
        free(decoder);
        return NULL;
    }
    wslay_event_config_set_no_buffering(decoder->wslay, 1);
    wslay_event_config_set_max_recv_msg_length(decoder->wslay, options->max_message);
    return decoder;
}

void ws_decoder_free(struct ws_decoder *decoder)
{
    if (!decoder)
        return;
    wslay_event_context_free(decoder->wslay);
    buf_done(&decoder->text);
    free(decoder);
}

static void fail(struct ws_decoder *decoder, struct ws_event *event, struct ws_fault fault)
{
    decoder->is_over = true;
    *event = (struct ws_event){
        .type = WS_EVENT_FAULT, .code = fault.code, .data = fault.reason, .len = strlen(fault.reason)};
}

/* Lets wslay have bytes of one data frame: it unmasks them, checks their UTF-8 and hands them to take_chunk. */
static void feed(struct ws_decoder *decoder, const uint8_t *bytes, size_t len, struct ws_event *event)
{
    decoder->feed = bytes;
    decoder->feed_len = len;
    int error = wslay_event_recv(decoder->wslay);
    if (error || decoder->is_out_of_memory)
        fail(decoder, event, (struct ws_fault){1011, "out_of_memory"});
    else if (!wslay_event_want_read(decoder->wslay)) /* the header was judged before, so only this is left */
        fail(decoder, event, (struct ws_fault){1007, "text is not UTF-8"});
}

static void end_control_frame(struct ws_decoder *decoder, struct ws_event *event)
{
    *event = (struct ws_event){.data = (const char *)decoder->control, .len = decoder->control_len};
    switch (decoder->frame.opcode) {
    case WS_OPCODE_PING:
        event->type = WS_EVENT_PING;
        return;
    case WS_OPCODE_PONG:
        event->type = WS_EVENT_PONG;
        return;
    default:
        break;
    }
    struct ws_fault fault = ws_close_parse(decoder->control, decoder->control_len, &event->code);
    event->type = WS_EVENT_CLOSE;
    decoder->is_over = true;
    if (fault.code)
        fail(decoder, event, fault);
}

static void end_frame(struct ws_decoder *decoder, struct ws_event *event)
{
    decoder->is_in_frame = false;
    if (ws_frame_is_control(&decoder->frame)) {
        end_control_frame(decoder, event);
    } else if (decoder->frame.is_final) {
        decoder->message = (struct ws_message){0};
        *event = (struct ws_event){
            .type = WS_EVENT_TEXT, .data = decoder->text.data ? decoder->text.data : "", .len = decoder->text.len};
    }
}

static void begin_frame(struct ws_decoder *decoder, struct ws_event *event)
{
    decoder->is_in_frame = true;
    decoder->payload_left = decoder->frame.payload_len;
    decoder->control_len = 0;
    if (!ws_frame_is_control(&decoder->frame)) {
        if (!decoder->message.is_open)
            decoder->text.len = 0;
        struct ws_fault fault = ws_message_admit(&decoder->message, &decoder->frame, decoder->options.max_message,
                                                 decoder->options.max_fragments);
        if (fault.code) {
            fail(decoder, event, fault);
            return;
        }
        feed(decoder, decoder->head, decoder->frame.header_len, event);
    }
    if (decoder->payload_left == 0 && !decoder->is_over)
        end_frame(decoder, event);
}

static size_t take_header(struct ws_decoder *decoder, const uint8_t *bytes, size_t len, struct ws_event *event)
{
    size_t had = decoder->head_len;
    size_t copied = len < WS_HEADER_MAX - had ? len : WS_HEADER_MAX - had;
    memcpy(decoder->head + had, bytes, copied);
    struct ws_fault fault;
    switch (ws_frame_parse(&decoder->frame, &fault, decoder->head, had + copied, !decoder->options.is_client)) {
    case WS_PARSE_FAULT:
        fail(decoder, event, fault);
        return copied;
    case WS_PARSE_INCOMPLETE:
        decoder->head_len = had + copied;
        return copied;
    case WS_PARSE_DONE:
        break;
    }
    decoder->head_len = 0;
    begin_frame(decoder, event);
    return decoder->frame.header_len - had;
}

static size_t take_payload(struct ws_decoder *decoder, const uint8_t *bytes, size_t len, struct ws_event *event)
{
    size_t taken = len < decoder->payload_left ? len : (size_t)decoder->payload_left;
    if (ws_frame_is_control(&decoder->frame)) {
        for (size_t i = 0; i < taken; i++, decoder->control_len++)
            decoder->control[decoder->control_len] = bytes[i] ^ decoder->frame.mask[decoder->control_len % 4];
    } else {
        feed(decoder, bytes, taken, event);
    }
    decoder->payload_left -= taken;
    if (decoder->payload_left == 0 && !decoder->is_over)
        end_frame(decoder, event);
    return taken;
}

size_t ws_decoder_take(struct ws_decoder *decoder, const uint8_t *bytes, size_t len, struct ws_event *event)
{
    assert(len > 0 && !decoder->is_over);
    *event = (struct ws_event){.type = WS_EVENT_NONE};
    if (decoder->text.cap > MESSAGE_KEEP && !decoder->message.is_open)
        buf_done(&decoder->text);
    return decoder->is_in_frame ? take_payload(decoder, bytes, len, event) : take_header(decoder, bytes, len, event);
}

bool ws_decoder_is_idle(const struct ws_decoder *decoder)
{
    return !decoder->is_over && !decoder->is_in_frame && decoder->head_len == 0 && !decoder->message.is_open;
}

struct ws_encoder {
    wslay_frame_context_ptr wslay;
    struct buf *out;
    bool is_client;
    /* Masking keys: one system call for 64 frames. getrandom gives 256 bytes whole or not at all. */
    uint8_t random[256];
    size_t random_left;
};

static ssize_t append_bytes(const uint8_t *bytes, size_t len, int flags, void *data)
{
    (void)flags;
    struct ws_encoder *encoder = data;
    return buf_append(encoder->out, bytes, len) ? -1 : (ssize_t)len;
}

static int take_mask(uint8_t *mask, size_t len, void *data)
{
    struct ws_encoder *encoder = data;
    if (encoder->random_left < len) {
        if (getrandom(encoder->random, sizeof encoder->random, 0) != sizeof encoder->random)
            return -1;
        encoder->random_left = sizeof encoder->random;
    }
    encoder->random_left -= len;
    memcpy(mask, encoder->random + encoder->random_left, len);
    return 0;
}

struct ws_encoder *ws_encoder_new(bool is_client)
{
    static const struct wslay_frame_callbacks callbacks = {.send_callback = append_bytes,
                                                           .genmask_callback = take_mask};
    struct ws_encoder *encoder = calloc(1, sizeof *encoder);
    if (!encoder)
        return NULL;
    encoder->is_client = is_client;
    if (wslay_frame_context_init(&encoder->wslay, &callbacks, encoder)) {
        free(encoder);
        return NULL;
    }
    return encoder;
}

void ws_encoder_free(struct ws_encoder *encoder)
{
    if (!encoder)
        return;
    wslay_frame_context_free(encoder->wslay);
    free(encoder);
}

int ws_encode(struct ws_encoder *encoder, struct buf *out, enum ws_opcode opcode, const void *payload, size_t len)
{
    /* With the room there, append_bytes cannot fail inside a frame, which wslay would then want to go on with. */
    if (len > out->max || len + WS_HEADER_MAX > out->max - out->len)
        return -ENOBUFS;
    if (!buf_reserve(out, len + WS_HEADER_MAX))
        return -ENOMEM;
    struct wslay_frame_iocb frame = {.fin = 1,
                                     .opcode = (uint8_t)opcode,
                                     .mask = encoder->is_client,
                                     .data = payload,
                                     .data_length = len,
                                     .payload_length = len};
    encoder->out = out;
    ssize_t sent = wslay_frame_send(encoder->wslay, &frame);
    return sent == (ssize_t)len ? 0 : -EIO;
}
