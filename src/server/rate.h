/*
 * What an address may do, over all reactors: how often something (the generic cell rate algorithm on atomic time
 * stamps), and how many sockets it may hold. A fixed table of cells, indexed by a keyed hash of the address. Constant
 * memory, no locks, nothing to clean up; two addresses that share a cell share its allowance, which among 65,536 cells
 * is rare and harmless.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct rate_table;

/* `per_minute` events a minute, and as many in a burst (0: any number); `most` sockets. NULL if out of memory. */
struct rate_table *rate_table_new(int64_t per_minute, int64_t most);
void rate_table_free(struct rate_table *table);

/* The address's cell, for the calls below. IPv6 addresses count by their /64. */
int rate_cell(const struct rate_table *table, const struct sockaddr *address);

/* True if one more event is allowed now. */
bool rate_allows(struct rate_table *table, int cell);

/* The same, and counts the event if it is. */
bool rate_charge(struct rate_table *table, int cell);

/* One more socket of this address: false, and not counted, if it has `most`. What was counted must leave again. */
bool rate_enter(struct rate_table *table, int cell);
void rate_leave(struct rate_table *table, int cell);
