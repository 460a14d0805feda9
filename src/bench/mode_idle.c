#include "bench/crowd.h"
#include "bench/modes.h"
#include <errno.h>
#include <stdlib.h>

/* Connections before the memory is first looked at: by then the server's pools are as large as they get. */
enum { FIRST = 64 };

static void handle_open(struct chat_client *client)
{
    struct crowd_member *member = crowd_member_of(client);
    struct crowd *crowd = member->crowd;
    unsigned first = crowd->count > 2 * FIRST ? FIRST : crowd->count / 2;
    if (crowd->open == first) {
        load_note_memory(crowd->load);
        crowd->load->memory_units = crowd->count - first;
    }
    crowd_note_open(member);
}

static void handle_text(struct chat_client *client, const char *text, size_t len)
{
    (void)text;
    (void)len;
    load_count_error(crowd_member_of(client)->crowd->load, "an idle connection was sent something");
}

static void handle_closed(struct chat_client *client, const struct chat_client_end *end)
{
    crowd_note_closed(crowd_member_of(client), end);
}

static int start(struct load *load)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    int error = crowd ? crowd_open(crowd, load) : -ENOMEM;
    if (error)
        free(crowd);
    else
        load->state = crowd;
    return error;
}

static void stop(struct load *load)
{
    crowd_close(load->state);
}

static void release(struct load *load)
{
    free(load->state);
}

static const struct chat_client_callbacks callbacks = {
    .on_open = handle_open,
    .on_text = handle_text,
    .on_closed = handle_closed,
};

const struct load_mode mode_idle = {
    .name = "idle",
    .unit = "connections",
    .callbacks = &callbacks,
    .start = start,
    .stop = stop,
    .abandon = stop,
    .release = release,
};
