/* A socket's way through the HTTP phase; the states are drawn in http_private.h. */
#include "net/http_private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum {
    /* After an error answer the peer's bytes are read away for a while: close(2) over unread bytes sends a reset, and
     * the peer's kernel then throws away the answer that it has not yet read. */
    LINGER_MS = 1000,
    MAX_DRAIN = 1 << 20,
    MAX_LINGERING = 256, /* past it a refused peer may lose the answer: a flood must not hold descriptors */
};

static void unwatch(struct http_socket *socket)
{
    if (socket->is_watched)
        epoll_ctl(socket->listener->front_fd, EPOLL_CTL_DEL, socket->fd, NULL);
    socket->is_watched = false;
}

static void discard(struct http_socket *socket)
{
    struct http_listener *listener = socket->listener;
    wheel_cancel(&socket->deadline);
    http_socket_leave(socket, false);
    if (socket->state == SOCKET_LINGER)
        listener->lingering--;
    if (socket->next)
        socket->next->prev = socket->prev;
    if (socket->prev)
        socket->prev->next = socket->next;
    else
        listener->sockets = socket->next;
    free(socket);
}

static void close_own(struct http_socket *socket)
{
    unwatch(socket);
    close(socket->fd);
    discard(socket);
}

void http_socket_end(struct http_socket *socket)
{
    if (socket->state == SOCKET_SERVED)
        shutdown(socket->fd, SHUT_RDWR); /* libmicrohttpd sees a hang-up, and closes */
    else if (socket->state != SOCKET_UPGRADED)
        close_own(socket);
}

void http_socket_leave(struct http_socket *socket, bool upgraded)
{
    const struct http_listener_options *options = &socket->listener->options;
    if (!socket->is_inside)
        return;
    socket->is_inside = false;
    socket->listener->inside--;
    metrics_add(options->metrics, METRIC_HTTP_CONNECTIONS, -1);
    if (options->on_leave)
        options->on_leave(options->data, (const struct sockaddr *)&socket->peer, upgraded);
}

static void handle_deadline(struct wheel_timer *timer)
{
    http_socket_end(CONTAINER_OF(timer, struct http_socket, deadline));
}

void http_socket_arm(struct http_socket *socket, uint64_t timeout_ms)
{
    wheel_arm(&socket->listener->wheel, &socket->deadline, uv_now(socket->listener->options.loop) + timeout_ms);
}

static void set_low_water(struct http_socket *socket, size_t bytes)
{
    int value = (int)bytes;
    setsockopt(socket->fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
}

static bool watch(struct http_socket *socket)
{
    if (!socket->is_watched)
        socket->is_watched = http_listener_watch(socket->listener, socket->fd, &socket->watch) == 0;
    return socket->is_watched;
}

static void drain(struct http_watch *ready)
{
    struct http_socket *socket = CONTAINER_OF(ready, struct http_socket, watch);
    struct http_listener *listener = socket->listener;
    ssize_t len = recv(socket->fd, listener->bytes, sizeof listener->bytes, MSG_DONTWAIT);
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len > 0)
        socket->seen += (size_t)len;
    if (len <= 0 || socket->seen > MAX_DRAIN)
        close_own(socket);
}

/* The descriptor is ours, the answer is written. */
static void linger(struct http_socket *socket)
{
    struct http_listener *listener = socket->listener;
    http_socket_leave(socket, false);
    socket->state = SOCKET_LINGER;
    listener->lingering++;
    socket->seen = 0;
    socket->watch.on_ready = drain;
    shutdown(socket->fd, SHUT_WR);
    set_low_water(socket, 1);
    if (listener->lingering > MAX_LINGERING || listener->on_closed || !watch(socket)) {
        close_own(socket);
        return;
    }
    http_socket_arm(socket, LINGER_MS);
}

/* The whole answer, made by hand: libmicrohttpd does not have the socket, or takes no answer in the middle of a body.
 */
static int refusal(struct buf *out, enum reject reject)
{
    const struct reject_info *info = reject_info(reject);
    const char *retry_after = http_reply_retry_after(info->status);
    struct buf body;
    struct tm now;
    char date[40];
    time_t seconds = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &now));

    buf_init(&body, 1024);
    int error = http_reply_error_body(&body, reject, NULL);
    if (!error)
        error = buf_printf(out,
                           "HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
                           "X-Content-Type-Options: nosniff\r\nContent-Length: %zu\r\n%s%s%s\r\n%.*s",
                           info->status, MHD_get_reason_phrase_for((unsigned)info->status), date, body.len,
                           retry_after ? "Retry-After: " : "", retry_after ? retry_after : "",
                           retry_after ? "\r\n" : "", (int)body.len, body.data);
    buf_done(&body);
    return error;
}

