#include "net/redis_locator.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

/*
 * No message quotes the URL: a password with a character that should have been escaped can stand in any part of it.
 */
#define ESCAPE_HINT "; in a user or password write %%40 for @, %%2F for /, %%3A for :, %%3F for ? and %%25 for %%"

/* A piece of the URL, not ended by a NUL. */
struct span {
    const char *at;
    size_t len;
};

struct complaint {
    char *text;
    size_t size;
};

static int complain(const struct complaint *complaint, const char *format, ...) PRINTF_LIKE(2, 3);

static int complain(const struct complaint *complaint, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(complaint->text, complaint->size, format, values);
    va_end(values);
    return -EINVAL;
}

/* Cuts `rest` at the first `mark`: the part before it is returned, `rest` keeps what is behind. Without one: all. */
static struct span cut(struct span *rest, char mark)
{
    const char *at = memchr(rest->at, mark, rest->len);
    struct span before = {rest->at, at ? (size_t)(at - rest->at) : rest->len};
    size_t used = before.len + (at ? 1 : 0);
    *rest = (struct span){rest->at + used, rest->len - used};
    return before;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int decode(char *out, size_t size, struct span text, const char *name, const struct complaint *complaint)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.at[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_value(text.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return complain(complaint, "the Redis URL has a %% without two hex digits in its %s" ESCAPE_HINT, name);
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (c == '\0')
            return complain(complaint, "the Redis URL has a NUL byte in its %s", name);
        if (len + 1 >= size)
            return complain(complaint, "the %s in the Redis URL is longer than %zu bytes", name, size - 1);
        out[len++] = c;
    }
    out[len] = '\0';
    return 0;
}

/* A decimal number without sign; -1 when it is none or above `max`. */
static int parse_number(struct span text, int max)
{
    int number = 0;
    if (text.len == 0)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit((unsigned char)text.at[i]))
            return -1;
        number = number * 10 + (text.at[i] - '0');
        if (number > max)
            return -1;
    }
    return number;
}

static int parse_db(struct redis_address *address, struct span text, const struct complaint *complaint)
{
    enum { DB_MAX = 99999 }; /* far above any `databases` setting in use */
    address->db = text.len == 0 ? 0 : parse_number(text, DB_MAX);
    if (address->db < 0)
        return complain(complaint,
                        "the database in the Redis URL must be a number from 0 to %d: redis://HOST:PORT/0" ESCAPE_HINT,
                        DB_MAX);
    return 0;
}

/* Takes "[user[:password]@]" off the front of `authority`. */
static int parse_credentials(struct redis_address *address, struct span *authority, const struct complaint *complaint)
{
    /* The last @, not the first: neither a host nor the empty host of unix:// can hold one, but people's passwords do.
     */
    const char *at = memrchr(authority->at, '@', authority->len);
    if (!at)
        return 0;
    struct span password = {authority->at, (size_t)(at - authority->at)};
    *authority = (struct span){at + 1, authority->len - password.len - 1};
    struct span user = cut(&password, ':');
    int error = decode(address->user, sizeof address->user, user, "user", complaint);
    if (error)
        return error;
    return decode(address->password, sizeof address->password, password, "password", complaint);
}

static int parse_unix(struct redis_address *address, struct span rest, const struct complaint *complaint)
{
    enum { PATH_MAX_BYTES = sizeof((struct sockaddr_un *)0)->sun_path - 1 };
    struct span authority = {rest.at, strcspn(rest.at, "/")};
    struct span path = {rest.at + authority.len, rest.len - authority.len};
    int error = parse_credentials(address, &authority, complaint);
    if (error)
        return error;
    if (authority.len > 0 || path.len < 2)
        return complain(
            complaint,
            "a unix:// URL needs an absolute path: unix:///run/redis/redis.sock (three slashes)" ESCAPE_HINT);
    struct span query = path;
    path = cut(&query, '?');
    error = decode(address->host, sizeof address->host, path, "path", complaint);
    if (error)
        return error;
    if (strlen(address->host) > PATH_MAX_BYTES)
        return complain(complaint, "the path in the Redis URL is longer than the %d bytes a socket's path may have",
                        PATH_MAX_BYTES);
    address->is_unix = true;
    if (query.len == 0)
        return 0;
    if (query.len <= 3 || strncmp(query.at, "db=", 3) != 0)
        return complain(complaint, "a unix:// URL knows one setting behind the path: ?db=N");
    return parse_db(address, (struct span){query.at + 3, query.len - 3}, complaint);
}

