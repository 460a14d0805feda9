#include "check.h"
#include "net/http_form.h"

static void expect(const char *text, const char *name, unsigned count, const char *value, size_t value_len)
{
    const char *raw;
    size_t raw_len;
    char out[64];
    CHECK(http_form_find(text, strlen(text), name, &raw, &raw_len) == count);
    if (count == 0)
        return;
    CHECK(http_form_decode(out, raw, raw_len) == value_len);
    CHECK(memcmp(out, value, value_len) == 0);
}

int main(void)
{
    expect("", "a", 0, "", 0);
    expect("a=b", "a", 1, "b", 1);
    expect("a=b", "", 0, "", 0);
    expect("x=1&a=b+c%20d&y", "a", 1, "b c d", 5);
    expect("a", "a", 1, "", 0);
    expect("a=", "a", 1, "", 0);
    expect("&&a=1&&", "a", 1, "1", 1);
    expect("a=b=c", "a", 1, "b=c", 3);
    expect("%61=1&a=2&A=3&aa=4", "a", 2, "1", 1);
    expect("a=%00%0d%0A%ff", "a", 1, "\0\r\n\xff", 4);
    expect("a=%", "a", 1, "%", 1);
    expect("a=%4", "a", 1, "%4", 2);
    expect("a=%4&b", "a", 1, "%4", 2);
    expect("a=%zz%2", "a", 1, "%zz%2", 5);
    expect("a%00=1", "a", 0, "", 0);
    expect("token[]=1", "token", 0, "", 0);
    return 0;
}
