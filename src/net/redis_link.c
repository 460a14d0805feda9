#include "net/redis_link.h"
#include "base/buf.h"
#include "net/redis_command.h"
#include "net/redis_dial.h"
#include "net/redis_greeting.h"
#include "net/redis_parser.h"
#include "net/redis_pending.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    READ_CHUNK = 64 << 10,
    READS_PER_TURN = 4,    /* then others on this loop have their turn */
    OUTPUT_KEEP = 1 << 20, /* an output buffer that grew beyond it goes back once it is empty */
    RECONNECT_FIRST_MS = 50,
    RECONNECT_MAX_MS = 2000,
    WHY_SIZE = 256,
};

/*
 *                  timer            socket            PING answered
 *      WAITING ───────────> DIALING ───────> GREETING ─────────────> CONNECTED          any state ───────> CLOSED
 *         ^  start_dialing  handle_dialed    handle_greeting             │            redis_link_close
 *         └───────────────────────┴─────────────────┴────────────────────┘
 *                                      lose
 */
enum link_state { WAITING, DIALING, GREETING, CONNECTED, CLOSED };

struct redis_link {
    struct redis_link_options options;
    enum link_state state;
    uv_timer_t timer;  /* WAITING: next attempt; DIALING, GREETING: its deadline; CONNECTED: the oldest command's */
    uv_idle_t flusher; /* active while output waits that no write has been tried for */
    int open_handles;  /* of the two above: the memory goes when both are closed */
    unsigned attempts; /* in all: a name's addresses take turns */
    unsigned failures; /* since the last connection that lasted */
    uint64_t connected_ms;
    struct redis_dial *dial;     /* DIALING */
    struct redis_socket *socket; /* GREETING, CONNECTED. Another one after each loss: who has called back compares. */
    struct redis_parser *parser; /* kept until the next attempt: who loses the link in a callback still has its reply */
    struct buf out;
    size_t written; /* bytes at the front of `out` that the kernel has */
    struct redis_pending_ring pending;
    struct redis_greeting greeting;
};

static void handle_timer(uv_timer_t *timer);

static void restart_timer(struct redis_link *link, uint64_t delay_ms)
{
    int error = uv_timer_start(&link->timer, handle_timer, delay_ms, 0);
    assert(!error); /* fails only on a closing handle */
    (void)error;
}

/* --- losing the connection --- */

/* Full jitter: a random part of a delay that doubles, so that a fleet does not come back in step. */
static uint64_t reconnect_delay_ms(const struct redis_link *link)
{
    uint64_t limit = RECONNECT_FIRST_MS;
    for (unsigned i = 1; i < link->failures && limit < RECONNECT_MAX_MS; i++)
        limit *= 2;
    if (limit > RECONNECT_MAX_MS)
        limit = RECONNECT_MAX_MS;
    uint32_t random = 0;
    if (uv_random(NULL, NULL, &random, sizeof random, 0, NULL))
        random = (uint32_t)uv_hrtime();
    return random % (limit + 1);
}

static void drop_connection(struct redis_link *link)
{
    redis_dial_cancel(link->dial);
    link->dial = NULL;
    redis_socket_free(link->socket);
    link->socket = NULL;
    uv_idle_stop(&link->flusher);
    uv_timer_stop(&link->timer);
    buf_done(&link->out);
    link->written = 0;
}

static void fail_pending(struct redis_link *link, int status)
{
    while (link->pending.count > 0) {
        struct redis_pending oldest = redis_pending_pop(&link->pending);
        if (oldest.callback)
            oldest.callback(oldest.data, status, NULL);
    }
}

/* Callbacks run in here: the caller touches nothing of the connection afterwards. */
static void lose(struct redis_link *link, int status, const char *why_format, ...) PRINTF_LIKE(3, 4);

static void lose(struct redis_link *link, int status, const char *why_format, ...)
{
    char why[WHY_SIZE];
    va_list values;
    va_start(values, why_format);
    vsnprintf(why, sizeof why, why_format, values);
    va_end(values);

    bool has_lasted = link->state == CONNECTED && uv_now(link->options.loop) - link->connected_ms >= RECONNECT_MAX_MS;
    link->failures = has_lasted ? 1 : link->failures + 1;
    link->state = WAITING;
    drop_connection(link);
    restart_timer(link, reconnect_delay_ms(link));
    fail_pending(link, status);
    if (link->state != CLOSED)
        link->options.on_lost(link->options.data, why);
}

/* --- writing --- */

/* Takes what was written off the buffer: lazily, so that a long queue is not moved up for each bit that leaves. */
static void consume_written(struct redis_link *link)
{
    if (link->written < link->out.len - link->written)
        return;
    buf_consume(&link->out, link->written);
    link->written = 0;
    if (link->out.len == 0 && link->out.cap > OUTPUT_KEEP)
        buf_done(&link->out);
}

static bool read_answers(struct redis_link *link);

