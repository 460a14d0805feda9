#include "base/metrics.h"
#include "check.h"
#include <errno.h>
#include <unistd.h>

static void test_sums_over_threads(void)
{
    static struct metrics one, two;
    const struct metrics *threads[] = {&one, &two};
    metrics_add(&one, METRIC_HANDSHAKES, 2);
    metrics_add(&two, METRIC_HANDSHAKES, 3);
    metrics_add(&one, METRIC_SESSIONS, -1);
    metrics_add(&two, METRIC_SESSIONS, 4);
    CHECK(metrics_get(&one, METRIC_HANDSHAKES) == 2);
    struct buf out;
    buf_init(&out, 65536);
    CHECK(metrics_render(&out, threads, 2) == 0);
    CHECK(buf_append(&out, "", 1) == 0);
    CHECK(strstr(out.data, "# HELP banterd_handshakes_total WebSocket handshakes completed.\n"
                           "# TYPE banterd_handshakes_total counter\n"
                           "banterd_handshakes_total 5\n"));
    CHECK(strstr(out.data, "\nbanterd_sessions 3\n"));
    CHECK(strstr(out.data, "\nbanterd_connections 0\n"));
    buf_done(&out);
}

static void test_all_or_nothing(void)
{
    static struct metrics one;
    const struct metrics *threads[] = {&one};
    struct buf out;
    buf_init(&out, 200);
    CHECK(buf_append_str(&out, "before") == 0);
    CHECK(metrics_render(&out, threads, 1) == -ENOBUFS);
    CHECK(out.len == 6);
    buf_done(&out);
}

/* Prometheus's own judgement of names, units and help. */
static void test_promtool_finds_nothing(void)
{
    if (access("/usr/bin/promtool", X_OK) != 0) {
        fputs("promtool is not installed: its check is left out\n", stderr);
        return;
    }
    static struct metrics one;
    const struct metrics *threads[] = {&one};
    struct buf out;
    buf_init(&out, 65536);
    CHECK(metrics_render(&out, threads, 1) == 0);
    FILE *promtool = popen("/usr/bin/promtool check metrics", "w");
    CHECK(promtool);
    CHECK(fwrite(out.data, 1, out.len, promtool) == out.len);
    CHECK(pclose(promtool) == 0);
    buf_done(&out);
}

int main(void)
{
    test_sums_over_threads();
    test_all_or_nothing();
    test_promtool_finds_nothing();
    return 0;
}
