#include "protocol/keys.h"
#include <assert.h>
#include <string.h>

static void compose(char out[KEY_MAX], const char *kind, const char *name)
{
    assert(sizeof KEYS_PREFIX + strlen(kind) + 1 + strlen(name) <= KEY_MAX);
    stpcpy(stpcpy(stpcpy(stpcpy(out, KEYS_PREFIX), kind), ":"), name); /* several for each message: printf would show */
}

void keys_of_session(struct session_keys *keys, const struct token *token)
{
    compose(keys->session, "session", token->text);
    compose(keys->messages, "messages", token->text);
    compose(keys->draft, "draft", token->text);
    compose(keys->replies, "replies", token->text);
}

void keys_requests(char out[KEY_MAX], const char *bot)
{
    assert(keys_bot_name_is_valid(bot, strlen(bot)));
    compose(out, "requests", bot);
}

void keys_stop(char out[KEY_MAX], const char *bot)
{
    assert(keys_bot_name_is_valid(bot, strlen(bot)));
    compose(out, "stop", bot);
}

bool keys_bot_name_is_valid(const char *name, size_t len)
{
    if (len == 0 || len > BOT_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}
