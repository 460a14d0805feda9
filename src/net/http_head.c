#include "net/http_head.h"
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* What a byte may be part of. */
enum {
    TOKEN = 1,  /* method and header names: RFC 9110 5.6.2 */
    TARGET = 2, /* visible ASCII; finer rules are the router's, who matches paths exactly */
    VALUE = 4,  /* visible ASCII, space and tab: no obs-text, which no header of ours needs */
    HOST = 8,   /* RFC 3986 3.2.2 and a port; no user info, and no comma, by which proxies join two Hosts */
    PLAIN = TARGET | VALUE,
    ANY = PLAIN | TOKEN | HOST,
};

static const unsigned char byte_class[256] = {
    ['\t'] = VALUE,        [' '] = VALUE,        ['0' ... '9'] = ANY,   ['A' ... 'Z'] = ANY,  ['a' ... 'z'] = ANY,
    ['!'] = ANY,           ['"'] = PLAIN,        ['#'] = PLAIN | TOKEN, ['$'] = ANY,          ['%'] = ANY,
    ['&'] = ANY,           ['\''] = ANY,         ['('] = PLAIN | HOST,  [')'] = PLAIN | HOST, ['*'] = ANY,
    ['+'] = ANY,           [','] = PLAIN,        ['-'] = ANY,           ['.'] = ANY,          ['/'] = PLAIN,
    [':'] = PLAIN | HOST,  [';'] = PLAIN | HOST, ['<'] = PLAIN,         ['='] = PLAIN | HOST, ['>'] = PLAIN,
    ['?'] = PLAIN,         ['@'] = PLAIN,        ['['] = PLAIN | HOST,  ['\\'] = PLAIN,       [']'] = PLAIN | HOST,
    ['^'] = PLAIN | TOKEN, ['_'] = ANY,          ['`'] = PLAIN | TOKEN, ['{'] = PLAIN,        ['|'] = PLAIN | TOKEN,
    ['}'] = PLAIN,         ['~'] = ANY,
};

/* A stretch of the head; also what is left of it. */
struct span {
    const char *at, *end;
};

static size_t length(struct span span)
{
    return (size_t)(span.end - span.at);
}

/* Takes the longest run of bytes of one class from the front of `rest`. */
static struct span take_run(struct span *rest, unsigned char class)
{
    struct span run = {rest->at, rest->at};
    while (run.end < rest->end && byte_class[(unsigned char)*run.end] & class)
        run.end++;
    rest->at = run.end;
    return run;
}

/* Each step ends in one of these; INCOMPLETE means that the bytes ran out before anything was wrong. */
enum step { WRONG, INCOMPLETE, DONE };

/* Takes `text`, or as much of it as is there. */
static enum step take_text(struct span *rest, const char *text)
{
    for (; *text; text++, rest->at++) {
        if (rest->at == rest->end)
            return INCOMPLETE;
        if (*rest->at != *text)
            return WRONG;
    }
    return DONE;
}

static bool equals(struct span span, const char *text)
{
    return length(span) == strlen(text) && strncasecmp(span.at, text, length(span)) == 0;
}

static size_t count_byte(struct span span, char byte)
{
    size_t count = 0;
    for (const char *at = span.at; at < span.end; at++)
        count += *at == byte;
    return count;
}

/* What the head has said so far about its framing and its host. */
struct head {
    bool is_1_1;
    unsigned fields, hosts, lengths, encodings;
    size_t records; /* bytes, see HTTP_HEAD_MAX_RECORDS */
    struct span host, content_length, transfer_encoding;
};

/* `HTTP/1.1` CRLF. Sets `*reject` where the answer is another than 400. */
static enum step take_version(struct span *rest, struct head *head, enum reject *reject)
{
    enum step step = take_text(rest, "HTTP/");
    if (step != DONE)
        return step;
    struct span version = *rest;
    for (int i = 0; i < 3; i++, rest->at++) {
        if (rest->at == rest->end)
            return INCOMPLETE;
        bool fits = i == 1 ? *rest->at == '.' : *rest->at >= '0' && *rest->at <= '9';
        if (!fits)
            return WRONG;
    }
    version.end = rest->at;
    head->is_1_1 = equals(version, "1.1");
    if (!head->is_1_1 && !equals(version, "1.0")) {
        *reject = REJECT_BAD_HTTP_VERSION;
        return WRONG;
    }
    return take_text(rest, "\r\n");
}

static enum step take_request_line(struct span *rest, struct head *head, enum reject *reject)
{
    struct span method = take_run(rest, TOKEN);
    enum step step = take_text(rest, " ");
    if (step != DONE)
        return step;
    struct span target = take_run(rest, TARGET);
    if (length(method) == 0 || (length(target) == 0 && rest->at < rest->end))
        return WRONG;
    head->records += (1 + count_byte(target, '&')) * HTTP_HEAD_RECORD;
    step = take_text(rest, " ");
    return step == DONE ? take_version(rest, head, reject) : step;
}

