#include "client/server_url.h"
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool copy(char *out, size_t size, const char *from, size_t len)
{
    if (len >= size)
        return false;
    memcpy(out, from, len);
    out[len] = '\0';
    return true;
}

static const char *skip_scheme(const char *text, const char **why)
{
    static const char *const spoken[] = {"http://", "ws://"}, *const unspoken[] = {"https://", "wss://"};
    for (size_t i = 0; i < COUNT_OF(unspoken); i++)
        if (strncasecmp(text, unspoken[i], strlen(unspoken[i])) == 0)
            *why = "TLS is not spoken here; use the http:// address that the server itself listens on";
    for (size_t i = 0; i < COUNT_OF(spoken); i++)
        if (strncasecmp(text, spoken[i], strlen(spoken[i])) == 0)
            return text + strlen(spoken[i]);
    return text; /* localhost:8000 is what people type */
}

static bool port_is_valid(const char *port)
{
    return strspn(port, "0123456789") == strlen(port) && atoi(port) >= 1 && atoi(port) <= 65535;
}

/* "host", "host:port", "[v6]" or "[v6]:port". */
static bool parse_authority(struct server_url *url)
{
    const char *host = url->authority;
    bool is_v6 = host[0] == '[';
    const char *host_end = is_v6 ? strchr(host, ']') : host + strcspn(host, ":");
    if (!host_end)
        return false;
    host += is_v6;
    const char *after = host_end + is_v6;
    if (*after != '\0' && *after != ':')
        return false;
    const char *port = *after ? after + 1 : "80";
    return host_end > host && copy(url->host, sizeof url->host, host, (size_t)(host_end - host)) &&
           copy(url->port, sizeof url->port, port, strlen(port)) && port_is_valid(url->port);
}

const char *server_url_parse(struct server_url *url, const char *text)
{
    const char *why = NULL;
    const char *authority = skip_scheme(text, &why);
    if (why)
        return why;
    for (const char *at = text; *at; at++)
        if (*at <= ' ' || *at >= 127 || strchr("@?#\\", *at))
            return "not an address like http://localhost:8000";
    size_t len = strcspn(authority, "/");
    const char *path = authority + len;
    size_t path_len = strlen(path);
    while (path_len > 0 && path[path_len - 1] == '/')
        path_len--;
    if (!copy(url->authority, sizeof url->authority, authority, len) ||
        !copy(url->path, sizeof url->path, path, path_len))
        return "the address is too long";
    return parse_authority(url) ? NULL : "not an address like http://localhost:8000";
}

int server_url_resolve(const struct server_url *url, union server_address addresses[SERVER_URL_ADDRESSES_MAX],
                       const char **why)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    int error = getaddrinfo(url->host, url->port, &hints, &found);
    if (error) {
        *why = gai_strerror(error);
        return 0;
    }
    int count = 0;
    for (struct addrinfo *each = found; each && count < SERVER_URL_ADDRESSES_MAX; each = each->ai_next)
        if (each->ai_addrlen <= sizeof addresses[0])
            memcpy(&addresses[count++], each->ai_addr, each->ai_addrlen);
    freeaddrinfo(found);
    if (count == 0)
        *why = "the name has no address";
    return count;
}
