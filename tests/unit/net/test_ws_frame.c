/* The rules about frames, and the decoder and encoder that apply them, with bytes alone. */
#include "check.h"
#include "net/ws_codec.h"
#include <errno.h>

enum { MAX_MESSAGE = 1000, MAX_FRAGMENTS = 4 };

static enum ws_parse parse(struct ws_frame *frame, struct ws_fault *fault, const char *bytes, size_t len)
{
    return ws_frame_parse(frame, fault, (const uint8_t *)bytes, len, true);
}

static void test_headers_of_all_sizes(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        uint64_t payload_len;
    } headers[] = {
        {"\x81\x80mask", 6, 0},
        {"\x81\xfdmask", 6, 125},
        {"\x81\xfe\x00\x7emask", 8, 126},
        {"\x81\xfe\xff\xffmask", 8, 65535},
        {"\x81\xff\0\0\0\0\0\x01\0\0mask", 14, 65536},
        {"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask", 14, INT64_MAX},
    };
    struct ws_frame frame;
    struct ws_fault fault;
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        for (size_t len = 0; len < headers[i].len; len++)
            CHECK(parse(&frame, &fault, headers[i].bytes, len) == WS_PARSE_INCOMPLETE);
        CHECK(parse(&frame, &fault, headers[i].bytes, headers[i].len) == WS_PARSE_DONE);
        CHECK(frame.is_final && frame.opcode == WS_OPCODE_TEXT && !ws_frame_is_control(&frame));
        CHECK(frame.header_len == headers[i].len && frame.payload_len == headers[i].payload_len);
        CHECK(memcmp(frame.mask, "mask", 4) == 0);
    }
    CHECK(ws_frame_parse(&frame, &fault, (const uint8_t *)"\x0a\x02", 2, false) == WS_PARSE_FAULT);
    CHECK(ws_frame_parse(&frame, &fault, (const uint8_t *)"\x8a\x02", 2, false) == WS_PARSE_DONE);
    CHECK(frame.header_len == 2 && ws_frame_is_control(&frame));
}

/* Each fault shows with the byte that brings it, not later: W13, W17, W18, W19, W34, W35. */
static void test_faults_show_at_once(void)
{
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"\xc1", 1},
        {"\xa1", 1},
        {"\x91", 1},
        {"\x83", 1},
        {"\x87", 1},
        {"\x8b", 1},
        {"\x8f", 1},
        {"\x89\xfe", 2},
        {"\x09\x80", 2},
        {"\x81\x01", 2},
        {"\x81\xfe\0\5", 4},
        {"\x81\xfe\0\x7d", 4},
        {"\x88\xff", 2},
        {"\x08\x80", 2},
        {"\x0a\x80", 2},
        {"\x82\xfe\0\0", 4},
        {"\x81\x7e", 2},
        {"\x80\x7f", 2},
        {"\x81\xff\0\0\0\0\0\0\xff\xff", 10},
        {"\x81\xff\x80\0\0\0\0\0\0\0", 10},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct ws_frame frame;
        struct ws_fault fault;
        for (size_t len = 0; len < bad[i].len; len++)
            CHECK(parse(&frame, &fault, bad[i].bytes, len) == WS_PARSE_INCOMPLETE);
        CHECK(parse(&frame, &fault, bad[i].bytes, bad[i].len) == WS_PARSE_FAULT);
        CHECK(fault.code == 1002 && strlen(fault.reason) <= WS_REASON_MAX);
    }
}

static int admit(struct ws_message *message, enum ws_opcode opcode, uint64_t len)
{
    struct ws_frame frame = {.opcode = opcode, .payload_len = len};
    return ws_message_admit(message, &frame, MAX_MESSAGE, MAX_FRAGMENTS).code;
}

