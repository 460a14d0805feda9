/*
 * One conversation for a command of `banter`: the loop, the client, the patience, and what to say when something goes
 * wrong: what happened, and what to do about it.
 */
#pragma once
#include "base/config.h"
#include "client/chat_client.h"

enum session_exit {
    SESSION_OK = 0,
    SESSION_FAILED = 1,
    SESSION_WRONG_USAGE = 2,
    SESSION_TIMED_OUT = 3,
};

struct session;

struct session_handlers {
    void (*on_token)(struct session *session, const struct token *token, const char *body, size_t len); /* or NULL */
    void (*on_open)(struct session *session);                                                           /* or NULL */
    void (*on_text)(struct session *session, const char *text, size_t len);                             /* or NULL */
    /* The conversation is over, whoever ended it, and why is told next: to let other handles of the loop go. Or NULL.
     */
    void (*on_closed)(struct session *session);
};

/* Fields are for the handlers to read. */
struct session {
    const struct config *config;
    const struct session_handlers *handlers;
    uv_loop_t loop;
    uv_timer_t patience;
    struct server_url url;
    struct chat_client_pool *pool;
    struct chat_client client;
    struct token token;
    enum session_exit exit;
    bool is_finished;
};

/* Runs one conversation to its end. Everything that went wrong was told on stderr. */
enum session_exit session_run(struct session *session, const struct config *config,
                              const struct session_handlers *handlers) MUST_CHECK;

/* Sends one message; what is no UTF-8 is refused here. False: the session has failed. */
bool session_send(struct session *session, const char *text, size_t len) MUST_CHECK;

/* Starts, or starts again, to wait for an answer; and stops that. */
void session_expect_answer(struct session *session);
void session_expect_nothing(struct session *session);

/* Ends the conversation. */
void session_finish(struct session *session, enum session_exit exit);

/* The same, after "banter: what" and, if there is one, "  fix" on stderr. */
void session_fail(struct session *session, enum session_exit exit, const char *what, const char *fix);
