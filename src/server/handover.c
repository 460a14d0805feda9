#include "server/handover.h"
#include "server/reactor.h"
#include <stdlib.h>
#include <string.h>

struct handed_socket {
    struct handed_socket *next;
    struct connection_request request;
    int fd;
    size_t early_len;
    char early[];
};

static struct handed_socket *take_inbox(struct handover *handover, bool and_close)
{
    pthread_mutex_lock(&handover->lock);
    struct handed_socket *inbox = handover->inbox;
    handover->inbox = NULL;
    handover->is_closed = handover->is_closed || and_close;
    pthread_mutex_unlock(&handover->lock);
    return inbox;
}

/* False if the reactor is ending. */
static bool put(struct handover *handover, struct handed_socket *socket)
{
    pthread_mutex_lock(&handover->lock);
    bool is_open = !handover->is_closed;
    if (is_open) {
        socket->next = handover->inbox;
        handover->inbox = socket;
        uv_async_send(&handover->wake);
    }
    pthread_mutex_unlock(&handover->lock);
    return is_open;
}

static void handle_wake(uv_async_t *async)
{
    struct reactor *reactor = CONTAINER_OF(async, struct reactor, handover.wake);
    struct handed_socket *socket = take_inbox(&reactor->handover, false), *next;
    for (; socket; socket = next) {
        next = socket->next;
        connection_open(reactor, socket->fd, socket->early, socket->early_len, &socket->request);
        free(socket);
    }
}

int handover_open(struct reactor *reactor)
{
    int error = pthread_mutex_init(&reactor->handover.lock, NULL);
    return error ? -error : uv_async_init(&reactor->loop, &reactor->handover.wake, handle_wake);
}

void handover_close(struct reactor *reactor)
{
    struct handed_socket *socket = take_inbox(&reactor->handover, true), *next;
    for (; socket; socket = next) {
        next = socket->next;
        connection_refuse_socket(reactor, socket->fd, &socket->request);
        free(socket);
    }
    uv_close((uv_handle_t *)&reactor->handover.wake, NULL);
}

/* Tokens are random: their first hex digits are as good as any hash. */
static struct reactor *home_of(struct reactor *reactor, const struct token *token)
{
    const struct server *server = reactor->server;
    char digits[9];
    memcpy(digits, token->text, 8);
    digits[8] = '\0';
    return &server->reactors[strtoul(digits, NULL, 16) % server->reactor_count];
}

void handover_connection(struct reactor *reactor, int fd, const void *early, size_t early_len,
                         const struct connection_request *request)
{
    struct reactor *home = request->reject ? reactor : home_of(reactor, &request->token);
    if (home == reactor) {
        connection_open(reactor, fd, early, early_len, request);
        return;
    }
    struct handed_socket *socket = malloc(sizeof *socket + early_len);
    if (socket) {
        *socket = (struct handed_socket){.request = *request, .fd = fd, .early_len = early_len};
        memcpy(socket->early, early, early_len);
    }
    if (!socket || !put(&home->handover, socket)) {
        connection_refuse_socket(reactor, fd, request);
        free(socket);
    }
}