static void test_message_limits(void)
{
    struct ws_message message = {0};
    CHECK(admit(&message, WS_OPCODE_CONTINUATION, 1) == 1002);
    CHECK(admit(&message, WS_OPCODE_BINARY, 1) == 1003);
    CHECK(admit(&message, WS_OPCODE_TEXT, 400) == 0);
    CHECK(admit(&message, WS_OPCODE_TEXT, 1) == 1002);
    CHECK(admit(&message, WS_OPCODE_BINARY, 1) == 1002);
    CHECK(admit(&message, WS_OPCODE_CONTINUATION, 600) == 0);
    CHECK(admit(&message, WS_OPCODE_CONTINUATION, 1) == 1009);
    CHECK(admit(&message, WS_OPCODE_CONTINUATION, INT64_MAX) == 1009);
    CHECK(admit(&message, WS_OPCODE_CONTINUATION, 0) == 0);
    CHECK(admit(&message, WS_OPCODE_CONTINUATION, 0) == 0);
    CHECK(admit(&message, WS_OPCODE_CONTINUATION, 0) == 1008);
    message = (struct ws_message){0};
    CHECK(admit(&message, WS_OPCODE_TEXT, MAX_MESSAGE + 1) == 1009);
}

static int close_verdict(const char *payload, size_t len)
{
    int code = 0;
    struct ws_fault fault = ws_close_parse((const uint8_t *)payload, len, &code);
    return fault.code ? -fault.code : code;
}

static void test_close_payloads(void)
{
    CHECK(close_verdict("", 0) == 1005);
    CHECK(close_verdict("\3", 1) == -1002);
    CHECK(close_verdict("\3\350", 2) == 1000);
    CHECK(close_verdict("\3\350bye", 5) == 1000);
    CHECK(close_verdict("\3\350\0", 3) == 1000);
    CHECK(close_verdict("\3\350\xc3\xa9", 4) == 1000);
    CHECK(close_verdict("\3\350\xc3", 3) == -1007);
    CHECK(close_verdict("\3\350ok\xed\xa0\x80", 7) == -1007);
    CHECK(close_verdict("\3\350\xf4\x8f\xbf\xbf", 6) == 1000);
    CHECK(close_verdict("\3\350\xf4\x90\x80\x80", 6) == -1007);
    for (int code = 0; code < 65536; code++) {
        bool is_named = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
        CHECK(ws_close_code_is_valid(code) == (is_named || (code >= 3000 && code < 5000)));
    }
}

/* Decodes in pieces and writes what comes out as text, so that two runs can be compared. */
static void decode(struct buf *story, const uint8_t *bytes, size_t len, size_t piece)
{
    struct ws_decoder *decoder =
        ws_decoder_new(&(struct ws_decoder_options){.max_message = MAX_MESSAGE, .max_fragments = MAX_FRAGMENTS});
    CHECK(decoder);
    bool is_over = false;
    for (size_t at = 0; at < len && !is_over;) {
        size_t given = len - at < piece ? len - at : piece;
        struct ws_event event;
        size_t taken = ws_decoder_take(decoder, bytes + at, given, &event);
        CHECK(taken > 0 && taken <= given);
        at += taken;
        if (event.type == WS_EVENT_NONE)
            continue;
        CHECK(buf_printf(story, "%d %d %zu:", (int)event.type, event.code, event.len) == 0);
        CHECK(buf_append(story, event.data, event.len) == 0);
        is_over = event.type == WS_EVENT_CLOSE || event.type == WS_EVENT_FAULT;
    }
    CHECK(!is_over || !ws_decoder_is_idle(decoder));
    ws_decoder_free(decoder);
}

