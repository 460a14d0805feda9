/* GET /messages?after=ID&limit=N: the history, oldest first, page by page. A page ends early where its messages are
 * large; `next` says where the following one begins. */
#include "protocol/calls.h"
#include "server/exchange.h"
#include "server/reactor.h"
#include "server/routes.h"
#include <stdlib.h>
#include <string.h>

enum {
    LIMIT_DEFAULT = 100,
    LIMIT_MAX = 1000,
    PAGE_BYTES = 1024 * 1024,
    BODY_MAX = 16 * 1024 * 1024, /* a page and the largest message, all of it escaped */
};

struct page {
    struct exchange exchange;
    char after[MESSAGE_ID_SIZE];
};

static void handle_entries(struct page *page, const struct redis_value *entries)
{
    struct buf body;
    const char *next = page->after;
    buf_init(&body, BODY_MAX);
    int error = buf_append_str(&body, "{\"messages\":[");
    for (size_t i = 0; i < entries->count && body.len < PAGE_BYTES && !error; i++) {
        if (i > 0)
            error = buf_append_str(&body, ",");
        if (error || !exchange_append_message(&body, &entries->item[i]))
            error = -1;
        else
            next = entries->item[i].item[0].str;
    }
    if (!error)
        error = buf_printf(&body, "],\"next\":\"%s\"}\n", next);
    if (error) {
        buf_done(&body);
        exchange_reject(&page->exchange, REJECT_INTERNAL);
    } else {
        exchange_reply_json(&page->exchange, 200, &body);
    }
}

static void handle_attach(void *data, int status, const struct redis_value *reply)
{
    struct page *page = data;
    if (!exchange_check(&page->exchange, status, reply))
        return;
    const char *word = reply->count > 0 ? reply->item[0].str : "";
    if (strcmp(word, "OK") == 0 && reply->count >= 5)
        handle_entries(page, &reply->item[4]);
    else
        exchange_reject(&page->exchange, strcmp(word, "RESET") == 0 ? REJECT_RESUME_RESET : REJECT_TOKEN_INVALID);
}

/* 1 to LIMIT_MAX, or 0 if the field is no such number. */
static int64_t read_limit(const struct http_field *field)
{
    int64_t limit = 0;
    for (size_t i = 0; i < field->len; i++) {
        if (field->value[i] < '0' || field->value[i] > '9' || limit > LIMIT_MAX)
            return 0;
        limit = limit * 10 + (field->value[i] - '0');
    }
    return limit <= LIMIT_MAX ? limit : 0;
}

void messages_endpoint_get(struct reactor *reactor, struct http_request *request)
{
    struct http_field field;
    struct message_id after = {0, 0};
    int64_t limit = LIMIT_DEFAULT;
    enum reject reject = REJECT_NONE;
    unsigned count = http_request_query(request, "after", &field);
    if (count > 1 || (count == 1 && !message_position_parse(&after, field.value, field.len)))
        reject = REJECT_RESUME_ID_INVALID;
    count = http_request_query(request, "limit", &field);
    if (count == 1)
        limit = read_limit(&field);
    if (count > 1 || limit == 0)
        reject = REJECT_LIMIT_INVALID;
    struct page *page = exchange_new(reactor, request, sizeof *page, true, REJECT_TOKEN_INVALID);
    if (!page)
        return;
    if (reject) {
        exchange_reject(&page->exchange, reject);
        return;
    }
    struct args args;
    message_id_print(&after, page->after);
    call_attach(&args, &page->exchange.keys, page->after, limit);
    if (!exchange_call(&page->exchange, &args, handle_attach))
        return; /* answered */
}
