/*
 * Where Redis is: parses the URL of --redis. Only the standalone forms are known today:
 *   redis://[user[:password]@]host[:port][/db]     unix://[user[:password]@]/path/to/socket[?db=N]
 * Pure; resolves nothing.
 */
#pragma once
#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>

struct redis_address {
    bool is_unix;
    char host[256]; /* name or address, IPv6 without brackets; or the socket's path */
    int port;
    char user[128];     /* "" : none */
    char password[256]; /* "" : none. Never logged. */
    int db;
};

/* 0, or -EINVAL with a sentence in `error` that says what is wrong and what would be right (never the password). */
int redis_address_parse(struct redis_address *address, const char *url, char *error, size_t error_size) MUST_CHECK;

/* The address without credentials, for logs and banners: "redis://host:6379/0" or "unix:///path". */
void redis_address_print(const struct redis_address *address, char *out, size_t size);
