#include "net/http_private.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 16,  /* so that a storm of connects does not starve the sockets that are open */
    ACCEPT_PAUSE_MS = 100,  /* without descriptors */
    RUNS_PER_TURN = 4,      /* of libmicrohttpd: reading and answering a resumed request takes two */
    MAX_FRUITLESS_RUNS = 8, /* a resumed request shows itself in its second */
    RUNS_BEFORE_STOP = 16,  /* to write the last answers */
    EVENTS_PER_TURN = 64,
    LAST_HEAD_MS = 1000, /* for who connected just before the stop: to close on him would look like a crash */
    /* Half of it is the first read's, with the head; then HTTP_HEAD_MAX_RECORDS, and the head of the answer.
     * libmicrohttpd clears all of it after each request: more would cost time. */
    CONNECTION_MEMORY = 2 * HTTP_HEAD_MAX,
};

/* The front. */

int http_listener_watch(struct http_listener *listener, int fd, struct http_watch *watch)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = watch};
    return epoll_ctl(listener->front_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void handle_front(uv_poll_t *poll, int status, int events)
{
    struct http_listener *listener = poll->data;
    struct epoll_event ready[EVENTS_PER_TURN];
    (void)status; /* the front itself cannot fail; what is in it is asked one by one */
    (void)events;
    int count = epoll_wait(listener->front_fd, ready, EVENTS_PER_TURN, 0);
    for (int i = 0; i < count; i++) {
        struct http_watch *watch = ready[i].data.ptr;
        watch->on_ready(watch); /* may free itself, and nothing else that is in `ready` */
    }
}

static void handle_daemon_ready(struct http_watch *watch)
{
    http_listener_wake(CONTAINER_OF(watch, struct http_listener, daemon_watch));
}

/* Accepting. */

static void set_doors(struct http_listener *listener, uint32_t events)
{
    for (size_t i = 0; i < listener->door_count; i++) {
        struct http_door *door = &listener->doors[i];
        struct epoll_event event = {.events = events, .data.ptr = &door->watch};
        if (door->fd >= 0)
            epoll_ctl(listener->front_fd, EPOLL_CTL_MOD, door->fd, &event);
    }
}

static void handle_accept_pause_over(struct wheel_timer *timer)
{
    set_doors(CONTAINER_OF(timer, struct http_listener, accept_pause), EPOLLIN);
}

static int reserve_descriptor(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The peer that waits longest is told by the reserved descriptor; the others wait in the backlog until some are free
 * again. */
static void handle_shortage(struct http_door *door)
{
    struct http_listener *listener = door->listener;
    if (listener->reserved_fd >= 0) {
        close(listener->reserved_fd);
        int fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            /* What has come is read first, or close(2) would send a reset and the peer lose its answer. */
            (void)!recv(fd, listener->bytes, sizeof listener->bytes, MSG_DONTWAIT);
            http_socket_write_refusal(fd, REJECT_OVERLOADED);
            close(fd);
        }
    }
    listener->reserved_fd = reserve_descriptor();
    set_doors(listener, 0);
    wheel_arm(&listener->wheel, &listener->accept_pause, uv_now(listener->options.loop) + ACCEPT_PAUSE_MS);
    http_listener_start_tick(listener);
}

/* 0, or the errno with which accepting ends for this turn. */
static int accept_one(struct http_door *door)
{
    struct sockaddr_storage peer = {0};
    socklen_t peer_len = sizeof peer;
    int on = 1;
    int fd = accept4(door->fd, (struct sockaddr *)&peer, &peer_len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return errno;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    http_socket_open(door->listener, fd, &peer, peer_len);
    return 0;
}

static void handle_door(struct http_watch *watch)
{
    struct http_door *door = CONTAINER_OF(watch, struct http_door, watch);
    struct http_listener *listener = door->listener;
    int error = 0;
    for (int i = 0; i < ACCEPTS_PER_TURN && door->fd >= 0 && !error; i++)
        error = accept_one(door);
    if (error == 0 || error == EAGAIN || error == EINTR)
        return;
    metrics_add(listener->options.metrics, METRIC_ACCEPT_ERRORS, 1);
    if (error == ECONNABORTED) /* that peer only */
        return;
    log_write_repeated(&listener->accept_log, LOG_LEVEL_WARNING, "cannot accept", "error=\"%s\"", strerror(error));
    handle_shortage(door);
}

/* Deadlines. */

static void handle_tick(uv_timer_t *timer)
{
    struct http_listener *listener = timer->data;
    wheel_turn(&listener->wheel, uv_now(listener->options.loop));
    if (listener->fruitless_runs >= MAX_FRUITLESS_RUNS)
        listener->is_due = true;
    if (!listener->sockets && !wheel_is_armed(&listener->accept_pause))
        uv_timer_stop(timer); /* an idle server sleeps */
}

void http_listener_start_tick(struct http_listener *listener)
{
    if (!uv_is_active((uv_handle_t *)&listener->tick))
        uv_timer_start(&listener->tick, handle_tick, WHEEL_TICK_MS, WHEEL_TICK_MS);
}

/* Driving libmicrohttpd. */

void http_listener_wake(struct http_listener *listener)
{
    listener->is_due = true;
    listener->fruitless_runs = 0;
}

/*
 * libmicrohttpd's only timeout is 0: there is more to do than its epoll descriptor shows. 0.9.75 also says so for ever
 * where a chunk header is longer than its memory; then it gets one run a tick, until the body's deadline.
 */
static void run_daemon(struct http_listener *listener, int max_runs)
{
    for (int i = 0; i < max_runs && listener->is_due; i++) {
        MHD_UNSIGNED_LONG_LONG timeout_ms;
        listener->is_due = false;
        listener->fruitless_runs++;
        MHD_run(listener->daemon);
        if (MHD_get_timeout(listener->daemon, &timeout_ms) == MHD_YES)
            listener->is_due = listener->fruitless_runs < MAX_FRUITLESS_RUNS;
    }
}

static void finish(struct http_listener *listener);

static void handle_idle(uv_idle_t *idle)
{
    (void)idle; /* only keeps the loop from blocking */
}

static void handle_prepare(uv_prepare_t *prepare)
{
    struct http_listener *listener = prepare->data;
    if (listener->on_closed) {
        finish(listener);
        return;
    }
    run_daemon(listener, RUNS_PER_TURN);
    if (listener->is_due)
        uv_idle_start(&listener->idle, handle_idle);
    else
        uv_idle_stop(&listener->idle);
}

static void handle_library_log(void *data, const char *format, va_list values)
{
    struct http_listener *listener = data;
    char text[256];
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    vsnprintf(text, sizeof text, format, values);
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == '"')
            *at = ' ';
    log_write_repeated(&listener->library_log, LOG_LEVEL_DEBUG, "libmicrohttpd", "message=\"%s\"", text);
}

static struct MHD_Daemon *start_daemon(struct http_listener *listener)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_UPGRADE | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_USE_ERROR_LOG | MHD_USE_TURBO; /* turbo: a socket that we add has something to read */
#if MHD_VERSION >= 0x00097701
    flags |= MHD_USE_NO_THREAD_SAFETY;
#endif
    return MHD_start_daemon(flags, 0, NULL, NULL, http_request_access, listener, MHD_OPTION_EXTERNAL_LOGGER,
                            handle_library_log, listener, MHD_OPTION_CONNECTION_LIMIT,
                            UINT_MAX / 2, /* max_connections is ours to keep */
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_NOTIFY_CONNECTION,
                            http_socket_notify, listener, MHD_OPTION_NOTIFY_COMPLETED, http_request_completed, listener,
                            MHD_OPTION_URI_LOG_CALLBACK, http_request_begin, listener,
#if MHD_VERSION >= 0x00097701
                            MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
#endif
                            MHD_OPTION_END);
}

