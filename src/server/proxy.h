/* Trusted proxies: whose word about the client's address counts. */
#pragma once
#include "base/config.h"
#include "net/http_listener.h"
#include <stdbool.h>
#include <sys/socket.h>

/* Is the address in one of the ranges (addresses or address/bits, checked by config)? IPv4 in IPv6 counts as IPv4. */
bool proxy_is_trusted(const struct config_list *ranges, const struct sockaddr *address);

/*
 * The client behind the proxies: from the socket's peer leftwards through X-Forwarded-For as long as each is trusted.
 * The peer itself if it is none, or where the header makes no sense.
 */
void proxy_client_address(const struct config_list *ranges, const struct http_request *request,
                          struct sockaddr_storage *client);
