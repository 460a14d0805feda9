#include "protocol/validate.h"
#include "protocol/utf8.h"
#include <stdbool.h>
#include <string.h>

/* Blank to a person: ASCII white space, no-break and other wide spaces, zero-width space, BOM. `len` is of one UTF-8
 * sequence. */
static bool is_blank(const char *c, size_t len)
{
    static const char *const wide[] = {"\u00A0", "\u1680", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000", "\uFEFF"};
    if (len == 1)
        return *c == ' ' || (*c >= '\t' && *c <= '\r');
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (strlen(wide[i]) == len && memcmp(c, wide[i], len) == 0)
            return true;
    return len == 3 && memcmp(c, "\xE2\x80", 2) == 0 && (unsigned char)c[2] <= 0x8B; /* U+2000 to U+200B */
}

static bool is_all_blank(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t n = utf8_sequence(text + at, len - at);
        if (n == 0 || !is_blank(text + at, n))
            return false;
        at += n;
    }
    return true;
}

enum reject validate_text(const char *text, size_t len, size_t max_text)
{
    if (len > max_text)
        return REJECT_TEXT_TOO_LONG;
    if (is_all_blank(text, len))
        return REJECT_TEXT_EMPTY;
    if (memchr(text, '\0', len))
        return REJECT_TEXT_NUL;
    return REJECT_NONE;
}

static bool has_control(const char *text, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        unsigned char c = (unsigned char)text[at];
        bool c1 = c == 0xC2 && at + 1 < len && (unsigned char)text[at + 1] < 0xA0; /* U+0080 to U+009F */
        if (c < 0x20 || c == 0x7F || c1)
            return true;
    }
    return false;
}

enum reject validate_name(const char *name, size_t len)
{
    if (!utf8_is_valid(name, len) || is_all_blank(name, len) || has_control(name, len) ||
        utf8_count(name, len) > NAME_MAX_CHARACTERS)
        return REJECT_NAME_INVALID;
    return REJECT_NONE;
}
