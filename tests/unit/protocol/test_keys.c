#include "check.h"
#include "protocol/keys.h"

static void test_names_of_a_session(void)
{
    static const char text[] = "7d444840-9dc0-41d1-b245-5ffdce74fad2";
    struct token token;
    struct session_keys keys;
    CHECK(token_parse(&token, text, sizeof text - 1));
    keys_of_session(&keys, &token);
    CHECK_STR(keys.session, "banter:{0}:session:7d444840-9dc0-41d1-b245-5ffdce74fad2");
    CHECK_STR(keys.messages, "banter:{0}:messages:7d444840-9dc0-41d1-b245-5ffdce74fad2");
    CHECK_STR(keys.draft, "banter:{0}:draft:7d444840-9dc0-41d1-b245-5ffdce74fad2");
    CHECK_STR(keys.replies, "banter:{0}:replies:7d444840-9dc0-41d1-b245-5ffdce74fad2");
}

static void test_names_of_a_bot(void)
{
    char key[KEY_MAX];
    keys_requests(key, "echo");
    CHECK_STR(key, "banter:{0}:requests:echo");
    keys_stop(key, "a-bot-name-of-32-characters-0123");
    CHECK_STR(key, "banter:{0}:stop:a-bot-name-of-32-characters-0123");
    CHECK_STR(KEYS_DEAD, "banter:{0}:dead");
}

static void test_valid_bot_names(void)
{
    static const char longest[] = "a-bot-name-of-32-characters-0123";
    CHECK(keys_bot_name_is_valid("echo", 4));
    CHECK(keys_bot_name_is_valid("0", 1));
    CHECK(keys_bot_name_is_valid(longest, sizeof longest - 1));
    CHECK(!keys_bot_name_is_valid("", 0));
    CHECK(!keys_bot_name_is_valid("a-bot-name-of-32-characters-01234", BOT_NAME_MAX + 1));
    CHECK(!keys_bot_name_is_valid("Echo", 4));
    CHECK(!keys_bot_name_is_valid("a:b", 3));
    CHECK(!keys_bot_name_is_valid("{a}", 3));
    CHECK(!keys_bot_name_is_valid("a b", 3));
    CHECK(!keys_bot_name_is_valid("a\0b", 3));
    CHECK(!keys_bot_name_is_valid("\xc3\xa9", 2));
}

int main(void)
{
    test_names_of_a_session();
    test_names_of_a_bot();
    test_valid_bot_names();
    return 0;
}
