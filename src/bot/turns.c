#include "bot/turns.h"
#include "bot/turn.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SUSPECT_DELIVERIES = 3,
    PULSE_MS = 10, /* how late what waits for its time may be */
};

/* ---- the table ---- */

static size_t bucket_of(const char *entry)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = entry; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    return hash % TURNS_BUCKETS;
}

/* The place that points to the turn of `entry`, or to NULL. */
static struct banter_turn **find(struct turns *turns, const char *entry)
{
    struct banter_turn **at = &turns->bucket[bucket_of(entry)];
    while (*at && strcmp((*at)->entry, entry) != 0)
        at = &(*at)->next;
    return at;
}

void turns_remove(struct turns *turns, struct banter_turn *turn)
{
    struct banter_turn **at = find(turns, turn->entry);
    assert(*at == turn);
    *at = turn->next;
    turns->count--;
}

static struct banter_turn *next_turn(const struct turns *turns, const struct banter_turn *turn)
{
    if (turn && turn->next)
        return turn->next;
    for (size_t i = turn ? bucket_of(turn->entry) + 1 : 0; i < TURNS_BUCKETS; i++)
        if (turns->bucket[i])
            return turns->bucket[i];
    return NULL;
}

const struct banter_turn *turns_next(const struct turns *turns, const struct banter_turn *turn)
{
    return next_turn(turns, turn);
}

const char *turns_entry_id(const struct banter_turn *turn)
{
    return turn->entry;
}

int64_t turns_count(const struct turns *turns)
{
    return turns->count;
}

int64_t turns_count_suspects(const struct turns *turns)
{
    int64_t count = 0;
    for (const struct banter_turn *turn = NULL; (turn = next_turn(turns, turn)) != NULL;)
        count += strtol(turn->tag, NULL, 10) >= SUSPECT_DELIVERIES; /* a tag begins with the number of the delivery */
    return count;
}

/* ---- turns ---- */

int turns_take(struct turns *turns, const struct turns_entry *entry)
{
    struct banter_turn *turn;
    struct banter_turn **at = find(turns, entry->id);
    if (*at)
        return 0;
    int error = turn_new(&turn, turns, entry);
    if (error)
        return error;
    *at = turn;
    turns->count++;
    turn_begin(turn, entry);
    return 0;
}

void turns_forget(struct turns *turns, const char *entry)
{
    struct banter_turn *turn = *find(turns, entry);
    if (turn)
        turn_lose(turn);
}

void turns_forget_all(struct turns *turns)
{
    for (struct banter_turn *turn; (turn = next_turn(turns, NULL)) != NULL;)
        turn_lose(turn);
}

void turns_set_link(struct turns *turns, struct redis_link *link)
{
    turns->link = link;
    for (struct banter_turn *turn = NULL; (turn = next_turn(turns, turn)) != NULL;)
        turn_proceed(turn);
}

static void handle_pulse(uv_timer_t *pulse)
{
    struct turns *turns = CONTAINER_OF(pulse, struct turns, pulse);
    for (struct banter_turn *turn = NULL; (turn = next_turn(turns, turn)) != NULL;) {
        turn_stop_if_cut(turn);
        turn_proceed(turn);
    }
}

void turns_start_pulse(struct turns *turns)
{
    if (!uv_is_active((uv_handle_t *)&turns->pulse))
        uv_timer_start(&turns->pulse, handle_pulse, PULSE_MS, 0);
}

int turns_open(struct turns **turns, const struct turns_options *options)
{
    *turns = calloc(1, sizeof **turns);
    if (!*turns)
        return -ENOMEM;
    (*turns)->options = *options;
    uv_timer_init(options->loop, &(*turns)->pulse);
    return 0;
}

static void handle_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct turns, pulse));
}

void turns_close(struct turns **turns)
{
    if (!*turns)
        return;
    turns_forget_all(*turns);
    uv_close((uv_handle_t *)&(*turns)->pulse, handle_closed);
    *turns = NULL;
}
