/* banterd: the server. */
#include "base/config.h"
#include "base/log.h"
#include "server/server.h"
#include <stdio.h>
#include <stdlib.h>

static const char usage[] = "banterd is a chat server for bots: HTTP for tokens, WebSocket for talk, Redis behind it.\n"
                            "\n"
                            "  banterd                                   all in one: a private Redis and a bot\n"
                            "  banterd --bot echo --bot sentiment        two bots; a session chooses with bot=NAME\n"
                            "  banterd --redis redis://localhost:6379    with your Redis; start banter-bot beside it\n"
                            "\n"
                            "Then: curl -X POST 'http://localhost:8000/token?name=Ann'\n";

int main(int argc, char **argv)
{
    static struct config config;
    switch (config_read(&config, CONFIG_BANTERD, usage, argc, argv)) {
    case CONFIG_DONE:
        return EXIT_SUCCESS;
    case CONFIG_WRONG:
        return 2;
    case CONFIG_OK:
        break;
    }
    if (config.word_count > 0) {
        fprintf(stderr, "banterd: %s is no option; see banterd --help\n", config.words[0]);
        return 2;
    }
    log_init(log_level_from_name(config.log_level), log_format_from_name(config.log_format));
    return server_run(&config);
}
