#include "addresses.h"
#include "base/compiler.h"
#include "server/proxy.h"

static bool is_trusted(const char *range, const char *text)
{
    const char *items[] = {range};
    struct config_list ranges = {.item = items, .count = 1};
    struct sockaddr_storage address = address_of(text, 4711);
    return proxy_is_trusted(&ranges, (struct sockaddr *)&address);
}

static void test_ranges(void)
{
    static const struct {
        const char *range, *first, *last, *before, *behind;
    } rows[] = {
        {"10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
        {"10.1.2.3/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
        {"192.0.2.64/27", "192.0.2.64", "192.0.2.95", "192.0.2.63", "192.0.2.96"},
        {"192.0.2.8/31", "192.0.2.8", "192.0.2.9", "192.0.2.7", "192.0.2.10"},
        {"192.0.2.8/32", "192.0.2.8", "::ffff:192.0.2.8", "192.0.2.7", "192.0.2.9"},
        {"192.0.2.8", "192.0.2.8", "::ffff:192.0.2.8", "192.0.2.7", "192.0.2.9"},
        {"0.0.0.0/0", "0.0.0.0", "255.255.255.255", "::1", "2001:db8::1"},
        {"2001:db8::/33", "2001:db8::", "2001:db8:7fff:ffff::1", "2001:db7::", "2001:db8:8000::"},
        {"2001:db8::1", "2001:db8::1", "2001:db8:0::1", "2001:db8::", "2001:db8::2"},
        {"::ffff:10.0.0.0/104", "10.0.0.1", "::ffff:10.255.0.1", "9.0.0.1", "11.0.0.1"},
        {"fe80::/10", "fe80::1", "febf:ffff::1", "fe7f::1", "fec0::1"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CHECK(is_trusted(rows[i].range, rows[i].first) && is_trusted(rows[i].range, rows[i].last));
        CHECK(!is_trusted(rows[i].range, rows[i].before) && !is_trusted(rows[i].range, rows[i].behind));
    }
    CHECK(is_trusted("::/0", "2001:db8::1") && is_trusted("::/0", "192.0.2.1"));
}

static void test_what_is_no_range_trusts_nobody(void)
{
    static const char *const others[] = {"",
                                         "/",
                                         "/0",
                                         "10.0.0.0/",
                                         "10.0.0.0/33",
                                         "10.0.0.0/-1",
                                         "10.0.0.0/+8",
                                         "10.0.0.0/ 8",
                                         "10.0.0.0/8x",
                                         "10.0.0.0/8/8",
                                         "10.0.0/8",
                                         "10/8",
                                         "localhost",
                                         "10.0.0.0.0/8",
                                         "::ffff/129",
                                         "10.0.0.0/99999999999999999999",
                                         "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/8"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        CHECK(!is_trusted(others[i], "10.0.0.0") && !is_trusted(others[i], "::"));
}

static void test_any_of_the_list(void)
{
    const char *items[] = {"192.0.2.1", "2001:db8::/32"};
    struct config_list ranges = {.item = items, .count = COUNT_OF(items)}, none = {0};
    struct sockaddr_storage v4 = address_of("192.0.2.1", 0), v6 = address_of("2001:db8::9", 0);
    CHECK(proxy_is_trusted(&ranges, (struct sockaddr *)&v4) && proxy_is_trusted(&ranges, (struct sockaddr *)&v6));
    CHECK(!proxy_is_trusted(&none, (struct sockaddr *)&v4));
}

int main(void)
{
    test_ranges();
    test_what_is_no_range_trusts_nobody();
    test_any_of_the_list();
    return 0;
}
