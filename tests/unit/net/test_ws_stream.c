/* A ws_stream on one end of a socket pair, a peer that writes raw bytes on the other. Functions are named by the row of
 * the hostile-input table that they check. */
#include "check.h"
#include "net/ws_stream.h"
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FIN = 0x80, CONT = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum { MAX_MESSAGE = 100000, WHOLE = 1 << 30 };

struct bench {
    uv_loop_t loop;
    uv_timer_t tick;
    struct wheel wheel;
    struct ws_pool *pool;
    struct ws_stream stream;
    int peer;
    bool is_peer_at_eof, is_closed;
    uint8_t *got; /* what the peer has read */
    size_t got_len;
    /* what the stream's owner does and has seen */
    bool echoes;
    unsigned pause_after; /* this many texts: pause */
    unsigned texts, drained, closings;
    uint8_t last_text[MAX_MESSAGE];
    size_t last_len;
    int closing_code;
    char closing_reason[128];
    struct ws_pool_options options;
};

static struct bench *bench_of(struct ws_stream *stream)
{
    return CONTAINER_OF(stream, struct bench, stream);
}

static void handle_text(struct ws_stream *stream, const char *text, size_t len)
{
    struct bench *b = bench_of(stream);
    CHECK(!b->is_closed && b->closings == 0);
    b->texts++;
    b->last_len = len;
    memcpy(b->last_text, text, len);
    if (b->echoes)
        CHECK(ws_stream_send_text(stream, text, len) == 0);
    if (b->texts == b->pause_after)
        ws_stream_pause(stream);
}

static void handle_drained(struct ws_stream *stream)
{
    CHECK(ws_stream_queued(stream) == 0);
    bench_of(stream)->drained++;
}

static void handle_closing(struct ws_stream *stream, int code, const char *reason)
{
    struct bench *b = bench_of(stream);
    b->closings++;
    b->closing_code = code;
    snprintf(b->closing_reason, sizeof b->closing_reason, "%s", reason);
    CHECK(ws_stream_is_closing(stream));
    CHECK(ws_stream_send_text(stream, "late", 4) == -EPIPE);
}

static void handle_closed(struct ws_stream *stream)
{
    CHECK(!bench_of(stream)->is_closed);
    bench_of(stream)->is_closed = true;
}

static void handle_tick(uv_timer_t *tick)
{
    struct bench *b = CONTAINER_OF(tick, struct bench, tick);
    wheel_turn(&b->wheel, uv_now(&b->loop));
}

static const struct ws_callbacks callbacks = {handle_text, handle_drained, handle_closing, handle_closed};

/* Options that are 0 get the defaults, but no pings and 100 KB of message. */
static struct bench *bench_prepare(struct ws_pool_options options)
{
    struct bench *b = calloc(1, sizeof *b);
    CHECK(b && uv_loop_init(&b->loop) == 0 && uv_timer_init(&b->loop, &b->tick) == 0);
    uv_timer_start(&b->tick, handle_tick, 10, 10);
    wheel_init(&b->wheel, uv_now(&b->loop));
    options.loop = &b->loop;
    options.wheel = &b->wheel;
    options.callbacks = &callbacks;
    if (!options.max_message)
        options.max_message = MAX_MESSAGE;
    if (!options.ping_interval_ms)
        options.ping_interval_ms = UINT64_MAX;
    CHECK(ws_pool_new(&b->pool, &options) == 0);
    b->options = options;
    b->echoes = true;
    b->got = malloc(1 << 20);
    return b;
}

static void bench_open(struct bench *b, const void *early, size_t early_len, bool paused)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    CHECK(ws_stream_open(&b->stream, b->pool, fds[0], early, early_len, paused) == 0);
    b->peer = fds[1];
    b->is_closed = b->is_peer_at_eof = false;
    b->texts = b->closings = b->drained = 0;
    b->got_len = 0;
}

static struct bench *bench_new(struct ws_pool_options options)
{
    struct bench *b = bench_prepare(options);
    bench_open(b, NULL, 0, false);
    return b;
}

static void turn(struct bench *b)
{
    uv_run(&b->loop, UV_RUN_NOWAIT);
}

static void peer_read(struct bench *b)
{
    ssize_t len = recv(b->peer, b->got + b->got_len, (1 << 20) - b->got_len, 0);
    if (len > 0)
        b->got_len += (size_t)len;
    else if (len == 0 || errno == ECONNRESET)
        b->is_peer_at_eof = true;
}

#define UNTIL(b, condition)                                                                                            \
    do {                                                                                                               \
        uint64_t start_ = uv_hrtime();                                                                                 \
        while (!(condition)) {                                                                                         \
            uv_run(&(b)->loop, UV_RUN_ONCE);                                                                           \
            CHECK(uv_hrtime() - start_ < 5000000000);                                                                  \
        }                                                                                                              \
    } while (0)

#define UNTIL_PEER(b, condition)                                                                                       \
    do {                                                                                                               \
        uint64_t start_ = uv_hrtime();                                                                                 \
        while (peer_read(b), !(condition)) {                                                                           \
            uv_run(&(b)->loop, UV_RUN_ONCE);                                                                           \
            CHECK(uv_hrtime() - start_ < 5000000000);                                                                  \
        }                                                                                                              \
    } while (0)

static void bench_free(struct bench *b)
{
    if (b->peer >= 0)
        close(b->peer);
    UNTIL(b, b->is_closed);
    CHECK(b->closings == 1);
    CHECK(ws_pool_contexts(b->pool) == 0);
    ws_pool_free(b->pool);
    uv_close((uv_handle_t *)&b->tick, NULL);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&b->loop) == 0);
    free(b->got);
    free(b);
}

