#include "check.h"
#include "client/server_url.h"

static struct server_url url;

static void check_parts(const char *text, const char *host, const char *port, const char *path)
{
    CHECK(server_url_parse(&url, text) == NULL);
    CHECK_STR(url.host, host);
    CHECK_STR(url.port, port);
    CHECK_STR(url.path, path);
}

static void test_parts(void)
{
    check_parts("http://localhost:8000", "localhost", "8000", "");
    check_parts("localhost:8000", "localhost", "8000", "");
    check_parts("ws://example.org/", "example.org", "80", "");
    check_parts("HTTP://example.org:1/bots/", "example.org", "1", "/bots");
    check_parts("http://[::1]:8000/a/b", "::1", "8000", "/a/b");
    CHECK_STR(url.authority, "[::1]:8000");
    check_parts("[::1]", "::1", "80", "");
}

static void test_mistakes(void)
{
    static const char *const wrong[] = {
        "",
        "http://",
        "http://:8000",
        "http://host:0",
        "http://host:65536",
        "http://host:80x",
        "http://host:",
        "http://[::1",
        "http://[::1]8000",
        "http://user@host",
        "http://host/?q",
        "http://host\r\nX: y",
        "http://h st",
        "https://host",
        "wss://host",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK(server_url_parse(&url, wrong[i]) != NULL);
    char longer[400];
    memset(longer, 'a', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    CHECK(server_url_parse(&url, longer) != NULL);
}

static void test_resolve(void)
{
    union server_address addresses[SERVER_URL_ADDRESSES_MAX];
    const char *why = NULL;
    CHECK(server_url_parse(&url, "http://127.0.0.1:8000") == NULL);
    CHECK(server_url_resolve(&url, addresses, &why) == 1);
    CHECK(addresses[0].v4.sin_family == AF_INET);
    CHECK(addresses[0].v4.sin_port == htons(8000));
    CHECK(server_url_parse(&url, "http://[::1]:8000") == NULL);
    CHECK(server_url_resolve(&url, addresses, &why) == 1);
    CHECK(addresses[0].any.sa_family == AF_INET6);
}

int main(void)
{
    test_parts();
    test_mistakes();
    test_resolve();
    return 0;
}
