#include "bench/process_usage.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/* The first field of schedstat is the time on a CPU. A thread that ends meanwhile counts for nothing. */
static uint64_t thread_cpu_ns(int pid, const char *thread)
{
    char path[128];
    uint64_t ns = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", pid, thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%" SCNu64, &ns) != 1)
        ns = 0;
    fclose(file);
    return ns;
}

static int read_cpu(uint64_t *cpu_ns, int pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (!threads)
        return errno == ENOENT ? -ESRCH : -errno;
    uint64_t sum = 0;
    for (struct dirent *thread; (thread = readdir(threads));)
        if (thread->d_name[0] != '.')
            sum += thread_cpu_ns(pid, thread->d_name);
    closedir(threads);
    *cpu_ns = sum;
    return 0;
}

static int read_rss(uint64_t *rss_kib, int pid)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    bool found = false;
    while (!found && fgets(line, sizeof line, file))
        found = sscanf(line, "Rss: %" SCNu64, rss_kib) == 1;
    fclose(file);
    return found ? 0 : -ESRCH;
}

int process_usage_read(struct process_usage *usage, int pid)
{
    int error = read_cpu(&usage->cpu_ns, pid);
    return error ? error : read_rss(&usage->rss_kib, pid);
}
