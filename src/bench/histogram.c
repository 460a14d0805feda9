#include "bench/histogram.h"

/* The position of the highest bit chooses a group of 128 buckets, the 7 bits below it one of them. */
static size_t index_of(uint64_t value)
{
    if (value < (1u << HISTOGRAM_SUB_BITS))
        return (size_t)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
    return ((size_t)shift << HISTOGRAM_SUB_BITS) + (size_t)(value >> shift);
}

/* The greatest value of a bucket. */
static uint64_t upper_end(size_t index)
{
    if (index < (2u << HISTOGRAM_SUB_BITS))
        return index;
    unsigned shift = (unsigned)(index >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t scaled = index - ((uint64_t)shift << HISTOGRAM_SUB_BITS);
    return (scaled << shift) + (((uint64_t)1 << shift) - 1);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->bucket[index_of(value)]++;
    histogram->count++;
    if (value > histogram->max)
        histogram->max = value;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    double wanted = percent / 100 * (double)histogram->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->bucket[i];
        if (seen > 0 && (double)seen >= wanted)
            return upper_end(i) < histogram->max ? upper_end(i) : histogram->max;
    }
    return histogram->max;
}
