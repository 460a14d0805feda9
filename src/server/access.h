/*
 * Who may come in: the names we answer to, the origins that browsers may use us from, the addresses behind trusted
 * proxies, and the token of a request in its three places.
 */
#pragma once
#include "base/reject.h"
#include "net/http_listener.h"
#include "protocol/token.h"
#include "server/server.h"
#include <stddef.h>

/* Host must be a name we serve (DNS rebinding): loopback names while we listen on loopback only, else any, unless
 * --host lists them. */
enum reject access_check_host(const struct server *server, const struct http_request *request);

/* An Origin that may open sockets and read answers: none at all (no browser), our own, localhost, or listed by
 * --origin. */
enum reject access_check_origin(const struct server *server, const struct http_request *request);

/* Adds what lets the page of an allowed origin read this answer. */
void access_add_cors(const struct server *server, struct http_request *request);

/*
 * The request's token from ?token=, Authorization: Bearer, or `bearer` (of the subprotocol, NULL if none). NONE;
 * TOKEN_INVALID if missing or malformed; FIELD_REPEATED; TOKEN_CONFLICT if two differ.
 */
enum reject access_read_token(const struct http_request *request, const char *bearer, size_t bearer_len,
                              struct token *token);

/* True for an address of this machine itself that is no trusted proxy. */
bool access_is_local(const struct server *server, const struct http_request *request);

/* The cell of a socket's peer in the server's table of addresses; -1 for this machine and trusted proxies, whose
 * sockets are many people's. */
int access_peer_cell(const struct server *server, const struct sockaddr *peer);

/* The cell of the client behind the proxies, or -1 for this machine itself. */
int access_token_cell(const struct server *server, const struct http_request *request);

/* May this address open, or have guessed wrongly, one more token? And: it has just done so. */
bool access_token_allows(struct server *server, int cell);
bool access_token_charge(struct server *server, int cell);

/* "ws://HOST" or "wss://HOST" as the client sees us: --public-url, else a trusted proxy's X-Forwarded-*, else Host. */
void access_socket_base(const struct server *server, const struct http_request *request, char *out, size_t size);