void http_socket_write_refusal(int fd, enum reject reject)
{
    struct buf out;
    buf_init(&out, 2048);
    if (refusal(&out, reject) == 0)
        (void)!send(fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    buf_done(&out);
}

void http_socket_refuse(struct http_socket *socket, enum reject reject)
{
    struct metrics *metrics = socket->listener->options.metrics;
    http_socket_write_refusal(socket->fd, reject);
    metrics_add(metrics, METRIC_HTTP_REQUESTS, 1);
    metrics_add(metrics, METRIC_HTTP_REFUSED, 1);
    socket->is_refused = true;
    if (socket->state == SOCKET_HEAD)
        linger(socket);
}

static void hand_over(struct http_socket *socket)
{
    struct http_listener *listener = socket->listener;
    unwatch(socket);
    if (socket->seen > 0)
        set_low_water(socket, 1);
    socket->state = SOCKET_SERVED;
    listener->adding = socket;
    enum MHD_Result result =
        MHD_add_connection(listener->daemon, socket->fd, (const struct sockaddr *)&socket->peer, socket->peer_len);
    /* On failure the descriptor is closed; where it had got as far as http_socket_notify the socket is gone as well. */
    if (result == MHD_NO && listener->adding == socket)
        discard(socket);
    listener->adding = NULL;
    http_listener_wake(listener);
}

static void read_head(struct http_watch *ready)
{
    struct http_socket *socket = CONTAINER_OF(ready, struct http_socket, watch);
    struct http_listener *listener = socket->listener;
    ssize_t peeked = recv(socket->fd, listener->bytes, sizeof listener->bytes, MSG_PEEK | MSG_DONTWAIT);
    if (peeked < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (!watch(socket))
            close_own(socket);
        return;
    }
    /* Woken with no more bytes than before, or none: the peer has gone. */
    if (peeked < 0 || (size_t)peeked <= socket->seen) {
        close_own(socket);
        return;
    }
    size_t head_len;
    enum reject reject = http_head_check(listener->bytes, (size_t)peeked, listener->options.max_body, &head_len);
    if (reject != REJECT_NONE) {
        http_socket_refuse(socket, reject);
    } else if (head_len > 0) {
        hand_over(socket);
    } else {
        socket->seen = (size_t)peeked;
        set_low_water(socket, socket->seen + 1); /* the bytes stay in the kernel: wake us when there are more of them */
        if (!watch(socket))
            close_own(socket);
    }
}

void http_socket_open(struct http_listener *listener, int fd, const struct sockaddr_storage *peer, socklen_t peer_len)
{
    const struct http_listener_options *options = &listener->options;
    struct http_socket *socket = calloc(1, sizeof *socket);
    if (!socket) {
        close(fd);
        return;
    }
    *socket = (struct http_socket){
        .watch.on_ready = read_head,
        .listener = listener,
        .next = listener->sockets,
        .deadline.on_due = handle_deadline,
        .fd = fd,
        .peer_len = peer_len,
        .peer = *peer,
    };
    if (socket->next)
        socket->next->prev = socket;
    listener->sockets = socket;
    http_listener_start_tick(listener);

    if (listener->inside >= options->max_connections) {
        http_socket_refuse(socket, REJECT_OVERLOADED);
        return;
    }
    enum reject reject = REJECT_NONE;
    if (options->on_accept)
        reject = options->on_accept(options->data, (const struct sockaddr *)peer);
    if (reject != REJECT_NONE) {
        http_socket_refuse(socket, reject);
        return;
    }
    socket->is_inside = true;
    listener->inside++;
    metrics_add(options->metrics, METRIC_HTTP_CONNECTIONS, 1);
    http_socket_arm(socket, options->head_timeout_ms);
    read_head(&socket->watch);
}

void http_socket_notify(void *data, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code)
{
    struct http_listener *listener = data;
    (void)connection;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = listener->adding;
        listener->adding = NULL;
        return;
    }
    struct http_socket *socket = *context;
    int fd = socket->is_refused ? fcntl(socket->fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (fd < 0) {
        discard(socket);
        return;
    }
    socket->fd = fd;
    linger(socket);
}
