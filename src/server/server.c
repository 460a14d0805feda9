#include "server/server.h"
#include "base/log.h"
#include "bot/worker.h"
#include "protocol/json.h"
#include "server/banner.h"
#include "server/bot_thread.h"
#include "server/embedded_redis.h"
#include "server/listen.h"
#include "server/reactor.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    EXIT_USAGE = 2,
    RESERVED_DESCRIPTORS = 64, /* for Redis, listeners, logs and loops */
    REPORT_EVERY_S = 30,
};

enum phase { PHASE_SERVING, PHASE_BOTS_END, PHASE_OVER };

/* All that main owns. */
struct process {
    struct server server;
    uv_loop_t loop;
    uv_signal_t on_term, on_int;
    uint64_t started_ns;
    struct listen_set listen;
    struct embedded_redis redis;
    struct bot_thread bots;
    bool has_bots;
    bool is_announced;
    int stops; /* SIGTERM and SIGINT: the first drains, the second ends at once */
    enum phase phase;
};

/* ---- what reactors tell main ---- */

void server_fail(struct server *server, const char *why)
{
    if (!atomic_exchange(&server->has_failed, true))
        log_error("banterd cannot serve with this Redis", "why=\"%s\"", why);
    uv_async_send(&server->wake_main);
}

void server_reactor_is_ready(struct server *server)
{
    atomic_fetch_add(&server->reactors_ready, 1);
    uv_async_send(&server->wake_main);
}

void server_reactor_has_ended(struct server *server)
{
    atomic_fetch_add(&server->reactors_ended, 1);
    uv_async_send(&server->wake_main);
}

/* What to do about it, by what is in the way. */
static const char *advice(const struct server *server, const char *why)
{
    static const struct {
        const char *sign, *fix;
    } cases[] = {
        {"password", "give the right user and password in --redis, or in a file: --redis-file"},
        {"NOPERM", "give the user the rights in docs/redis.acl"},
        {"No permissions", "give the user the rights in docs/redis.acl"},
        {"more connections", "raise maxclients of Redis"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (strstr(why, cases[i].sign))
            return cases[i].fix;
    return server->redis_is_embedded ? "it is started again by itself; redis.log in the state directory says more"
                                     : "start Redis, or drop --redis: banterd then starts a private one";
}

void server_report_redis(struct server *server, const char *why)
{
    char where[300];
    uint64_t now = uv_hrtime(), last = atomic_load(&server->redis_reported_ns);
    bool is_early = last && now - last < REPORT_EVERY_S * 1000000000ull;
    if (is_early || !atomic_compare_exchange_strong(&server->redis_reported_ns, &last, now))
        return;
    redis_address_print(&server->redis, where, sizeof where);
    log_error("cannot use Redis; not ready, trying again", "redis=%s why=\"%s\" fix=\"%s\"", where, why,
              advice(server, why));
}

uint64_t server_connections(const struct server *server)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < server->metrics_count; i++)
        sum += metrics_get(server->metrics[i], METRIC_CONNECTIONS) +
               metrics_get(server->metrics[i], METRIC_HTTP_CONNECTIONS);
    return sum;
}

/* ---- the start ---- */

/* Debian's soft limit is 1,024. Returns how many descriptors we may have. */
static uint64_t raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return 1024;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

static uint64_t limit_connections(const struct config *config)
{
    uint64_t descriptors = raise_descriptor_limit();
    uint64_t reserved = RESERVED_DESCRIPTORS + 16 * (uint64_t)config->threads;
    uint64_t most = descriptors > reserved + 16 ? descriptors - reserved : 16;
    uint64_t wanted = (uint64_t)config->max_connections;
    if (wanted > most)
        log_warning("fewer connections than asked for: the descriptor limit is lower",
                    "max-connections=%" PRIu64 " allowed=%" PRIu64, wanted, most);
    return wanted && wanted < most ? wanted : most;
}

/* A --bot begins with its name: NAME[:options] or NAME=TYPE[:options]. */
static size_t name_len(const char *spec)
{
    return strcspn(spec, "=:");
}

