#include "addresses.h"
#include "base/compiler.h"
#include "server/listen.h"
#include <errno.h>
#include <unistd.h>

enum { THREADS = 3 };

static struct listen_set set;
static char error[512];

static int open_one(const char *address)
{
    const char *items[] = {address};
    struct config_list addresses = {.item = items, .count = 1};
    error[0] = '\0';
    return listen_open(&set, &addresses, THREADS, error, sizeof error);
}

static void close_set(void)
{
    for (size_t i = 0; i < set.count; i++)
        for (size_t thread = 0; thread < THREADS; thread++)
            CHECK(close(set.fds[thread][i]) == 0);
    set.count = 0;
}

static unsigned port_at(size_t address)
{
    return (unsigned)strtoul(strrchr(set.url[address], ':') + 1, NULL, 10);
}

/* A listening socket of somebody else; `*port` 0 is set to the port it got. -1 where the address is not to be had. */
static int listen_elsewhere(const char *text, unsigned *port)
{
    struct sockaddr_storage address = address_of(text, (uint16_t)*port);
    socklen_t len = address.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, 1)) {
        close(fd);
        return -1;
    }
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *port = ntohs(((struct sockaddr_in *)(void *)&address)->sin_port); /* at the same place in IPv6 */
    return fd;
}

static bool has_ipv6(void)
{
    unsigned port = 0;
    int fd = listen_elsewhere("::1", &port);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void check_connects(const char *text, unsigned port)
{
    struct sockaddr_storage address = address_of(text, (uint16_t)port);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    close(fd);
}

static void test_localhost_is_both_loopbacks_on_one_port(void)
{
    CHECK(open_one("localhost:0") == 0);
    CHECK(set.count == (has_ipv6() ? 2 : 1));
    CHECK(set.is_loopback_only);
    CHECK(strncmp(set.url[0], "http://127.0.0.1:", 17) == 0 && port_at(0) > 0);
    check_connects("127.0.0.1", port_at(0));
    if (set.count == 2) {
        CHECK(strncmp(set.url[1], "http://[::1]:", 13) == 0 && port_at(1) == port_at(0));
        check_connects("::1", port_at(1));
    }
    close_set();
}

/* Each reactor has a socket of its own, on the same port, and that does not block. */
static void test_a_socket_for_each_reactor(void)
{
    CHECK(open_one("127.0.0.1:0") == 0 && set.count == 1);
    for (size_t thread = 0; thread < THREADS; thread++) {
        struct sockaddr_in address;
        socklen_t len = sizeof address;
        CHECK(getsockname(set.fds[thread][0], (struct sockaddr *)&address, &len) == 0);
        CHECK(ntohs(address.sin_port) == port_at(0));
        CHECK(accept(set.fds[thread][0], NULL, NULL) == -1 && errno == EAGAIN);
        CHECK(thread == 0 || set.fds[thread][0] != set.fds[thread - 1][0]);
    }
    close_set();
}

static void test_several_addresses(void)
{
    const char *items[] = {"127.0.0.1:0", "127.0.0.2:0"};
    struct config_list addresses = {.item = items, .count = COUNT_OF(items)};
    CHECK(listen_open(&set, &addresses, THREADS, error, sizeof error) == 0);
    CHECK(set.count == 2 && set.is_loopback_only);
    check_connects("127.0.0.1", port_at(0));
    check_connects("127.0.0.2", port_at(1));
    close_set();
}

static void test_all_addresses_are_not_only_loopback(void)
{
    static const char *const names[] = {"0.0.0.0:0", "*:0", ":0"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        CHECK(open_one(names[i]) == 0);
        CHECK(!set.is_loopback_only);
        check_connects("127.0.0.1", port_at(0));
        close_set();
    }
}

static void check_is_taken(const char *host, unsigned port)
{
    char address[64];
    snprintf(address, sizeof address, "%s:%u", host, port);
    CHECK(open_one(address) == -EADDRINUSE);
    CHECK(strstr(error, address) && strstr(error, "another program listens there") && strstr(error, "--listen "));
    close_set();
}

/* Also where the other one would share its port, as a second banterd would. */
static void test_port_in_use(void)
{
    unsigned port = 0, port6 = 0;
    int fd = listen_elsewhere("127.0.0.1", &port), fd6 = listen_elsewhere("::1", &port6);
    CHECK(fd >= 0);
    check_is_taken("127.0.0.1", port);
    check_is_taken("localhost", port);
    if (fd6 >= 0)
        check_is_taken("localhost", port6);
    close(fd);
    close(fd6);
    CHECK(open_one("127.0.0.1:0") == 0);
    struct listen_set first = set;
    check_is_taken("127.0.0.1", port_at(0));
    set = first;
    close_set();
}

static void test_malformed(void)
{
    static char long_name[400];
    memset(long_name, 'a', sizeof long_name - 1);
    memcpy(long_name + sizeof long_name - 3, ":0", 2);
    const char *const others[] = {"",
                                  "8000",
                                  "localhost",
                                  "localhost:",
                                  "localhost:x",
                                  "localhost:-1",
                                  "localhost: 1",
                                  "localhost:65536",
                                  "localhost:000001",
                                  "::1:0",
                                  "[::1]",
                                  "[::1:0",
                                  "::1]:0",
                                  "a:b:1",
                                  long_name};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        CHECK(open_one(others[i]) == -EINVAL);
        CHECK(strstr(error, "expected HOST:PORT, such as localhost:8000") && set.count == 0);
    }
}

