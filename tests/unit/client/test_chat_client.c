/* The client against a server on the same loop: a listener whose answers are canned, and our own WebSocket behind it.
 */
#include "check.h"
#include "client/chat_client.h"
#include "protocol/ws_handshake.h"
#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#define TOKEN "01b4a705-18b4-4300-91dc-357703cc2460"

enum { PEERS_MAX = 4, LONGEST_MESSAGE = 1024 * 1024 };

struct peer {
    uv_poll_t poll;
    int fd;
    struct ws_stream stream;
};

struct server {
    uv_poll_t listener;
    int fd;
    char url[64];
    const char *token_answer;   /* "": never answers */
    const char *upgrade_answer; /* %s: the accept key */
    bool closes_after_token;
    const char *says_at_once; /* in the same bytes as the 101, as a frame; or NULL */
    bool closes_at_once;      /* with 1008 */
    struct ws_pool *pool;
    struct peer peer[PEERS_MAX];
    unsigned peers;
    unsigned streams; /* open ones */
};

static uv_loop_t loop;
static struct wheel wheel;
static struct server server;

static const char ok_token[] = "HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n{\"token\":\"" TOKEN "\"}";
static const char ok_upgrade[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                 "Sec-WebSocket-Accept: %s\r\n\r\n";

/* --- The server -------------------------------------------------------------------------------------------------- */

static void echo(struct ws_stream *stream, const char *text, size_t len)
{
    CHECK(ws_stream_send_text(stream, text, len) == 0);
}

static void note_stream_closed(struct ws_stream *stream)
{
    (void)stream;
    server.streams--;
}

static const struct ws_callbacks server_callbacks = {.on_text = echo, .on_closed = note_stream_closed};

static void say(struct peer *peer, const char *text)
{
    CHECK(send(peer->fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

static void end_peer(struct peer *peer, bool keeps_fd)
{
    uv_close((uv_handle_t *)&peer->poll, NULL);
    if (!keeps_fd)
        close(peer->fd);
}

static void answer_upgrade(struct peer *peer, const char *request)
{
    char key[REQUESTS_KEY_SIZE] = "", accept[WS_ACCEPT_SIZE], answer[512];
    const char *header = strstr(request, "Sec-WebSocket-Key: ");
    CHECK(header && sscanf(header, "Sec-WebSocket-Key: %24s", key) == 1);
    CHECK(strstr(request, "Authorization: Bearer " TOKEN));
    ws_handshake_accept(accept, key);
    int len = snprintf(answer, sizeof answer, server.upgrade_answer, accept);
    if (server.says_at_once)
        snprintf(answer + len, sizeof answer - (size_t)len, "\x81%c%s", (int)strlen(server.says_at_once),
                 server.says_at_once);
    say(peer, answer);
    if (!strstr(answer, " 101 "))
        return;
    end_peer(peer, true);
    CHECK(ws_stream_open(&peer->stream, server.pool, peer->fd, NULL, 0, false) == 0);
    server.streams++;
    if (server.closes_at_once)
        ws_stream_close(&peer->stream, 1008, "no such session");
}

static void handle_request(uv_poll_t *poll, int status, int events)
{
    struct peer *peer = CONTAINER_OF(poll, struct peer, poll);
    char request[2048];
    (void)status;
    (void)events;
    ssize_t n = recv(peer->fd, request, sizeof request - 1, 0);
    if (n <= 0) {
        end_peer(peer, false);
        return;
    }
    request[n] = '\0';
    if (strncmp(request, "GET ", 4) == 0) {
        answer_upgrade(peer, request);
        return;
    }
    CHECK(strncmp(request, "POST /token?name=Ann ", 21) == 0);
    say(peer, server.token_answer);
    if (server.closes_after_token)
        end_peer(peer, false);
}

static void handle_accept(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
    struct peer *peer = &server.peer[server.peers++];
    CHECK(server.peers <= PEERS_MAX);
    peer->fd = accept4(server.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(peer->fd >= 0);
    CHECK(uv_poll_init(&loop, &peer->poll, peer->fd) == 0);
    CHECK(uv_poll_start(&peer->poll, UV_READABLE, handle_request) == 0);
}

static void server_open(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const struct ws_pool_options options = {
        .loop = &loop,
        .wheel = &wheel,
        .callbacks = &server_callbacks,
        .max_message = LONGEST_MESSAGE,
        .max_output = LONGEST_MESSAGE,
    };
    server = (struct server){.token_answer = ok_token, .upgrade_answer = ok_upgrade};
    server.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(bind(server.fd, (struct sockaddr *)&address, size) == 0 && listen(server.fd, 16) == 0);
    CHECK(getsockname(server.fd, (struct sockaddr *)&address, &size) == 0);
    snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    CHECK(ws_pool_new(&server.pool, &options) == 0);
    CHECK(uv_poll_init(&loop, &server.listener, server.fd) == 0);
    CHECK(uv_poll_start(&server.listener, UV_READABLE, handle_accept) == 0);
}

static void server_close(void)
{
    if (server.fd < 0)
        return;
    uv_close((uv_handle_t *)&server.listener, NULL);
    close(server.fd);
    server.fd = -1;
}

/* --- The client -------------------------------------------------------------------------------------------------- */

static struct {
    struct chat_client client;
    struct chat_client_pool *pool;
    struct server_url url;
    const char *question; /* sent on open */
    bool says_goodbye;    /* on the first text */
    unsigned tokens, opens, texts, ends;
    char text[128];
    struct chat_client_end end;
    char end_text[200];
} seen;

static void handle_token(struct chat_client *client, const struct token *token, const char *body, size_t len)
{
    (void)client;
    seen.tokens++;
    CHECK_STR(token->text, TOKEN);
    CHECK(len == 48 && body[0] == '{');
}

static void handle_open(struct chat_client *client)
{
    seen.opens++;
    CHECK_STR(client->token.text, TOKEN);
    if (seen.question)
        CHECK(chat_client_send(client, seen.question, strlen(seen.question)) == 0);
}

static void handle_text(struct chat_client *client, const char *text, size_t len)
{
    seen.texts++;
    snprintf(seen.text, sizeof seen.text, "%.*s", (int)len, text);
    if (seen.says_goodbye)
        chat_client_close(client);
}

static void handle_closed(struct chat_client *client, const struct chat_client_end *end)
{
    seen.ends++;
    seen.end = *end;
    snprintf(seen.end_text, sizeof seen.end_text, "%s", end->text);
    CHECK(chat_client_send(client, "x", 1) == -ENOTCONN);
    chat_client_close(client); /* harmless */
    chat_client_pool_free(seen.pool);
    server_close();
}

static const struct chat_client_callbacks callbacks = {
    .on_token = handle_token,
    .on_open = handle_open,
    .on_text = handle_text,
    .on_closed = handle_closed,
};

static void setup(void)
{
    CHECK(uv_loop_init(&loop) == 0);
    wheel_init(&wheel, uv_now(&loop));
    server_open();
    memset(&seen, 0, sizeof seen);
}

/* One conversation, to the end of everything on the loop. */
static void run_on(const char *url, const struct token *token)
{
    const struct chat_client_pool_options options = {
        .loop = &loop, .url = &seen.url, .callbacks = &callbacks, .timeout_ms = 300};
    const char *why;
    CHECK(server_url_parse(&seen.url, url) == NULL);
    CHECK(chat_client_pool_new(&seen.pool, &options, &why) == 0);
    CHECK(chat_client_open(&seen.client, seen.pool, "Ann", token) == 0);
    CHECK(seen.ends == 0);
    bool is_over = false;
    while (!is_over) {
        bool is_alive = uv_run(&loop, UV_RUN_ONCE) != 0;
        is_over = seen.ends > 0 && server.streams == 0;
        CHECK(is_alive || is_over);
    }
    ws_pool_free(server.pool);
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
    CHECK(seen.ends == 1);
}

static void run(void)
{
    run_on(server.url, NULL);
}

static void check_talk(void)
{
    CHECK(seen.opens == 1);
    CHECK(seen.texts == 1);
    CHECK_STR(seen.text, "hello");
    CHECK(seen.end.code == 1000);
    CHECK(seen.end.is_answered);
    CHECK(seen.end.error == 0);
}

static void check_failed(int error, const char *sentence)
{
    CHECK(seen.opens == 0);
    CHECK(seen.end.code == 0);
    CHECK(seen.end.error == error);
    CHECK(strstr(seen.end_text, sentence));
}

/* --- The tests --------------------------------------------------------------------------------------------------- */

static void test_talk(void)
{
    setup();
    seen.question = "hello";
    seen.says_goodbye = true;
    run();
    check_talk();
    CHECK(seen.tokens == 1);
    CHECK(server.peers == 1); /* token and upgrade on one connection */
}

static void test_token_given(void)
{
    const struct token token = {TOKEN};
    setup();
    seen.question = "hello";
    seen.says_goodbye = true;
    run_on(server.url, &token);
    check_talk();
    CHECK(seen.tokens == 0);
}

static void test_longest_message(void)
{
    char *question = malloc(LONGEST_MESSAGE + 1);
    CHECK(question);
    memset(question, 'a', LONGEST_MESSAGE);
    question[LONGEST_MESSAGE] = '\0';
    setup();
    seen.question = question;
    seen.says_goodbye = true;
    run();
    CHECK(seen.texts == 1 && seen.text[0] == 'a');
    CHECK(seen.end.code == 1000);
    free(question);
}

static void test_server_that_closes_after_each_response(void)
{
    setup();
    server.token_answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 48\r\n\r\n{\"token\":\"" TOKEN "\"}";
    server.closes_after_token = true;
    seen.question = "hello";
    seen.says_goodbye = true;
    run();
    check_talk();
    CHECK(server.peers == 2);
}

static void test_text_behind_the_101(void)
{
    setup();
    server.says_at_once = "hello";
    seen.says_goodbye = true;
    run();
    check_talk();
}

static void test_1008_after_the_101(void)
{
    setup();
    server.closes_at_once = true;
    run();
    CHECK(seen.opens == 1);
    CHECK(seen.end.code == 1008);
    CHECK_STR(seen.end_text, "no such session");
}

static void test_refusals(void)
{
    setup();
    server.token_answer = "HTTP/1.1 429 X\r\nContent-Length: 23\r\n\r\n{\"code\":\"rate_limited\"}";
    run();
    check_failed(-EACCES, "Too many requests from this address; wait and try again (429 rate_limited)");
    setup();
    server.token_answer = "HTTP/1.1 400 X\r\nContent-Length: 21\r\n\r\n{\"code\":\"from_later\"}";
    run();
    check_failed(-EACCES, "(400 from_later)");
    setup();
    server.upgrade_answer = "HTTP/1.1 503 X%.0s\r\nContent-Length: 22\r\n\r\n{\"code\":\"unavailable\"}";
    run();
    check_failed(-EACCES, "(503 unavailable)");
}

static void test_other_servers(void)
{
    setup();
    server.token_answer = "HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nno";
    run();
    check_failed(-EPROTO, "no Banter server: it answered 404 to POST /token");
    setup();
    server.token_answer = "HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"token\":\"xyz\"";
    run();
    check_failed(-EPROTO, "200");
    setup();
    server.token_answer = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
    run();
    check_failed(-EPROTO, "no answer");
    setup();
    server.upgrade_answer = "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: %.3s\r\n\r\n";
    run();
    check_failed(-EPROTO, "101");
}

static void test_nobody_there(void)
{
    setup();
    server_close(); /* nobody else gets the port so soon */
    run();
    check_failed(-ECONNREFUSED, "Connection refused");
}

static void test_silence(void)
{
    setup();
    server.token_answer = "";
    run();
    check_failed(-ETIMEDOUT, "within 300 ms");
}

int main(void)
{
    test_talk();
    test_token_given();
    test_longest_message();
    test_server_that_closes_after_each_response();
    test_text_behind_the_101();
    test_1008_after_the_101();
    test_refusals();
    test_other_servers();
    test_nobody_there();
    test_silence();
    return 0;
}
