#include "base/option_reader.h"
#include "capture.h"
#include <stddef.h>

static const struct option table[] = {
    {"redis", "URL", .type = OPTION_STRING, .is_secret = true, .offset = offsetof(struct config, redis),
     .programs = CONFIG_BANTERD},
    {"config", "FILE", .type = OPTION_STRING, .is_of_process = true, .offset = offsetof(struct config, config_file),
     .programs = CONFIG_BANTERD},
    {"host", "LIST", .initial = "default.example", .type = OPTION_LIST, .offset = offsetof(struct config, host),
     .programs = CONFIG_BANTERD},
    {"bot", "NAME", .type = OPTION_ITEMS, .offset = offsetof(struct config, bot), .programs = CONFIG_BANTERD},
    {"history", "N", .initial = "200", .type = OPTION_INTEGER, .min = 3, .max = 1000,
     .offset = offsetof(struct config, history), .programs = CONFIG_BANTERD},
    {"max-text", "BYTES", .initial = "16K", .type = OPTION_BYTES, .min = 1, .max = 65536,
     .offset = offsetof(struct config, max_text), .programs = CONFIG_BANTERD},
    {"json", .type = OPTION_FLAG, .offset = offsetof(struct config, json), .programs = CONFIG_BANTERD},
    {"clients", "N", .initial = "7", .type = OPTION_INTEGER, .min = 1, .max = 9,
     .offset = offsetof(struct config, bench.clients), .programs = CONFIG_BENCH},
};

static char directory[] = "/tmp/banter-test-XXXXXX";
static struct capture capture;
static struct option_reader reader;
static struct config config;

