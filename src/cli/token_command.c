#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session.h"
#include <stdio.h>

static void handle_token(struct session *session, const struct token *token, const char *body, size_t len)
{
    bool has_newline = len > 0 && body[len - 1] == '\n';
    if (session->config->json)
        output_write_text(stdout, body, len - has_newline);
    else
        fputs(token->text, stdout);
    fputc('\n', stdout);
    session_finish(session, SESSION_OK);
}

int token_command(const struct config *config)
{
    static const struct session_handlers handlers = {.on_token = handle_token};
    struct config without_token = *config; /* a BANTER_TOKEN in the environment asks for nothing here */
    without_token.token = NULL;
    struct session session = {0};
    if (config->word_count > 1) {
        output_write_error("`banter token` takes no words", "the user's name is an option: banter token --name Ann");
        return SESSION_WRONG_USAGE;
    }
    return (int)session_run(&session, &without_token, &handlers);
}