/* A first --bot's name; what it means is checked where the bots start. */
static const char *choose_default_bot(const struct config *config)
{
    static char name[BOT_NAME_MAX + 1];
    if (config->default_bot)
        return config->default_bot;
    const char *spec = config->bot.count ? config->bot.item[0] : "echo";
    snprintf(name, sizeof name, "%.*s", (int)name_len(spec), spec);
    return name;
}

static void name_node(struct server *server)
{
    char host[16] = "";
    uint32_t random = 0;
    gethostname(host, sizeof host - 1);
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint32_t)uv_hrtime();
    snprintf(server->node_id, sizeof server->node_id, "%.10s-%d-%06x", host, (int)getpid(), random & 0xFFFFFF);
}

static int find_redis(struct process *process, struct config *config, char *error, size_t size)
{
    struct server *server = &process->server;
    if (config->redis)
        return redis_address_parse(&server->redis, config->redis, error, size);
    server->redis_is_embedded = true;
    int code =
        embedded_redis_start(&process->redis, &process->loop, config->state_dir, config->redis_fsync, error, size);
    if (code)
        return code;
    /* Not by way of a URL: the path is the user's, and a `?` or `%` in it is a character. */
    server->redis = (struct redis_address){.is_unix = true};
    snprintf(server->redis.host, sizeof server->redis.host, "%s", process->redis.socket);
    return 0;
}

static bool runs_bot(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->bot.count; i++) {
        const char *spec = config->bot.item[i];
        if (strlen(name) == name_len(spec) && memcmp(spec, name, name_len(spec)) == 0)
            return true;
    }
    return false;
}

static int start_bots(struct process *process, struct config *config, char *error, size_t size)
{
    static const char *echo = "echo";
    if (config->bot.count == 0 && process->server.redis_is_embedded)
        config->bot = (struct config_list){.item = &echo, .count = 1};
    process->has_bots = config->bot.count > 0;
    if (!process->has_bots)
        return 0;
    process->server.metrics[process->server.metrics_count++] = &process->bots.metrics;
    return bot_thread_start(&process->bots, config, &process->server.redis, &process->server.wake_main, error, size);
}

static int start_reactors(struct process *process)
{
    struct server *server = &process->server;
    int error = 0;
    server->reactors = calloc(server->reactor_count, sizeof *server->reactors);
    if (!server->reactors)
        return -ENOMEM;
    for (size_t i = 0; i < server->reactor_count; i++)
        server->metrics[server->metrics_count++] = &server->reactors[i].metrics;
    for (size_t i = 0; i < server->reactor_count && !error; i++)
        error = reactor_open(&server->reactors[i], server, (int)i, process->listen.fds[i], process->listen.count);
    for (size_t i = 0; i < server->reactor_count && !error; i++)
        error = reactor_start(&server->reactors[i]);
    return error;
}

/* Everything is up: all listeners, Redis, functions and subscriptions of each reactor. */
static void announce_ready(struct process *process)
{
    process->is_announced = true;
    banner_ready(&process->server, &process->listen, (int64_t)(uv_hrtime() - process->started_ns) / 1000000);
}

/* ---- the end ---- */

static void stop(struct process *process)
{
    process->stops++;
    if (process->phase == PHASE_BOTS_END)
        bot_thread_stop(&process->bots);
    for (size_t i = 0; i < process->server.reactor_count && process->phase == PHASE_SERVING; i++)
        reactor_stop(&process->server.reactors[i]);
}

/* The first SIGTERM or SIGINT drains, the second ends at once. */
static void handle_signal(uv_signal_t *signal, int number)
{
    struct process *process = signal->loop->data;
    log_info(process->stops ? "ending at once" : "draining", "signal=%s connections=%" PRIu64, strsignal(number),
             server_connections(&process->server));
    stop(process);
}

/* The bots end after the reactors: until then they have answered what was accepted. */
static void end_bots(struct process *process)
{
    for (size_t i = 0; i < process->server.reactor_count; i++)
        reactor_join(&process->server.reactors[i]);
    process->phase = PHASE_BOTS_END;
    if (!process->has_bots)
        return;
    bot_thread_stop(&process->bots);
    if (process->stops > 1)
        bot_thread_stop(&process->bots); /* nobody waits for what they have in work: it goes back to the queue */
}

