#include "base/metrics.h"
#include <inttypes.h>

static const struct {
    const char *name;
    const char *type;
    const char *help;
} table[METRIC_COUNT] = {
#define METRIC_ROW(id, name, type, help) [METRIC_##id] = {name, type, help},
    METRICS(METRIC_ROW)
#undef METRIC_ROW
};

/* Signed, since a gauge may be raised by one thread and lowered by another: only the sum is meant to be read. */
static int64_t sum(const struct metrics *const *threads, size_t count, enum metric metric)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += metrics_get(threads[i], metric);
    return (int64_t)total;
}

int metrics_render(struct buf *out, const struct metrics *const *threads, size_t count)
{
    size_t before = out->len;
    for (enum metric i = 0; i < METRIC_COUNT; i++) {
        int error = buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %" PRId64 "\n", table[i].name, table[i].help,
                               table[i].name, table[i].type, table[i].name, sum(threads, count, i));
        if (error) {
            out->len = before;
            return error;
        }
    }
    return 0;
}