/* Opening. */

static int open_doors(struct http_listener *listener)
{
    for (size_t i = 0; i < listener->door_count; i++) {
        struct http_door *door = &listener->doors[i];
        *door = (struct http_door){.watch.on_ready = handle_door, .listener = listener, .fd = listener->options.fds[i]};
        int flags = fcntl(door->fd, F_GETFL);
        if (flags < 0 || fcntl(door->fd, F_SETFL, flags | O_NONBLOCK) < 0)
            return -errno;
        int error = http_listener_watch(listener, door->fd, &door->watch);
        if (error)
            return error;
    }
    return 0;
}

static void start_handles(struct http_listener *listener)
{
    uv_loop_t *loop = listener->options.loop;
    uv_prepare_init(loop, &listener->prepare);
    uv_idle_init(loop, &listener->idle);
    uv_timer_init(loop, &listener->tick);
    listener->poll.data = listener->prepare.data = listener->idle.data = listener->tick.data = listener;
    listener->open_handles = 4;
    uv_poll_start(&listener->poll, UV_READABLE, handle_front);
    uv_prepare_start(&listener->prepare, handle_prepare);
}

int http_listener_open(struct http_listener **out, const struct http_listener_options *options)
{
    int error = -ENOMEM;
    struct http_listener *listener = calloc(1, sizeof *listener + options->fd_count * sizeof listener->doors[0]);
    if (!listener)
        return -ENOMEM;
    listener->options = *options;
    listener->door_count = options->fd_count;
    listener->accept_pause.on_due = handle_accept_pause_over;
    listener->daemon_watch.on_ready = handle_daemon_ready;
    wheel_init(&listener->wheel, uv_now(options->loop));
    buf_init(&listener->later_head, HTTP_HEAD_MAX);
    listener->reserved_fd = reserve_descriptor();
    listener->front_fd = epoll_create1(EPOLL_CLOEXEC);
    if (listener->front_fd < 0) {
        error = -errno;
        goto fail_front;
    }
    listener->daemon = start_daemon(listener);
    if (!listener->daemon)
        goto fail_daemon;
    int daemon_fd = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    error = http_listener_watch(listener, daemon_fd, &listener->daemon_watch);
    if (!error)
        error = open_doors(listener);
    if (!error)
        error = uv_poll_init(options->loop, &listener->poll, listener->front_fd);
    if (error)
        goto fail_poll;
    start_handles(listener); /* cannot fail */
    *out = listener;
    return 0;

fail_poll:
    MHD_stop_daemon(listener->daemon);
fail_daemon:
    close(listener->front_fd);
fail_front:
    if (listener->reserved_fd >= 0)
        close(listener->reserved_fd);
    free(listener);
    return error;
}

