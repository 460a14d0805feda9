#include "net/ws_frame.h"
#include <string.h>

static const char *first_byte_error(uint8_t byte)
{
    if (byte & 0x70)
        return "reserved bits are set";
    uint8_t opcode = byte & 0x0f;
    if (opcode > WS_OPCODE_PONG || (opcode > WS_OPCODE_BINARY && opcode < WS_OPCODE_CLOSE))
        return "reserved opcode";
    return NULL;
}

static const char *second_byte_error(const struct ws_frame *frame, uint8_t byte, bool must_be_masked)
{
    bool is_masked = byte & 0x80;
    if (is_masked != must_be_masked)
        return must_be_masked ? "frame is not masked" : "frame is masked";
    if (ws_frame_is_control(frame) && !frame->is_final)
        return "control frame is fragmented";
    if (ws_frame_is_control(frame) && (byte & 0x7f) > WS_CONTROL_MAX)
        return "control frame is too long";
    return NULL;
}

static uint64_t big_endian(const uint8_t *bytes, size_t len)
{
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++)
        value = value << 8 | bytes[i];
    return value;
}

static enum ws_parse refuse(struct ws_fault *fault, const char *reason)
{
    *fault = (struct ws_fault){1002, reason};
    return WS_PARSE_FAULT;
}

enum ws_parse ws_frame_parse(struct ws_frame *frame, struct ws_fault *fault, const uint8_t *bytes, size_t len,
                             bool must_be_masked)
{
    const char *error;
    if (len < 1)
        return WS_PARSE_INCOMPLETE;
    if ((error = first_byte_error(bytes[0])) != NULL)
        return refuse(fault, error);
    *frame = (struct ws_frame){.opcode = bytes[0] & 0x0f, .is_final = bytes[0] & 0x80};
    if (len < 2)
        return WS_PARSE_INCOMPLETE;
    if ((error = second_byte_error(frame, bytes[1], must_be_masked)) != NULL)
        return refuse(fault, error);

    uint8_t short_len = bytes[1] & 0x7f;
    size_t extra = short_len == 127 ? 8 : short_len == 126 ? 2 : 0;
    if (len < 2 + extra)
        return WS_PARSE_INCOMPLETE;
    frame->payload_len = extra ? big_endian(bytes + 2, extra) : short_len;
    if (frame->payload_len >> 63)
        return refuse(fault, "length is out of range");
    if ((extra == 2 && frame->payload_len < 126) || (extra == 8 && frame->payload_len <= UINT16_MAX))
        return refuse(fault, "length is not minimal");

    frame->header_len = 2 + extra + (must_be_masked ? sizeof frame->mask : 0);
    if (len < frame->header_len)
        return WS_PARSE_INCOMPLETE;
    if (must_be_masked)
        memcpy(frame->mask, bytes + 2 + extra, sizeof frame->mask);
    return WS_PARSE_DONE;
}

bool ws_frame_is_control(const struct ws_frame *frame)
{
    return frame->opcode >= WS_OPCODE_CLOSE;
}

struct ws_fault ws_message_admit(struct ws_message *message, const struct ws_frame *frame, uint64_t max_len,
                                 unsigned max_fragments)
{
    bool continues = frame->opcode == WS_OPCODE_CONTINUATION;
    if (continues && !message->is_open)
        return (struct ws_fault){1002, "nothing to continue"};
    if (!continues && message->is_open)
        return (struct ws_fault){1002, "message inside a message"};
    if (frame->opcode == WS_OPCODE_BINARY)
        return (struct ws_fault){1003, "only text is understood"};
    if (!continues)
        *message = (struct ws_message){.is_open = true};
    if (frame->payload_len > max_len - message->len)
        return (struct ws_fault){1009, "message_too_long"};
    if (message->fragments == max_fragments)
        return (struct ws_fault){1008, "too_many_fragments"};
    message->len += frame->payload_len;
    message->fragments++;
    return (struct ws_fault){0, NULL};
}

bool ws_close_code_is_valid(int code)
{
    if (code >= 3000 && code <= 4999)
        return true;
    return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

/* Length of the valid UTF-8 sequence at `text`, 0 if there is none. */
static size_t utf8_sequence_len(const uint8_t *text, size_t len)
{
    uint8_t first = text[0];
    if (first < 0x80)
        return 1;
    size_t want = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || len < want)
        return 0;
    for (size_t i = 1; i < want; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* The second byte rules out overlong forms, surrogates and what lies above U+10FFFF. */
    bool is_bad = (first == 0xe0 && text[1] < 0xa0) || (first == 0xed && text[1] > 0x9f) ||
                  (first == 0xf0 && text[1] < 0x90) || (first == 0xf4 && text[1] > 0x8f);
    return is_bad ? 0 : want;
}

static bool is_utf8(const uint8_t *text, size_t len)
{
    while (len > 0) {
        size_t step = utf8_sequence_len(text, len);
        if (step == 0)
            return false;
        text += step;
        len -= step;
    }
    return true;
}

struct ws_fault ws_close_parse(const uint8_t *payload, size_t len, int *code)
{
    *code = 1005;
    if (len == 0)
        return (struct ws_fault){0, NULL};
    if (len == 1)
        return (struct ws_fault){1002, "close frame of one byte"};
    int given = (int)big_endian(payload, 2);
    if (!ws_close_code_is_valid(given))
        return (struct ws_fault){1002, "invalid close code"};
    if (!is_utf8(payload + 2, len - 2))
        return (struct ws_fault){1007, "close reason is not UTF-8"};
    *code = given;
    return (struct ws_fault){0, NULL};
}
