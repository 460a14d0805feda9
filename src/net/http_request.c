/* Takes requests in: libmicrohttpd's callbacks, and what on_request may ask of a request. */
#include "net/http_form.h"
#include "net/http_private.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* A string made for a caller. */
struct http_copy {
    struct http_copy *next;
    char bytes[];
};

void *http_request_begin(void *listener_data, const char *uri, struct MHD_Connection *connection)
{
    struct http_listener *listener = listener_data;
    size_t len = strlen(uri);
    struct http_request *request = malloc(sizeof *request + len + 1);
    if (!request)
        return NULL; /* seen by http_request_access, which ends the connection */
    *request = (struct http_request){
        .socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context,
        .connection = connection,
        .raw_target = uri,
        .target_len = len,
        .upgrade_fd = -1,
    };
    memcpy(request->target, uri, len + 1);
    char *mark = memchr(request->target, '?', len);
    if (mark)
        *mark = '\0';
    request->query = mark ? mark + 1 : request->target + len;
    buf_init(&request->body, listener->options.max_body);
    buf_init(&request->headers, HTTP_HEAD_MAX);
    request->socket->request = request;
    if (request->socket->has_served)
        http_socket_arm(request->socket, listener->options.head_timeout_ms);
    return request;
}

static void free_request(struct http_request *request)
{
    request->socket->request = NULL;
    if (request->upgrade_fd >= 0)
        close(request->upgrade_fd);
    while (request->copies) {
        struct http_copy *next = request->copies->next;
        free(request->copies);
        request->copies = next;
    }
    buf_done(&request->body);
    buf_done(&request->headers);
    free(request);
}

void http_request_completed(void *data, struct MHD_Connection *connection, void **context,
                            enum MHD_RequestTerminationCode code)
{
    struct http_listener *listener = data;
    struct http_request *request = *context;
    (void)connection;
    if (!request)
        return;
    assert(request->phase != PHASE_DELIVERING && request->phase != PHASE_SUSPENDED);
    *context = NULL;
    struct http_socket *socket = request->socket;
    if (request->on_upgraded)
        request->on_upgraded(request->upgraded_data, -1, NULL, 0);
    free_request(request);
    if (socket->state != SOCKET_SERVED)
        return;
    if (code == MHD_REQUEST_TERMINATED_WITH_ERROR)
        socket->is_refused = true; /* libmicrohttpd has answered by itself, a broken chunk for example */
    else if (listener->is_stopped)
        http_socket_end(socket);
    else
        http_socket_arm(socket, listener->options.idle_timeout_ms);
}

/* Later heads. */

/* libmicrohttpd keeps names and values where they were received, a NUL for each byte of the line's end. */
struct later_head {
    struct buf *out;
    const char *line_end; /* of the line before */
    bool is_regular;
    int error;
};

static void append(struct later_head *head, const char *text, size_t len)
{
    if (!head->error)
        head->error = buf_append(head->out, text, len);
}

/*
 * Up to 0.9.76 libmicrohttpd takes bare line feeds, folded lines and NULs, and no trace of them is left in what it has
 * parsed but this: the next line does not begin two bytes behind the end of the value.
 */
static void expect_line_at(struct later_head *head, const char *line)
{
#if MHD_VERSION < 0x00097701
    if (line != head->line_end + 2)
        head->is_regular = false;
#else
    (void)head;
    (void)line;
#endif
}

static enum MHD_Result append_field(void *data, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                    const char *value, size_t value_len)
{
    struct later_head *head = data;
    (void)kind;
    expect_line_at(head, name);
    append(head, name, name_len);
    append(head, ":", 1);
    append(head, value, value_len);
    append(head, "\r\n", 2);
    head->line_end = value + value_len;
    return MHD_YES;
}