/* Writes in pieces, a turn of the loop after each; stops where the stream has stopped reading for good. */
static void peer_write(struct bench *b, const void *bytes, size_t len, size_t piece)
{
    for (size_t at = 0; at < len && !b->is_closed;) {
        size_t want = len - at < piece ? len - at : piece;
        ssize_t sent = send(b->peer, (const uint8_t *)bytes + at, want, MSG_NOSIGNAL);
        if (sent > 0)
            at += (size_t)sent;
        else if (errno != EAGAIN)
            return;
        turn(b);
    }
}

/* A masked frame as a browser sends it; returns its length. */
static size_t put_frame(uint8_t *out, unsigned first_byte, const void *payload, size_t len)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    size_t at = 0;
    out[at++] = (uint8_t)first_byte;
    if (len < 126) {
        out[at++] = (uint8_t)(0x80 | len);
    } else if (len < 65536) {
        out[at++] = 0x80 | 126;
        out[at++] = (uint8_t)(len >> 8);
        out[at++] = (uint8_t)len;
    } else {
        out[at++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            out[at++] = (uint8_t)((uint64_t)len >> shift);
    }
    memcpy(out + at, mask, 4);
    at += 4;
    for (size_t i = 0; i < len; i++)
        out[at++] = ((const uint8_t *)payload)[i] ^ mask[i % 4];
    return at;
}

static void peer_frame(struct bench *b, unsigned first_byte, const char *payload, size_t len, size_t piece)
{
    uint8_t *bytes = malloc(len + 14);
    peer_write(b, bytes, put_frame(bytes, first_byte, payload, len), piece);
    free(bytes);
}

/* Takes the frame at the front of what the peer has read; returns its first byte, or -1 if none is whole. */
static int next_frame(struct bench *b, uint8_t *payload, size_t *len)
{
    size_t head = 2;
    if (b->got_len < head)
        return -1;
    CHECK(!(b->got[1] & 0x80));
    size_t size = b->got[1];
    if (size == 126) {
        head = 4;
        if (b->got_len < head)
            return -1;
        size = (size_t)(b->got[2] << 8 | b->got[3]);
    } else if (size == 127) {
        head = 10;
        if (b->got_len < head)
            return -1;
        size = 0;
        for (int i = 2; i < 10; i++)
            size = size << 8 | b->got[i];
    }
    if (b->got_len < head + size)
        return -1;
    int first_byte = b->got[0];
    memcpy(payload, b->got + head, size);
    *len = size;
    b->got_len -= head + size;
    memmove(b->got, b->got + head + size, b->got_len);
    return first_byte;
}

static void expect_frame(struct bench *b, unsigned first_byte, const void *payload, size_t len)
{
    uint8_t *got = malloc(1 << 20);
    size_t got_len = 0;
    int first = -1;
    UNTIL_PEER(b, (first = next_frame(b, got, &got_len)) >= 0);
    CHECK(first == (int)first_byte);
    CHECK(got_len == len && memcmp(got, payload, len) == 0);
    free(got);
}

/* A Close with this code, then the end of the bytes; then the stream closes as soon as the peer does. */
static void expect_close(struct bench *b, int code)
{
    uint8_t got[256];
    size_t len = 0;
    int first = -1;
    UNTIL_PEER(b, (first = next_frame(b, got, &len)) >= 0);
    CHECK(first == (FIN | CLOSE));
    if (code == 1005)
        CHECK(len == 0);
    else
        CHECK(len >= 2 && (got[0] << 8 | got[1]) == code);
    UNTIL_PEER(b, b->is_peer_at_eof);
    CHECK(b->got_len == 0);
    CHECK(b->closings == 1 && b->closing_code == code);
    close(b->peer);
    b->peer = -1;
    UNTIL(b, b->is_closed);
}

/* A valid message goes before the bad bytes: its echo must come before the Close. All at once, then byte by byte (W41).
 */
static void check_fails_with(int code, const void *bytes, size_t len)
{
    for (size_t piece = WHOLE;; piece = 1) {
        struct bench *b = bench_new((struct ws_pool_options){0});
        uint8_t *all = malloc(len + 20);
        size_t at = put_frame(all, FIN | TEXT, "hello", 5);
        memcpy(all + at, bytes, len);
        peer_write(b, all, at + len, piece);
        expect_frame(b, FIN | TEXT, "hello", 5);
        expect_close(b, code);
        CHECK(b->texts == 1);
        free(all);
        bench_free(b);
        if (piece == 1)
            break;
    }
}

static void check_frame_fails_with(int code, unsigned first_byte, const void *payload, size_t len)
{
    uint8_t bytes[512];
    check_fails_with(code, bytes, put_frame(bytes, first_byte, payload, len));
}

static void test_w10_sizes_are_echoed(void)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 128, 65535, 65536, MAX_MESSAGE};
    static char text[MAX_MESSAGE];
    memset(text, 'x', sizeof text);
    static const size_t pieces[] = {WHOLE, 997, 1};
    for (size_t p = 0; p < COUNT_OF(pieces); p++) {
        struct bench *b = bench_new((struct ws_pool_options){0});
        for (size_t i = 0; i < COUNT_OF(sizes); i++) {
            if (pieces[p] == 1 && sizes[i] > 1000)
                continue;
            peer_frame(b, FIN | TEXT, text, sizes[i], pieces[p]);
            expect_frame(b, FIN | TEXT, text, sizes[i]);
            turn(b);
            CHECK(ws_pool_contexts(b->pool) == 0);
        }
        bench_free(b);
    }
}

static void test_w11_binary_is_1003(void)
{
    check_frame_fails_with(1003, FIN | BINARY, "\1\2", 2);
    check_frame_fails_with(1003, BINARY, "", 0);
}

