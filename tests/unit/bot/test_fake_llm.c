#include "bot/bot_types.h"
#include "bot_host.h"
#include <uv.h>

static struct banter_bot *open_bot(uv_loop_t *loop, const char *rate, const char *length, const char *fail_after)
{
    struct banter_bot *bot = NULL;
    char error[256] = "";
    const char *values[] = {rate, length, fail_after};
    struct banter_bot_settings settings = {.name = "m", .loop = loop, .value = values};
    int result = bot_fake_llm.open(&bot, &settings, error, sizeof error);
    CHECK((result == 0) == (bot != NULL) && (result == 0) == (*error == '\0'));
    return bot;
}

static size_t count_words(const char *text)
{
    size_t count = 1;
    for (; *text; text++)
        count += *text == ' ';
    return count;
}

static void test_same_question_same_answer(uv_loop_t *loop)
{
    struct banter_turn first, second, other;
    struct banter_bot *bot = open_bot(loop, "1000", "12", "0");
    host_ask(&bot_fake_llm, bot, &first, "why?");
    host_ask(&bot_fake_llm, bot, &second, "why?");
    host_ask(&bot_fake_llm, bot, &other, "how?");
    CHECK(first.len == 0 && !first.is_done);
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(first.is_done && !first.has_failed && count_words(first.text) == 12);
    CHECK_STR(second.text, first.text);
    CHECK(strcmp(other.text, first.text) != 0);
    bot_fake_llm.close(bot);
}

static void test_breaks_off(uv_loop_t *loop)
{
    struct banter_turn turn;
    struct banter_bot *bot = open_bot(loop, "1000", "12", "3");
    host_ask(&bot_fake_llm, bot, &turn, "why?");
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(turn.is_done && turn.has_failed);
    CHECK(strstr(turn.text, "the model broke off"));
    bot_fake_llm.close(bot);
}

static void test_cancel_ends_the_stream(uv_loop_t *loop)
{
    struct banter_turn turn;
    struct banter_bot *bot = open_bot(loop, "1000", "100000", "0");
    host_ask(&bot_fake_llm, bot, &turn, "why?");
    while (turn.len == 0)
        uv_run(loop, UV_RUN_ONCE);
    bot_fake_llm.cancel(bot, &turn);
    size_t len = turn.len;
    uv_run(loop, UV_RUN_DEFAULT);
    CHECK(turn.len == len && !turn.is_done);
    bot_fake_llm.close(bot);
}

int main(void)
{
    uv_loop_t loop;
    CHECK(uv_loop_init(&loop) == 0);
    test_same_question_same_answer(&loop);
    test_breaks_off(&loop);
    test_cancel_ends_the_stream(&loop);
    CHECK(!open_bot(&loop, "0", "12", "0") && !open_bot(&loop, "1001", "12", "0"));
    CHECK(!open_bot(&loop, "1", "0", "0") && !open_bot(&loop, "1", "x", "0") && !open_bot(&loop, "1", "1", "-1"));
    CHECK(uv_loop_close(&loop) == 0);
    return 0;
}