static void flush(struct redis_link *link)
{
    struct redis_socket *socket = link->socket;
    ssize_t count = send(socket->fd, link->out.data + link->written, link->out.len - link->written, MSG_NOSIGNAL);
    int error = count < 0 ? -errno : 0;
    if (count > 0) {
        link->written += (size_t)count;
        consume_written(link);
    }
    if (error && error != -EAGAIN && error != -EINTR) {
        (void)read_answers(link); /* what Redis said before it hung up tells more than "broken pipe" */
        if (link->socket == socket)
            lose(link, -ECONNRESET, "cannot write to Redis: %s", uv_strerror(error));
        return;
    }
    error = redis_socket_watch(socket, link->out.len > link->written ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    if (error)
        lose(link, error, "cannot watch the connection to Redis: %s", uv_strerror(error));
}

static void handle_flusher(uv_idle_t *flusher)
{
    struct redis_link *link = CONTAINER_OF(flusher, struct redis_link, flusher);
    uv_idle_stop(flusher);
    flush(link);
}

/*
 * Idle handles run once per turn just before the loop would sleep, and keep it from sleeping while active. A prepare
 * handle would be too late for a command that another prepare callback queues: the loop would sleep over it.
 */
static void flush_later(struct redis_link *link)
{
    bool kernel_is_full = link->socket->events & UV_WRITABLE; /* the socket will call when it takes more */
    if (!kernel_is_full)
        uv_idle_start(&link->flusher, handle_flusher);
}

/* --- reading --- */

static void handle_greeting(struct redis_link *link, const struct redis_value *answer)
{
    char why[WHY_SIZE];
    int result = redis_greeting_take(&link->greeting, answer, why, sizeof why);
    if (result < 0)
        lose(link, -ECONNRESET, "%s", why);
    if (result <= 0)
        return;
    uv_timer_stop(&link->timer);
    link->state = CONNECTED;
    link->connected_ms = uv_now(link->options.loop);
    link->options.on_connected(link->options.data);
}

static void dispatch(struct redis_link *link, const struct redis_value *answer)
{
    if (link->state == GREETING) {
        handle_greeting(link, answer);
    } else if (link->options.on_push) {
        link->options.on_push(link->options.data, answer);
    } else if (link->pending.count > 0) {
        struct redis_pending oldest = redis_pending_pop(&link->pending);
        if (oldest.callback)
            oldest.callback(oldest.data, 0, answer);
    } else {
        lose(link, -ECONNRESET, "Redis sent an answer to no command: %s", answer->str);
    }
}

static void take_in(struct redis_link *link, const char *bytes, size_t len)
{
    struct redis_socket *socket = link->socket;
    int error = redis_parser_feed(link->parser, bytes, len);
    if (error) {
        lose(link, -ECONNRESET, "an answer of Redis does not fit into memory: %s", uv_strerror(error));
        return;
    }
    for (;;) {
        const struct redis_value *answer;
        int found = redis_parser_next(link->parser, &answer);
        if (found < 0)
            lose(link, -ECONNRESET, "what Redis sent cannot be read: %s", redis_parser_error(link->parser));
        if (found <= 0)
            return;
        dispatch(link, answer);
        if (link->socket != socket)
            return;
    }
}

/* Reads and answers what has arrived, within the turn's share. True: there may be more. */
static bool read_answers(struct redis_link *link)
{
    struct redis_socket *socket = link->socket;
    char chunk[READ_CHUNK];
    for (int reads = 0; reads < READS_PER_TURN; reads++) {
        ssize_t count = recv(socket->fd, chunk, sizeof chunk, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return errno == EINTR;
        if (count <= 0) {
            lose(link, -ECONNRESET, "%s", count < 0 ? uv_strerror(-errno) : "Redis closed the connection");
            return false;
        }
        take_in(link, chunk, (size_t)count);
        if (link->socket != socket)
            return false;
        if ((size_t)count < sizeof chunk)
            return false; /* the socket is empty; if not, the loop says so again */
    }
    return true;
}

static void handle_ready(void *data, int status, int events)
{
    struct redis_link *link = data;
    struct redis_socket *socket = link->socket;
    if (status < 0 || events & UV_READABLE)
        (void)read_answers(link);
    if (link->socket != socket)
        return;
    if (status < 0)
        lose(link, -ECONNRESET, "the connection to Redis broke");
    else if (events & UV_WRITABLE)
        flush(link);
}

/* --- connecting --- */

static void handle_dialed(void *data, struct redis_socket *socket, int error)
{
    struct redis_link *link = data;
    link->dial = NULL;
    if (error) {
        lose(link, error, "cannot connect to Redis: %s", uv_strerror(error));
        return;
    }
    socket->on_ready = handle_ready;
    socket->data = link;
    link->socket = socket;
    link->state = GREETING;
    error = redis_greeting_start(&link->greeting, link->options.address, &link->out);
    if (error)
        lose(link, error, "cannot greet Redis: %s", uv_strerror(error));
    else
        flush(link);
}

static void start_dialing(struct redis_link *link)
{
    link->state = DIALING;
    redis_parser_free(link->parser);
    link->parser = NULL;
    int error = redis_parser_new(&link->parser);
    if (!error) {
        struct redis_dial_options dial = {.loop = link->options.loop,
                                          .address = link->options.address,
                                          .first = link->attempts++,
                                          .on_done = handle_dialed,
                                          .data = link};
        error = redis_dial_start(&link->dial, &dial);
    }
    if (error)
        lose(link, error, "cannot connect to Redis: %s", uv_strerror(error));
    else
        restart_timer(link, link->options.connect_timeout_ms);
}

/* --- deadlines --- */

static bool is_overdue(const struct redis_link *link)
{
    if (link->pending.count == 0)
        return false;
    uint64_t age_ms = uv_now(link->options.loop) - redis_pending_oldest(&link->pending)->queued_ms;
    return age_ms >= link->options.command_timeout_ms;
}

static void await_oldest(struct redis_link *link)
{
    uint64_t due_ms = redis_pending_oldest(&link->pending)->queued_ms + link->options.command_timeout_ms;
    uint64_t now_ms = uv_now(link->options.loop);
    restart_timer(link, due_ms > now_ms ? due_ms - now_ms : 1);
}

/* The timer is not moved with each command: it fires, and looks who is the oldest now. */
static void check_deadline(struct redis_link *link)
{
    struct redis_socket *socket = link->socket;
    /* Perhaps it was this loop that was slow: what has arrived meanwhile counts. */
    bool is_reading = is_overdue(link) && read_answers(link);
    if (link->socket != socket)
        return;
    if (!is_reading && is_overdue(link))
        lose(link, -ETIMEDOUT, "no answer from Redis for %" PRIu64 " ms", link->options.command_timeout_ms);
    else if (link->pending.count > 0)
        await_oldest(link);
}

static void handle_timer(uv_timer_t *timer)
{
    struct redis_link *link = CONTAINER_OF(timer, struct redis_link, timer);
    switch (link->state) {
    case WAITING:
        start_dialing(link);
        break;
    case DIALING:
    case GREETING:
        lose(link, -ETIMEDOUT, "no connection to Redis within %" PRIu64 " ms", link->options.connect_timeout_ms);
        break;
    case CONNECTED:
        check_deadline(link);
        break;
    case CLOSED:
        break;
    }
}

/* --- interface --- */

int redis_link_open(struct redis_link **link, const struct redis_link_options *options)
{
    struct redis_link *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->options = *options;
    if (made->options.connect_timeout_ms == 0)
        made->options.connect_timeout_ms = 2000;
    if (made->options.command_timeout_ms == 0)
        made->options.command_timeout_ms = 2000;
    if (made->options.max_output == 0)
        made->options.max_output = 64 << 20;
    buf_init(&made->out, 2 * made->options.max_output); /* twice: what is written stays a while, see consume_written */
    uv_timer_init(options->loop, &made->timer);         /* these two cannot fail */
    uv_idle_init(options->loop, &made->flusher);
    made->open_handles = 2;
    restart_timer(made, 0); /* even the first attempt is made from the loop, so that its failure is a callback */
    *link = made;
    return 0;
}

int redis_link_command(struct redis_link *link, const struct args *args, redis_reply_cb callback, void *data)
{
    if (!redis_link_is_connected(link))
        return -ENOTCONN;
    bool has_answer = !link->options.on_push;
    assert(has_answer || !callback);
    int error = has_answer ? redis_pending_reserve(&link->pending) : 0;
    if (!error)
        error = redis_command_append(&link->out, args, link->options.max_output - (link->out.len - link->written));
    if (error)
        return error;
    if (has_answer) {
        redis_pending_push(&link->pending, (struct redis_pending){callback, data, uv_now(link->options.loop)});
        if (!uv_is_active((uv_handle_t *)&link->timer))
            await_oldest(link);
    }
    flush_later(link);
    return 0;
}

void redis_link_reset(struct redis_link *link, const char *why)
{
    if (link && link->socket)
        lose(link, -ECONNRESET, "%s", why);
}

bool redis_link_is_connected(const struct redis_link *link)
{
    return link && link->state == CONNECTED;
}

size_t redis_link_pending(const struct redis_link *link)
{
    return link ? link->pending.count : 0;
}

static void handle_handle_closed(uv_handle_t *handle)
{
    struct redis_link *link = handle->data;
    if (--link->open_handles > 0)
        return;
    redis_parser_free(link->parser);
    redis_pending_done(&link->pending);
    buf_done(&link->out);
    free(link);
}

void redis_link_close(struct redis_link **link)
{
    struct redis_link *closing = *link;
    if (!closing)
        return;
    *link = NULL;
    if (closing->state == CLOSED)
        return;
    closing->state = CLOSED;
    drop_connection(closing);
    closing->timer.data = closing->flusher.data = closing;
    uv_close((uv_handle_t *)&closing->timer, handle_handle_closed);
    uv_close((uv_handle_t *)&closing->flusher, handle_handle_closed);
    fail_pending(closing, -ECANCELED);
}
