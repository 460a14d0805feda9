/*
 * What the files of the HTTP listener share; nobody else includes this. http_listener.c accepts, and drives
 * libmicrohttpd; http_socket.c is a socket's way through the HTTP phase; http_request.c takes requests in; http_reply.c
 * answers them.
 *
 * One epoll descriptor, the front, holds all that is not libmicrohttpd's: listening sockets, sockets whose first head
 * is awaited, sockets that linger, and libmicrohttpd's own epoll descriptor. The loop polls the front alone, so that a
 * socket of the HTTP phase needs no libuv handle and can be freed at once.
 */
#pragma once
#include "base/buf.h"
#include "base/log.h"
#include "base/wheel.h"
#include "net/http_head.h"
#include "net/http_listener.h"
#include <microhttpd.h>

/* Something in the front; the event's pointer leads here. */
struct http_watch {
    void (*on_ready)(struct http_watch *watch);
};

struct http_door {
    struct http_watch watch;
    struct http_listener *listener;
    int fd; /* listening; -1 once stopped */
};

struct http_listener {
    struct http_listener_options options;
    struct MHD_Daemon *daemon;
    int front_fd;
    int reserved_fd; /* given up for a moment to refuse a peer when no other descriptor is left; -1 while it could not
                        be had */
    uv_poll_t poll;
    uv_prepare_t prepare;
    uv_idle_t idle; /* active while libmicrohttpd is due: the loop must not block */
    uv_timer_t tick;
    unsigned open_handles;
    struct http_watch daemon_watch;
    struct wheel wheel;
    struct wheel_timer accept_pause;
    struct http_socket *sockets; /* all of them */
    struct http_socket *adding;  /* for whom MHD_add_connection is being called */
    size_t inside;               /* sockets in the HTTP phase: lingering and upgraded ones have left it */
    size_t lingering;
    size_t pending;          /* requests handed to on_request and not yet answered */
    bool is_due;             /* libmicrohttpd has work that its epoll descriptor may not show */
    unsigned fruitless_runs; /* of libmicrohttpd, since anything was seen to happen in it */
    bool is_stopped;
    void (*on_closed)(void *data); /* set: closing */
    void *closed_data;
    struct log_repeat accept_log, library_log;
    struct buf later_head;     /* a later head, put together again */
    char bytes[HTTP_HEAD_MAX]; /* what one recv(2) gave */
    size_t door_count;
    struct http_door doors[];
};

/*
 *   accepted         head is good                 libmicrohttpd has closed it
 *  ─────────> HEAD ─────────────────> SERVED ──────────────────────────────────────> freed
 *               │                       │  │ upgraded
 *               │ refused               │  └─────────> UPGRADED (libmicrohttpd lets go) ─> freed
 *               v              refused  │
 *            LINGER <───────────────────┘   drained until EOF, MAX_DRAIN bytes or LINGER_MS ──> freed
 */
enum http_socket_state { SOCKET_HEAD, SOCKET_SERVED, SOCKET_UPGRADED, SOCKET_LINGER };

struct http_socket {
    struct http_watch watch;
    struct http_listener *listener;
    struct http_socket *prev, *next;
    struct wheel_timer deadline;
    struct http_request *request; /* the one that libmicrohttpd is at */
    int fd;                       /* libmicrohttpd's to close while SERVED and UPGRADED */
    enum http_socket_state state;
    bool is_inside;  /* on_accept let it in: counted in listener->inside, and on_leave is owed */
    bool is_watched; /* in the front */
    bool is_refused; /* an error answer is out: linger, or the peer loses it */
    bool has_served; /* its first request has come: later heads are checked from what libmicrohttpd has parsed */
    size_t seen;     /* HEAD: bytes looked at. LINGER: bytes drained */
    socklen_t peer_len;
    struct sockaddr_storage peer;
};

enum http_phase {
    PHASE_HEAD,       /* libmicrohttpd reads the head */
    PHASE_BODY,       /* and now the body */
    PHASE_DELIVERING, /* on_request runs */
    PHASE_SUSPENDED,  /* it returned without an answer */
    PHASE_ANSWERED,
    PHASE_FAILED, /* no answer could be made: the connection is closed */
};

struct http_request {
    struct http_socket *socket;
    struct MHD_Connection *connection;
    enum http_phase phase;
    bool is_http_1_0;
    const char *method;     /* libmicrohttpd's */
    const char *raw_target; /* where libmicrohttpd has it; by now it may have been changed there */
    const char *query;      /* in `target` */
    size_t target_len;
    struct buf body;
    struct buf headers;       /* of the answer: name NUL value NUL, and so on */
    struct http_copy *copies; /* strings made for the callers, freed with the request */
    int upgrade_fd; /* our duplicate of the socket's descriptor, from the decision to upgrade until it is handed on */
    http_upgraded_cb on_upgraded;
    void *upgraded_data;
    char target[]; /* path and query as sent; the `?` is a NUL */
};

/* http_listener.c */
int http_listener_watch(struct http_listener *listener, int fd, struct http_watch *watch) MUST_CHECK;
void http_listener_start_tick(struct http_listener *listener);
/* libmicrohttpd has something new to do. */
void http_listener_wake(struct http_listener *listener);

/* http_socket.c */
/* Takes a socket that was just accepted, and the descriptor with it. */
void http_socket_open(struct http_listener *listener, int fd, const struct sockaddr_storage *peer, socklen_t peer_len);
/* Writes the error answer in one attempt: a peer that reads nothing gets no second one. */
void http_socket_write_refusal(int fd, enum reject reject);
/* Refuses what is being asked. A SERVED socket must then be closed by libmicrohttpd; a HEAD one lingers. */
void http_socket_refuse(struct http_socket *socket, enum reject reject);
/* The socket is no longer in the HTTP phase: counts it out, once. */
void http_socket_leave(struct http_socket *socket, bool upgraded);
/* Replaces the deadline. */
void http_socket_arm(struct http_socket *socket, uint64_t timeout_ms);
/* Ends it: frees a socket of ours, makes libmicrohttpd close one of its. */
void http_socket_end(struct http_socket *socket);
/* libmicrohttpd has taken a connection in, or is about to close its descriptor. */
void http_socket_notify(void *listener, struct MHD_Connection *connection, void **context,
                        enum MHD_ConnectionNotificationCode code);

/* http_request.c: libmicrohttpd's callbacks. */
void *http_request_begin(void *listener, const char *uri, struct MHD_Connection *connection);
enum MHD_Result http_request_access(void *listener, struct MHD_Connection *connection, const char *url,
                                    const char *method, const char *version, const char *upload, size_t *upload_len,
                                    void **context);
void http_request_completed(void *listener, struct MHD_Connection *connection, void **context,
                            enum MHD_RequestTerminationCode code);

/* http_reply.c */
/* Appends the one error shape as a line of JSON; `msg` NULL: the table's. 0 or a buf_append error. */
int http_reply_error_body(struct buf *out, enum reject reject, const char *msg) MUST_CHECK;
/* Seconds for Retry-After with this status, or NULL. */
const char *http_reply_retry_after(int status);