static void end_rest(struct process *process)
{
    process->phase = PHASE_OVER;
    if (process->has_bots)
        bot_thread_join(&process->bots);
    if (process->server.redis_is_embedded)
        embedded_redis_stop(&process->redis);
    uv_close((uv_handle_t *)&process->on_term, NULL);
    uv_close((uv_handle_t *)&process->on_int, NULL);
    uv_close((uv_handle_t *)&process->server.wake_main, NULL);
}

static void handle_wake(uv_async_t *async)
{
    struct process *process = async->loop->data;
    struct server *server = &process->server;
    if (!process->is_announced && atomic_load(&server->reactors_ready) == server->reactor_count)
        announce_ready(process);
    if (atomic_load(&server->has_failed) && process->stops == 0) {
        stop(process);
        stop(process);
    }
    if (process->phase == PHASE_SERVING && atomic_load(&server->reactors_ended) == server->reactor_count)
        end_bots(process);
    if (process->phase == PHASE_BOTS_END && (!process->has_bots || atomic_load(&process->bots.has_ended)))
        end_rest(process);
}

/* ---- the life ---- */

static int fail(const char *error, int status)
{
    fprintf(stderr, "banterd: %s\n", error);
    return status;
}

static int watch_signals(struct process *process)
{
    process->loop.data = process;
    signal(SIGPIPE, SIG_IGN);
    int error = uv_async_init(&process->loop, &process->server.wake_main, handle_wake);
    if (!error)
        error = uv_signal_init(&process->loop, &process->on_term);
    if (!error)
        error = uv_signal_init(&process->loop, &process->on_int);
    if (!error)
        error = uv_signal_start(&process->on_term, handle_signal, SIGTERM);
    return error ? error : uv_signal_start(&process->on_int, handle_signal, SIGINT);
}

static int check_bots(const struct config *config)
{
    int mistakes = 0;
    for (size_t i = 0; i < config->bot.count; i++) {
        char name[BOT_NAME_MAX + 1], error[256];
        if (!worker_bot_spec_check(config->bot.item[i], name, error, sizeof error))
            mistakes += fail(error, 1);
    }
    return mistakes;
}

static int start(struct process *process, struct config *config)
{
    struct server *server = &process->server;
    char error[512];
    server->max_connections = limit_connections(config);
    server->addresses = rate_table_new(config->token_rate, config->max_per_address);
    if (!server->addresses)
        return fail("out of memory", 1);
    name_node(server);
    if (listen_open(&process->listen, &config->listen, process->server.reactor_count, error, sizeof error))
        return fail(error, 1);
    server->listens_on_loopback_only = process->listen.is_loopback_only;
    int code = find_redis(process, config, error, sizeof error);
    if (code)
        return fail(error, config->redis ? EXIT_USAGE : 1);
    if (start_bots(process, config, error, sizeof error))
        return fail(error, 1);
    server->default_bot = choose_default_bot(config);
    if (process->has_bots && !runs_bot(config, server->default_bot))
        log_warning("the default bot does not run here; its messages wait for a banter-bot", "bot=%s",
                    server->default_bot);
    code = start_reactors(process);
    return code ? fail(uv_strerror(code), 1) : 0;
}

int server_run(struct config *config)
{
    static struct process process;
    process.started_ns = uv_hrtime();
    process.server.config = config;
    process.server.reactor_count = (size_t)config->threads;
    json_init();
    if (check_bots(config))
        return EXIT_USAGE;
    if (uv_loop_init(&process.loop) || watch_signals(&process))
        return fail("cannot make an event loop", 1);
    int status = start(&process, config);
    if (status)
        return status; /* the embedded Redis, if any, ends with us */
    banner_addresses(config, &process.listen);
    uv_run(&process.loop, UV_RUN_DEFAULT);
    rate_table_free(process.server.addresses);
    free(process.server.reactors);
    return atomic_load(&process.server.has_failed) ? 1 : 0;
}
