#include "base/config.h"
#include "capture.h"

static struct capture capture;
static struct config config;

/* Reads the flags alone: no environment, an empty file. */
static enum config_result read_config(enum config_program program, int argc, const char *const *argv)
{
    clearenv();
    setenv("BANTER_CONFIG", "/dev/null", 1);
    setenv("HOME", "/home/ann", 1);
    config_done(&config);
    return config_read(&config, program, "Usage: a program\n", argc, (char **)argv);
}

#define READ(program, ...)                                                                                             \
    read_config(program, COUNT_OF(((const char *const[]){"program", __VA_ARGS__})),                                    \
                (const char *const[]){"program", __VA_ARGS__, NULL})

/* Reads, and checks what is told on stderr. */
#define CHECK_TOLD(program, expected, ...)                                                                             \
    do {                                                                                                               \
        capture_begin(&capture, STDERR_FILENO);                                                                        \
        enum config_result result_ = READ(program, __VA_ARGS__);                                                       \
        CHECK_STR(capture_end(&capture), expected);                                                                    \
        CHECK(result_ == (*(expected) ? CONFIG_WRONG : CONFIG_OK));                                                    \
    } while (0)

static void test_defaults(void)
{
    CHECK(READ(CONFIG_BANTERD, "--") == CONFIG_OK);
    CHECK(config.listen.count == 1);
    CHECK_STR(config.listen.item[0], "localhost:8000");
    CHECK(!config.redis && !config.default_bot && !config.public_url && config.origin.count == 0);
    CHECK(config.ready_fd == -1 && config.lease_s == 15 && config.concurrency == 256);
    CHECK_STR(config.redis_fsync, "always");
    CHECK(config.token_ttl_s == 3600 && config.max_session_life_s == 0 && config.history == 200);
    CHECK(config.max_pending == 32 && config.max_sockets == 8 && config.max_queue == 100000);
    CHECK(config.max_text == 16384 && config.max_frame == 1048576 && config.max_answer == 131072);
    CHECK(config.threads >= 1 && config.threads <= 4);
    CHECK(config.token_rate == 20 && config.message_rate == 10 && config.message_burst == 20);
    CHECK(config.max_connections == 0 && config.max_per_address == 1024 && config.drain_time_s == 25);
    CHECK(config.ping_interval_ms == 25000 && config.pong_wait_ms == 10000);
    CHECK(config.handshake_timeout_ms == 5000 && config.redis_timeout_ms == 2000);
    CHECK_STR(config.log_level, "info");
    CHECK_STR(config.log_format, "auto");
    CHECK(config.word_count == 0);
}

static void test_the_bot_that_runs_when_none_is_named(void)
{
    CHECK(READ(CONFIG_BANTERD, "--") == CONFIG_OK && config.bot.count == 1);
    CHECK_STR(config.bot.item[0], "echo");
    CHECK(READ(CONFIG_BANTERD, "--redis=redis://h") == CONFIG_OK && config.bot.count == 0);
    CHECK(READ(CONFIG_BANTERD, "--redis=redis://h", "--bot=llm") == CONFIG_OK && config.bot.count == 1);
    CHECK(READ(CONFIG_BOT, "--redis=redis://h") == CONFIG_OK && config.bot.count == 1);
    CHECK_STR(config.bot.item[0], "echo");
}

static void test_tools(void)
{
    CHECK(READ(CONFIG_CLI, "send", "hi", "--json", "--token=t", "--timeout=500ms") == CONFIG_OK);
    CHECK_STR(config.url, "http://localhost:8000");
    CHECK_STR(config.name, "guest");
    CHECK_STR(config.token, "t");
    CHECK(config.json && config.timeout_ms == 500 && config.word_count == 2);
    CHECK(READ(CONFIG_BENCH, "--mode=idle", "--pid=1,2", "--rate", "1000", "--warmup=0") == CONFIG_OK);
    CHECK_STR(config.bench.mode, "idle");
    CHECK_STR(config.bench.message, "hello");
    CHECK(config.bench.pid.count == 2 && config.bench.rate == 1000 && config.bench.clients == 50);
    CHECK(config.bench.warmup_ms == 0 && config.bench.duration_ms == 10000);
}

