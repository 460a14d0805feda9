#include "bench/report.h"
#include <inttypes.h>

static const double percents[] = {50, 75, 90, 99, 99.9, 100};
static const char *const percent_names[] = {"p50", "p75", "p90", "p99", "p99.9", "max"};

static double seconds(const struct load *load)
{
    return (double)(load->window_end_ns - load->window_begin_ns) / 1e9;
}

static double per_second(const struct load *load)
{
    return seconds(load) > 0 ? (double)load->latency_ns.count / seconds(load) : 0;
}

static double cpu_us_each(const struct load *load, unsigned process)
{
    double ns = (double)load->after[process].cpu_ns - (double)load->before[process].cpu_ns;
    return load->latency_ns.count > 0 ? ns / 1e3 / (double)load->latency_ns.count : 0;
}

static double kib_each(const struct load *load, unsigned process)
{
    double kib = (double)load->after[process].rss_kib - (double)load->before[process].rss_kib;
    return kib / load->memory_units;
}

static double percentile_us(const struct load *load, size_t i)
{
    return (double)histogram_percentile(&load->latency_ns, percents[i]) / 1e3;
}

static void write_rate_text(FILE *out, const struct load *load)
{
    fprintf(out, "  %" PRIu64 " %s, %.1f a second\n  latency", load->latency_ns.count, load->mode->unit,
            per_second(load));
    for (size_t i = 0; i < COUNT_OF(percents); i++)
        fprintf(out, "  %s %.3f ms", percent_names[i], percentile_us(load, i) / 1e3);
    fputc('\n', out);
}

void report_write_text(FILE *out, const struct load *load)
{
    fprintf(out, "%s: %" PRId64 " clients, %.1f s\n", load->mode->name, load->config->bench.clients, seconds(load));
    if (load->memory_units == 0)
        write_rate_text(out, load);
    for (unsigned i = 0; i < load->processes; i++) {
        fprintf(out, "  process %d  %" PRIu64 " KiB", load->pid[i], load->after[i].rss_kib);
        if (load->memory_units > 0)
            fprintf(out, "  %.3f KiB a connection\n", kib_each(load, i));
        else
            fprintf(out, "  %.2f CPU us each\n", cpu_us_each(load, i));
    }
    fprintf(out, "  %" PRIu64 " errors, %" PRIu64 " of them wrong answers\n", load->errors, load->mismatches);
}

void report_write_json(FILE *out, const struct load *load)
{
    fprintf(out, "{\"mode\":\"%s\",\"clients\":%" PRId64 ",\"rate\":%" PRId64 ",\"seconds\":%.3f,\"count\":%" PRIu64,
            load->mode->name, load->config->bench.clients, load->config->bench.rate, seconds(load),
            load->latency_ns.count);
    fprintf(out, ",\"per_second\":%.1f,\"errors\":%" PRIu64 ",\"mismatches\":%" PRIu64 ",\"latency_us\":{",
            per_second(load), load->errors, load->mismatches);
    for (size_t i = 0; i < COUNT_OF(percents); i++)
        fprintf(out, "%s\"%s\":%.1f", i > 0 ? "," : "", percent_names[i], percentile_us(load, i));
    fputs("},\"processes\":[", out);
    for (unsigned i = 0; i < load->processes; i++) {
        fprintf(out, "%s{\"pid\":%d,\"rss_kib\":%" PRIu64, i > 0 ? "," : "", load->pid[i], load->after[i].rss_kib);
        if (load->memory_units > 0)
            fprintf(out, ",\"kib_each\":%.3f}", kib_each(load, i));
        else
            fprintf(out, ",\"cpu_us_each\":%.2f}", cpu_us_each(load, i));
    }
    fputs("]}\n", out);
}
