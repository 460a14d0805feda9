#include "base/buf.h"
#include "check.h"
#include <errno.h>
#include <stdint.h>

static void test_it_allocates_nothing_until_needed(void)
{
    struct buf buf;
    buf_init(&buf, 100);
    CHECK(!buf.data && buf.len == 0 && buf.cap == 0 && buf.max == 100);
    CHECK(buf_append(&buf, NULL, 0) == 0);
    CHECK(!buf.data);
    buf_done(&buf);
}

static void test_it_grows_to_its_cap_and_no_further(void)
{
    struct buf buf;
    buf_init(&buf, 100);
    char block[100];
    memset(block, 'x', sizeof block);
    CHECK(buf_append(&buf, block, 70) == 0);
    CHECK(buf_append(&buf, block, 31) == -ENOBUFS);
    CHECK(buf.len == 70);
    CHECK(buf_append(&buf, block, 30) == 0);
    CHECK(buf.len == 100 && buf.cap == 100);
    CHECK(buf_append_str(&buf, "y") == -ENOBUFS);
    CHECK(buf_append(&buf, block, SIZE_MAX) == -ENOBUFS);
    buf_done(&buf);
    CHECK(!buf.data && buf.max == 100);
    CHECK(buf_append_str(&buf, "again") == 0);
    buf_done(&buf);
}

static void test_printf_fills_to_the_last_byte(void)
{
    struct buf buf;
    buf_init(&buf, 1000);
    CHECK(buf_printf(&buf, "%s=%d", "n", 5) == 0);
    CHECK(buf.len == 3 && memcmp(buf.data, "n=5", 3) == 0);
    CHECK(buf_printf(&buf, "%0998d", 1) == -ENOBUFS);
    CHECK(buf.len == 3);
    CHECK(buf_printf(&buf, "%0997d", 1) == 0);
    CHECK(buf.len == 1000 && buf.data[999] == '1' && buf.data[3] == '0');
    buf_done(&buf);
}

static void test_reserve_and_consume(void)
{
    struct buf buf;
    buf_init(&buf, 8);
    char *room = buf_reserve(&buf, 8);
    CHECK(room && buf.len == 0);
    memset(room, 'a', 3);
    memset(room + 3, 'd', 5);
    buf.len += 8;
    CHECK(!buf_reserve(&buf, 1));
    buf_consume(&buf, 3);
    CHECK(buf.len == 5 && memcmp(buf.data, "ddddd", 5) == 0);
    buf_consume(&buf, 0);
    CHECK(buf.len == 5);
    buf_consume(&buf, 99);
    CHECK(buf.len == 0);
    buf_done(&buf);
}

int main(void)
{
    test_it_allocates_nothing_until_needed();
    test_it_grows_to_its_cap_and_no_further();
    test_printf_fills_to_the_last_byte();
    test_reserve_and_consume();
    return 0;
}
