#include "client/http_exchange.h"
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* What one turn reads at most; a token's answer is 300 bytes. */
enum { READ_SIZE = 16 * 1024, REQUEST_MAX = 16 * 1024 };

static void handle_ready(uv_poll_t *poll, int status, int events);

static struct http_exchange *exchange_of(uv_poll_t *poll)
{
    return CONTAINER_OF(poll, struct http_exchange, poll);
}

static void handle_poll_closed(uv_handle_t *handle)
{
    struct http_exchange *exchange = exchange_of((uv_poll_t *)handle);
    buf_done(&exchange->in);
    buf_done(&exchange->out);
    exchange->callbacks->on_closed(exchange, exchange->error);
}

static void end(struct http_exchange *exchange, int error)
{
    if (uv_is_closing((uv_handle_t *)&exchange->poll))
        return;
    exchange->error = error;
    uv_close((uv_handle_t *)&exchange->poll, handle_poll_closed); /* stops polling at once, so that the fd may go */
    if (exchange->fd >= 0)
        close(exchange->fd);
    exchange->fd = -1;
}

void http_exchange_close(struct http_exchange *exchange)
{
    end(exchange, 0);
}

int http_exchange_detach(struct http_exchange *exchange, const char **early, size_t *early_len)
{
    assert(exchange->response_size > 0);
    int fd = exchange->fd;
    *early = exchange->in.data + exchange->response_size;
    *early_len = exchange->in.len - exchange->response_size;
    exchange->fd = -1;
    end(exchange, 0);
    return fd;
}

static socklen_t address_size(const struct sockaddr *address)
{
    return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* The port is chosen at connect, by the pair of addresses: 28,000 connections for each source and target, not in all.
 */
static int bind_source(int fd, const struct sockaddr *source)
{
    int on = 1;
    if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        bind(fd, source, address_size(source)) != 0)
        return -errno;
    return 0;
}

static int start_connect(const struct sockaddr *to, const struct sockaddr *source)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1, error = source ? bind_source(fd, source) : 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (error == 0 && connect(fd, to, address_size(to)) != 0 && errno != EINPROGRESS)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int http_exchange_open(struct http_exchange *exchange, uv_loop_t *loop, const struct http_exchange_callbacks *callbacks,
                       const struct sockaddr *to, const struct sockaddr *source)
{
    int fd = start_connect(to, source);
    if (fd < 0)
        return fd;
    *exchange = (struct http_exchange){.callbacks = callbacks, .fd = fd};
    buf_init(&exchange->out, REQUEST_MAX);
    buf_init(&exchange->in, HTTP_RESPONSE_HEAD_MAX + HTTP_RESPONSE_BODY_MAX + READ_SIZE);
    int error = uv_poll_init(loop, &exchange->poll, fd);
    if (error) {
        close(fd);
        return error;
    }
    exchange->events = UV_READABLE | UV_WRITABLE; /* writable: connected */
    error = uv_poll_start(&exchange->poll, exchange->events, handle_ready);
    assert(error == 0); /* the handle is ours and is not closing */
    (void)error;
    return 0;
}

/* Starting a poll handle costs two system calls, so only where something changes. */
static void poll_for(struct http_exchange *exchange, int events)
{
    if (events == exchange->events)
        return;
    exchange->events = events;
    uv_poll_start(&exchange->poll, events, handle_ready);
}

static int flush(struct http_exchange *exchange)
{
    while (exchange->out.len > 0) {
        ssize_t n = send(exchange->fd, exchange->out.data, exchange->out.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (n < 0)
            break;
        buf_consume(&exchange->out, (size_t)n);
    }
    poll_for(exchange, exchange->out.len > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    return 0;
}

int http_exchange_send(struct http_exchange *exchange, const char *request, size_t len)
{
    if (uv_is_closing((uv_handle_t *)&exchange->poll))
        return -EPIPE;
    int error = buf_append(&exchange->out, request, len);
    bool is_connected = !(exchange->events & UV_WRITABLE);
    if (!error && is_connected)
        error = flush(exchange);
    if (error)
        end(exchange, error);
    return error;
}

/* Delivers what is there. The bytes stay until the callback has returned, which may detach, close or send. */
static void deliver(struct http_exchange *exchange, bool ended)
{
    struct http_response response;
    int done = exchange->in.len > 0 ? http_response_read(&response, exchange->in.data, exchange->in.len, ended) : 0;
    if (done < 0) {
        end(exchange, done);
    } else if (done == 1) {
        exchange->response_size = response.size;
        exchange->callbacks->on_response(exchange, &response);
        buf_consume(&exchange->in, response.size);
        exchange->response_size = 0;
        if (exchange->in.len == 0)
            buf_done(&exchange->in); /* thousands of exchanges may be waiting for nothing */
    }
    if (ended)
        end(exchange, -ECONNRESET);
}

static void handle_ready(uv_poll_t *poll, int status, int events)
{
    struct http_exchange *exchange = exchange_of(poll);
    int error = 0;
    socklen_t size = sizeof error;
    if (status < 0 || exchange->events & UV_WRITABLE)
        getsockopt(exchange->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error || status < 0) {
        end(exchange, error ? -error : status);
        return;
    }
    if (events & UV_WRITABLE && (error = flush(exchange)) != 0) {
        end(exchange, error);
        return;
    }
    if (!(events & UV_READABLE))
        return;
    char *room = buf_reserve(&exchange->in, READ_SIZE);
    ssize_t n = room ? recv(exchange->fd, room, READ_SIZE, 0) : -1;
    if (n > 0)
        exchange->in.len += (size_t)n;
    if (n < 0 && room && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        end(exchange, room ? -errno : -ENOMEM);
    else
        deliver(exchange, n == 0);
}
