/* Answers: plain ones, the one error shape, and the upgrade. */
#include "net/http_private.h"
#include <assert.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>

static void assert_clean(const char *text)
{
    for (; *text; text++)
        assert((unsigned char)*text >= ' ' && *text != 0x7f);
}

void http_reply_header(struct http_request *request, const char *name, const char *value)
{
    assert_clean(name);
    assert_clean(value);
    size_t before = request->headers.len;
    if (buf_append(&request->headers, name, strlen(name) + 1) ||
        buf_append(&request->headers, value, strlen(value) + 1))
        request->headers.len = before; /* no memory: better an answer with a header less than none */
}

/* Steps through the headers: sets `name` and `value` to those at `*at`, and moves it on. False at the end. */
static bool next_header(const struct http_request *request, size_t *at, const char **name, const char **value)
{
    if (*at == request->headers.len)
        return false;
    *name = request->headers.data + *at;
    *value = *name + strlen(*name) + 1;
    *at += (size_t)(*value - *name) + strlen(*value) + 1;
    return true;
}

static bool has_header(const struct http_request *request, const char *wanted)
{
    const char *name, *value;
    for (size_t at = 0; next_header(request, &at, &name, &value);)
        if (strcasecmp(name, wanted) == 0)
            return true;
    return false;
}

static void add_headers(const struct http_request *request, struct MHD_Response *response)
{
    const char *name, *value;
    for (size_t at = 0; next_header(request, &at, &name, &value);)
        MHD_add_response_header(response, name, value);
}

/* Takes `response`, which may be NULL for want of memory: the connection is then closed. */
static void answer(struct http_request *request, int status, struct MHD_Response *response)
{
    struct http_socket *socket = request->socket;
    struct http_listener *listener = socket->listener;
    bool was_suspended = request->phase == PHASE_SUSPENDED;
    assert(was_suspended || request->phase == PHASE_DELIVERING);
    bool is_queued = response && MHD_queue_response(request->connection, (unsigned)status, response) == MHD_YES;
    if (response)
        MHD_destroy_response(response);
    request->phase = is_queued ? PHASE_ANSWERED : PHASE_FAILED;
    listener->pending--;
    metrics_add(listener->options.metrics, METRIC_HTTP_REQUESTS, 1);
    if (status >= 400)
        metrics_add(listener->options.metrics, METRIC_HTTP_REFUSED, 1);
    http_socket_arm(socket, listener->options.reply_timeout_ms);
    if (was_suspended) {
        MHD_resume_connection(request->connection);
        http_listener_wake(listener); /* all that is answered in one turn of the loop goes on in one MHD_run */
    }
}

void http_reply(struct http_request *request, int status, const char *content_type, const char *body, size_t len)
{
    struct http_listener *listener = request->socket->listener;
    if (listener->options.on_reply)
        listener->options.on_reply(listener->options.data, request);
    /* MUST_COPY: libmicrohttpd only reads it. */
    struct MHD_Response *response = MHD_create_response_from_buffer(len, (void *)(size_t)body, MHD_RESPMEM_MUST_COPY);
    if (response) {
        if (content_type)
            MHD_add_response_header(response, "Content-Type", content_type);
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
        if (listener->is_stopped)
            MHD_add_response_header(response, "Connection", "close");
        add_headers(request, response);
    }
    answer(request, status, response);
}

/* Errors. */

static int append_json_string(struct buf *out, const char *text)
{
    int error = buf_append(out, "\"", 1);
    for (; *text && !error; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ')
            error = buf_printf(out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            error = buf_printf(out, "\\%c", c);
        else
            error = buf_append(out, text, 1);
    }
    return error ? error : buf_append(out, "\"", 1);
}

int http_reply_error_body(struct buf *out, enum reject reject, const char *msg)
{
    const struct reject_info *info = reject_info(reject);
    const char *const parts[][2] = {
        {"{\"code\":", info->code},
        {",\"detail\":{\"loc\":", info->loc},
        {",\"msg\":", msg ? msg : info->msg},
    };
    int error = 0;
    for (size_t i = 0; i < COUNT_OF(parts) && !error; i++) {
        error = buf_append_str(out, parts[i][0]);
        if (!error)
            error = append_json_string(out, parts[i][1]);
    }
    return error ? error : buf_append_str(out, "}}\n");
}

const char *http_reply_retry_after(int status)
{
    if (status == 429)
        return "3"; /* a token a minute and address comes back every 3 s at the default rate */
    return status == 503 ? "1" : NULL;
}

void http_reply_reject(struct http_request *request, enum reject reject, const char *msg)
{
    const struct reject_info *info = reject_info(reject);
    const char *retry_after = http_reply_retry_after(info->status);
    struct buf body;
    buf_init(&body, HTTP_HEAD_MAX);
    if (http_reply_error_body(&body, reject, msg) != 0)
        body.len = 0; /* the status says the most of it */
    if (retry_after && !has_header(request, "Retry-After"))
        http_reply_header(request, "Retry-After", retry_after);
    if (info->status == 401 && !has_header(request, "WWW-Authenticate"))
        http_reply_header(request, "WWW-Authenticate", "Bearer");
    http_reply(request, info->status, "application/json", body.data, body.len);
    buf_done(&body);
}

/* The upgrade. */

/* The 101 is out: libmicrohttpd gives the socket to us. It only closes its own descriptor, ours goes on living. */
static void handle_upgrade(void *data, struct MHD_Connection *connection, void *context, const char *early,
                           size_t early_len, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    struct http_request *request = data;
    struct http_socket *socket = request->socket;
    http_upgraded_cb on_upgraded = request->on_upgraded;
    int own = request->upgrade_fd, on = 1;
    (void)connection;
    (void)context;
    (void)fd;
    request->on_upgraded = NULL;
    request->upgrade_fd = -1;
    socket->state = SOCKET_UPGRADED;
    wheel_cancel(&socket->deadline);
    http_socket_leave(socket, true);
    setsockopt(own, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* libmicrohttpd has switched it off */
    on_upgraded(request->upgraded_data, own, early, early_len);
    http_listener_wake(socket->listener);
    MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

void http_request_upgrade(struct http_request *request, const char *accept, const char *protocol,
                          http_upgraded_cb on_upgraded, void *data)
{
    request->on_upgraded = on_upgraded;
    request->upgraded_data = data;
    /* Taken before the 101 goes out: without a descriptor a 503 can still be said. */
    request->upgrade_fd = fcntl(request->socket->fd, F_DUPFD_CLOEXEC, 0);
    if (request->upgrade_fd < 0) {
        http_reply_reject(request, REJECT_OVERLOADED, NULL);
        return;
    }
    struct MHD_Response *response = MHD_create_response_for_upgrade(handle_upgrade, request);
    if (response) {
        /* `Connection: Upgrade` is libmicrohttpd's: 0.9.75 says it twice if we add it too. */
        MHD_add_response_header(response, "Upgrade", "websocket");
        MHD_add_response_header(response, "Sec-WebSocket-Accept", accept);
        if (protocol)
            MHD_add_response_header(response, "Sec-WebSocket-Protocol", protocol);
    }
    answer(request, 101, response);
}
