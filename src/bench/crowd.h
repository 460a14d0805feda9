/* Many chat clients that open a few at a time, stay, and close together: what the chat and the idle load have in
 * common. */
#pragma once
#include "bench/load.h"

struct crowd;

struct crowd_member {
    struct chat_client chat;
    struct crowd *crowd;
    bool is_closed;
};

struct crowd {
    struct load *load;
    struct crowd_member *member;
    unsigned count;
    unsigned started, open, closed; /* members so far */
    bool is_closing;
};

/* Starts to open as many clients as the configuration says, each with a session of its own. 0 or negative errno. */
int crowd_open(struct crowd *crowd, struct load *load) MUST_CHECK;

/* The member that a callback is about, and its place in the crowd. */
struct crowd_member *crowd_member_of(struct chat_client *client);
unsigned crowd_index(const struct crowd_member *member);

/* To be called from on_open; opens the next one. When all are open, the load is ready. */
void crowd_note_open(struct crowd_member *member);

/* To be called last from on_closed: it may free the crowd's members and finish the load. */
void crowd_note_closed(struct crowd_member *member, const struct chat_client_end *end);

/* Closes all members; the load is finished when they are closed. Idempotent. */
void crowd_close(struct crowd *crowd);
