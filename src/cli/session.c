#include "cli/session.h"
#include "cli/output.h"
#include "protocol/utf8.h"
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct session *session_of(struct chat_client *client)
{
    return CONTAINER_OF(client, struct session, client);
}

void session_finish(struct session *session, enum session_exit exit)
{
    if (session->is_finished)
        return;
    session->is_finished = true;
    session->exit = exit;
    chat_client_close(&session->client);
}

void session_fail(struct session *session, enum session_exit exit, const char *what, const char *fix)
{
    if (!session->is_finished)
        output_write_error(what, fix);
    session_finish(session, exit);
}

static void handle_patience_over(uv_timer_t *timer)
{
    struct session *session = CONTAINER_OF(timer, struct session, patience);
    session_fail(session, SESSION_TIMED_OUT, "no answer in time",
                 "does a worker serve this bot? Start a banter-bot, or wait longer with --timeout");
}

void session_expect_answer(struct session *session)
{
    uv_timer_start(&session->patience, handle_patience_over, (uint64_t)session->config->timeout_ms, 0);
}

void session_expect_nothing(struct session *session)
{
    uv_timer_stop(&session->patience);
}

bool session_send(struct session *session, const char *text, size_t len)
{
    if (!utf8_is_valid(text, len)) {
        session_fail(session, SESSION_FAILED, "the message is not UTF-8 text", NULL);
        return false;
    }
    int error = chat_client_send(&session->client, text, len);
    if (error)
        session_fail(session, SESSION_FAILED, error == -ENOBUFS ? "the message is too long" : strerror(-error), NULL);
    return !error;
}

/* --- What to do about it ----------------------------------------------------------------------------------------- */

static const char *fix_for_error(int error)
{
    switch (error) {
    case -ECONNREFUSED:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
        return "is banterd running? Try ./scripts/run, or name the server with --url";
    case -ETIMEDOUT:
        return "its log may say why; --timeout waits longer";
    case -EPROTO:
    case -EMSGSIZE:
        return "check --url";
    default:
        return NULL;
    }
}

static const char *fix_for_code(int code)
{
    switch (code) {
    case 1001:
    case 1006:
    case 1013:
        return "try again in a moment";
    case 1008:
        return "leave --token and BANTER_TOKEN out to open a new session";
    default:
        return NULL;
    }
}

static void tell_end(struct session *session, const struct chat_client_end *end)
{
    char what[256];
    if (end->code == 0) {
        bool is_late = end->error == -ETIMEDOUT;
        session_fail(session, is_late ? SESSION_TIMED_OUT : SESSION_FAILED, end->text, fix_for_error(end->error));
        return;
    }
    snprintf(what, sizeof what, "the server ended the conversation: %s (%d)",
             end->text[0] ? end->text : "no reason given", end->code);
    session_fail(session, SESSION_FAILED, what, fix_for_code(end->code));
}

/* --- The client's callbacks -------------------------------------------------------------------------------------- */

static void handle_token(struct chat_client *client, const struct token *token, const char *body, size_t len)
{
    struct session *session = session_of(client);
    if (session->handlers->on_token)
        session->handlers->on_token(session, token, body, len);
}

static void handle_open(struct chat_client *client)
{
    struct session *session = session_of(client);
    if (session->handlers->on_open)
        session->handlers->on_open(session);
}

static void handle_text(struct chat_client *client, const char *text, size_t len)
{
    struct session *session = session_of(client);
    if (!session->is_finished && session->handlers->on_text)
        session->handlers->on_text(session, text, len);
}

static void handle_closed(struct chat_client *client, const struct chat_client_end *end)
{
    struct session *session = session_of(client);
    if (session->handlers->on_closed)
        session->handlers->on_closed(session);
    if (!session->is_finished)
        tell_end(session, end);
    uv_close((uv_handle_t *)&session->patience, NULL);
    chat_client_pool_free(session->pool);
}

static const struct chat_client_callbacks client_callbacks = {
    .on_token = handle_token,
    .on_open = handle_open,
    .on_text = handle_text,
    .on_closed = handle_closed,
};

/* --- The run ----------------------------------------------------------------------------------------------------- */

static enum session_exit open_client(struct session *session)
{
    const struct config *config = session->config;
    const struct chat_client_pool_options options = {
        .loop = &session->loop,
        .url = &session->url,
        .callbacks = &client_callbacks,
        .timeout_ms = (uint64_t)config->timeout_ms,
    };
    const char *why = server_url_parse(&session->url, config->url);
    if (why) {
        output_write_error(why, "--url takes the address that banterd shows when it starts");
        return SESSION_WRONG_USAGE;
    }
    if (config->token && !token_parse(&session->token, config->token, strlen(config->token))) {
        output_write_error("that is no token", "a token is what `banter token` prints: 36 letters, digits and hyphens");
        return SESSION_WRONG_USAGE;
    }
    if (chat_client_pool_new(&session->pool, &options, &why) != 0) {
        output_write_error(why, "check the name of the server in --url");
        return SESSION_FAILED;
    }
    int error = chat_client_open(&session->client, session->pool, config->name, config->token ? &session->token : NULL);
    if (!error)
        return SESSION_OK;
    output_write_error(strerror(-error), fix_for_error(error));
    chat_client_pool_free(session->pool);
    return SESSION_FAILED;
}

enum session_exit session_run(struct session *session, const struct config *config,
                              const struct session_handlers *handlers)
{
    session->config = config;
    session->handlers = handlers;
    int error = uv_loop_init(&session->loop);
    if (error) {
        output_write_error(uv_strerror(error), NULL);
        return SESSION_FAILED;
    }
    uv_timer_init(&session->loop, &session->patience);
    session->exit = open_client(session);
    if (session->exit != SESSION_OK)
        uv_close((uv_handle_t *)&session->patience, NULL);
    uv_run(&session->loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(&session->loop);
    assert(busy == 0);
    (void)busy;
    return session->exit;
}