/* The target is checked as it was sent: begin() has copied it, libmicrohttpd has decoded its own in place. */
static void append_request_line(struct later_head *head, const struct http_request *request, const char *version)
{
    append(head, request->method, strlen(request->method));
    append(head, " ", 1);
    append(head, request->target, strlen(request->target));
    if (strlen(request->target) < request->target_len)
        append(head, "?", 1);
    append(head, request->query, strlen(request->query));
    append(head, " ", 1);
    append(head, version, strlen(version));
    append(head, "\r\n", 2);
#if MHD_VERSION < 0x00097701
    if (request->raw_target != request->method + strlen(request->method) + 1 ||
        version != request->raw_target + request->target_len + 1)
        head->is_regular = false;
#endif
    head->line_end = version + strlen(version);
}

/* Puts the head together again from what libmicrohttpd has made of it, so that one function holds all the rules. */
static enum reject check_later_head(struct http_request *request, const char *version)
{
    struct http_listener *listener = request->socket->listener;
    struct later_head head = {.out = &listener->later_head, .is_regular = true};
    head.out->len = 0;
    append_request_line(&head, request, version);
    MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, append_field, &head);
    append(&head, "\r\n", 2);
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    expect_line_at(&head, request->method + size->header_size - 2);
    if (head.error)
        return REJECT_HEADERS_TOO_LARGE;
    if (!head.is_regular)
        return REJECT_BAD_REQUEST;
    size_t head_len;
    enum reject reject = http_head_check(head.out->data, head.out->len, listener->options.max_body, &head_len);
    if (reject == REJECT_NONE && head_len != head.out->len)
        reject = REJECT_BAD_REQUEST;
    return reject;
}

/* From head to delivery. */

static enum MHD_Result refuse(struct http_request *request, enum reject reject)
{
    request->phase = PHASE_FAILED;
    http_socket_refuse(request->socket, reject);
    return MHD_NO;
}

static enum MHD_Result take_head(struct http_request *request, const char *method, const char *version)
{
    struct http_socket *socket = request->socket;
    request->phase = PHASE_BODY;
    request->method = method;
    request->is_http_1_0 = strcmp(version, "HTTP/1.0") == 0;
    if (socket->has_served) {
        enum reject reject = check_later_head(request, version);
        if (reject != REJECT_NONE)
            return refuse(request, reject);
    }
    socket->has_served = true;
    http_socket_arm(socket, socket->listener->options.body_timeout_ms);
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_request *request, const char *bytes, size_t *len)
{
    if (buf_append(&request->body, bytes, *len) != 0)
        return refuse(request, REJECT_BODY_TOO_LARGE);
    *len = 0;
    return MHD_YES;
}

static enum MHD_Result deliver(struct http_request *request)
{
    struct http_listener *listener = request->socket->listener;
    request->phase = PHASE_DELIVERING;
    listener->pending++;
    wheel_cancel(&request->socket->deadline); /* how long an answer may take is the answerer's matter */
    listener->options.on_request(listener->options.data, request);
    if (request->phase == PHASE_DELIVERING) {
        request->phase = PHASE_SUSPENDED;
        MHD_suspend_connection(request->connection);
    }
    return request->phase == PHASE_FAILED ? MHD_NO : MHD_YES;
}

enum MHD_Result http_request_access(void *data, struct MHD_Connection *connection, const char *url, const char *method,
                                    const char *version, const char *upload, size_t *upload_len, void **context)
{
    struct http_listener *listener = data;
    struct http_request *request = *context;
    (void)connection;
    (void)url;
    listener->fruitless_runs = 0;
    if (!request)
        return MHD_NO;
    if (request->phase == PHASE_HEAD)
        return take_head(request, method, version);
    if (request->phase != PHASE_BODY)
        return MHD_NO;
    return *upload_len > 0 ? take_body(request, upload, upload_len) : deliver(request);
}

/* What on_request may ask. */

const char *http_request_method(const struct http_request *request)
{
    return request->method;
}

const char *http_request_path(const struct http_request *request)
{
    return request->target;
}

bool http_request_is_http_1_0(const struct http_request *request)
{
    return request->is_http_1_0;
}

const struct sockaddr *http_request_peer(const struct http_request *request)
{
    return (const struct sockaddr *)&request->socket->peer;
}