static void test_w12_ping_is_answered(void)
{
    char payload[125];
    memset(payload, 0xfe, sizeof payload);
    for (size_t piece = WHOLE;; piece = 1) {
        struct bench *b = bench_new((struct ws_pool_options){0});
        for (size_t len = 0; len <= 125; len += 25) {
            peer_frame(b, FIN | PING, payload, len, piece);
            expect_frame(b, FIN | PONG, payload, len);
        }
        bench_free(b);
        if (piece == 1)
            break;
    }
}

static void test_w13_long_ping_is_1002(void)
{
    char payload[126] = "";
    check_frame_fails_with(1002, FIN | PING, payload, 126);
}

static void test_w14_unasked_pong_is_ignored(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    peer_frame(b, FIN | PONG, "unasked", 7, 1);
    peer_frame(b, FIN | TEXT, "on", 2, 1);
    expect_frame(b, FIN | TEXT, "on", 2);
    bench_free(b);
}

static void test_w15_ten_pings_ten_pongs(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    uint8_t bytes[200];
    size_t len = 0;
    for (int i = 0; i < 10; i++)
        len += put_frame(bytes + len, FIN | PING, &"0123456789"[i], 1);
    peer_write(b, bytes, len, WHOLE);
    for (int i = 0; i < 10; i++)
        expect_frame(b, FIN | PONG, &"0123456789"[i], 1);
    bench_free(b);
}

static void test_w16_ping_flood_stops_reading(void)
{
    struct bench *b = bench_new((struct ws_pool_options){.max_output_age_ms = 200, .close_wait_ms = 100});
    uint8_t ping[200];
    char payload[125] = "";
    size_t len = put_frame(ping, FIN | PING, payload, sizeof payload);
    size_t flooded = 0, idle_turns = 0, most = 0;
    while (idle_turns < 20) { /* the peer reads nothing, and writes until nothing is taken any more */
        ssize_t sent = send(b->peer, ping + flooded % len, len - flooded % len, MSG_NOSIGNAL);
        if (sent > 0)
            flooded += (size_t)sent;
        idle_turns = sent > 0 ? 0 : idle_turns + 1;
        turn(b);
        if (ws_stream_queued(&b->stream) > most)
            most = ws_stream_queued(&b->stream);
    }
    CHECK(flooded > 20000 && flooded < 4000000);
    CHECK(most > 0 && most < 17 * 1024);
    UNTIL(b, b->is_closed); /* cut by age */
    CHECK(b->closing_code == 1008);
    CHECK_STR(b->closing_reason, "slow_reader");
    bench_free(b);
}

static void test_w16_flood_goes_on_when_it_is_read(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    enum { PINGS = 20000 };
    uint8_t ping[8];
    size_t len = put_frame(ping, FIN | PING, "", 0);
    CHECK(len == 6);
    for (size_t sent = 0, pongs = 0; pongs < PINGS;) {
        if (sent < PINGS && send(b->peer, ping, len, MSG_NOSIGNAL) == (ssize_t)len)
            sent++;
        else
            turn(b);
        peer_read(b);
        pongs += b->got_len / 2;
        b->got_len %= 2;
    }
    bench_free(b);
}

static void test_w17_reserved_bits_are_1002(void)
{
    for (unsigned bit = 0x10; bit <= 0x40; bit <<= 1) {
        check_frame_fails_with(1002, FIN | bit | TEXT, "x", 1);
        check_frame_fails_with(1002, FIN | bit | PING, "", 0);
        check_frame_fails_with(1002, FIN | bit | CLOSE, "\3\350", 2);
    }
}

static void test_w18_reserved_opcodes_are_1002(void)
{
    for (unsigned opcode = 3; opcode <= 15; opcode++)
        if (opcode < CLOSE || opcode > PONG)
            check_frame_fails_with(1002, FIN | opcode, "x", 1);
}

static void test_w19_fragmented_control_is_1002(void)
{
    check_frame_fails_with(1002, PING, "x", 1);
    check_frame_fails_with(1002, PONG, "", 0);
    check_frame_fails_with(1002, CLOSE, "\3\350", 2);
}

static void test_w20_fragments_out_of_order_are_1002(void)
{
    check_frame_fails_with(1002, FIN | CONT, "x", 1);
    check_frame_fails_with(1002, CONT, "x", 1);
    uint8_t bytes[64];
    size_t len = put_frame(bytes, TEXT, "a", 1);
    len += put_frame(bytes + len, FIN | TEXT, "b", 1);
    check_fails_with(1002, bytes, len);
    len = put_frame(bytes, TEXT, "a", 1);
    len += put_frame(bytes + len, BINARY, "b", 1);
    check_fails_with(1002, bytes, len);
}

static void test_w21_ping_between_fragments(void)
{
    for (size_t piece = WHOLE;; piece = 1) {
        struct bench *b = bench_new((struct ws_pool_options){0});
        peer_frame(b, TEXT, "one ", 4, piece);
        peer_frame(b, FIN | PING, "?", 1, piece);
        expect_frame(b, FIN | PONG, "?", 1);
        CHECK(b->texts == 0 && ws_pool_contexts(b->pool) == 1);
        peer_frame(b, CONT, "", 0, piece);
        peer_frame(b, FIN | PONG, "!", 1, piece);
        peer_frame(b, FIN | CONT, "two", 3, piece);
        expect_frame(b, FIN | TEXT, "one two", 7);
        bench_free(b);
        if (piece == 1)
            break;
    }
}

static void test_w22_close_between_fragments(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    peer_frame(b, TEXT, "one ", 4, WHOLE);
    peer_frame(b, FIN | CLOSE, "\3\350", 2, WHOLE);
    expect_close(b, 1000);
    CHECK(b->texts == 0);
    bench_free(b);
}

