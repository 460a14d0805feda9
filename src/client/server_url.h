/* Where the server is: an http:// or ws:// address, taken apart and looked up. */
#pragma once
#include "base/compiler.h"
#include <netinet/in.h>
#include <sys/socket.h>

enum { SERVER_URL_ADDRESSES_MAX = 4 };

struct server_url {
    char host[256];      /* without the brackets of IPv6 */
    char authority[272]; /* as a Host header says it */
    char port[6];
    char path[256]; /* in front of our own paths; "" or "/prefix", never with a slash at the end */
};

union server_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* NULL, or the sentence that says what is wrong with `text`. */
const char *server_url_parse(struct server_url *url, const char *text) MUST_CHECK;

/*
 * Looks the host up (blocks, so for the start of a program). Returns how many addresses there are, in the order to try
 * them; 0, with a sentence in `*why`, if there are none.
 */
int server_url_resolve(const struct server_url *url, union server_address addresses[SERVER_URL_ADDRESSES_MAX],
                       const char **why) MUST_CHECK;
