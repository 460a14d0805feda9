#include "server/listen.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

struct endpoint {
    struct sockaddr_storage address;
    socklen_t len;
};

static uint16_t port_of(const struct endpoint *endpoint)
{
    return ntohs(endpoint->address.ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)(const void *)&endpoint->address)->sin6_port
                     : ((const struct sockaddr_in *)(const void *)&endpoint->address)->sin_port);
}

static void set_port(struct endpoint *endpoint, uint16_t port)
{
    if (endpoint->address.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&endpoint->address)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)(void *)&endpoint->address)->sin_port = htons(port);
}

/* A bound socket, not yet listening; or negative errno. */
static int open_socket(const struct endpoint *endpoint, bool shared)
{
    int on = 1, family = endpoint->address.ss_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared)
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->len) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

/* SO_REUSEPORT would let two servers of one user share a port by mistake: a socket without it finds out. */
static int check_port_is_free(const struct endpoint *endpoint)
{
    if (port_of(endpoint) == 0)
        return 0;
    int fd = open_socket(endpoint, false);
    if (fd < 0)
        return fd;
    int error = listen(fd, 1) ? -errno : 0;
    close(fd);
    return error;
}

static int listen_on(struct listen_set *set, struct endpoint *endpoint, size_t threads)
{
    int error = check_port_is_free(endpoint);
    for (size_t i = 0; i < threads && !error; i++) {
        int fd = open_socket(endpoint, true);
        if (fd < 0)
            return fd;
        set->fds[i][set->count] = fd;
        if (listen(fd, BACKLOG))
            return -errno;
        endpoint->len = sizeof endpoint->address;
        if (getsockname(fd, (struct sockaddr *)&endpoint->address, &endpoint->len))
            return -errno; /* the first one has found the port for the others */
    }
    return error;
}

static bool is_loopback(const struct endpoint *endpoint)
{
    if (endpoint->address.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)&endpoint->address)->sin6_addr);
    return ntohl(((const struct sockaddr_in *)(const void *)&endpoint->address)->sin_addr.s_addr) >> 24 == 127;
}

/* The sockets of the next address are open: keeps what it is called. */
static void add_address(struct listen_set *set, const struct endpoint *endpoint)
{
    char host[INET6_ADDRSTRLEN];
    getnameinfo((const struct sockaddr *)&endpoint->address, endpoint->len, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    const char *format = endpoint->address.ss_family == AF_INET6 ? "http://[%s]:%u" : "http://%s:%u";
    snprintf(set->url[set->count], sizeof set->url[0], format, host, port_of(endpoint));
    set->is_loopback_only = set->is_loopback_only && is_loopback(endpoint);
    set->count++;
}

static int add_endpoint(struct listen_set *set, struct endpoint *endpoint, size_t threads)
{
    if (set->count == LISTEN_MAX)
        return -E2BIG;
    int error = listen_on(set, endpoint, threads);
    if (!error)
        add_address(set, endpoint);
    return error;
}

enum { FIRST_INHERITED = 3 };

/* How many sockets were passed to this very process. */
static int count_inherited(void)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int inherited = pid && count && atoi(pid) == getpid() ? atoi(count) : 0;
    unsetenv("LISTEN_PID"); /* not for our children */
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return inherited;
}

/* One socket for all reactors: each has a descriptor of its own, which it closes when it stops accepting. */
static int inherit(struct listen_set *set, int fd, size_t threads)
{
    struct endpoint endpoint = {.len = sizeof endpoint.address};
    int is_listening = 0;
    socklen_t len = sizeof is_listening;
    if (set->count == LISTEN_MAX || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len) || !is_listening ||
        getsockname(fd, (struct sockaddr *)&endpoint.address, &endpoint.len) ||
        (endpoint.address.ss_family != AF_INET && endpoint.address.ss_family != AF_INET6))
        return -EINVAL;
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
        return -errno;
    for (size_t i = 0; i < threads; i++) {
        set->fds[i][set->count] = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_INHERITED);
        if (set->fds[i][set->count] < 0)
            return -errno;
    }
    close(fd);
    add_address(set, &endpoint);
    return 0;
}

