#include "protocol/token.h"
#include <errno.h>
#include <nettle/sha2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <uuid/uuid.h>

/* libuuid's own generator falls back to a weak one without a word, so the bytes come from the kernel and the form from
 * it. */
int token_make(struct token *token)
{
    uuid_t bytes;
    ssize_t got;
    do
        got = getrandom(bytes, sizeof bytes, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if ((size_t)got != sizeof bytes)
        return -EIO;
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80); /* RFC 9562's variant */
    uuid_unparse_lower(bytes, token->text);
    return 0;
}

static bool is_allowed_at(size_t position, char c)
{
    switch (position) {
    case 8:
    case 13:
    case 18:
    case 23:
        return c == '-';
    case 14:
        return c == '4';
    case 19:
        return c == '8' || c == '9' || c == 'a' || c == 'b';
    default:
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    }
}

bool token_parse(struct token *token, const char *bytes, size_t len)
{
    if (len != TOKEN_LEN)
        return false;
    for (size_t i = 0; i < TOKEN_LEN; i++)
        if (!is_allowed_at(i, bytes[i]))
            return false;
    memcpy(token->text, bytes, TOKEN_LEN);
    token->text[TOKEN_LEN] = '\0';
    return true;
}

void token_fingerprint(const struct token *token, char out[9])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx sha256;
    sha256_init(&sha256);
    sha256_update(&sha256, TOKEN_LEN, (const uint8_t *)token->text);
    sha256_digest(&sha256, sizeof digest, digest);
    snprintf(out, 9, "%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
}
