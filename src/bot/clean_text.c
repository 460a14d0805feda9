#include "bot/clean_text.h"
#include "protocol/utf8.h"

/* Appends bytes that must not be torn, or cuts the text before them. */
static void put(struct clean_text *clean, struct buf *out, const void *bytes, size_t len)
{
    if (!clean->is_cut)
        clean->is_cut = buf_append(out, bytes, len) != 0;
}

static void put_replacement(struct clean_text *clean, struct buf *out)
{
    put(clean, out, "\xEF\xBF\xBD", 3);
}

/* Plain text can be torn anywhere: what still fits is kept. */
static void put_plain(struct clean_text *clean, struct buf *out, const char *bytes, size_t len)
{
    size_t room = out->max - out->len;
    put(clean, out, bytes, len < room ? len : room);
    if (len > room)
        clean->is_cut = true;
}

/* How many bytes a character that begins with `lead` has; 0 if none does. */
static size_t length_by_lead(unsigned char lead)
{
    if (lead < 0xC2)
        return 0;
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
}

/* Takes one byte of a character that has several. */
static void take_byte(struct clean_text *clean, struct buf *out, unsigned char byte)
{
    bool is_continuation = (byte & 0xC0) == 0x80;
    if (!is_continuation)
        clean_text_end(clean, out);
    clean->waiting[clean->waiting_len++] = byte;
    size_t needed = length_by_lead(clean->waiting[0]);
    if (clean->waiting_len < needed)
        return;
    clean->waiting_len = 0;
    if (needed > 0 && utf8_sequence((const char *)clean->waiting, needed) == needed)
        put(clean, out, clean->waiting, needed);
    else
        put_replacement(clean, out);
}

/* The bytes of plain text at the front: ASCII without NUL. */
static size_t plain_run(const char *bytes, size_t len)
{
    size_t run = 0;
    while (run < len && bytes[run] != '\0' && (unsigned char)bytes[run] < 0x80)
        run++;
    return run;
}

void clean_text_append(struct clean_text *clean, struct buf *out, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len && !clean->is_cut;) {
        size_t run = plain_run(bytes + at, len - at);
        if (run > 0) {
            clean_text_end(clean, out);
            put_plain(clean, out, bytes + at, run);
            at += run;
        } else if (bytes[at] == '\0') {
            clean_text_end(clean, out);
            put_replacement(clean, out);
            at++;
        } else {
            take_byte(clean, out, (unsigned char)bytes[at++]);
        }
    }
}

void clean_text_end(struct clean_text *clean, struct buf *out)
{
    if (clean->waiting_len == 0)
        return;
    clean->waiting_len = 0;
    put_replacement(clean, out);
}