static struct span trimmed(struct span value)
{
    while (value.at < value.end && (*value.at == ' ' || *value.at == '\t'))
        value.at++;
    while (value.end > value.at && (value.end[-1] == ' ' || value.end[-1] == '\t'))
        value.end--;
    return value;
}

static void note_field(struct head *head, struct span name, struct span value)
{
    head->fields++;
    head->records += HTTP_HEAD_RECORD;
    if (equals(name, "Host")) {
        head->hosts++;
        head->host = value;
    } else if (equals(name, "Content-Length")) {
        head->lengths++;
        head->content_length = value;
    } else if (equals(name, "Transfer-Encoding")) {
        head->encodings++;
        head->transfer_encoding = value;
    } else if (equals(name, "Cookie")) {
        head->records += length(value) + (1 + count_byte(value, ';') + count_byte(value, ',')) * HTTP_HEAD_RECORD;
    }
}

/* A folded line fails here too: it begins with a space, which is no name. */
static enum step take_field(struct span *rest, struct head *head)
{
    struct span name = take_run(rest, TOKEN);
    if (length(name) == 0)
        return WRONG;
    enum step step = take_text(rest, ":");
    if (step != DONE)
        return step;
    struct span value = take_run(rest, VALUE);
    step = take_text(rest, "\r\n");
    if (step == DONE)
        note_field(head, name, trimmed(value));
    return step;
}

static enum reject check_content_length(struct span value, size_t max_body)
{
    size_t declared = 0;
    if (length(value) == 0)
        return REJECT_LENGTH_INVALID;
    for (const char *at = value.at; at < value.end; at++) {
        if (*at < '0' || *at > '9')
            return REJECT_LENGTH_INVALID;
        if (declared <= max_body) /* beyond it only the digits' syntax matters: nothing overflows */
            declared = declared * 10 + (size_t)(*at - '0');
    }
    return declared > max_body ? REJECT_BODY_TOO_LARGE : REJECT_NONE;
}

/* Where the body ends must have one answer for us and for every proxy before us (RFC 9112 6.1-6.3). */
static enum reject check_framing(const struct head *head, size_t max_body)
{
    if (head->encodings > 0) {
        if (head->encodings > 1 || head->lengths > 0 || !head->is_1_1)
            return REJECT_BAD_REQUEST;
        return equals(head->transfer_encoding, "chunked") ? REJECT_NONE : REJECT_ENCODING_UNKNOWN;
    }
    if (head->lengths > 1)
        return REJECT_LENGTH_INVALID;
    return head->lengths == 1 ? check_content_length(head->content_length, max_body) : REJECT_NONE;
}

static enum reject check_host(const struct head *head)
{
    if (head->hosts == 0)
        return head->is_1_1 ? REJECT_HOST_MISSING : REJECT_NONE;
    struct span rest = head->host;
    bool is_clean = length(take_run(&rest, HOST)) > 0 && length(rest) == 0;
    return head->hosts == 1 && is_clean ? REJECT_NONE : REJECT_HOST_MISSING;
}

static enum reject check_whole(const struct head *head, size_t max_body)
{
    if (head->records > HTTP_HEAD_MAX_RECORDS)
        return REJECT_HEADERS_TOO_LARGE;
    enum reject reject = check_framing(head, max_body);
    return reject != REJECT_NONE ? reject : check_host(head);
}

enum reject http_head_check(const char *bytes, size_t len, size_t max_body, size_t *head_len)
{
    *head_len = 0;
    bool is_cut = len >= HTTP_HEAD_MAX;
    struct span rest = {bytes, bytes + (is_cut ? HTTP_HEAD_MAX : len)};
    struct head head = {0};
    enum reject reject = REJECT_BAD_REQUEST;

    enum step step = take_request_line(&rest, &head, &reject);
    if (step == INCOMPLETE)
        return is_cut ? REJECT_URI_TOO_LONG : REJECT_NONE;
    while (step == DONE && rest.at < rest.end && *rest.at != '\r') {
        if (head.fields == HTTP_HEAD_MAX_FIELDS)
            return REJECT_HEADERS_TOO_LARGE;
        step = take_field(&rest, &head);
    }
    if (step == DONE)
        step = take_text(&rest, "\r\n");
    if (step == WRONG)
        return reject;
    if (step == INCOMPLETE)
        return is_cut ? REJECT_HEADERS_TOO_LARGE : REJECT_NONE;
    reject = check_whole(&head, max_body);
    *head_len = reject == REJECT_NONE ? (size_t)(rest.at - bytes) : 0;
    return reject;
}