static int parse_host(struct redis_address *address, struct span host, const struct complaint *complaint)
{
    if (host.len == 0)
        return complain(complaint, "the Redis URL names no host: redis://localhost:6379/0" ESCAPE_HINT);
    if (host.len >= sizeof address->host)
        return complain(complaint, "the host in the Redis URL is longer than %zu bytes", sizeof address->host - 1);
    for (size_t i = 0; i < host.len; i++) {
        if (!isalnum((unsigned char)host.at[i]) && !strchr(".-_:%", host.at[i]))
            return complain(complaint, "the host in the Redis URL has a character that no host name has" ESCAPE_HINT);
    }
    memcpy(address->host, host.at, host.len);
    address->host[host.len] = '\0';
    return 0;
}

/* Cuts "host", "host:port" or "[address]:port" at the colon, which stays with the port. */
static int split_host(struct span authority, struct span *host, struct span *port, const struct complaint *complaint)
{
    if (authority.len > 0 && authority.at[0] == '[') {
        struct span rest = {authority.at + 1, authority.len - 1};
        if (!memchr(rest.at, ']', rest.len))
            return complain(complaint, "the IPv6 address in the Redis URL lacks its ]: redis://[::1]:6379/0");
        *host = cut(&rest, ']');
        *port = rest;
        if (port->len > 0 && port->at[0] != ':')
            return complain(complaint, "only a port may follow the ] in the Redis URL: redis://[::1]:6379/0");
        return 0;
    }
    const char *colon = memchr(authority.at, ':', authority.len);
    size_t len = colon ? (size_t)(colon - authority.at) : authority.len;
    *host = (struct span){authority.at, len};
    *port = (struct span){authority.at + len, authority.len - len};
    if (port->len > 1 && memchr(port->at + 1, ':', port->len - 1))
        return complain(complaint,
                        "an IPv6 address in the Redis URL stands in brackets: redis://[::1]:6379/0" ESCAPE_HINT);
    return 0;
}

static int parse_tcp(struct redis_address *address, struct span rest, const struct complaint *complaint)
{
    if (memchr(rest.at, '?', rest.len))
        return complain(complaint, "a redis:// URL ends with the database: nothing may follow a ?" ESCAPE_HINT);
    struct span db = rest, host = {0}, port = {0};
    struct span authority = cut(&db, '/');
    int error = parse_credentials(address, &authority, complaint);
    if (!error)
        error = split_host(authority, &host, &port, complaint);
    if (!error)
        error = parse_host(address, host, complaint);
    if (error)
        return error;
    address->port = port.len > 0 ? parse_number((struct span){port.at + 1, port.len - 1}, 65535) : 6379;
    if (address->port <= 0)
        return complain(
            complaint,
            "the port in the Redis URL must be a number from 1 to 65535: redis://localhost:6379" ESCAPE_HINT);
    return parse_db(address, db, complaint);
}

int redis_address_parse(struct redis_address *address, const char *url, char *error, size_t error_size)
{
    struct complaint complaint = {error, error_size};
    struct redis_address parsed = {0};
    int result;
    if (strncasecmp(url, "redis://", 8) == 0)
        result = parse_tcp(&parsed, (struct span){url + 8, strlen(url + 8)}, &complaint);
    else if (strncasecmp(url, "unix://", 7) == 0)
        result = parse_unix(&parsed, (struct span){url + 7, strlen(url + 7)}, &complaint);
    else if (strncasecmp(url, "rediss://", 9) == 0)
        result = complain(&complaint, "rediss:// (TLS) is not supported: let stunnel or a proxy beside banterd speak "
                                      "TLS, and give its redis:// or unix:// address");
    else if (strncasecmp(url, "redis+sentinel://", 17) == 0 || strncasecmp(url, "redis+cluster://", 16) == 0)
        result = complain(&complaint, "Sentinel and Cluster are not supported: give the address of one Redis as "
                                      "redis://HOST:PORT/DB");
    else
        result = complain(&complaint, "the Redis URL must begin with redis:// or unix://, as in "
                                      "redis://localhost:6379/0 or unix:///run/redis/redis.sock");
    if (result == 0)
        *address = parsed;
    return result;
}

void redis_address_print(const struct redis_address *address, char *out, size_t size)
{
    if (address->is_unix && address->db == 0)
        snprintf(out, size, "unix://%s", address->host);
    else if (address->is_unix)
        snprintf(out, size, "unix://%s?db=%d", address->host, address->db);
    else if (strchr(address->host, ':'))
        snprintf(out, size, "redis://[%s]:%d/%d", address->host, address->port, address->db);
    else
        snprintf(out, size, "redis://%s:%d/%d", address->host, address->port, address->db);
}
