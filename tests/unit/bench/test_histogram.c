#include "bench/histogram.h"
#include "check.h"

static struct histogram histogram;

static void clear(void)
{
    memset(&histogram, 0, sizeof histogram);
}

static void test_empty(void)
{
    clear();
    CHECK(histogram_percentile(&histogram, 50) == 0);
    CHECK(histogram_percentile(&histogram, 100) == 0);
}

static void test_small_values_are_exact(void)
{
    clear();
    for (uint64_t value = 1; value <= 100; value++)
        histogram_add(&histogram, value);
    CHECK(histogram.count == 100);
    CHECK(histogram_percentile(&histogram, 50) == 50);
    CHECK(histogram_percentile(&histogram, 99) == 99);
    CHECK(histogram_percentile(&histogram, 99.9) == 100);
    CHECK(histogram_percentile(&histogram, 100) == 100);
}

/* One value alone: what comes back is never below it and at most 1/128 above, whatever its size. */
static void test_error_is_bounded(void)
{
    for (uint64_t value = 1; value < UINT64_MAX / 3; value = value * 3 + 1) {
        clear();
        histogram_add(&histogram, value);
        histogram_add(&histogram, UINT64_MAX);
        uint64_t back = histogram_percentile(&histogram, 50);
        CHECK(back >= value);
        CHECK(back - value <= value / 128);
    }
}

/* A greater value never lies in an earlier bucket: seen at both sides of each power of two. */
static void test_order_is_kept(void)
{
    for (unsigned bit = 1; bit < 64; bit++) {
        uint64_t power = (uint64_t)1 << bit;
        clear();
        histogram_add(&histogram, power - 1);
        histogram_add(&histogram, power);
        CHECK(histogram_percentile(&histogram, 50) == power - 1);
        CHECK(histogram_percentile(&histogram, 100) == power);
    }
}

static void test_greatest_value_is_exact(void)
{
    clear();
    for (int i = 0; i < 1000; i++)
        histogram_add(&histogram, 1000);
    histogram_add(&histogram, 123456789);
    CHECK(histogram_percentile(&histogram, 99) < 1009);
    CHECK(histogram_percentile(&histogram, 100) == 123456789);
}

int main(void)
{
    test_empty();
    test_small_values_are_exact();
    test_error_is_bounded();
    test_order_is_kept();
    test_greatest_value_is_exact();
    return 0;
}
