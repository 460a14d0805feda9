#include "base/config_table.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* HOST:PORT or [IPv6]:PORT */
static bool is_address(const char *item)
{
    const char *colon = strrchr(item, ':');
    if (!colon || colon == item || !isdigit((unsigned char)colon[1]))
        return false;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    bool has_bare_colon = *item != '[' && strchr(item, ':') != colon;
    return *end == '\0' && port <= 65535 && !has_bare_colon;
}

static bool is_web_url(const char *item)
{
    return strncmp(item, "http://", 7) == 0 || strncmp(item, "https://", 8) == 0;
}

/* What a browser sends in Origin: a URL that ends behind its host and port. */
static bool is_origin(const char *item)
{
    const char *host = strstr(item, "://");
    return strcmp(item, "null") == 0 || (host && host[3] && !strchr(host + 3, '/'));
}

static bool is_host_name(const char *item)
{
    return !strpbrk(item, "/ @");
}

static bool is_network(const char *item)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char binary[sizeof(struct in6_addr)];
    const char *slash = strchr(item, '/');
    size_t len = slash ? (size_t)(slash - item) : strlen(item);
    if (len >= sizeof address)
        return false;
    memcpy(address, item, len);
    address[len] = '\0';
    unsigned long bits = 0;
    if (slash) {
        char *end;
        bits = strtoul(slash + 1, &end, 10);
        if (!isdigit((unsigned char)slash[1]) || *end)
            return false;
    }
    return (inet_pton(AF_INET, address, binary) == 1 && bits <= 32) ||
           (inet_pton(AF_INET6, address, binary) == 1 && bits <= 128);
}

