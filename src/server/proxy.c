#include "server/proxy.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An address as 16 bytes; IPv4 in the form ::ffff:a.b.c.d, so that both kinds compare alike. */
struct bits {
    uint8_t byte[16];
};

static bool parse_address(const char *text, size_t len, struct bits *bits)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    char copy[INET6_ADDRSTRLEN];
    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    memcpy(bits->byte, mapped, sizeof mapped);
    return inet_pton(AF_INET, copy, bits->byte + 12) == 1 || inet_pton(AF_INET6, copy, bits->byte) == 1;
}

static bool parse_cidr(const char *cidr, struct bits *bits, unsigned *prefix)
{
    size_t len = strcspn(cidr, "/");
    if (!parse_address(cidr, len, bits))
        return false;
    bool is_v4 = memchr(cidr, ':', len) == NULL;
    unsigned most = is_v4 ? 32 : 128;
    *prefix = 128;
    if (cidr[len] == '\0')
        return true;
    char *end;
    unsigned long value = strtoul(cidr + len + 1, &end, 10);
    if (cidr[len + 1] < '0' || cidr[len + 1] > '9' || *end != '\0' || value > most)
        return false;
    *prefix = (unsigned)value + (128 - most);
    return true;
}

static bool bits_of(const struct sockaddr *address, struct bits *bits)
{
    char text[INET6_ADDRSTRLEN];
    const void *raw = address->sa_family == AF_INET
                          ? (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr
                          : (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return inet_ntop(address->sa_family, raw, text, sizeof text) && parse_address(text, strlen(text), bits);
}

static bool is_in(const struct bits *bits, const char *cidr)
{
    struct bits range;
    unsigned prefix;
    if (!parse_cidr(cidr, &range, &prefix))
        return false;
    unsigned whole = prefix / 8, rest = prefix % 8;
    if (memcmp(bits->byte, range.byte, whole) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xFF00 >> rest);
    return rest == 0 || ((bits->byte[whole] ^ range.byte[whole]) & mask) == 0;
}

bool proxy_is_trusted(const struct config_list *ranges, const struct sockaddr *address)
{
    struct bits bits;
    if (ranges->count == 0 || !bits_of(address, &bits))
        return false;
    for (size_t i = 0; i < ranges->count; i++)
        if (is_in(&bits, ranges->item[i]))
            return true;
    return false;
}

static void to_sockaddr(const struct bits *bits, struct sockaddr_storage *out)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
    memset(out, 0, sizeof *out);
    v6->sin6_family = AF_INET6;
    memcpy(&v6->sin6_addr, bits->byte, sizeof bits->byte);
}

void proxy_client_address(const struct config_list *ranges, const struct http_request *request,
                          struct sockaddr_storage *client)
{
    struct bits bits;
    const struct sockaddr *peer = http_request_peer(request);
    size_t peer_size = peer->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    memset(client, 0, sizeof *client);
    memcpy(client, peer, peer_size);
    const char *list = http_request_header_list(request, "X-Forwarded-For");
    size_t end = list ? strlen(list) : 0;
    while (end > 0 && proxy_is_trusted(ranges, (struct sockaddr *)client)) {
        size_t start = end;
        while (start > 0 && list[start - 1] != ',')
            start--;
        const char *item = list + start;
        size_t len = end - start;
        for (; len > 0 && *item == ' '; item++)
            len--;
        while (len > 0 && item[len - 1] == ' ')
            len--;
        if (!parse_address(item, len, &bits))
            return;
        to_sockaddr(&bits, client);
        end = start > 0 ? start - 1 : 0;
    }
}
