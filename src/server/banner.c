#include "server/banner.h"
#include "base/log.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_ready(const struct config *config, const char *line)
{
    if (config->ready_fd < 0)
        return;
    if (dprintf((int)config->ready_fd, "%s\n", line) < 0)
        log_warning("nobody reads --ready-fd", NULL);
}

void banner_addresses(const struct config *config, const struct listen_set *listen)
{
    for (size_t i = 0; i < listen->count; i++) {
        write_ready(config, listen->url[i]);
        log_debug("listening", "url=%s", listen->url[i]);
    }
}

static void print_banner(const struct server *server, const struct listen_set *listen, int64_t ms)
{
    const char *url = listen->url[0];
    char name[80], redis[300], bots[160] = "";
    if (server->redis_is_embedded)
        snprintf(redis, sizeof redis, "private; redis-cli -s '%s'", server->redis.host);
    else
        redis_address_print(&server->redis, redis, sizeof redis);
    /* Both loopback addresses are one name to people. */
    bool is_localhost = listen->count > 1 && strncmp(url, "http://127.0.0.1:", 17) == 0;
    snprintf(name, sizeof name, "http://localhost%s", is_localhost ? url + 16 : "");
    if (!is_localhost)
        snprintf(name, sizeof name, "%s", url);
    for (size_t i = 0, at = 0; i < server->config->bot.count && at < sizeof bots; i++)
        at += (size_t)snprintf(bots + at, sizeof bots - at, "%s%s", i ? ", " : "", server->config->bot.item[i]);
    printf("banterd %s  ready in %" PRId64 " ms   %s\n"
           "├─ Page      %s/\n"
           "├─ Metrics   %s/metrics\n"
           "├─ Redis     %s\n"
           "├─ Bots      %s\n"
           "├─ Sockets   at most %" PRIu64 "\n"
           "└─ Try       curl -X POST '%s/token?name=Ann'\n",
           BANTER_VERSION, ms, name, name, name, redis, *bots ? bots : "none here; start banter-bot",
           server->max_connections, name);
    fflush(stdout);
}

void banner_ready(const struct server *server, const struct listen_set *listen, int64_t ms)
{
    write_ready(server->config, "ready");
    if (isatty(STDOUT_FILENO))
        print_banner(server, listen, ms);
    else
        log_info("ready", "url=%s ms=%" PRId64 " version=%s max_connections=%" PRIu64, listen->url[0], ms,
                 BANTER_VERSION, server->max_connections);
}