static void reset(void)
{
    for (size_t i = 0; i < COUNT_OF(table); i++)
        option_clear(&table[i], &config);
    free(config.words);
    config = (struct config){0};
    option_reader_init(&reader, table, COUNT_OF(table), CONFIG_BANTERD, &config);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Each reads one layer and returns what was told on stderr. */
static const char *read_flags(int argc, const char *const *argv)
{
    free(config.words);
    config.words = NULL;
    config.word_count = 0;
    capture_begin(&capture, STDERR_FILENO);
    option_reader_read_flags(&reader, argc, (char **)argv);
    return capture_end(&capture);
}

static const char *read_environment(const char *const *environment)
{
    capture_begin(&capture, STDERR_FILENO);
    option_reader_read_environment(&reader, (char **)environment);
    return capture_end(&capture);
}

static const char *read_text(const char *text)
{
    write_file("conf", text);
    CHECK(chdir(directory) == 0);
    capture_begin(&capture, STDERR_FILENO);
    option_reader_read_file(&reader, "conf");
    return capture_end(&capture);
}

#define FLAGS(...)                                                                                                     \
    read_flags(COUNT_OF(((const char *const[]){"banterd", __VA_ARGS__})),                                              \
               (const char *const[]){"banterd", __VA_ARGS__, NULL})
#define ENVIRONMENT(...) read_environment((const char *const[]){__VA_ARGS__, NULL})

static void test_defaults_of_all_programs(void)
{
    reset();
    CHECK(config.history == 200 && config.max_text == 16384 && config.host.count == 1 && config.bench.clients == 7);
    CHECK(!config.redis && reader.mistakes == 0);
}

static void test_flags(void)
{
    reset();
    CHECK_STR(FLAGS("send", "--history", "5", "--max-text=1K", "--json", "-", "--host=a,b", "--host", "c",
                    "--history=6", "--redis", "unix:///x", "--bot", "x:a=1,b=2", "--", "--history", "-x"),
              "");
    CHECK(config.history == 6 && config.max_text == 1024 && config.json && reader.mistakes == 0);
    CHECK(config.host.count == 3);
    CHECK_STR(config.host.item[2], "c");
    CHECK_STR(config.redis, "unix:///x");
    CHECK(config.bot.count == 1);
    CHECK(config.word_count == 4);
    CHECK_STR(config.words[0], "send");
    CHECK_STR(config.words[1], "-");
    CHECK_STR(config.words[2], "--history");
    CHECK_STR(config.words[3], "-x");
    reset();
    CHECK_STR(FLAGS("--json=off", "-h", "--version"), "");
    CHECK(!config.json && reader.wants_help && reader.wants_version);
}

static void test_mistakes_in_flags(void)
{
    reset();
    CHECK_STR(FLAGS("--histori", "5"), "banterd: --histori: unknown option; did you mean --history?\n");
    CHECK_STR(FLAGS("--port=80"), "banterd: --port: unknown option; --help lists them\n");
    CHECK_STR(FLAGS("--clients=5"), "banterd: --clients: unknown option; --help lists them\n");
    CHECK_STR(FLAGS("--json-file=x"), "banterd: --json-file: unknown option; --help lists them\n");
    CHECK_STR(FLAGS("-x"), "banterd: -x: unknown option; --help lists them\n");
    CHECK_STR(FLAGS("--history"), "banterd: --history: its value is missing: --history N\n");
    CHECK_STR(FLAGS("--redis-file"), "banterd: --redis-file: its value is missing: --redis-file FILE\n");
    CHECK_STR(FLAGS("--history", "--json"), "banterd: --history: its value is missing: --history N\n");
    CHECK_STR(FLAGS("--history="), "banterd: --history: \"\" is not a whole number; allowed: 3..1000\n");
    CHECK_STR(FLAGS("--history=2"), "banterd: --history: \"2\" is out of range; allowed: 3..1000\n");
    CHECK_STR(FLAGS("--json=perhaps"), "banterd: --json: \"perhaps\" is neither yes nor no; allowed: yes, no\n");
    CHECK_STR(FLAGS("--redis="), "banterd: --redis: the value is empty\n");
    CHECK_STR(FLAGS("--max-text=1\n\033[1m"),
              "banterd: --max-text: \"1??[1m\" is not a size; allowed: 1..64K\n"); /* stays on its line */
    CHECK_STR(FLAGS("--a\nb"), "banterd: --a?b: unknown option; --help lists them\n");
    CHECK(reader.mistakes == 14);
    CHECK(reader.is_wrong[4] && reader.is_wrong[5] && !reader.is_wrong[2]);
}

static void test_environment(void)
{
    reset();
    CHECK_STR(ENVIRONMENT("HOME=/", "BANTER=1", "BANTER_MAX_TEXT=2K", "BANTER_JSON=on", "BANTER_HOST=a,b",
                          "BANTER_BOT=echo\nllm:a,b\n", "BANTER_HISTORY=", "BANTER_CLIENTS=many"),
              "");
    CHECK(config.max_text == 2048 && config.json && config.host.count == 2 && config.bot.count == 2);
    CHECK(config.history == 200 && config.bench.clients == 7);
}

static void test_mistakes_in_the_environment(void)
{
    reset();
    CHECK_STR(ENVIRONMENT("BANTER_HISTROY=5"),
              "banterd: BANTER_HISTROY: unknown option; did you mean BANTER_HISTORY?\n");
    CHECK_STR(ENVIRONMENT("BANTER_SPEED=5"), "banterd: BANTER_SPEED: unknown option; --help lists them\n");
    CHECK_STR(ENVIRONMENT("BANTER_MAX_TEXT=1G"), "banterd: BANTER_MAX_TEXT: \"1G\" is not a size; allowed: 1..64K\n");
    CHECK_STR(ENVIRONMENT("BANTER_REDIS_FILE=/does/not/exist"),
              "banterd: BANTER_REDIS_FILE: \"/does/not/exist\" cannot be read: No such file or directory\n");
    CHECK(reader.mistakes == 4);
}

/* A service called banter must not stop the pods beside it. */
static void test_variables_of_kubernetes(void)
{
    reset();
    CHECK_STR(ENVIRONMENT("BANTER_SERVICE_HOST=10.0.0.1", "BANTER_SERVICE_PORT=8000", "BANTER_SERVICE_PORT_HTTP=8000",
                          "BANTER_PORT=tcp://10.0.0.1:8000", "BANTER_PORT_8000_TCP=tcp://10.0.0.1:8000",
                          "BANTER_PORT_8000_TCP_PROTO=tcp", "BANTER_REDIS_PORT=tcp://10.0.0.2:6379"),
              "");
    CHECK_STR(ENVIRONMENT("BANTER_PORT=80"), "banterd: BANTER_PORT: unknown option; --help lists them\n");
}

static void test_secrets_from_files(void)
{
    char variable[256];
    write_file("secret", "redis://u:hidden@h:1\n");
    snprintf(variable, sizeof variable, "BANTER_REDIS_FILE=%s", path_of("secret"));
    reset();
    CHECK_STR(ENVIRONMENT(variable), "");
    CHECK_STR(config.redis, "redis://u:hidden@h:1");
    CHECK_STR(ENVIRONMENT("BANTER_REDIS=x"), "banterd: BANTER_REDIS: set twice\n");
    reset();
    CHECK_STR(FLAGS("--redis-file", path_of("secret")), "");
    CHECK_STR(config.redis, "redis://u:hidden@h:1");
    write_file("secret", "\n");
    CHECK_STR(FLAGS("--redis-file", path_of("secret")), "banterd: --redis-file: the value is empty\n");
    CHECK(chdir(directory) == 0);
    write_file("secret", "");
    CHECK_STR(FLAGS("--redis-file", "secret"), "banterd: --redis-file: \"secret\" cannot be read: No data available\n");
    char huge[5000];
    memset(huge, 'h', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    write_file("secret", huge);
    CHECK_STR(FLAGS("--redis-file", "secret"), "banterd: --redis-file: \"secret\" cannot be read: Message too long\n");
    CHECK(remove("secret") == 0);
}

static void test_file(void)
{
    reset();
    CHECK_STR(read_text("# comment\n"
                        "; another\n"
                        "\n"
                        "[sessions]\n"
                        "history = 50 ; of a session\n"
                        "  max-text=2K\r\n"
                        "json = yes\n"
                        "host = a\n"
                        "host = b, c\n"
                        "bot = llm:a,b\n"
                        "clients = 5\n"
                        "redis = redis://u:p#w=x@h:1"),
              "");
    CHECK(config.history == 50 && config.max_text == 2048 && config.json && config.host.count == 3);
    CHECK(config.bot.count == 1 && config.bench.clients == 7);
    CHECK_STR(config.redis, "redis://u:p#w=x@h:1");
}

static void test_mistakes_in_a_file_are_all_told(void)
{
    char text[1024];
    reset();
    snprintf(text, sizeof text,
             "histori = 5\n"
             "history = 5000\n"
             "\n"
             "max-text\n"
             "max-text = 1K\n"
             "max-text = 2K\n"
             "config = other\n"
             "[unclosed\n"
             "redis-file = /does/not/exist\n"
             "host = %0300d\n"
             "json = 2\n",
             0);
    CHECK_STR(read_text(text),
              "banterd: conf:1: histori: unknown option; did you mean history?\n"
              "banterd: conf:2: history: \"5000\" is out of range; allowed: 3..1000\n"
              "banterd: conf:4: not a line of the form: name = value\n"
              "banterd: conf:6: max-text: set twice\n"
              "banterd: conf:7: config: cannot stand in a file\n"
              "banterd: conf:8: not a line of the form: name = value\n"
              "banterd: conf:9: redis-file: \"/does/not/exist\" cannot be read: No such file or directory\n"
              "banterd: conf:10: the line is longer than 197 bytes; use a flag or the environment for this one\n"
              "banterd: conf:11: json: \"2\" is neither yes nor no; allowed: yes, no\n");
    CHECK(reader.mistakes == 9);
}

static void test_a_file_that_cannot_be_read(void)
{
    reset();
    capture_begin(&capture, STDERR_FILENO);
    option_reader_read_file(&reader, "/does/not/exist");
    option_reader_read_file(&reader, "/");
    CHECK_STR(capture_end(&capture), "banterd: /does/not/exist: cannot be read: No such file or directory\n"
                                     "banterd: /: cannot be read: Is a directory\n");
}

/* Flag over environment over file over default, in whatever order they are read; what is not used is checked as well.
 */
static void test_layers(void)
{
    reset();
    CHECK_STR(read_text("history = 10\nmax-text = 10\nhost = file\n"), "");
    CHECK_STR(FLAGS("--history=30", "--host=flag", "--host=flag2"), "");
    CHECK_STR(ENVIRONMENT("BANTER_HISTORY=20", "BANTER_MAX_TEXT=20", "BANTER_HOST=environment"), "");
    CHECK(config.history == 30 && config.max_text == 20 && config.host.count == 2);
    CHECK_STR(config.host.item[0], "flag");
    CHECK(reader.layer[4] == OPTION_FROM_FLAG && reader.layer[5] == OPTION_FROM_ENVIRONMENT);
    CHECK_STR(read_text("history = 1\n"), "banterd: conf:1: history: \"1\" is out of range; allowed: 3..1000\n");
    CHECK(config.history == 30);
}

int main(void)
{
    CHECK(mkdtemp(directory));
    test_defaults_of_all_programs();
    test_flags();
    test_mistakes_in_flags();
    test_environment();
    test_mistakes_in_the_environment();
    test_variables_of_kubernetes();
    test_secrets_from_files();
    test_file();
    test_mistakes_in_a_file_are_all_told();
    test_a_file_that_cannot_be_read();
    test_layers();
    reset();
    CHECK(remove(path_of("conf")) == 0 && rmdir(directory) == 0);
    return 0;
}
