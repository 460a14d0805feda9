#include "server/accept.h"
#include "protocol/calls.h"
#include "server/connection.h"
#include "server/reactor.h"
#include "server/replies.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <utlist.h>

enum { IN_HAND_MS = 30000 }; /* how long a message waits for Redis to come back before it is refused */

void accept_table_init(struct reactor *reactor)
{
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint64_t)getpid() << 32 ^ uv_hrtime(); /* uniqueness is enough here, secrecy is not needed */
    snprintf(reactor->accepts.client_prefix, sizeof reactor->accepts.client_prefix, "%016" PRIx64, random);
}

static void free_job(struct accept_job *job)
{
    struct accept_table *table = &job->reactor->accepts;
    struct connection *connection = job->connection;
    struct session *session = job->session;
    wheel_cancel(&job->deadline);
    if (job->is_waiting)
        DL_DELETE(table->waiting, job);
    table->count--;
    if (connection) {
        DL_DELETE2(connection->jobs, job, prev_of_connection, next_of_connection);
        connection->job_count--;
        connection_resume(connection, PAUSE_QUEUE);
    }
    free(job);
    session_call_ended(session);
}

static void refuse_job(struct accept_job *job, enum reject reject)
{
    if (job->connection)
        connection_refuse(job->connection, reject);
    free_job(job);
}

static void handle_deadline(struct wheel_timer *timer)
{
    refuse_job(CONTAINER_OF(timer, struct accept_job, deadline), REJECT_NOT_STORED);
}

/* Its fate is unknown or Redis is away: it is tried again, under the same client id, when the backend is ready. */
static void wait_for_redis(struct accept_job *job)
{
    job->is_waiting = true;
    wheel_arm(&job->reactor->wheel, &job->deadline, job->since_ms + IN_HAND_MS);
    DL_APPEND(job->reactor->accepts.waiting, job);
}

static void finish_job(struct accept_job *job, const struct redis_value *id, const struct redis_value *prev)
{
    struct message_id stored, before;
    metrics_add(&job->reactor->metrics, METRIC_MESSAGES_ACCEPTED, 1);
    if (message_id_parse(&stored, id->str, id->len) && message_id_parse(&before, prev->str, prev->len))
        replies_user_entry(job->session, &stored, &before);
    free_job(job);
}

static void handle_accepted(void *data, int status, const struct redis_value *reply)
{
    struct accept_job *job = data;
    job->is_retry = true;
    if (status) {
        wait_for_redis(job);
        return;
    }
    const char *word = reply->type == REDIS_TYPE_ARRAY && reply->count > 0 ? reply->item[0].str : "";
    if (redis_value_is_error(reply, "OOM")) {
        refuse_job(job, REJECT_BUSY);
    } else if (strcmp(word, "GONE") == 0) {
        session_gone(job->session);
        free_job(job);
    } else if (strcmp(word, "FULL") == 0) {
        refuse_job(job, REJECT_TOO_MANY_TURNS);
    } else if (strcmp(word, "REPEATED") == 0 || strcmp(word, "CONFLICT") == 0) {
        metrics_add(&job->reactor->metrics, METRIC_MESSAGES_ACCEPTED, 1);
        free_job(job); /* stored by the first try; positions follow from the history */
    } else if (reply->type == REDIS_TYPE_ARRAY && reply->count == 2) {
        finish_job(job, &reply->item[0], &reply->item[1]);
    } else if (backend_blames_keys(reply)) {
        refuse_job(job, REJECT_INTERNAL);
    } else {
        wait_for_redis(job);
        backend_distrust(job->reactor, reply);
    }
}

static void send_job(struct accept_job *job)
{
    const struct config *config = job->reactor->config;
    struct session_keys keys;
    struct args args;
    char requests[KEY_MAX];
    keys_of_session(&keys, &job->session->token);
    keys_requests(requests, job->session->bot);
    call_accept(&args, &keys, requests,
                &(struct call_accept){
                    .text = job->text,
                    .text_len = job->len,
                    .client = job->client,
                    .how = job->is_retry ? ACCEPT_RETRY : ACCEPT_FRESH,
                    .history = config->history,
                    .pending = config->max_pending,
                });
    int error = backend_call(job->reactor, &args, handle_accepted, job);
    if (error == -ENOTCONN)
        wait_for_redis(job);
    else if (error)
        refuse_job(job, REJECT_BUSY); /* no room to send it: later ones must not overtake it */
}

void accept_message(struct connection *connection, const char *text, size_t len)
{
    struct reactor *reactor = connection->reactor;
    struct session *session = connection->session;
    if (heartbeat_queue_length(reactor, session->bot) > reactor->config->max_queue) {
        connection_refuse(connection, REJECT_BUSY);
        return;
    }
    struct accept_job *job = malloc(sizeof *job + len);
    if (!job) {
        connection_refuse(connection, REJECT_INTERNAL);
        return;
    }
    *job = (struct accept_job){
        .reactor = reactor,
        .session = session,
        .connection = connection,
        .since_ms = reactor_now_ms(reactor),
        .deadline.on_due = handle_deadline,
        .len = len,
    };
    memcpy(job->text, text, len);
    snprintf(job->client, sizeof job->client, "%s-%" PRIx64, reactor->accepts.client_prefix,
             reactor->accepts.next_client++);
    DL_APPEND2(connection->jobs, job, prev_of_connection, next_of_connection);
    reactor->accepts.count++;
    session_call_begins(session);
    if (++connection->job_count >= reactor->config->max_pending)
        connection_pause(connection, PAUSE_QUEUE);
    send_job(job);
}

void accept_forget(struct connection *connection)
{
    struct accept_job *job, *next;
    DL_FOREACH_SAFE2 (connection->jobs, job, next, next_of_connection)
        job->connection = NULL;
    connection->jobs = NULL;
    connection->job_count = 0;
}

void accept_retry_all(struct reactor *reactor)
{
    struct accept_job *job, *waiting = reactor->accepts.waiting;
    reactor->accepts.waiting = NULL;
    while ((job = waiting)) {
        DL_DELETE(waiting, job);
        job->is_waiting = false;
        wheel_cancel(&job->deadline); /* under way it is the link's deadline that counts */
        send_job(job);
    }
}

void accept_drop_all(struct reactor *reactor)
{
    while (reactor->accepts.waiting)
        free_job(reactor->accepts.waiting);
}