static void test_w23_utf8_split_everywhere(void)
{
    static const char text[] = "\u00b5 \u4f60\u597d \U0001f600";
    size_t len = sizeof text - 1;
    for (size_t cut = 0; cut <= len; cut++) {
        struct bench *b = bench_new((struct ws_pool_options){0});
        peer_frame(b, TEXT, text, cut, WHOLE);
        peer_frame(b, FIN | CONT, text + cut, len - cut, cut % 2 ? WHOLE : 1);
        expect_frame(b, FIN | TEXT, text, len);
        bench_free(b);
    }
}

static const char *const bad_utf8[] = {
    "\xff",
    "\xfe",
    "\x80",
    "\xbf",
    "\xc0\xaf",
    "\xc1\xbf",
    "\xe0\x80\xaf",
    "\xe0\x9f\xbf",
    "\xed\xa0\x80",
    "\xed\xbf\xbf",
    "\xf0\x80\x80",
    "\xf0\x8f\xbf\xbf",
    "\xf4\x90\x80\x80",
    "\xf5\x80",
    "\xf8\x88",
    "\xfc\x84",
    "\xc3(",
    "\xe2\x82(",
    "\xf0\x9f\x98(",
    "\xc3",
    "\xe2\x82",
};

static void test_w24_bad_utf8_is_1007(void)
{
    for (size_t i = 0; i < COUNT_OF(bad_utf8); i++) {
        check_frame_fails_with(1007, FIN | TEXT, bad_utf8[i], strlen(bad_utf8[i]));
        uint8_t bytes[64];
        size_t len = put_frame(bytes, TEXT, bad_utf8[i], 1);
        len += put_frame(bytes + len, FIN | CONT, bad_utf8[i] + 1, strlen(bad_utf8[i]) - 1);
        check_fails_with(1007, bytes, len);
    }
}

static void test_w24_bad_utf8_fails_inside_the_frame(void)
{
    uint8_t bytes[300];
    char payload[200] = "ab\xff";
    put_frame(bytes, FIN | TEXT, payload, sizeof payload);
    check_fails_with(1007, bytes, 8 + 3); /* of 200 bytes three have come */
}

static void test_w25_unusual_text_is_unchanged(void)
{
    static const char text[] = "\ufeff\uffff\u202e\U0010fffe\0nul";
    struct bench *b = bench_new((struct ws_pool_options){0});
    peer_frame(b, FIN | TEXT, text, sizeof text, 1);
    expect_frame(b, FIN | TEXT, text, sizeof text);
    bench_free(b);
}

static void test_w26_close_payload_sizes(void)
{
    static const char reason[126] =
        "\3\350xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    check_frame_fails_with(1005, FIN | CLOSE, "", 0);
    check_frame_fails_with(1002, FIN | CLOSE, "\3", 1);
    check_frame_fails_with(1000, FIN | CLOSE, reason, 2);
    check_frame_fails_with(1000, FIN | CLOSE, reason, 120);
    check_frame_fails_with(1002, FIN | CLOSE, reason, 126);
}

static void check_close_code(int sent, int expected)
{
    char payload[2] = {(char)(sent >> 8), (char)sent};
    check_frame_fails_with(expected, FIN | CLOSE, payload, 2);
}