static uint32_t next_random(void)
{
    static uint32_t state = 2463534242;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

static size_t put_random_frame(uint8_t *out)
{
    static const uint8_t likely[] = {0x81, 0x81, 0x01, 0x00, 0x80, 0x89, 0x8a, 0x88};
    size_t payload_len = next_random() % 16 ? next_random() % 126 : 126 + next_random() % 300, at = 0;
    out[at++] = likely[next_random() % COUNT_OF(likely)];
    out[at++] = (uint8_t)(0x80 | (payload_len < 126 ? payload_len : 126));
    if (payload_len >= 126) {
        out[at++] = (uint8_t)(payload_len >> 8);
        out[at++] = (uint8_t)payload_len;
    }
    const uint8_t *mask = out + at;
    for (int i = 0; i < 4; i++)
        out[at++] = (uint8_t)next_random();
    for (size_t i = 0; i < payload_len; i++, at++)
        out[at] = mask[i % 4] ^ (uint8_t)(next_random() % 2 ? 'x' : "\xc3\xa9"[i % 2]);
    if (next_random() % 8 == 0)
        out[next_random() % at] ^= (uint8_t)(1u << next_random() % 8);
    return at;
}

/* W41: whatever the bytes, the verdict does not depend on how they are cut. */
static void test_w41_cutting_changes_nothing(void)
{
    static uint8_t bytes[8 * 500];
    for (int round = 0; round < 3000; round++) {
        size_t len = 0;
        for (uint32_t frames = 1 + next_random() % 8; frames > 0; frames--)
            len += put_random_frame(bytes + len);
        struct buf whole, cut;
        buf_init(&whole, 1 << 20);
        buf_init(&cut, 1 << 20);
        decode(&whole, bytes, len, len);
        decode(&cut, bytes, len, 1 + next_random() % 3);
        CHECK(whole.len == cut.len && (whole.len == 0 || memcmp(whole.data, cut.data, whole.len) == 0));
        buf_done(&whole);
        buf_done(&cut);
    }
}

static void test_encoder_and_decoder_agree(void)
{
    static char text[MAX_MESSAGE];
    memset(text, 't', sizeof text);
    struct ws_encoder *client = ws_encoder_new(true);
    struct ws_decoder *server =
        ws_decoder_new(&(struct ws_decoder_options){.max_message = MAX_MESSAGE, .max_fragments = MAX_FRAGMENTS});
    CHECK(client && server);
    uint8_t masks[4][4] = {{0}};
    for (size_t len = 0; len <= MAX_MESSAGE; len++) {
        struct buf out;
        buf_init(&out, len + WS_HEADER_MAX);
        CHECK(ws_encode(client, &out, WS_OPCODE_TEXT, text, len) == 0);
        memcpy(masks[len % 4], out.data + out.len - len - 4, 4);
        struct ws_event event = {.type = WS_EVENT_NONE};
        for (size_t at = 0; at < out.len;)
            at += ws_decoder_take(server, (const uint8_t *)out.data + at, out.len - at, &event);
        CHECK(event.type == WS_EVENT_TEXT && event.len == len && memcmp(event.data, text, len) == 0);
        CHECK(ws_decoder_is_idle(server));
        buf_done(&out);
    }
    CHECK(memcmp(masks[0], masks[1], 4) != 0 && memcmp(masks[1], masks[2], 4) != 0);
    ws_encoder_free(client);
    ws_decoder_free(server);
}

static void test_encoder_respects_the_cap(void)
{
    struct ws_encoder *encoder = ws_encoder_new(false);
    struct buf out;
    buf_init(&out, 100);
    CHECK(ws_encode(encoder, &out, WS_OPCODE_PONG, "abc", 3) == 0);
    CHECK(out.len == 5 && memcmp(out.data,
                                 "\x8a\x03"
                                 "abc",
                                 5) == 0);
    char text[100] = "";
    CHECK(ws_encode(encoder, &out, WS_OPCODE_TEXT, text, 90) == -ENOBUFS);
    CHECK(ws_encode(encoder, &out, WS_OPCODE_TEXT, text, SIZE_MAX) == -ENOBUFS);
    CHECK(out.len == 5);
    CHECK(ws_encode(encoder, &out, WS_OPCODE_TEXT, text, 0) == 0); /* the failure left nothing half done */
    CHECK(out.len == 7 && memcmp(out.data + 5, "\x81\x00", 2) == 0);
    buf_done(&out);
    ws_encoder_free(encoder);
}

int main(void)
{
    test_headers_of_all_sizes();
    test_faults_show_at_once();
    test_message_limits();
    test_close_payloads();
    test_w41_cutting_changes_nothing();
    test_encoder_and_decoder_agree();
    test_encoder_respects_the_cap();
    return 0;
}
