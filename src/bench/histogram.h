/*
 * Counts of values in buckets whose width grows with the value: any uint64_t, each kept to 1 part in 128, in 58 KiB and
 * with no allocation. Values below 128 are exact.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_SUB_BITS = 7, HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS };

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t value);

/* The value that `percent` (0 to 100) of all values do not exceed; at 100 the greatest, exactly. 0 if there are none.
 */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);
