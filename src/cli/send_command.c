#include "base/buf.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What a server may take at most (--max-text goes up to less). */
enum { MESSAGE_MAX = 1024 * 1024 };

struct send {
    struct session session;
    struct buf message;
};

static struct send *send_of(struct session *session)
{
    return CONTAINER_OF(session, struct send, session);
}

static void handle_open(struct session *session)
{
    const struct buf *message = &send_of(session)->message;
    if (session_send(session, message->data ? message->data : "", message->len))
        session_expect_answer(session);
}

static void handle_text(struct session *session, const char *text, size_t len)
{
    static const char refused[] = "ERROR: ";
    bool is_refused = len >= sizeof refused - 1 && memcmp(text, refused, sizeof refused - 1) == 0;
    if (!is_refused) {
        output_write_answer(text, len, session->config->json);
        session_finish(session, SESSION_OK);
        return;
    }
    char what[256];
    snprintf(what, sizeof what, "%.*s", (int)(len < sizeof what ? len : sizeof what - 1), text);
    session_fail(session, SESSION_FAILED, what + sizeof refused - 1, NULL);
}

static int join_words(struct buf *message, char *const *words, int count)
{
    int error = 0;
    for (int i = 0; i < count && !error; i++)
        error = buf_printf(message, "%s%s", i > 0 ? " " : "", words[i]);
    return error;
}

/* Without the newline at its end, which `echo hi | banter send` puts there. */
static int read_stdin(struct buf *message)
{
    for (;;) {
        char bytes[4096];
        ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        int error = n < 0 ? -errno : buf_append(message, bytes, (size_t)n);
        if (error)
            return error;
        if (n == 0)
            break;
    }
    if (message->len > 0 && message->data[message->len - 1] == '\n')
        message->len--;
    return 0;
}

int send_command(const struct config *config)
{
    static const struct session_handlers handlers = {.on_open = handle_open, .on_text = handle_text};
    struct send send = {.session = {0}};
    char *const *words = config->words + 1;
    int count = config->word_count - 1;
    bool is_dash = count == 1 && strcmp(words[0], "-") == 0;
    if (count == 0 && isatty(STDIN_FILENO)) {
        output_write_error("nothing to send", "banter send \"hi\"; or for a conversation: banter chat");
        return SESSION_WRONG_USAGE;
    }
    buf_init(&send.message, MESSAGE_MAX);
    int error = is_dash || count == 0 ? read_stdin(&send.message) : join_words(&send.message, words, count);
    int exit_code = SESSION_FAILED;
    if (error)
        output_write_error(error == -ENOBUFS ? "the message is longer than 1 MiB" : strerror(-error), NULL);
    else
        exit_code = (int)session_run(&send.session, config, &handlers);
    buf_done(&send.message);
    return exit_code;
}