/* 192.0.2.0/24 is for documentation and nobody's. */
static void test_address_of_another_machine(void)
{
    CHECK(open_one("192.0.2.1:0") == -EADDRNOTAVAIL);
    CHECK(strstr(error, "192.0.2.1:0") && strstr(error, "no such address"));
}

static void test_too_many_addresses(void)
{
    const char *items[LISTEN_MAX + 1];
    struct config_list addresses = {.item = items, .count = COUNT_OF(items)};
    for (size_t i = 0; i < COUNT_OF(items); i++)
        items[i] = "127.0.0.1:0";
    CHECK(listen_open(&set, &addresses, THREADS, error, sizeof error) == -E2BIG && set.count == LISTEN_MAX);
    close_set();
}

static void promise_inherited(const char *count)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    CHECK(setenv("LISTEN_PID", pid, 1) == 0 && setenv("LISTEN_FDS", count, 1) == 0);
}

static void test_inherited_sockets_come_first(void)
{
    unsigned port = 0;
    int fd = listen_elsewhere("127.0.0.1", &port);
    CHECK(fd >= 0 && dup2(fd, 3) == 3);
    promise_inherited("1");
    CHECK(open_one("127.0.0.1:0") == 0);
    CHECK(set.count == 1 && port_at(0) == port && !getenv("LISTEN_FDS"));
    CHECK(accept(set.fds[THREADS - 1][0], NULL, NULL) == -1 && errno == EAGAIN);
    close_set();
    if (fd != 3)
        close(fd);
    promise_inherited("1");
    int deaf = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(deaf >= 0 && dup2(deaf, 3) == 3);
    CHECK(open_one("127.0.0.1:0") == -EINVAL && strstr(error, "LISTEN_FDS") && !getenv("LISTEN_FDS"));
}

static void test_sockets_for_another_process_are_not_ours(void)
{
    CHECK(setenv("LISTEN_PID", "1", 1) == 0 && setenv("LISTEN_FDS", "1", 1) == 0);
    CHECK(open_one("127.0.0.1:0") == 0 && set.count == 1);
    close_set();
}

int main(void)
{
    test_localhost_is_both_loopbacks_on_one_port();
    test_a_socket_for_each_reactor();
    test_several_addresses();
    test_all_addresses_are_not_only_loopback();
    test_port_in_use();
    test_malformed();
    test_address_of_another_machine();
    test_too_many_addresses();
    test_inherited_sockets_come_first();
    test_sockets_for_another_process_are_not_ours();
    return 0;
}
