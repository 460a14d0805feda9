#include "server/access.h"
#include "server/proxy.h"
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A host with or without ":port": the length without it. Brackets of IPv6 belong to the name. */
static size_t host_len(const char *host)
{
    const char *end = *host == '[' ? strchr(host, ']') : strchr(host, ':');
    if (!end)
        return strlen(host);
    return (size_t)(end - host) + (*host == '[');
}

static bool host_is(const char *host, size_t len, const char *name)
{
    return strlen(name) == len && strncasecmp(host, name, len) == 0;
}

/* NAME or NAME:PORT, and nothing else behind it. */
static bool is_loopback_name(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    size_t len = host_len(host);
    if (host[len] == ':' && strspn(host + len + 1, "0123456789") != strlen(host + len + 1))
        return false; /* http://localhost:1@evil.example */
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (host_is(host, len, names[i]))
            return true;
    return false;
}

/* Without the slashes that people type at the end. */
static int public_url_len(const char *url)
{
    size_t len = strlen(url);
    while (len > 0 && url[len - 1] == '/')
        len--;
    return (int)len;
}

enum reject access_check_host(const struct server *server, const struct http_request *request)
{
    const struct config *config = server->config;
    const char *host = http_request_header(request, "Host", NULL);
    if (!host)
        return REJECT_NONE; /* HTTP/1.0; 1.1 without it never comes so far */
    if (config->host.count == 0 && !server->listens_on_loopback_only)
        return REJECT_NONE;
    for (size_t i = 0; i < config->host.count; i++)
        if (host_is(host, host_len(host), config->host.item[i]) || strcasecmp(host, config->host.item[i]) == 0)
            return REJECT_NONE;
    const char *public_host = config->public_url ? strstr(config->public_url, "://") + 3 : NULL;
    if (public_host && strncasecmp(host, public_host, host_len(public_host)) == 0 &&
        host_len(host) == host_len(public_host))
        return REJECT_NONE;
    bool loopback_will_do = server->listens_on_loopback_only || config->host.count == 0;
    return loopback_will_do && is_loopback_name(host) ? REJECT_NONE : REJECT_HOST_FORBIDDEN;
}

static bool origin_is_allowed(const struct server *server, const struct http_request *request, const char *origin)
{
    const struct config *config = server->config;
    for (size_t i = 0; i < config->origin.count; i++)
        if (strcmp(origin, config->origin.item[i]) == 0)
            return true;
    if (config->public_url && (int)strlen(origin) == public_url_len(config->public_url) &&
        strncmp(origin, config->public_url, strlen(origin)) == 0)
        return true;
    const char *rest = strstr(origin, "://");
    if (!rest || (strncmp(origin, "http://", 7) != 0 && strncmp(origin, "https://", 8) != 0))
        return false;
    const char *host = http_request_header(request, "Host", NULL);
    return (host && strcmp(rest + 3, host) == 0) || is_loopback_name(rest + 3);
}

enum reject access_check_origin(const struct server *server, const struct http_request *request)
{
    unsigned count;
    const char *origin = http_request_header(request, "Origin", &count);
    if (!origin)
        return REJECT_NONE;
    return count == 1 && origin_is_allowed(server, request, origin) ? REJECT_NONE : REJECT_ORIGIN_FORBIDDEN;
}

void access_add_cors(const struct server *server, struct http_request *request)
{
    http_reply_header(request, "Vary", "Origin");
    const char *origin = http_request_header(request, "Origin", NULL);
    if (origin && access_check_origin(server, request) == REJECT_NONE)
        http_reply_header(request, "Access-Control-Allow-Origin", origin);
}

/* Takes one of the places where a token may stand into account. */
static enum reject add_token(struct token *token, bool *have, const char *bytes, size_t len)
{
    struct token other;
    if (!token_parse(&other, bytes, len))
        return REJECT_TOKEN_INVALID;
    if (*have && memcmp(&other, token, sizeof other) != 0)
        return REJECT_TOKEN_CONFLICT;
    *token = other;
    *have = true;
    return REJECT_NONE;
}

enum reject access_read_token(const struct http_request *request, const char *bearer, size_t bearer_len,
                              struct token *token)
{
    struct http_field field;
    bool have = false;
    enum reject reject = REJECT_NONE;
    unsigned count = http_request_query(request, "token", &field);
    if (count > 1)
        return REJECT_FIELD_REPEATED;
    if (count == 1)
        reject = add_token(token, &have, field.value, field.len);
    const char *authorization = http_request_header(request, "Authorization", &count);
    if (authorization && count > 1)
        return REJECT_FIELD_REPEATED;
    if (!reject && authorization && strncasecmp(authorization, "Bearer ", 7) == 0)
        reject = add_token(token, &have, authorization + 7, strlen(authorization + 7));
    if (!reject && bearer)
        reject = add_token(token, &have, bearer, bearer_len);
    return reject || have ? reject : REJECT_TOKEN_INVALID;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return address->sa_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127));
}

bool access_is_local(const struct server *server, const struct http_request *request)
{
    const struct sockaddr *peer = http_request_peer(request);
    return is_loopback(peer) && !proxy_is_trusted(&server->config->trusted_proxy, peer);
}

int access_peer_cell(const struct server *server, const struct sockaddr *peer)
{
    bool is_exempt = is_loopback(peer) || proxy_is_trusted(&server->config->trusted_proxy, peer);
    return is_exempt ? -1 : rate_cell(server->addresses, peer);
}

int access_token_cell(const struct server *server, const struct http_request *request)
{
    struct sockaddr_storage client;
    if (access_is_local(server, request))
        return -1;
    proxy_client_address(&server->config->trusted_proxy, request, &client);
    return rate_cell(server->addresses, (struct sockaddr *)&client);
}

bool access_token_allows(struct server *server, int cell)
{
    return cell < 0 || rate_allows(server->addresses, cell);
}

bool access_token_charge(struct server *server, int cell)
{
    return cell < 0 || rate_charge(server->addresses, cell);
}

void access_socket_base(const struct server *server, const struct http_request *request, char *out, size_t size)
{
    const char *url = server->config->public_url;
    if (url) {
        snprintf(out, size, "ws%.*s", public_url_len(url) - 4, url + 4); /* http -> ws, https -> wss */
        return;
    }
    const char *host = http_request_header(request, "Host", NULL), *scheme = "ws";
    if (proxy_is_trusted(&server->config->trusted_proxy, http_request_peer(request))) {
        const char *forwarded_host = http_request_header(request, "X-Forwarded-Host", NULL);
        const char *proto = http_request_header(request, "X-Forwarded-Proto", NULL);
        host = forwarded_host ? forwarded_host : host;
        scheme = proto && strcmp(proto, "https") == 0 ? "wss" : "ws";
    }
    snprintf(out, size, "%s://%s", scheme, host ? host : "localhost");
}
