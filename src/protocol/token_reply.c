#include "protocol/token_reply.h"
#include "protocol/json.h"
#include <string.h>

bool token_reply_read(struct token *token, const char *body, size_t len)
{
    struct json_member member = {.name = "token"};
    bool ok = json_read_members(body, len, &member, 1) == REJECT_NONE && member.value &&
              token_parse(token, member.value, member.len);
    json_members_done(&member, 1);
    return ok;
}

void token_reply_refusal(char code[REFUSAL_CODE_SIZE], const char *body, size_t len)
{
    struct json_member member = {.name = "code"};
    code[0] = '\0';
    if (json_read_members(body, len, &member, 1) == REJECT_NONE && member.value && member.len < REFUSAL_CODE_SIZE)
        memcpy(code, member.value, member.len + 1);
    json_members_done(&member, 1);
}