static void test_pairs(void)
{
    CHECK_TOLD(CONFIG_BANTERD, "banterd: --history: 200 is too small beside --max-pending; at least: 300\n",
               "--max-pending=100");
    CHECK_TOLD(CONFIG_BANTERD, "", "--max-pending=100", "--history=300");
    CHECK_TOLD(CONFIG_BANTERD, "banterd: --max-frame: 1K is too small beside --max-text; at least: 16K\n",
               "--max-frame=1K");
    CHECK_TOLD(CONFIG_BOT, "", "--history=3"); /* a worker does not know --max-pending */
    CHECK_TOLD(CONFIG_BANTERD, "banterd: --max-pending: \"5000\" is out of range; allowed: 1..1000\n",
               "--max-pending=5000", "--history=3"); /* one mistake is told once */
    CHECK_TOLD(CONFIG_BANTERD, "banterd: --history: \"abc\" is not a whole number; allowed: 3..100000\n",
               "--max-pending=100", "--history=abc");
    CHECK_TOLD(CONFIG_BANTERD, "banterd: --message-burst: \"0\" is out of range; allowed: 1..1000000\n",
               "--message-burst=0");
}

static void test_all_mistakes_at_once(void)
{
    clearenv();
    setenv("BANTER_CONFIG", "/does/not/exist", 1);
    setenv("BANTER_THREADS", "900", 1);
    config_done(&config);
    const char *argv[] = {"banterd", "--listen=8000", "--redis-fsync=never", "--max-pending=100", NULL};
    capture_begin(&capture, STDERR_FILENO);
    enum config_result result = config_read(&config, CONFIG_BANTERD, "", 4, (char **)argv);
    CHECK_STR(capture_end(&capture),
              "banterd: --listen: \"8000\" is not right; allowed: HOST:PORT, as in localhost:8000\n"
              "banterd: --redis-fsync: \"never\" is unknown; allowed: always, everysec, no\n"
              "banterd: BANTER_THREADS: \"900\" is out of range; allowed: 1..64\n"
              "banterd: /does/not/exist: cannot be read: No such file or directory\n"
              "banterd: --history: 200 is too small beside --max-pending; at least: 300\n");
    CHECK(result == CONFIG_WRONG && !config.listen.item && !config.words && !config.state_dir);
}

static void check_state_dir(const char *state_home, const char *expected)
{
    const char *argv[] = {"banterd", NULL};
    clearenv();
    setenv("BANTER_CONFIG", "/dev/null", 1);
    setenv("HOME", "/home/ann", 1);
    if (state_home)
        setenv("XDG_STATE_HOME", state_home, 1);
    config_done(&config);
    CHECK(config_read(&config, CONFIG_BANTERD, "", 1, (char **)argv) == CONFIG_OK);
    CHECK_STR(config.state_dir, expected);
}

static void test_state_dir(void)
{
    const char *usual = geteuid() == 0 ? "/var/lib/banter" : "/home/ann/.local/state/banter";
    check_state_dir("/home/ann/state", "/home/ann/state/banter");
    check_state_dir("relative", usual);
    check_state_dir(NULL, usual);
    CHECK(READ(CONFIG_BANTERD, "--state-dir=/srv/banter") == CONFIG_OK);
    CHECK_STR(config.state_dir, "/srv/banter");
}

static void test_help_and_version(void)
{
    capture_begin(&capture, STDOUT_FILENO);
    enum config_result result = READ(CONFIG_BANTERD, "--help");
    const char *text = capture_end(&capture);
    CHECK(result == CONFIG_DONE);
    CHECK(strstr(text, "Usage: a program\n\nOptions") == text);
    int lines = 0;
    for (const char *at = text; *at; at++)
        lines += *at == '\n';
    CHECK(lines < 80);
    capture_begin(&capture, STDOUT_FILENO);
    result = READ(CONFIG_BENCH, "--version");
    CHECK_STR(capture_end(&capture), "banter-bench " BANTER_VERSION "\n");
    CHECK(result == CONFIG_DONE);
}

/* The settings in force, written as a file, are read as the same settings; a secret stays out. */
static void test_written_settings_can_be_read(void)
{
    char path[] = "/tmp/banter-test-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    CHECK(READ(CONFIG_BANTERD, "--redis=redis://u:hidden@h", "--max-text=2K", "--host=a,b", "--bot=echo",
               "--bot=llm:a,b", "--ping-interval=1500ms", "--ready-fd=3") == CONFIG_OK);
    FILE *file = fdopen(fd, "w");
    CHECK(file);
    config_write_file(file, &config, CONFIG_BANTERD);
    CHECK(fclose(file) == 0);
    CHECK(READ(CONFIG_BANTERD, "--config", path) == CONFIG_OK);
    CHECK(!config.redis && config.ready_fd == -1);
    CHECK(config.max_text == 2048 && config.host.count == 2 && config.ping_interval_ms == 1500);
    CHECK(config.bot.count == 2);
    CHECK_STR(config.bot.item[1], "llm:a,b");
    CHECK(remove(path) == 0);
}

int main(void)
{
    test_defaults();
    test_the_bot_that_runs_when_none_is_named();
    test_tools();
    test_pairs();
    test_all_mistakes_at_once();
    test_state_dir();
    test_help_and_version();
    test_written_settings_can_be_read();
    config_done(&config);
    return 0;
}