static void test_w27_close_codes_are_echoed(void)
{
    static const int codes[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        check_close_code(codes[i], codes[i]);
}

static void test_w28_w30_bad_close_codes_are_1002(void)
{
    static const int codes[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        check_close_code(codes[i], 1002);
}

static void test_w29_registered_close_codes_are_accepted(void)
{
    for (int code = 1012; code <= 1014; code++)
        check_close_code(code, code);
}

static void test_w31_close_reasons(void)
{
    static const char good[] = "\3\350"
                               "caf\u00e9 \u4f60\U0001f600";
    check_frame_fails_with(1000, FIN | CLOSE, good, sizeof good - 1); /* also cut everywhere */
    for (size_t i = 0; i < COUNT_OF(bad_utf8); i++) {
        char bad[16] = "\3\350";
        strcat(bad, bad_utf8[i]);
        check_frame_fails_with(1007, FIN | CLOSE, bad, strlen(bad));
    }
}

static void test_w32_nothing_counts_after_close(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    uint8_t bytes[64];
    size_t len = put_frame(bytes, FIN | CLOSE, "\3\350bye", 5);
    len += put_frame(bytes + len, FIN | CLOSE, "\3\351", 2);
    len += put_frame(bytes + len, FIN | PING, "?", 1);
    len += put_frame(bytes + len, FIN | TEXT, "late", 4);
    peer_write(b, bytes, len, WHOLE);
    expect_close(b, 1000);
    CHECK_STR(b->closing_reason, "bye");
    CHECK(b->texts == 0);
    bench_free(b);
}

static void test_w33_peer_never_answers_close(void)
{
    struct bench *b = bench_new((struct ws_pool_options){.close_wait_ms = 100});
    uint64_t start = uv_hrtime();
    ws_stream_close(&b->stream, 1001, "going away");
    ws_stream_close(&b->stream, 1000, "twice");
    UNTIL(b, b->is_closed);
    uint64_t took_ms = (uv_hrtime() - start) / 1000000;
    CHECK(took_ms >= 99 && took_ms < 1000);
    CHECK(b->closing_code == 1001);
    CHECK_STR(b->closing_reason, "going away");
    expect_frame(b, FIN | CLOSE, "\3\351going away", 12);
    peer_read(b);
    CHECK(b->is_peer_at_eof && b->got_len == 0);
    bench_free(b);
}

static void test_w34_unmasked_is_1002(void)
{
    check_fails_with(1002, "\x81\x01x", 3);
    check_fails_with(1002, "\x89\x00", 2);
}

static void test_w35_bad_lengths_are_1002(void)
{
    check_fails_with(1002, "\x81\xfe\x00\x05", 4);
    check_fails_with(1002, "\x81\xfe\x00\x7d", 4);
    check_fails_with(1002, "\x81\xff\0\0\0\0\0\0\0\5", 10);
    check_fails_with(1002, "\x81\xff\0\0\0\0\0\0\xff\xff", 10);
    check_fails_with(1002, "\x81\xff\x80\0\0\0\0\0\0\0", 10);
    check_fails_with(1002, "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10);
}

static void test_w36_declared_sizes_are_1009(void)
{
    check_fails_with(1009,
                     "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff"
                     "mask"
                     "x",
                     15);
    check_fails_with(1009,
                     "\x81\xff\0\0\0\0\x80\0\0\0"
                     "mask"
                     "x",
                     15);
    check_fails_with(1009,
                     "\x81\xff\0\0\0\0\0\x01\x86\xa1"
                     "mask"
                     "x",
                     15); /* the limit and one */
}

static void test_w37_limit_holds_for_the_whole_message(void)
{
    static char text[MAX_MESSAGE];
    memset(text, 'x', sizeof text);
    for (size_t extra = 0; extra <= 1; extra++) {
        struct bench *b = bench_new((struct ws_pool_options){0});
        peer_frame(b, TEXT, text, MAX_MESSAGE - 10, WHOLE);
        peer_frame(b, CONT, text, 5, WHOLE);
        peer_frame(b, FIN | CONT, text, 5 + extra, WHOLE);
        if (extra) {
            expect_close(b, 1009);
            CHECK(b->texts == 0);
        } else {
            expect_frame(b, FIN | TEXT, text, MAX_MESSAGE);
        }
        bench_free(b);
    }
}

static void check_fragments(unsigned count, size_t len, int code)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    static const char text[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    for (unsigned i = 0; i < count; i++)
        peer_frame(b, (i ? CONT : TEXT) | (i == count - 1 && !code ? FIN : 0u), text, len, WHOLE);
    if (code)
        expect_close(b, code);
    else
        expect_frame(b, FIN | TEXT, text, len * count);
    bench_free(b);
}

static void test_w38_w39_fragments_are_counted(void)
{
    check_fragments(64, 1, 0);
    check_fragments(65, 1, 1008);
    check_fragments(64, 0, 0);
    check_fragments(65, 0, 1008);
}

static void test_w40_unfinished_message_is_1008(void)
{
    static const char *const parked[] = {"\x81", "\x81\x85", "\x81\x85maskab", "\x01\x80mask", "\x89\x85maskab"};
    static const size_t lens[] = {1, 2, 8, 6, 8};
    for (size_t i = 0; i < COUNT_OF(parked); i++) {
        struct bench *b = bench_new((struct ws_pool_options){.message_timeout_ms = 100});
        peer_write(b, parked[i], lens[i], WHOLE);
        if (i == 3) {
            turn(b);
            peer_frame(b, FIN | PING, "still here", 10, WHOLE);
            expect_frame(b, FIN | PONG, "still here", 10);
        }
        expect_close(b, 1008);
        CHECK_STR(b->closing_reason, "message_timeout");
        bench_free(b);
    }
}

static void test_w42_one_stream_does_not_take_the_whole_turn(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    b->echoes = false;
    enum { MESSAGES = 15000 }; /* 105 KB: more than a turn reads */
    uint8_t *bytes = malloc(MESSAGES * 7);
    size_t len = 0;
    for (int i = 0; i < MESSAGES; i++)
        len += put_frame(bytes + len, FIN | TEXT, "x", 1);
    int room = 1 << 20;
    setsockopt(b->peer, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    size_t sent = 0;
    ssize_t step;
    while (sent < len && (step = send(b->peer, bytes + sent, len - sent, MSG_NOSIGNAL)) > 0)
        sent += (size_t)step;
    CHECK(sent > 80000);
    turn(b);
    CHECK(b->texts > 0 && b->texts <= 64 * 1024 / 7 + 1);
    UNTIL(b, b->texts == sent / 7);
    free(bytes);
    bench_free(b);
}

static void test_w43_message_and_close_back_to_back(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    uint8_t bytes[64];
    size_t len = put_frame(bytes, FIN | TEXT, "last", 4);
    len += put_frame(bytes + len, FIN | CLOSE, "\3\350", 2);
    peer_write(b, bytes, len, WHOLE);
    expect_frame(b, FIN | TEXT, "last", 4);
    expect_close(b, 1000);
    bench_free(b);
}

static void test_w44_close_waits_for_what_is_queued(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    static char large[200000];
    memset(large, 'L', sizeof large);
    CHECK(ws_stream_send_text(&b->stream, "one", 3) == 0);
    CHECK(ws_stream_send_text(&b->stream, large, sizeof large) == 0);
    CHECK(ws_stream_send_text(&b->stream, "three", 5) == 0);
    ws_stream_close(&b->stream, 1008, "expired");
    CHECK(b->closings == 1);
    CHECK(ws_stream_send_text(&b->stream, "late", 4) == -EPIPE);
    for (int i = 0; i < 5; i++)
        turn(b); /* the peer does not read yet */
    expect_frame(b, FIN | TEXT, "one", 3);
    expect_frame(b, FIN | TEXT, large, sizeof large);
    expect_frame(b, FIN | TEXT, "three", 5);
    expect_close(b, 1008);
    bench_free(b);
}

/* The peer has sent what we have not read: a plain close(2) would reset the connection and lose our Close. */
static void test_w44_close_survives_unread_bytes(void)
{
    struct bench *b = bench_prepare((struct ws_pool_options){0});
    bench_open(b, NULL, 0, true);
    peer_frame(b, FIN | TEXT, "unread", 6, WHOLE);
    ws_stream_close(&b->stream, 1008, "Session not authenticated or expired token");
    turn(b);
    peer_frame(b, FIN | TEXT, "more", 4, WHOLE);
    expect_close(b, 1008);
    CHECK(b->texts == 0);
    bench_free(b);
}

static void test_w46_peer_leaves_at_any_byte(void)
{
    uint8_t bytes[64];
    size_t len = 0;
    for (int i = 0; i < 3; i++)
        len += put_frame(bytes + len, FIN | TEXT, "abc", 3);
    for (size_t cut = 0; cut <= len; cut++) {
        struct bench *b = bench_new((struct ws_pool_options){0});
        peer_write(b, bytes, cut, WHOLE);
        if (cut % 2)
            shutdown(b->peer, SHUT_WR); /* FIN; else a close with our echoes unread: a reset */
        else
            close(b->peer);
        UNTIL(b, b->is_closed);
        CHECK(b->closing_code == 1006);
        CHECK(b->texts == cut / 9);
        if (!(cut % 2))
            b->peer = -1;
        bench_free(b);
    }
}

static void test_pause_is_exact_to_the_message(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    b->echoes = false;
    b->pause_after = 2;
    uint8_t bytes[128];
    size_t len = 0;
    for (int i = 0; i < 5; i++)
        len += put_frame(bytes + len, FIN | TEXT, &"12345"[i], 1);
    len += put_frame(bytes + len, FIN | PING, "?", 1);
    peer_write(b, bytes, len - 3, WHOLE); /* the last frame is not whole */
    for (int i = 0; i < 10; i++)
        turn(b);
    CHECK(b->texts == 2 && b->last_text[0] == '2');
    b->pause_after = 4;
    ws_stream_resume(&b->stream);
    CHECK(b->texts == 2); /* not from inside the call */
    for (int i = 0; i < 10; i++)
        turn(b);
    CHECK(b->texts == 4 && b->last_text[0] == '4');
    ws_stream_resume(&b->stream);
    ws_stream_resume(&b->stream);
    UNTIL(b, b->texts == 5);
    peer_write(b, bytes + len - 3, 3, WHOLE);
    expect_frame(b, FIN | PONG, "?", 1);
    turn(b);
    CHECK(ws_pool_contexts(b->pool) == 0);
    bench_free(b);
}

static void test_early_bytes_are_read_first(void)
{
    uint8_t early[64];
    size_t len = put_frame(early, FIN | TEXT, "early", 5);
    len += put_frame(early + len, FIN | TEXT, "second", 6);
    for (int paused = 0; paused <= 1; paused++) {
        struct bench *b = bench_prepare((struct ws_pool_options){0});
        bench_open(b, early, len - 4, paused);
        CHECK(b->texts == 0);
        send(b->peer, early + len - 4, 4, 0);
        for (int i = 0; i < 5; i++)
            turn(b);
        CHECK(b->texts == (paused ? 0 : 2));
        ws_stream_resume(&b->stream);
        expect_frame(b, FIN | TEXT, "early", 5);
        expect_frame(b, FIN | TEXT, "second", 6);
        bench_free(b);
    }
}

static void test_early_failure_leaves_nothing(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    struct ws_stream other;
    static char too_much[70000];
    CHECK(ws_stream_open(&other, b->pool, b->peer, too_much, sizeof too_much, false) == -ENOBUFS);
    CHECK(ws_stream_open(&other, b->pool, -1, "x", 1, false) < 0);
    CHECK(ws_pool_contexts(b->pool) == 0);
    bench_free(b);
}

static void test_r6_output_cap_closes_with_1008(void)
{
    struct bench *b = bench_new((struct ws_pool_options){.max_output = 50000});
    static char text[10000];
    memset(text, 's', sizeof text);
    int error = 0, accepted = 0;
    while (!(error = ws_stream_send_text(&b->stream, text, sizeof text)) && accepted < 1000)
        accepted++;
    CHECK(error == -ENOBUFS && accepted > 5); /* the kernel was asked before the reader was called slow */
    CHECK(ws_stream_queued(&b->stream) <= 50000);
    CHECK(b->closings == 0); /* no callback from inside */
    CHECK(ws_stream_is_closing(&b->stream));
    CHECK(ws_stream_send_text(&b->stream, "x", 1) == -EPIPE);
    UNTIL(b, b->closings == 1);
    CHECK_STR(b->closing_reason, "slow_reader");
    for (int i = 0; i < accepted; i++)
        expect_frame(b, FIN | TEXT, text, sizeof text);
    expect_close(b, 1008);
    bench_free(b);
}

static void test_too_large_a_message_is_refused(void)
{
    struct bench *b = bench_new((struct ws_pool_options){.max_output = 50000});
    static char text[50001];
    CHECK(ws_stream_send_text(&b->stream, text, sizeof text) == -ENOBUFS);
    expect_close(b, 1008);
    bench_free(b);
}

/* The peer always reads a little: what counts is how old the oldest byte is. */
static void test_r7_slow_reader_is_cut_by_age(void)
{
    enum { LARGE = 8 << 20 };
    struct bench *b =
        bench_new((struct ws_pool_options){.max_output = LARGE, .max_output_age_ms = 300, .close_wait_ms = 100});
    char *text = calloc(1, LARGE);
    CHECK(ws_stream_send_text(&b->stream, text, LARGE) == 0);
    turn(b);
    size_t first = ws_stream_queued(&b->stream), last = first;
    CHECK(first > 0 && b->drained == 0);
    uint64_t start = uv_hrtime(), read_at = 0;
    while (!b->is_closed) {
        static uint8_t some[8192];
        if (uv_hrtime() - read_at > 10000000) {
            recv(b->peer, some, sizeof some, 0);
            read_at = uv_hrtime();
        }
        uv_run(&b->loop, UV_RUN_ONCE);
        if (b->closings == 0)
            last = ws_stream_queued(&b->stream);
        CHECK(uv_hrtime() - start < 5000000000);
    }
    CHECK(last < first);
    CHECK(b->closing_code == 1008);
    CHECK_STR(b->closing_reason, "slow_reader");
    free(text);
    bench_free(b);
}

static void test_drained_is_told_when_all_is_written(void)
{
    struct bench *b = bench_new((struct ws_pool_options){0});
    static char text[250000];
    memset(text, 'd', sizeof text);
    CHECK(ws_stream_send_text(&b->stream, text, sizeof text) == 0);
    CHECK(ws_stream_queued(&b->stream) == sizeof text + 10);
    turn(b);
    CHECK(b->drained == 0);
    expect_frame(b, FIN | TEXT, text, sizeof text);
    UNTIL(b, b->drained == 1);
    turn(b);
    CHECK(ws_pool_contexts(b->pool) == 0);
    bench_free(b);
}

static void test_one_turn_is_one_packet(void)
{
    struct bench *b = bench_prepare((struct ws_pool_options){0});
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds) == 0); /* keeps the borders of writes */
    CHECK(ws_stream_open(&b->stream, b->pool, fds[0], NULL, 0, false) == 0);
    b->peer = fds[1];
    for (int i = 0; i < 3; i++)
        CHECK(ws_stream_send_text(&b->stream, "abc", 3) == 0);
    UNTIL_PEER(b, b->got_len > 0);
    CHECK(b->got_len == 15);
    bench_free(b);
}

static void test_pings_are_sent_and_awaited(void)
{
    struct bench *b = bench_new((struct ws_pool_options){.ping_interval_ms = 100, .pong_wait_ms = 100});
    for (int i = 0; i < 3; i++) {
        expect_frame(b, FIN | PING, "", 0);
        if (i == 1)
            peer_frame(b, FIN | TEXT, "any frame will do", 17, WHOLE),
                expect_frame(b, FIN | TEXT, "any frame will do", 17);
        else
            peer_frame(b, FIN | PONG, "", 0, WHOLE);
    }
    CHECK(b->closings == 0);
    expect_frame(b, FIN | PING, "", 0);
    expect_close(b, 1008);
    CHECK_STR(b->closing_reason, "ping_timeout");
    bench_free(b);
}

/* R16: when the whole process slept, the answer lies in the socket before the timer looks. */
static void test_r16_answer_that_lies_in_the_socket_counts(void)
{
    struct bench *b = bench_new((struct ws_pool_options){.ping_interval_ms = 100, .pong_wait_ms = 100});
    expect_frame(b, FIN | PING, "", 0);
    uint8_t pong[8];
    send(b->peer, pong, put_frame(pong, FIN | PONG, "", 0), 0);
    wheel_turn(&b->wheel, uv_now(&b->loop)); /* nothing is due yet */
    usleep(250000);
    uv_update_time(&b->loop);
    wheel_turn(&b->wheel, uv_now(&b->loop));
    CHECK(b->closings == 0);
    expect_frame(b, FIN | PING, "", 0);
    bench_free(b);
}

static void test_paused_peer_is_not_blamed(void)
{
    struct bench *b =
        bench_new((struct ws_pool_options){.ping_interval_ms = 70, .pong_wait_ms = 70, .message_timeout_ms = 70});
    peer_write(b, "\x81", 1, WHOLE);
    ws_stream_pause(&b->stream);
    uint64_t start = uv_hrtime();
    UNTIL_PEER(b, uv_hrtime() - start > 500000000);
    CHECK(b->closings == 0);
    CHECK(b->got_len >= 4 && b->got[0] == (FIN | PING)); /* but the proxies between us see life */
    uint8_t rest[16];
    size_t len = put_frame(rest, FIN | TEXT, "x", 1);
    peer_write(b, rest + 1, len - 1, WHOLE);
    ws_stream_resume(&b->stream);
    UNTIL(b, b->texts == 1);
    bench_free(b);
}

static void test_first_pings_are_spread(void)
{
    struct bench *b = bench_prepare((struct ws_pool_options){.ping_interval_ms = 20000});
    enum { STREAMS = 100 };
    static struct ws_stream streams[STREAMS];
    bench_open(b, NULL, 0, false);
    unsigned in_slot[10] = {0};
    for (int i = 0; i < STREAMS; i++) {
        CHECK(ws_stream_open(&streams[i], b->pool, dup(b->peer), NULL, 0, true) == 0);
        uint64_t wait = streams[i].timer.due_ms - uv_now(&b->loop);
        CHECK(wait >= 10000 && wait <= 20000);
        in_slot[wait == 20000 ? 9 : (wait - 10000) / 1000]++;
    }
    for (int i = 0; i < 10; i++)
        CHECK(in_slot[i] >= 5 && in_slot[i] <= 15);
    CHECK(ws_pool_contexts(b->pool) == 0);
    for (int i = 0; i < STREAMS; i++) { /* they share the fixture's callbacks: end them without */
        wheel_cancel(&streams[i].timer);
        uv_close((uv_handle_t *)&streams[i].poll, NULL);
        close(streams[i].fd);
    }
    bench_free(b);
}

static void close_in_text(struct ws_stream *stream, const char *text, size_t len)
{
    (void)text, (void)len;
    bench_of(stream)->texts++;
    ws_stream_close(stream, 1008, "enough");
    ws_stream_close(stream, 1000, "once more");
    ws_stream_resume(stream);
}

static void test_closing_from_inside_a_callback(void)
{
    struct ws_callbacks own = callbacks;
    own.on_text = close_in_text;
    struct bench *b = bench_prepare((struct ws_pool_options){0});
    b->options.callbacks = &own;
    struct ws_pool *first = b->pool;
    CHECK(ws_pool_new(&b->pool, &b->options) == 0);
    ws_pool_free(first);
    bench_open(b, NULL, 0, false);
    uint8_t bytes[64];
    size_t len = put_frame(bytes, FIN | TEXT, "a", 1);
    len += put_frame(bytes + len, FIN | TEXT, "b", 1);
    peer_write(b, bytes, len, WHOLE);
    expect_close(b, 1008);
    UNTIL(b, b->is_closed);
    CHECK(b->texts == 1 && b->closing_code == 1008);
    bench_free(b);
}

static void test_contexts_go_from_stream_to_stream(void)
{
    struct bench *b = bench_prepare((struct ws_pool_options){0});
    for (int i = 0; i < 20; i++) { /* a failed or unfinished one must not leave its state to the next */
        static const char *const last[] = {"\x01\x82\0\0\0\0\xe2\x82", "\x81\x84\0\0\0\0ab", "\x81\x81\0\0\0\0\xff"};
        static const size_t lens[] = {8, 8, 7};
        bench_open(b, NULL, 0, false);
        peer_frame(b, FIN | TEXT, "clean", 5, WHOLE);
        expect_frame(b, FIN | TEXT, "clean", 5);
        peer_write(b, last[i % 3], lens[i % 3], WHOLE);
        close(b->peer);
        UNTIL(b, b->is_closed);
        CHECK(ws_pool_contexts(b->pool) == 0);
    }
    b->peer = -1;
    bench_free(b);
}

/* A client and a server stream talk to each other. */
static void test_client_masks_and_refuses_masked(void)
{
    struct bench *server = bench_prepare((struct ws_pool_options){0});
    struct bench *client = bench_prepare((struct ws_pool_options){.is_client = true});
    client->echoes = false;
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    CHECK(ws_stream_open(&server->stream, server->pool, fds[0], NULL, 0, false) == 0);
    CHECK(ws_stream_open(&client->stream, client->pool, fds[1], NULL, 0, false) == 0);
    server->peer = client->peer = -1;
    static char text[70000];
    memset(text, 'c', sizeof text);
    for (unsigned i = 1; i <= 100; i++) {
        CHECK(ws_stream_send_text(&client->stream, text, i * 700) == 0);
        while (client->texts < i) {
            turn(client);
            turn(server);
        }
        CHECK(client->last_len == i * 700 && memcmp(client->last_text, text, i * 700) == 0);
    }
    ws_stream_close(&client->stream, 1000, "done");
    while (!client->is_closed || !server->is_closed) {
        turn(client);
        turn(server);
    }
    CHECK(client->closing_code == 1000 && server->closing_code == 1000);
    CHECK_STR(server->closing_reason, "done");
    bench_free(server);

    bench_open(client, NULL, 0, false);
    client->texts = 0;
    peer_write(client, "\x81\x02ok", 4, 1);
    UNTIL(client, client->texts == 1);
    peer_frame(client, FIN | TEXT, "masked", 6, WHOLE);
    UNTIL(client, client->closings == 1);
    CHECK(client->closing_code == 1002);
    bench_free(client);
}

int main(void)
{
    test_w10_sizes_are_echoed();
    test_w11_binary_is_1003();
    test_w12_ping_is_answered();
    test_w13_long_ping_is_1002();
    test_w14_unasked_pong_is_ignored();
    test_w15_ten_pings_ten_pongs();
    test_w16_ping_flood_stops_reading();
    test_w16_flood_goes_on_when_it_is_read();
    test_w17_reserved_bits_are_1002();
    test_w18_reserved_opcodes_are_1002();
    test_w19_fragmented_control_is_1002();
    test_w20_fragments_out_of_order_are_1002();
    test_w21_ping_between_fragments();
    test_w22_close_between_fragments();
    test_w23_utf8_split_everywhere();
    test_w24_bad_utf8_is_1007();
    test_w24_bad_utf8_fails_inside_the_frame();
    test_w25_unusual_text_is_unchanged();
    test_w26_close_payload_sizes();
    test_w27_close_codes_are_echoed();
    test_w28_w30_bad_close_codes_are_1002();
    test_w29_registered_close_codes_are_accepted();
    test_w31_close_reasons();
    test_w32_nothing_counts_after_close();
    test_w33_peer_never_answers_close();
    test_w34_unmasked_is_1002();
    test_w35_bad_lengths_are_1002();
    test_w36_declared_sizes_are_1009();
    test_w37_limit_holds_for_the_whole_message();
    test_w38_w39_fragments_are_counted();
    test_w40_unfinished_message_is_1008();
    test_w42_one_stream_does_not_take_the_whole_turn();
    test_w43_message_and_close_back_to_back();
    test_w44_close_waits_for_what_is_queued();
    test_w44_close_survives_unread_bytes();
    test_w46_peer_leaves_at_any_byte();
    test_pause_is_exact_to_the_message();
    test_early_bytes_are_read_first();
    test_early_failure_leaves_nothing();
    test_r6_output_cap_closes_with_1008();
    test_too_large_a_message_is_refused();
    test_r7_slow_reader_is_cut_by_age();
    test_drained_is_told_when_all_is_written();
    test_one_turn_is_one_packet();
    test_pings_are_sent_and_awaited();
    test_r16_answer_that_lies_in_the_socket_counts();
    test_paused_peer_is_not_blamed();
    test_first_pings_are_spread();
    test_closing_from_inside_a_callback();
    test_contexts_go_from_stream_to_stream();
    test_client_masks_and_refuses_masked();
    return 0;
}