/* Closing. */

void http_listener_stop(struct http_listener *listener)
{
    listener->is_stopped = true;
    wheel_cancel(&listener->accept_pause);
    for (size_t i = 0; i < listener->door_count; i++) {
        struct http_door *door = &listener->doors[i];
        if (door->fd < 0)
            continue;
        epoll_ctl(listener->front_fd, EPOLL_CTL_DEL, door->fd, NULL);
        close(door->fd);
        door->fd = -1;
    }
    for (struct http_socket *socket = listener->sockets; socket; socket = socket->next) {
        if (socket->state == SOCKET_SERVED && socket->has_served && !socket->request)
            http_socket_end(socket); /* waits for its next request: there is none */
        else if (socket->state == SOCKET_HEAD)
            http_socket_arm(socket, LAST_HEAD_MS);
    }
}

bool http_listener_is_busy(const struct http_listener *listener)
{
    for (const struct http_socket *socket = listener->sockets; socket; socket = socket->next) {
        bool is_reading = socket->state == SOCKET_HEAD || (socket->state == SOCKET_SERVED && !socket->has_served);
        if (is_reading || socket->request)
            return true;
    }
    return listener->pending > 0;
}

void http_listener_close(struct http_listener *listener, void (*on_closed)(void *data), void *data)
{
    assert(listener->pending == 0);
    if (!listener->is_stopped)
        http_listener_stop(listener);
    listener->on_closed = on_closed;
    listener->closed_data = data;
    uv_idle_start(&listener->idle, handle_idle); /* the rest comes from the loop, soon */
}

static void handle_closed(uv_handle_t *handle)
{
    struct http_listener *listener = handle->data;
    if (--listener->open_handles > 0)
        return;
    void (*on_closed)(void *data) = listener->on_closed;
    void *data = listener->closed_data;
    close(listener->front_fd);
    if (listener->reserved_fd >= 0)
        close(listener->reserved_fd);
    buf_done(&listener->later_head);
    free(listener);
    on_closed(data);
}

static void finish(struct http_listener *listener)
{
    run_daemon(listener, RUNS_BEFORE_STOP); /* also takes resumed connections back, with which it must not be stopped */
    struct http_socket *next;
    for (struct http_socket *socket = listener->sockets; socket; socket = next) {
        next = socket->next;
        http_socket_end(socket);
    }
    MHD_stop_daemon(listener->daemon); /* frees the sockets that were its */
    uv_handle_t *handles[] = {(uv_handle_t *)&listener->poll, (uv_handle_t *)&listener->prepare,
                              (uv_handle_t *)&listener->idle, (uv_handle_t *)&listener->tick};
    for (size_t i = 0; i < COUNT_OF(handles); i++)
        uv_close(handles[i], handle_closed);
}
