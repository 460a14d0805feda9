/* The addresses that the server answers, as a table in routes.c; each endpoint is a file of its own. */
#pragma once
#include "net/http_listener.h"

struct reactor;

/* Finds the route and lets its endpoint answer: 404, 405 with Allow, 403 for a Host or Origin that is not served. */
void routes_dispatch(struct reactor *reactor, struct http_request *request);

/* The endpoints. Each answers its request exactly once, at once or later. */
void token_endpoint_post(struct reactor *reactor, struct http_request *request);
void token_endpoint_delete(struct reactor *reactor, struct http_request *request);
void refresh_token_endpoint_post(struct reactor *reactor, struct http_request *request);
void refresh_token_endpoint_get(struct reactor *reactor, struct http_request *request);
void messages_endpoint_get(struct reactor *reactor, struct http_request *request);
void chat_endpoint_get(struct reactor *reactor, struct http_request *request);
void client_count_endpoint_get(struct reactor *reactor, struct http_request *request);
void health_endpoint_healthz(struct reactor *reactor, struct http_request *request);
void health_endpoint_readyz(struct reactor *reactor, struct http_request *request);
void metrics_endpoint_get(struct reactor *reactor, struct http_request *request);
void index_endpoint_get(struct reactor *reactor, struct http_request *request);
