/* A link against things that are not Redis: a listening socket of the test that says what it is told to. */
#include "link_fixture.h"
#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONVERSATIONS_MAX = 4 };

static struct {
    uv_poll_t poll;
    char dir[64], path[96], url[112];
    int fd;
    const char *text; /* said to whoever connects */
    bool hangs_up;
    int conversation[CONVERSATIONS_MAX];
    int conversations;
} server;

static void handle_visitor(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)events;
    CHECK(status == 0);
    int fd = accept4(server.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(fd >= 0);
    ssize_t sent = send(fd, server.text, strlen(server.text), MSG_NOSIGNAL);
    CHECK(sent == (ssize_t)strlen(server.text) || (sent < 0 && errno == EPIPE));
    if (server.hangs_up || sent < 0) { /* below 0: an earlier link's last try, long given up */
        close(fd);
        return;
    }
    CHECK(server.conversations < CONVERSATIONS_MAX);
    server.conversation[server.conversations++] = fd;
}

static void server_start(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(server.dir, sizeof server.dir, "/tmp/banter-garbage-XXXXXX");
    CHECK(mkdtemp(server.dir));
    snprintf(server.path, sizeof server.path, "%s/sock", server.dir);
    snprintf(server.url, sizeof server.url, "unix://%s", server.path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server.path);
    server.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(server.fd >= 0);
    CHECK(bind(server.fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(server.fd, 8) == 0);
}

static void server_end(void)
{
    close(server.fd);
    unlink(server.path);
    rmdir(server.dir);
}

static void server_join(uv_loop_t *loop, const char *text, bool hangs_up)
{
    server.text = text;
    server.hangs_up = hangs_up;
    CHECK(uv_poll_init(loop, &server.poll, server.fd) == 0);
    CHECK(uv_poll_start(&server.poll, UV_READABLE, handle_visitor) == 0);
}

static void server_leave(void)
{
    uv_close((uv_handle_t *)&server.poll, NULL);
    while (server.conversations > 0)
        close(server.conversation[--server.conversations]);
}

static void begin(struct fixture *f, const char *text, bool hangs_up)
{
    fixture_init(f, server.url);
    f->options.connect_timeout_ms = f->options.command_timeout_ms = 100;
    server_join(&f->loop, text, hangs_up);
}

static void end(struct fixture *f)
{
    server_leave();
    fixture_done(f);
}

static void check_lost(const char *text, bool hangs_up, const char *why)
{
    struct fixture f;
    begin(&f, text, hangs_up);
    fixture_open(&f);
    run_until(&f, &f.lost, 1);
    if (!strstr(f.why, why))
        CHECK_STR(f.why, why);
    end(&f);
}

static void test_before_connected(void)
{
    check_lost("HTTP/1.1 400 Bad Request\r\n\r\n", false, "what Redis sent cannot be read: Protocol error, got \"H\"");
    check_lost("$9999999999999\r\n", false, "no connection to Redis within 100 ms");
    check_lost("*2000000000\r\n", false, "what Redis sent cannot be read");
    check_lost("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", false, "what Redis sent cannot be read");
    check_lost("", true, "");
    check_lost("+PO", true, "");
    check_lost("*1\r\n$4\r\nPING\r\n", false, "is not Redis");
    check_lost("-ERR max number of clients reached\r\n", true, "Redis takes no more connections");
    check_lost("+PONG\r\n+PONG\r\n", false, "an answer to no command");
}

static void ping_when_connected(void *data)
{
    struct fixture *f = data;
    handle_connected(data);
    CHECK(send_words(f, handle_answer, "PING", NULL) == 0);
    CHECK(send_words(f, handle_answer, "PING", NULL) == 0);
}

/* Connected, then the rest of `text` is all that comes: both commands are answered once, the last one with `status`. */
static void check_lost_after(const char *text, bool hangs_up, int status)
{
    struct fixture f;
    begin(&f, text, hangs_up);
    f.options.on_connected = ping_when_connected;
    fixture_open(&f);
    run_until(&f, &f.lost, 1);
    CHECK(f.connected == 1 && f.answers == 2 && f.last_status == status);
    end(&f);
}

static void test_after_connected(void)
{
    check_lost_after("+PONG\r\n", true, -ECONNRESET);
    check_lost_after("+PONG\r\n$10\r\nhalf", true, -ECONNRESET);
    check_lost_after("+PONG\r\n+OK\r\n*2\r\n:1\r\n", true, -ECONNRESET);
    check_lost_after("+PONG\r\n+OK\r\n!\r\n", false, -ECONNRESET);
    check_lost_after("+PONG\r\n$10\r\nhalf", false, -ETIMEDOUT);
    check_lost_after("+PONG\r\n*3\r\n:1\r\n", false, -ETIMEDOUT);
}

static void ignore_push(void *data, const struct redis_value *value)
{
    (void)data;
    (void)value;
}

/* One that sends without end: what it can make us hold is capped. */
static void test_endless(void)
{
    enum { CHUNK = 64 << 10 };
    static char chunk[CHUNK];
    struct fixture f;
    memset(chunk, 'x', CHUNK);
    begin(&f, "+PONG\r\n$9999999999999\r\n", false);
    f.options.on_push = ignore_push; /* without the deadline of commands */
    fixture_open(&f);
    run_until(&f, &f.connected, 1);
    size_t sent = 0;
    while (f.lost == 0) {
        ssize_t count = send(server.conversation[0], chunk, CHUNK, MSG_NOSIGNAL);
        if (count > 0)
            sent += (size_t)count;
        CHECK(sent < (size_t)80 << 20);
        uv_run(&f.loop, UV_RUN_NOWAIT);
    }
    CHECK(sent > (size_t)60 << 20);
    CHECK(strstr(f.why, "does not fit into memory"));
    end(&f);
}

int main(void)
{
    server_start();
    test_before_connected();
    test_after_connected();
    test_endless();
    server_end();
    return 0;
}