static bool is_bot_name(const char *item)
{
    return strlen(item) <= 32 && strspn(item, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(item);
}

static bool is_redis_url(const char *item)
{
    return strstr(item, "://") != NULL;
}

static bool is_pid(const char *item)
{
    return strspn(item, "0123456789") == strlen(item);
}

enum {
    DAEMONS = CONFIG_BANTERD | CONFIG_BOT,
    TOOLS = CONFIG_CLI | CONFIG_BENCH,
    K = 1024,
    M = 1024 * 1024,
    SECOND = 1000, /* of fields in milliseconds */
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
    HOUR_S = 3600, /* of fields in seconds */
    DAY_S = 24 * HOUR_S,
};

#define FIELD(member)       .offset = offsetof(struct config, member)
#define FROM_TO(low, high)  .min = (low), .max = (high)
#define FORM(check, sample) .fits = check, .form = sample

const struct option config_table[] = {
    {"listen", "HOST:PORT", "Where", "Address to serve; port 0 asks the kernel", "localhost:8000", FIELD(listen),
     .type = OPTION_LIST, FORM(is_address, "HOST:PORT, as in localhost:8000"), .programs = CONFIG_BANTERD},
    {"redis", "URL", "Where", "redis://[USER:PASSWORD@]HOST:PORT or unix:///PATH; also by --redis-file FILE", NULL,
     FIELD(redis), .type = OPTION_STRING, FORM(is_redis_url, "redis://HOST:PORT, unix:///PATH"), .is_secret = true,
     .shown = "banterd: its own", .programs = DAEMONS},
    {"state-dir", "DIR", "Where", "Files of the Redis that banterd starts", NULL, FIELD(state_dir),
     .type = OPTION_STRING, .shown = "~/.local/state/banter; root: /var/lib/banter", .programs = CONFIG_BANTERD},
    {"redis-fsync", "WHEN", "Where", "When that Redis writes to disk", "always", FIELD(redis_fsync),
     .type = OPTION_CHOICE, .choices = "always, everysec, no", .programs = CONFIG_BANTERD},
    {"ready-fd", "N", "Where", "Descriptor that gets a line when all is up", NULL, FIELD(ready_fd),
     .type = OPTION_INTEGER, .is_of_process = true, FROM_TO(0, 65535), .programs = DAEMONS},
    {"config", "FILE", "Where", "Lines of: name = value", NULL, FIELD(config_file), .type = OPTION_STRING,
     .is_of_process = true, .shown = CONFIG_DEFAULT_FILE, .programs = DAEMONS | TOOLS},

    {"bot", "NAME[:OPTIONS]", "Bots", "Bot to run here; may be repeated", NULL, FIELD(bot), .type = OPTION_ITEMS,
     .shown = "echo; banterd with --redis: none", .programs = DAEMONS},
    {"default-bot", "NAME", "Bots", "Bot of a session that names none", NULL, FIELD(default_bot), .type = OPTION_STRING,
     .shown = "the first --bot, else echo", FORM(is_bot_name, "up to 32 of a-z, 0-9 and -"),
     .programs = CONFIG_BANTERD},
    {"lease", "TIME", "Bots", "A worker silent so long loses its message", "15s", FIELD(lease_s),
     .type = OPTION_SECONDS, FROM_TO(1, HOUR_S), .programs = DAEMONS},
    {"concurrency", "N", "Bots", "Messages in work at once", "256", FIELD(concurrency), .type = OPTION_INTEGER,
     FROM_TO(1, 4096), .programs = DAEMONS},
    {"max-answer", "BYTES", "Bots", "Longer answers are cut", "128K", FIELD(max_answer), .type = OPTION_BYTES,
     FROM_TO(K, M), .programs = DAEMONS},
    {"max-queue", "N", "Bots", "Waiting messages of one bot", "100000", FIELD(max_queue), .type = OPTION_INTEGER,
     FROM_TO(1, 10000000), .programs = CONFIG_BANTERD},

    {"token-ttl", "TIME", "Sessions", "Life of a session, set anew by refresh", "1h", FIELD(token_ttl_s),
     .type = OPTION_SECONDS, FROM_TO(1, 365 * DAY_S), .programs = CONFIG_BANTERD},
    {"max-session-life", "TIME", "Sessions", "Its end whatever is refreshed; 0: none", "0", FIELD(max_session_life_s),
     .type = OPTION_SECONDS, FROM_TO(0, 3650 * DAY_S), .programs = CONFIG_BANTERD},
    {"history", "N", "Sessions", "Messages kept; 3 x --max-pending or more", "200", FIELD(history),
     .type = OPTION_INTEGER, FROM_TO(3, 100000), .programs = DAEMONS},
    {"max-pending", "N", "Sessions", "Unanswered messages", "32", FIELD(max_pending), .type = OPTION_INTEGER,
     FROM_TO(1, 1000), .programs = CONFIG_BANTERD},
    {"max-sockets", "N", "Sessions", "Connections on one server", "8", FIELD(max_sockets), .type = OPTION_INTEGER,
     FROM_TO(1, 1000), .programs = CONFIG_BANTERD},
    {"max-text", "BYTES", "Sessions", "One user message", "16K", FIELD(max_text), .type = OPTION_BYTES, FROM_TO(1, M),
     .programs = CONFIG_BANTERD},
    {"max-frame", "BYTES", "Sessions", "One WebSocket message", "1M", FIELD(max_frame), .type = OPTION_BYTES,
     FROM_TO(K, 16 * M), .programs = CONFIG_BANTERD},

    {"threads", "N", "Limits", "Reactors", NULL, FIELD(threads), .type = OPTION_INTEGER, FROM_TO(1, 64),
     .shown = "cores, at most 4", .programs = CONFIG_BANTERD},
    {"token-rate", "N", "Limits", "Tokens a minute and address; 0: no limit", "20", FIELD(token_rate),
     .type = OPTION_INTEGER, FROM_TO(0, 1000000), .programs = CONFIG_BANTERD},
    {"message-rate", "N", "Limits", "Messages a second and socket; 0: no limit", "10", FIELD(message_rate),
     .type = OPTION_INTEGER, FROM_TO(0, 1000000), .programs = CONFIG_BANTERD},
    {"message-burst", "N", "Limits", "As many at once", "20", FIELD(message_burst), .type = OPTION_INTEGER,
     FROM_TO(1, 1000000), .programs = CONFIG_BANTERD},
    {"max-connections", "N", "Limits", "Sockets; 0: from the descriptor limit", "0", FIELD(max_connections),
     .type = OPTION_INTEGER, FROM_TO(0, 10000000), .programs = CONFIG_BANTERD},
    {"max-per-address", "N", "Limits", "Sockets from one address", "1024", FIELD(max_per_address),
     .type = OPTION_INTEGER, FROM_TO(1, 10000000), .programs = CONFIG_BANTERD},
    {"drain-time", "TIME", "Limits", "How long SIGTERM takes its time", "25s", FIELD(drain_time_s),
     .type = OPTION_SECONDS, FROM_TO(0, HOUR_S), .programs = CONFIG_BANTERD},
    {"ping-interval", "TIME", "Limits", "Between pings", "25s", FIELD(ping_interval_ms), .type = OPTION_MILLISECONDS,
     FROM_TO(100, HOUR), .programs = CONFIG_BANTERD},
    {"pong-wait", "TIME", "Limits", "For a ping's answer", "10s", FIELD(pong_wait_ms), .type = OPTION_MILLISECONDS,
     FROM_TO(100, 10 * MINUTE), .programs = CONFIG_BANTERD},
    {"handshake-timeout", "TIME", "Limits", "For a request's head", "5s", FIELD(handshake_timeout_ms),
     .type = OPTION_MILLISECONDS, FROM_TO(100, MINUTE), .programs = CONFIG_BANTERD},
    {"redis-timeout", "TIME", "Limits", "For one Redis command", "2s", FIELD(redis_timeout_ms),
     .type = OPTION_MILLISECONDS, FROM_TO(100, MINUTE), .programs = DAEMONS},

    {"origin", "LIST", "Web", "Origins allowed beside our own", NULL, FIELD(origin), .type = OPTION_LIST,
     FORM(is_origin, "SCHEME://HOST[:PORT], as in https://example.org"), .shown = "localhost",
     .programs = CONFIG_BANTERD},
    {"host", "LIST", "Web", "Names we answer to", NULL, FIELD(host), .type = OPTION_LIST,
     FORM(is_host_name, "a name, as in chat.example.org"), .shown = "any; on loopback its names",
     .programs = CONFIG_BANTERD},
    {"public-url", "URL", "Web", "What we are called outside", NULL, FIELD(public_url), .type = OPTION_STRING,
     FORM(is_web_url, "http://HOST, https://HOST"), .programs = CONFIG_BANTERD},
    {"trusted-proxy", "CIDR", "Web", "Whose Forwarded headers count; a list", NULL, FIELD(trusted_proxy),
     .type = OPTION_LIST, FORM(is_network, "ADDRESS or ADDRESS/BITS, as in 10.0.0.0/8"), .programs = CONFIG_BANTERD},

    {"url", "URL", "Server", "The server to talk to", "http://localhost:8000", FIELD(url), .type = OPTION_STRING,
     FORM(is_web_url, "http://HOST:PORT"), .programs = TOOLS},
    {"name", "NAME", "Server", "Your name in a new session", "guest", FIELD(name), .type = OPTION_STRING,
     .programs = CONFIG_CLI},
    {"token", "TOKEN", "Server",
     "A session that exists; better by BANTER_TOKEN or --token-file FILE, since others see your command line", NULL,
     FIELD(token), .type = OPTION_STRING, .is_secret = true, .shown = "a new one", .programs = CONFIG_CLI},
    {"timeout", "TIME", "Server", "For the server and for an answer", "30s", FIELD(timeout_ms),
     .type = OPTION_MILLISECONDS, FROM_TO(100, HOUR), .programs = TOOLS},

    {"mode", "WHAT", "Load", "What the clients do", "chat", FIELD(bench.mode), .type = OPTION_CHOICE,
     .choices = "chat, token, handshake, idle", .programs = CONFIG_BENCH},
    {"clients", "N", "Load", "Clients at once", "50", FIELD(bench.clients), .type = OPTION_INTEGER, FROM_TO(1, 1000000),
     .programs = CONFIG_BENCH},
    {"rate", "N", "Load", "Messages a second in all; 0: each waits for its answer", "0", FIELD(bench.rate),
     .type = OPTION_INTEGER, FROM_TO(0, 10000000), .programs = CONFIG_BENCH},
    {"message", "TEXT", "Load", "What they say", "hello", FIELD(bench.message), .type = OPTION_STRING,
     .programs = CONFIG_BENCH},
    {"warmup", "TIME", "Load", "Before counting", "1s", FIELD(bench.warmup_ms), .type = OPTION_MILLISECONDS,
     FROM_TO(0, HOUR), .programs = CONFIG_BENCH},
    {"duration", "TIME", "Load", "Counting", "10s", FIELD(bench.duration_ms), .type = OPTION_MILLISECONDS,
     FROM_TO(100, 24 * HOUR), .programs = CONFIG_BENCH},
    {"pid", "LIST", "Load", "Processes whose CPU time and memory are told", NULL, FIELD(bench.pid), .type = OPTION_LIST,
     FORM(is_pid, "process ids"), .programs = CONFIG_BENCH},

    {"json", NULL, "Output", "Write JSON", NULL, FIELD(json), .type = OPTION_FLAG, .programs = TOOLS},
    {"log-level", "LEVEL", "Output", "What is logged on stderr", "info", FIELD(log_level), .type = OPTION_CHOICE,
     .choices = "error, warning, info, debug", .programs = DAEMONS},
    {"log-format", "FORMAT", "Output", "auto: pretty on a terminal", "auto", FIELD(log_format), .type = OPTION_CHOICE,
     .choices = "auto, pretty, logfmt", .programs = DAEMONS},
};

const size_t config_table_count = COUNT_OF(config_table);
