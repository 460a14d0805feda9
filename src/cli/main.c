#include "base/suggestion.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "protocol/json.h"
#include <stdio.h>
#include <string.h>

static const char usage[] = "banter talks to bots on a Banter server.\n"
                            "\n"
                            "  banter chat                          a conversation: a line, an answer\n"
                            "  banter send \"hi\"                     one message; prints only the answer\n"
                            "  banter send <question.txt            the message from a file or a pipe\n"
                            "  banter chat <questions.txt           each line a message, each answer a line\n"
                            "  banter token --name Ann              opens a session, prints its token\n"
                            "  BANTER_TOKEN=$(banter token) banter chat\n"
                            "\n"
                            "Exit codes: 0 done, 1 it did not work, 2 wrong usage, 3 no answer in time.\n";

static const struct command {
    const char *name;
    int (*run)(const struct config *config);
} commands[] = {
    {"chat", chat_command},
    {"send", send_command},
    {"token", token_command},
};

static int refuse(const char *word)
{
    char what[128], fix[128];
    struct suggestion suggestion;
    suggestion_init(&suggestion, word);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        suggestion_offer(&suggestion, commands[i].name);
    snprintf(what, sizeof what, "there is no command '%s'", word);
    snprintf(fix, sizeof fix, "did you mean `banter %s`?", suggestion.nearest ? suggestion.nearest : "");
    output_write_error(what, suggestion.nearest ? fix : "the commands are chat, send and token; see banter --help");
    return 2;
}

int main(int argc, char **argv)
{
    static struct config config;
    switch (config_read(&config, CONFIG_CLI, usage, argc, argv)) {
    case CONFIG_OK:
        break;
    case CONFIG_DONE:
        return 0;
    case CONFIG_WRONG:
        return 2;
    }
    json_init();
    if (config.word_count == 0) {
        fprintf(stderr, "%s", usage);
        return 2;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(config.words[0], commands[i].name) == 0)
            return commands[i].run(&config);
    return refuse(config.words[0]);
}
