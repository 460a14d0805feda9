/* What a process has used: CPU time to the nanosecond, and the memory it holds now. From /proc. */
#pragma once
#include "base/compiler.h"
#include <stdint.h>

struct process_usage {
    uint64_t cpu_ns;  /* of all threads that live now */
    uint64_t rss_kib; /* from smaps_rollup: the cheaper figures lag behind by up to 256 KiB a core */
};

/* 0, or negative errno: -ESRCH, -EACCES (another user's process), ... */
int process_usage_read(struct process_usage *usage, int pid) MUST_CHECK;
