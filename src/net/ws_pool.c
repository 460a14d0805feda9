#include "net/ws_pool.h"
#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

enum {
    SPARE_CONTEXTS = 256, /* about 200 bytes each, and at most BUFFER_KEEP of output */
    BUFFER_KEEP = 1024,   /* a larger output buffer is not kept with a spare context */
    OUTPUT_MARK = 16 * 1024,
    CONTROL_ROOM = 4 * (WS_HEADER_MAX + WS_CONTROL_MAX), /* above max_output: a pong, a ping and a Close still fit */
};

static void handle_idle(uv_idle_t *idle)
{
    struct ws_pool *pool = idle->data;
    /* What is scheduled from now on waits for the next turn: the sockets come in between. */
    struct ws_context *todo = pool->work;
    pool->work = NULL;
    while (todo) {
        struct ws_context *context = todo;
        DL_DELETE(todo, context);
        context->is_scheduled = false;
        ws_stream_work(context->owner);
    }
    if (!pool->work)
        uv_idle_stop(&pool->idle);
}

static void set_default(uint64_t *value, uint64_t preset)
{
    if (*value == 0)
        *value = preset;
}

static struct ws_pool_options with_defaults(const struct ws_pool_options *given)
{
    struct ws_pool_options options = *given;
    if (options.max_fragments == 0)
        options.max_fragments = 64;
    if (options.max_output == 0)
        options.max_output = 256 * 1024;
    set_default(&options.max_output_age_ms, 30000);
    set_default(&options.message_timeout_ms, 30000);
    set_default(&options.ping_interval_ms, 25000);
    set_default(&options.pong_wait_ms, 10000);
    set_default(&options.close_wait_ms, 2000);
    return options;
}

int ws_pool_new(struct ws_pool **pool, const struct ws_pool_options *options)
{
    struct ws_pool *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->options = with_defaults(options);
    made->output_mark = made->options.max_output < OUTPUT_MARK ? made->options.max_output : OUTPUT_MARK;
    made->encoder = ws_encoder_new(options->is_client);
    if (!made->encoder) {
        free(made);
        return -ENOMEM;
    }
    uv_idle_init(options->loop, &made->idle); /* always 0 */
    made->idle.data = made;
    *pool = made;
    return 0;
}

static void handle_idle_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void ws_pool_free(struct ws_pool *pool)
{
    if (!pool)
        return;
    while (pool->spare) {
        struct ws_context *context = pool->spare;
        pool->spare = context->next;
        buf_done(&context->output);
        free(context);
    }
    while (pool->spare_decoder_count > 0)
        ws_decoder_free(pool->spare_decoder[--pool->spare_decoder_count]);
    ws_encoder_free(pool->encoder);
    uv_close((uv_handle_t *)&pool->idle, handle_idle_closed);
}

size_t ws_pool_contexts(const struct ws_pool *pool)
{
    return pool->context_count;
}

struct ws_context *ws_pool_context(struct ws_stream *stream)
{
    if (stream->context)
        return stream->context;
    struct ws_pool *pool = stream->pool;
    struct ws_context *context = pool->spare;
    if (context) {
        pool->spare = context->next;
        pool->spare_count--;
    } else {
        context = calloc(1, sizeof *context);
        if (!context)
            return NULL;
        buf_init(&context->input, WS_READ_SIZE);
        buf_init(&context->output, pool->options.max_output + CONTROL_ROOM);
    }
    context->owner = stream;
    stream->context = context;
    pool->context_count++;
    return context;
}

void ws_pool_reclaim(struct ws_stream *stream)
{
    struct ws_pool *pool = stream->pool;
    struct ws_context *context = stream->context;
    if (!context)
        return;
    if (context->is_scheduled) /* then it is in pool->work: streams do not close while handle_idle walks its own list */
        DL_DELETE(pool->work, context);
    ws_pool_reclaim_decoder(pool, context);
    buf_done(&context->input);
    if (context->output.cap > BUFFER_KEEP)
        buf_done(&context->output);
    stream->context = NULL;
    pool->context_count--;
    if (pool->spare_count == SPARE_CONTEXTS) {
        buf_done(&context->output);
        free(context);
        return;
    }
    context->output.len = 0;
    *context = (struct ws_context){.next = pool->spare, .input = context->input, .output = context->output};
    pool->spare = context;
    pool->spare_count++;
}

int ws_pool_lend_decoder(struct ws_pool *pool, struct ws_context *context)
{
    if (context->decoder)
        return 0;
    if (pool->spare_decoder_count > 0) {
        context->decoder = pool->spare_decoder[--pool->spare_decoder_count];
        return 0;
    }
    context->decoder = ws_decoder_new(&(struct ws_decoder_options){.is_client = pool->options.is_client,
                                                                   .max_message = pool->options.max_message,
                                                                   .max_fragments = pool->options.max_fragments});
    return context->decoder ? 0 : -ENOMEM;
}

void ws_pool_reclaim_decoder(struct ws_pool *pool, struct ws_context *context)
{
    struct ws_decoder *decoder = context->decoder;
    context->decoder = NULL;
    if (decoder && ws_decoder_is_idle(decoder) && pool->spare_decoder_count < COUNT_OF(pool->spare_decoder))
        pool->spare_decoder[pool->spare_decoder_count++] = decoder;
    else
        ws_decoder_free(decoder);
}

void ws_pool_schedule(struct ws_context *context)
{
    struct ws_pool *pool = context->owner->pool;
    if (context->is_scheduled)
        return;
    context->is_scheduled = true;
    DL_APPEND(pool->work, context);
    uv_idle_start(&pool->idle, handle_idle); /* always 0 */
}
