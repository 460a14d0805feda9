#include "base/config_table.h"
#include "check.h"

static void check_initial(const struct option *option)
{
    static struct config config;
    char why[OPTION_TEXT_BYTES];
    if (option->initial)
        CHECK(option_parse(option, &config, option->initial, why) == 0);
    option_clear(option, &config);
}

static void test_every_row_is_whole(void)
{
    for (size_t i = 0; i < config_table_count; i++) {
        const struct option *option = &config_table[i];
        CHECK(option_find(config_table, config_table_count, option->name) == option); /* no name twice */
        CHECK(strspn(option->name, "abcdefghijklmnopqrstuvwxyz-") == strlen(option->name));
        CHECK(option->group && *option->help && option->help[strlen(option->help) - 1] != '.');
        CHECK((option->type == OPTION_FLAG) == !option->value);
        CHECK((option->type == OPTION_CHOICE) == (option->choices != NULL));
        CHECK((option->type >= OPTION_INTEGER) == (option->max > 0));
        CHECK(option->min <= option->max && !option->fits == !option->form);
        CHECK(option->programs != 0 && option->programs < CONFIG_BENCH << 1);
        check_initial(option);
    }
}

/* Two rows that wrote the same field would undo each other. */
static void test_every_field_has_one_row(void)
{
    for (size_t i = 0; i < config_table_count; i++)
        for (size_t j = i + 1; j < config_table_count; j++)
            CHECK(config_table[i].offset != config_table[j].offset);
}

static void check_form(const char *name, const char *value, bool is_right)
{
    const struct option *option = option_find(config_table, config_table_count, name);
    CHECK(option && option->fits);
    if (option->fits(value) != is_right) {
        fprintf(stderr, "--%s %s is taken for %s\n", name, value, is_right ? "wrong" : "right");
        exit(1);
    }
}

static void test_forms(void)
{
    static const struct {
        const char *name, *right[6], *wrong[6];
    } forms[] = {
        {"listen",
         {"localhost:8000", "127.0.0.1:0", "[::1]:65535", "*:80"},
         {"8000", ":8000", "localhost", "localhost:65536", "::1:80", "localhost:8o"}},
        {"redis", {"redis://u:p@h:1/0", "unix:///run/redis.sock"}, {"localhost:6379"}},
        {"default-bot", {"echo", "llm-2"}, {"Echo", "a b", "a23456789012345678901234567890123"}},
        {"origin",
         {"https://example.org", "http://[::1]:3000", "null"},
         {"example.org", "https://example.org/", "https://"}},
        {"host", {"chat.example.org", "[::1]", "10.0.0.1"}, {"http://a", "a/b", "u@a"}},
        {"public-url", {"https://example.org/chat"}, {"example.org", "ws://example.org"}},
        {"trusted-proxy",
         {"10.0.0.0/8", "10.0.0.1", "::1", "fd00::/128"},
         {"10.0.0.0/33", "10.0.0/8", "::/129", "proxy", "10.0.0.0/", "10.0.0.0/ 8"}},
        {"url", {"http://localhost:8000", "https://a"}, {"localhost:8000"}},
        {"pid", {"1"}, {"1x", "-1"}},
    };
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        for (size_t j = 0; j < COUNT_OF(forms[i].right) && forms[i].right[j]; j++)
            check_form(forms[i].name, forms[i].right[j], true);
        for (size_t j = 0; j < COUNT_OF(forms[i].wrong) && forms[i].wrong[j]; j++)
            check_form(forms[i].name, forms[i].wrong[j], false);
    }
}

int main(void)
{
    test_every_row_is_whole();
    test_every_field_has_one_row();
    test_forms();
    return 0;
}
