#include "bench/modes.h"
#include "bench/report.h"
#include "protocol/json.h"
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const char usage[] =
    "banter-bench puts a load on a Banter server, checks every answer, and reports.\n"
    "\n"
    "  banter-bench --clients 200                       question and answer, as fast as it goes\n"
    "  banter-bench --clients 200 --rate 1000           1,000 questions a second, latency from when each was due\n"
    "  banter-bench --mode token --clients 64           new sessions\n"
    "  banter-bench --mode idle --clients 2000 --pid \"$(pidof banterd)\"\n"
    "\n"
    "It expects a bot that echoes. Exit codes: 0 all answers were right, 1 some were not, 2 wrong usage.\n";

static const struct load_mode *const modes[] = {&mode_chat, &mode_token, &mode_handshake, &mode_idle};

static const struct load_mode *find_mode(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(modes); i++)
        if (strcmp(modes[i]->name, name) == 0)
            return modes[i];
    return NULL;
}

/* One descriptor per client and a few more; Debian gives 1,024 unless asked. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* where it is too low after all, opening says so */
}

int main(int argc, char **argv)
{
    static struct config config;
    static struct load load;
    switch (config_read(&config, CONFIG_BENCH, usage, argc, argv)) {
    case CONFIG_OK:
        break;
    case CONFIG_DONE:
        return 0;
    case CONFIG_WRONG:
        return 2;
    }
    const struct load_mode *mode = find_mode(config.bench.mode);
    const char *wrong = !mode                                         ? "there is no such mode"
                        : config.word_count > 0                       ? "it takes options only"
                        : config.bench.pid.count > LOAD_PROCESSES_MAX ? "at most 16 processes are looked at"
                                                                      : NULL;
    if (wrong) {
        fprintf(stderr, "banter-bench: %s; see banter-bench --help\n", wrong);
        return 2;
    }
    raise_descriptor_limit();
    json_init();
    if (load_run(&load, &config, mode) != 0 || load.window_end_ns == 0)
        return 1; /* it said why; there is nothing to report */
    if (config.json)
        report_write_json(stdout, &load);
    else
        report_write_text(stdout, &load);
    return load.errors > 0;
}
