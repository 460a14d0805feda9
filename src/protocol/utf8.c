#include "protocol/utf8.h"

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t utf8_sequence(const char *bytes, size_t len)
{
    const unsigned char *b = (const unsigned char *)bytes;
    if (len == 0)
        return 0;
    if (b[0] < 0x80)
        return 1;
    if (b[0] < 0xC2 || len < 2 || !is_continuation(b[1]))
        return 0;
    if (b[0] < 0xE0)
        return 2;
    if (len < 3 || !is_continuation(b[2]))
        return 0;
    if (b[0] < 0xF0) {
        bool overlong = b[0] == 0xE0 && b[1] < 0xA0;
        bool surrogate = b[0] == 0xED && b[1] >= 0xA0;
        return overlong || surrogate ? 0 : 3;
    }
    bool overlong = b[0] == 0xF0 && b[1] < 0x90;
    bool beyond = b[0] > 0xF4 || (b[0] == 0xF4 && b[1] >= 0x90);
    return len < 4 || !is_continuation(b[3]) || overlong || beyond ? 0 : 4;
}

bool utf8_is_valid(const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = utf8_sequence(bytes + at, len - at);
        if (n == 0)
            return false;
        at += n;
    }
    return true;
}

size_t utf8_count(const char *bytes, size_t len)
{
    size_t count = 0;
    for (size_t at = 0; at < len; at++)
        count += !is_continuation((unsigned char)bytes[at]);
    return count;
}
