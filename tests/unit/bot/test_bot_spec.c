#include "bot/bot_spec.h"
#include "bot/bot_types.h"
#include "check.h"

static void parses(const char *text, const char *name, const struct banter_bot_type *type, const char *first_value)
{
    struct bot_spec spec;
    char error[512] = "";
    int result = bot_spec_parse(&spec, text, error, sizeof error);
    CHECK_STR(error, "");
    CHECK(result == 0);
    CHECK_STR(spec.name, name);
    CHECK(spec.type == type);
    if (first_value)
        CHECK_STR(spec.value[0], first_value);
    bot_spec_done(&spec);
    bot_spec_done(&spec);
}

static void refuses(const char *text, const char *sentence)
{
    struct bot_spec spec;
    char error[512] = "";
    CHECK(bot_spec_parse(&spec, text, error, sizeof error) < 0);
    CHECK_STR(error, sentence);
    bot_spec_done(&spec);
}

int main(void)
{
    parses("echo", "echo", &bot_echo, "0");
    parses("sentiment", "sentiment", &bot_sentiment, NULL);
    parses("echo:delay=25", "echo", &bot_echo, "25");
    parses("slow-1=echo:delay=25", "slow-1", &bot_echo, "25");
    parses("slow=echo", "slow", &bot_echo, "0");
    parses("echo:delay=", "echo", &bot_echo, "");
    parses("echo:delay=a\\,b\\\\c=d:e", "echo", &bot_echo, "a,b\\c=d:e");
    parses("abcdefghijklmnopqrstuvwxyz012345=echo", "abcdefghijklmnopqrstuvwxyz012345", &bot_echo, "0");

    refuses("", "--bot : a bot type is missing, e.g. --bot echo");
    refuses("name=", "--bot name=: a bot type is missing, e.g. --bot echo");
    refuses("ecoh", "--bot ecoh: there is no bot type \"ecoh\". Did you mean echo?");
    refuses("x=sentimant:a=b", "--bot x=sentimant:a=b: there is no bot type \"sentimant\". Did you mean sentiment?");
    refuses("gpt", "--bot gpt: there is no bot type \"gpt\". There are: echo, sentiment, fake-llm");
    refuses("Echo=echo", "--bot Echo=echo: the name \"Echo\" may hold a-z, 0-9 and -, 1 to 32 of them");
    refuses("=echo", "--bot =echo: the name \"\" may hold a-z, 0-9 and -, 1 to 32 of them");
    refuses("abcdefghijklmnopqrstuvwxyz0123456=echo", "--bot abcdefghijklmnopqrstuvwxyz0123456=echo: the name "
                                                      "\"abcdefghijklmnopqrstuvwxyz0123456\" may hold a-z, 0-9 and -, "
                                                      "1 to 32 of them");
    refuses("echo:", "--bot echo:: key=value is expected, not \"\"");
    refuses("echo:delay", "--bot echo:delay: key=value is expected, not \"delay\"");
    refuses("echo:=5", "--bot echo:=5: key=value is expected, not \"=5\"");
    refuses("echo:delay=5,", "--bot echo:delay=5,: key=value is expected, not \"\"");
    refuses("echo:dealy=5", "--bot echo:dealy=5: echo has no option \"dealy\". Did you mean delay?");
    refuses("echo:colour=5", "--bot echo:colour=5: echo has no option \"colour\"; see banter-bot --help");
    refuses("echo:delay=5,delay=6", "--bot echo:delay=5,delay=6: delay is given twice");
    refuses("sentiment:delay=5", "--bot sentiment:delay=5: sentiment has no options");
    return 0;
}
