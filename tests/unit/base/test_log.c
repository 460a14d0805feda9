#include "base/log.h"
#include "capture.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>

static struct capture capture;

static void check_matches(const char *text, const char *pattern)
{
    regex_t regex;
    CHECK(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) == 0);
    if (regexec(&regex, text, 0, NULL, 0) != 0) {
        fprintf(stderr, "got \"%s\", expected /%s/\n", text, pattern);
        exit(1);
    }
    regfree(&regex);
}

static void test_logfmt(void)
{
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_AUTO); /* captured: no terminal */
    capture_begin(&capture, STDERR_FILENO);
    errno = EPIPE;
    log_info("redis ready", "version=%s commands=%d", "7.0.15", 3);
    CHECK(errno == EPIPE);
    check_matches(capture_end(&capture),
                  "^time=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z "
                  "level=info thread=main event=\"redis ready\" version=7\\.0\\.15 commands=3\n$");
}

static void test_pretty(void)
{
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_PRETTY);
    capture_begin(&capture, STDERR_FILENO);
    log_warning("redis away", NULL);
    check_matches(capture_end(&capture), "^[0-9]{2}:[0-9]{2}:[0-9]{2} warning main       redis away\n$");
}

static void test_levels(void)
{
    log_init(LOG_LEVEL_WARNING, LOG_FORMAT_LOGFMT);
    CHECK(log_enabled(LOG_LEVEL_ERROR) && log_enabled(LOG_LEVEL_WARNING) && !log_enabled(LOG_LEVEL_INFO));
    capture_begin(&capture, STDERR_FILENO);
    log_info("not this", NULL);
    log_debug("nor this", "n=%d", 1);
    CHECK_STR(capture_end(&capture), "");
    CHECK(log_level_from_name("error") == LOG_LEVEL_ERROR && log_level_from_name("debug") == LOG_LEVEL_DEBUG);
    CHECK(log_level_from_name("?") == LOG_LEVEL_INFO);
    CHECK(log_format_from_name("pretty") == LOG_FORMAT_PRETTY && log_format_from_name("logfmt") == LOG_FORMAT_LOGFMT);
    CHECK(log_format_from_name("auto") == LOG_FORMAT_AUTO);
}

static void test_no_value_forges_a_line(void)
{
    log_init(LOG_LEVEL_INFO, LOG_FORMAT_LOGFMT);
    capture_begin(&capture, STDERR_FILENO);
    log_info("peer", "name=\"%s\"",
             "a\r\nlevel=error\t\033[31m\x7f \xc2\x9b"
             "1m \xc3\xa9");
    const char *text = capture_end(&capture);
    CHECK(strstr(text, "name=\"a\\x0d\\x0alevel=error\\x09\\x1b[31m\\x7f \\xc2\\x9b1m \xc3\xa9\"\n"));
    CHECK(strchr(text, '\n') == text + strlen(text) - 1);
}

static void test_a_long_line_is_cut_and_ends(void)
{
    static char huge[100000];
    memset(huge, 1, sizeof huge - 1); /* each byte is written as four */
    capture_begin(&capture, STDERR_FILENO);
    log_info("long", "value=%s", huge);
    const char *text = capture_end(&capture);
    size_t len = strlen(text);
    CHECK(len <= 4096 && len > 2000 && text[len - 1] == '\n');
}

static void *log_from_thread(void *data)
{
    log_set_context("reactor-with-a-name-that-is-far-too-long");
    log_info("here", NULL);
    return data;
}

static void test_context_is_of_the_thread(void)
{
    pthread_t thread;
    capture_begin(&capture, STDERR_FILENO);
    CHECK(pthread_create(&thread, NULL, log_from_thread, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    log_info("there", NULL);
    const char *text = capture_end(&capture);
    CHECK(strstr(text, "thread=reactor-with-a-name-that-is-far event=\"here\"\n"));
    CHECK(strstr(text, "thread=main event=\"there\"\n"));
}

static void test_repeated_events_are_counted(void)
{
    struct log_repeat repeat = {0};
    capture_begin(&capture, STDERR_FILENO);
    for (int i = 0; i < 100; i++)
        log_write_repeated(&repeat, LOG_LEVEL_ERROR, "accept failed", "error=%s", "EMFILE");
    log_write_repeated(&repeat, LOG_LEVEL_DEBUG, "not enabled", NULL);
    check_matches(capture_end(&capture), "^[^\n]*event=\"accept failed\" error=EMFILE\n$");
    CHECK(repeat.suppressed == 99);
    repeat.last_ms -= 1000; /* a second later */
    capture_begin(&capture, STDERR_FILENO);
    log_write_repeated(&repeat, LOG_LEVEL_ERROR, "accept failed", NULL);
    check_matches(capture_end(&capture), "^[^\n]*event=\"accept failed\" left_out=99\n$");
    CHECK(repeat.suppressed == 0);
}

/* A log that cannot be written stops nobody. */
static void test_a_full_disk_is_survived(void)
{
    int saved = dup(STDERR_FILENO), full = open("/dev/full", O_WRONLY);
    CHECK(saved >= 0 && full >= 0);
    dup2(full, STDERR_FILENO);
    log_error("nowhere", NULL);
    dup2(saved, STDERR_FILENO);
    close(full);
    close(saved);
}

int main(void)
{
    test_logfmt();
    test_pretty();
    test_levels();
    test_no_value_forges_a_line();
    test_a_long_line_is_cut_and_ends();
    test_context_is_of_the_thread();
    test_repeated_events_are_counted();
    test_a_full_disk_is_survived();
    return 0;
}
