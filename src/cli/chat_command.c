#include "cli/commands.h"
#include "cli/line_reader.h"
#include "cli/output.h"
#include "cli/session.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Lines from a pipe that may be on their way; below the server's default --max-pending of 32. */
enum { UNANSWERED_MAX = 16 };

struct chat {
    struct session session;
    struct line_reader reader;
    unsigned unanswered;
    bool has_prompt; /* people type: a prompt, and one message at a time */
    bool input_ended;
};

static struct chat *chat_of(struct session *session)
{
    return CONTAINER_OF(session, struct chat, session);
}

static void write_prompt(const struct chat *chat)
{
    if (!chat->has_prompt)
        return;
    fputs(">>> ", stdout);
    fflush(stdout);
}

/* The input is over; what was asked is still waited for. */
static void end_input(struct chat *chat)
{
    chat->input_ended = true;
    line_reader_pause(&chat->reader);
    if (chat->unanswered == 0)
        session_finish(&chat->session, SESSION_OK);
}

static bool is_blank(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!strchr(" \t", line[i]) || line[i] == '\0')
            return false;
    return true;
}

static void handle_line(struct line_reader *reader, const char *line, size_t len)
{
    struct chat *chat = CONTAINER_OF(reader, struct chat, reader);
    if (is_blank(line, len)) {
        write_prompt(chat);
        return;
    }
    if (len == 5 && memcmp(line, "/quit", 5) == 0) {
        end_input(chat);
        return;
    }
    if (!session_send(&chat->session, line, len))
        return;
    session_expect_answer(&chat->session);
    if (++chat->unanswered == UNANSWERED_MAX || chat->has_prompt)
        line_reader_pause(reader);
}

static void handle_end(struct line_reader *reader, int error)
{
    struct chat *chat = CONTAINER_OF(reader, struct chat, reader);
    if (chat->has_prompt)
        fputc('\n', stdout); /* Ctrl-D leaves the cursor behind the prompt */
    if (error)
        session_fail(&chat->session, SESSION_FAILED,
                     error == -ENOBUFS ? "a line is longer than 1 MiB" : strerror(-error), NULL);
    end_input(chat);
}

static void handle_open(struct session *session)
{
    struct chat *chat = chat_of(session);
    int error = line_reader_open(&chat->reader, &session->loop, STDIN_FILENO);
    if (error) {
        session_fail(session, SESSION_FAILED, strerror(-error), "the lines come from standard input");
        return;
    }
    if (chat->has_prompt)
        fprintf(stderr, "Talking to %s. /quit or Ctrl-D ends.\n", session->url.authority);
    write_prompt(chat);
    line_reader_resume(&chat->reader);
}

static void handle_text(struct session *session, const char *text, size_t len)
{
    struct chat *chat = chat_of(session);
    bool was_asked = chat->unanswered > 0;
    if (!was_asked && chat->has_prompt)
        fputc('\n', stdout); /* another tab's answer: it goes below the prompt */
    output_write_answer(text, len, session->config->json);
    if (was_asked && --chat->unanswered == 0)
        session_expect_nothing(session);
    else if (was_asked)
        session_expect_answer(session);
    if (chat->input_ended && chat->unanswered == 0) {
        session_finish(session, SESSION_OK);
        return;
    }
    if (chat->unanswered == 0)
        write_prompt(chat);
    if (!chat->input_ended)
        line_reader_resume(&chat->reader);
}

static void handle_closed(struct session *session)
{
    struct chat *chat = chat_of(session);
    bool is_at_prompt = chat->reader.is_open && chat->unanswered == 0;
    if (chat->has_prompt && is_at_prompt && !session->is_finished)
        fputc('\n', stdout); /* why it ended goes below the prompt */
    line_reader_close(&chat->reader);
}

int chat_command(const struct config *config)
{
    static const struct session_handlers handlers = {
        .on_open = handle_open,
        .on_text = handle_text,
        .on_closed = handle_closed,
    };
    struct chat chat = {
        .reader.on_line = handle_line,
        .reader.on_end = handle_end,
        .has_prompt = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !config->json,
    };
    if (config->word_count > 1) {
        output_write_error("`banter chat` takes no words", "for one message: banter send \"hi\"");
        return SESSION_WRONG_USAGE;
    }
    return (int)session_run(&chat.session, config, &handlers);
}