/* Room for `len` bytes and a NUL that lives as long as the request; NULL without memory. */
static char *new_copy(const struct http_request *request, size_t len)
{
    struct http_request *owner = (struct http_request *)request; /* callers see a request that does not change */
    struct http_copy *copy = malloc(sizeof *copy + len + 1);
    if (!copy)
        return NULL;
    copy->next = owner->copies;
    owner->copies = copy;
    copy->bytes[len] = '\0';
    return copy->bytes;
}

struct header_search {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
    unsigned count;
};

static enum MHD_Result match_header(void *data, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                    const char *value, size_t value_len)
{
    struct header_search *search = data;
    (void)kind;
    if (name_len != search->name_len || strncasecmp(name, search->name, name_len) != 0)
        return MHD_YES;
    if (search->count++ == 0) {
        search->value = value;
        search->value_len = value_len;
    }
    return MHD_YES;
}

const char *http_request_header(const struct http_request *request, const char *name, unsigned *count)
{
    struct header_search search = {.name = name, .name_len = strlen(name)};
    MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, match_header, &search);
    if (count)
        *count = search.count;
    size_t len = search.value_len;
    while (len > 0 && (search.value[len - 1] == ' ' || search.value[len - 1] == '\t'))
        len--;
    if (len == search.value_len)
        return search.value;
    /* 0.9.75 leaves the blanks behind a value. */
    char *trimmed = new_copy(request, len);
    if (trimmed)
        memcpy(trimmed, search.value, len);
    return trimmed;
}

struct header_join {
    const char *name;
    size_t name_len;
    struct buf list;
};

static enum MHD_Result join_header(void *data, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                   const char *value, size_t value_len)
{
    struct header_join *join = data;
    (void)kind;
    if (name_len != join->name_len || strncasecmp(name, join->name, name_len) != 0)
        return MHD_YES;
    bool is_first = join->list.len == 0;
    return buf_append(&join->list, ", ", is_first ? 0 : 2) || buf_append(&join->list, value, value_len) ? MHD_NO
                                                                                                        : MHD_YES;
}

const char *http_request_header_list(const struct http_request *request, const char *name)
{
    unsigned count;
    const char *first = http_request_header(request, name, &count);
    if (count < 2)
        return first;
    struct header_join join = {.name = name, .name_len = strlen(name)};
    buf_init(&join.list, HTTP_HEAD_MAX);
    MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, join_header, &join);
    char *copy = new_copy(request, join.list.len);
    if (copy && join.list.len > 0)
        memcpy(copy, join.list.data, join.list.len);
    buf_done(&join.list);
    return copy;
}

static unsigned find_field(const struct http_request *request, const char *text, size_t len, const char *name,
                           struct http_field *field)
{
    const char *raw;
    size_t raw_len;
    unsigned count = http_form_find(text, len, name, &raw, &raw_len);
    if (count == 0)
        return 0;
    char *value = new_copy(request, raw_len);
    if (!value)
        return 0;
    field->value = value;
    field->len = http_form_decode(value, raw, raw_len);
    value[field->len] = '\0';
    return count;
}

unsigned http_request_query(const struct http_request *request, const char *name, struct http_field *field)
{
    return find_field(request, request->query, strlen(request->query), name, field);
}

static bool has_form(const struct http_request *request)
{
    static const char form[] = "application/x-www-form-urlencoded";
    const char *type = http_request_header(request, "Content-Type", NULL);
    /* strchr also finds the NUL behind a type that stands alone. */
    return type && strncasecmp(type, form, sizeof form - 1) == 0 && strchr("; \t", type[sizeof form - 1]);
}

unsigned http_request_form(const struct http_request *request, const char *name, struct http_field *field)
{
    if (request->body.len == 0 || !has_form(request))
        return 0;
    return find_field(request, request->body.data, request->body.len, name, field);
}

const char *http_request_body(const struct http_request *request, size_t *len)
{
    *len = request->body.len;
    return request->body.len > 0 ? request->body.data : "";
}
