#include "bench/crowd.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More at once would measure the server's backlog, and leave its memory at the peak of the crush. */
enum { OPENING_MAX = 32 };

struct crowd_member *crowd_member_of(struct chat_client *client)
{
    return CONTAINER_OF(client, struct crowd_member, chat);
}

unsigned crowd_index(const struct crowd_member *member)
{
    return (unsigned)(member - member->crowd->member);
}

static int start_next(struct crowd *crowd)
{
    struct crowd_member *member = &crowd->member[crowd->started];
    member->crowd = crowd;
    int error = chat_client_open(&member->chat, crowd->load->pool, crowd->load->config->name, NULL);
    if (!error)
        crowd->started++;
    return error;
}

static void finish(struct crowd *crowd)
{
    free(crowd->member);
    crowd->member = NULL;
    load_is_finished(crowd->load);
}

int crowd_open(struct crowd *crowd, struct load *load)
{
    unsigned count = (unsigned)load->config->bench.clients;
    *crowd = (struct crowd){.load = load, .count = count, .member = calloc(count, sizeof *crowd->member)};
    int error = crowd->member ? start_next(crowd) : -ENOMEM;
    if (error) {
        free(crowd->member);
        return error;
    }
    while (!error && crowd->started < count && crowd->started < OPENING_MAX)
        error = start_next(crowd);
    return 0; /* who could not start now is started, or fails, when the ones before it are open */
}

void crowd_note_open(struct crowd_member *member)
{
    struct crowd *crowd = member->crowd;
    crowd->open++;
    if (crowd->is_closing)
        return;
    if (crowd->open == crowd->count) {
        load_is_ready(crowd->load);
        return;
    }
    int error = crowd->started < crowd->count ? start_next(crowd) : 0;
    if (error)
        load_count_error(crowd->load, strerror(-error));
}

void crowd_note_closed(struct crowd_member *member, const struct chat_client_end *end)
{
    struct crowd *crowd = member->crowd;
    member->is_closed = true;
    crowd->closed++;
    if (crowd->is_closing) {
        if (crowd->closed == crowd->started)
            finish(crowd);
        return;
    }
    char sentence[256];
    snprintf(sentence, sizeof sentence, "a connection was lost: %d %s", end->code, end->text);
    load_count_error(crowd->load, end->code ? sentence : end->text);
}

void crowd_close(struct crowd *crowd)
{
    if (crowd->is_closing)
        return;
    crowd->is_closing = true;
    if (crowd->closed == crowd->started) {
        finish(crowd);
        return;
    }
    for (unsigned i = 0; i < crowd->started; i++)
        if (!crowd->member[i].is_closed)
            chat_client_close(&crowd->member[i].chat);
}