/* HOST:PORT into its parts; brackets around IPv6. "" and "*" as HOST mean every address. */
static bool split(const char *text, char *host, size_t size, char *port, size_t port_size)
{
    const char *colon = strrchr(text, ':');
    if (!colon || strlen(colon + 1) == 0 || strlen(colon + 1) > 5 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1) || atoi(colon + 1) > 65535)
        return false;
    size_t len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    } else if (memchr(text, ':', len)) {
        return false;
    }
    if (len >= size)
        return false;
    snprintf(host, size, "%.*s", (int)len, text);
    if (strcmp(host, "*") == 0)
        *host = '\0';
    snprintf(port, port_size, "%s", colon + 1);
    return true;
}

static int explain(char *error, size_t size, const char *text, int code)
{
    const char *advice = "";
    if (code == -EADDRINUSE)
        advice = "; another program listens there. Stop it, or choose another port: --listen localhost:8001";
    else if (code == -EACCES)
        advice = "; ports below 1024 are for root. Choose another: --listen localhost:8000";
    else if (code == -EADDRNOTAVAIL)
        advice = "; this machine has no such address. --listen localhost:8000 always works";
    snprintf(error, size, "cannot listen on %s (%s)%s", text, strerror(-code), advice);
    return code;
}

/* The addresses of a name: for localhost both loopbacks, also where the hosts file knows but one. */
static int add_name(struct listen_set *set, const char *host, const char *port, size_t threads)
{
    bool is_localhost = strcmp(host, "localhost") == 0;
    const char *names[] = {is_localhost ? "127.0.0.1"
                           : *host      ? host
                                        : "0.0.0.0",
                           is_localhost ? "::1"
                           : *host      ? NULL
                                        : "::"};
    uint16_t wanted = (uint16_t)atoi(port);
    for (size_t i = 0; i < COUNT_OF(names) && names[i]; i++) {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found;
        if (getaddrinfo(names[i], NULL, &hints, &found))
            return -EADDRNOTAVAIL;
        for (struct addrinfo *at = found; at; at = at->ai_next) {
            struct endpoint endpoint = {.len = at->ai_addrlen};
            memcpy(&endpoint.address, at->ai_addr, at->ai_addrlen);
            set_port(&endpoint, wanted);
            int error = add_endpoint(set, &endpoint, threads);
            if (error && i > 0 && (error == -EADDRNOTAVAIL || error == -EAFNOSUPPORT))
                continue; /* no IPv6 here: IPv4 alone will do */
            if (error) {
                freeaddrinfo(found);
                return error;
            }
            wanted = port_of(&endpoint); /* a free port that was found serves all addresses of the name */
        }
        freeaddrinfo(found);
    }
    return 0;
}

int listen_open(struct listen_set *set, const struct config_list *addresses, size_t threads, char *error, size_t size)
{
    set->count = 0;
    set->is_loopback_only = true;
    int inherited = count_inherited();
    for (int i = 0; i < inherited; i++)
        if (inherit(set, FIRST_INHERITED + i, threads)) {
            snprintf(error, size, "LISTEN_FDS promises a listening TCP socket as descriptor %d, but there is none",
                     FIRST_INHERITED + i);
            return -EINVAL;
        }
    for (size_t i = 0; i < addresses->count && inherited == 0; i++) {
        char host[256], port[8];
        const char *text = addresses->item[i];
        if (!split(text, host, sizeof host, port, sizeof port)) {
            snprintf(error, size, "--listen %s: expected HOST:PORT, such as localhost:8000 or [::1]:8000", text);
            return -EINVAL;
        }
        int code = add_name(set, host, port, threads);
        if (code)
            return explain(error, size, text, code);
    }
    return 0;
}
