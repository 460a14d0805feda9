#include "net/redis_dial.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CANDIDATES_MAX = 8 };

struct redis_dial {
    struct redis_dial_options options;
    struct lookup *lookup;       /* while the name is looked up */
    struct redis_socket *socket; /* while one candidate is tried */
    struct sockaddr_storage candidate[CANDIDATES_MAX];
    socklen_t candidate_len[CANDIDATES_MAX];
    unsigned candidates, tried;
};

/* Its own allocation, since a lookup that has begun cannot be stopped: it may outlive the dial. */
struct lookup {
    uv_getaddrinfo_t request;
    struct redis_dial *dial; /* NULL: cancelled */
};

/* --- sockets --- */

static void handle_ready(uv_poll_t *poll, int status, int events)
{
    struct redis_socket *socket = CONTAINER_OF(poll, struct redis_socket, poll);
    if (status < 0)
        socket->events = 0; /* libuv has stopped the handle */
    socket->on_ready(socket->data, status, events);
}

int redis_socket_watch(struct redis_socket *socket, int events)
{
    if (socket->events == events)
        return 0;
    int error = uv_poll_start(&socket->poll, events, handle_ready);
    if (!error)
        socket->events = events;
    return error;
}

static void handle_socket_closed(uv_handle_t *handle)
{
    struct redis_socket *socket = CONTAINER_OF((uv_poll_t *)(void *)handle, struct redis_socket, poll);
    close(socket->fd);
    free(socket);
}

void redis_socket_free(struct redis_socket *socket)
{
    if (socket)
        uv_close((uv_handle_t *)&socket->poll, handle_socket_closed);
}

/* Takes over `fd` when it succeeds. */
static int socket_new(struct redis_socket **made, uv_loop_t *loop, int fd)
{
    struct redis_socket *new = calloc(1, sizeof *new);
    if (!new)
        return -ENOMEM;
    int error = uv_poll_init(loop, &new->poll, fd);
    if (error) {
        free(new);
        return error;
    }
    new->fd = fd;
    *made = new;
    return 0;
}

/* --- trying candidates --- */

static void finish(struct redis_dial *dial, struct redis_socket *socket, int error)
{
    struct redis_dial_options options = dial->options;
    free(dial);
    options.on_done(options.data, socket, error);
}

static int open_connecting(const struct sockaddr_storage *address, socklen_t len)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (address->ss_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* slower without, not wrong */
    if (connect(fd, (const struct sockaddr *)address, len) < 0 && errno != EINPROGRESS) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static void handle_connected(void *data, int status, int events);

static int try_candidate(struct redis_dial *dial, unsigned index)
{
    int fd = open_connecting(&dial->candidate[index], dial->candidate_len[index]);
    if (fd < 0)
        return fd;
    int error = socket_new(&dial->socket, dial->options.loop, fd);
    if (error) {
        close(fd);
        return error;
    }
    dial->socket->on_ready = handle_connected;
    dial->socket->data = dial;
    /* Also when connect() was at once done: then the socket is writable and the callback comes from the loop. */
    error = redis_socket_watch(dial->socket, UV_WRITABLE);
    if (error) {
        redis_socket_free(dial->socket);
        dial->socket = NULL;
    }
    return error;
}

/* Goes on with the next candidate; the last one's error, or `error` if there is none left. */
static int try_next(struct redis_dial *dial, int error)
{
    while (dial->tried < dial->candidates) {
        error = try_candidate(dial, (dial->options.first + dial->tried++) % dial->candidates);
        if (!error)
            return 0;
    }
    return error;
}

static void handle_connected(void *data, int status, int events)
{
    struct redis_dial *dial = data;
    struct redis_socket *socket = dial->socket;
    (void)events;
    int error = 0;
    if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) < 0)
        error = errno;
    error = error ? -error : status;
    dial->socket = NULL;
    if (!error) {
        finish(dial, socket, 0);
        return;
    }
    redis_socket_free(socket);
    error = try_next(dial, error);
    if (error)
        finish(dial, NULL, error);
}

/* --- names --- */

static void add_candidates(struct redis_dial *dial, const struct addrinfo *found)
{
    for (; found && dial->candidates < CANDIDATES_MAX; found = found->ai_next) {
        memcpy(&dial->candidate[dial->candidates], found->ai_addr, found->ai_addrlen);
        dial->candidate_len[dial->candidates++] = found->ai_addrlen;
    }
}

static void handle_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct lookup *lookup = CONTAINER_OF(request, struct lookup, request);
    struct redis_dial *dial = lookup->dial;
    free(lookup);
    if (dial) {
        dial->lookup = NULL;
        add_candidates(dial, found);
        int error = try_next(dial, status < 0 ? status : UV_EAI_NONAME);
        if (error)
            finish(dial, NULL, error);
    }
    uv_freeaddrinfo(found);
}

static int start_lookup(struct redis_dial *dial, const char *host, const char *port, const struct addrinfo *hints)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return -ENOMEM;
    int error = uv_getaddrinfo(dial->options.loop, &lookup->request, handle_looked_up, host, port, hints);
    if (error) {
        free(lookup);
        return error;
    }
    lookup->dial = dial;
    dial->lookup = lookup;
    return 0;
}

static int start_tcp(struct redis_dial *dial, const struct redis_address *address)
{
    char port[12];
    snprintf(port, sizeof port, "%d", address->port);
    /* Numeric addresses need no thread of libuv's pool, and so never wait behind somebody's slow resolver. */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    if (getaddrinfo(address->host, port, &hints, &found) == 0) {
        add_candidates(dial, found);
        freeaddrinfo(found);
        return try_next(dial, UV_EAI_NONAME);
    }
    hints.ai_flags = AI_NUMERICSERV;
    return start_lookup(dial, address->host, port, &hints);
}

static int start_unix(struct redis_dial *dial, const struct redis_address *address)
{
    struct sockaddr_un *target = (struct sockaddr_un *)&dial->candidate[0];
    size_t len = strlen(address->host);
    if (len >= sizeof target->sun_path)
        return -ENAMETOOLONG;
    target->sun_family = AF_UNIX;
    memcpy(target->sun_path, address->host, len + 1);
    dial->candidate_len[0] = sizeof *target;
    dial->candidates = 1;
    return try_next(dial, 0);
}

int redis_dial_start(struct redis_dial **dial, const struct redis_dial_options *options)
{
    struct redis_dial *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->options = *options;
    int error = options->address->is_unix ? start_unix(made, options->address) : start_tcp(made, options->address);
    if (error) {
        free(made);
        return error;
    }
    *dial = made;
    return 0;
}

void redis_dial_cancel(struct redis_dial *dial)
{
    if (!dial)
        return;
    if (dial->lookup) {
        dial->lookup->dial = NULL;
        (void)uv_cancel((uv_req_t *)&dial->lookup->request); /* fails once it has begun: then its answer is dropped */
    }
    redis_socket_free(dial->socket);
    free(dial);
}
