#include "bot/bot_types.h"
#include "bot_host.h"
#include <uv.h>

static struct banter_bot *open_echo(uv_loop_t *loop, const char *delay)
{
    struct banter_bot *bot = NULL;
    char error[256];
    struct banter_bot_settings settings = {.name = "echo", .loop = loop, .value = &delay};
    CHECK(bot_echo.open(&bot, &settings, error, sizeof error) == 0);
    return bot;
}

static void refuses(const char *delay)
{
    struct banter_bot *bot = NULL;
    char error[256] = "", expected[256];
    struct banter_bot_settings settings = {.name = "echo", .value = &delay};
    CHECK(bot_echo.open(&bot, &settings, error, sizeof error) != 0);
    snprintf(expected, sizeof expected, "echo: delay=%s: a number from 0 to 60000 is expected", delay);
    CHECK_STR(error, expected);
}

static void test_at_once(uv_loop_t *loop)
{
    struct banter_turn turn;
    struct banter_bot *bot = open_echo(loop, "0");
    host_ask(&bot_echo, bot, &turn, "hi \xE2\x82\xAC");
    CHECK(turn.is_done && !turn.has_failed);
    CHECK_STR(turn.text, "BOT: hi \xE2\x82\xAC");
    bot_echo.close(bot);
}

static void test_delayed(uv_loop_t *loop)
{
    struct banter_turn first, second;
    struct banter_bot *bot = open_echo(loop, "20");
    uv_update_time(loop);
    uint64_t asked_ms = uv_now(loop);
    host_ask(&bot_echo, bot, &first, "one");
    host_ask(&bot_echo, bot, &second, "two");
    CHECK(!first.is_done && !second.is_done);
    bot_echo.cancel(bot, &first);
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(uv_now(loop) - asked_ms >= 20);
    CHECK(!first.is_done && first.len == 0);
    CHECK_STR(second.text, "BOT: two");
    bot_echo.close(bot);
}

int main(void)
{
    uv_loop_t loop;
    CHECK(uv_loop_init(&loop) == 0);
    test_at_once(&loop);
    test_delayed(&loop);
    refuses("");
    refuses("abc");
    refuses("5s");
    refuses("-1");
    refuses("60001");
    refuses("99999999999999");
    uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
    return 0;
}
