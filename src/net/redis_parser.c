#include "net/redis_parser.h"
#include "net/redis_link.h"
#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_MIN = 4096,
    BLOCK_KEEP = 256 << 10, /* a larger arena goes back after the answer that needed it */
    READER_KEEP = 256 << 10 /* the same for hiredis' input buffer: what a link reads in one turn */
};

struct block {
    struct block *older;
    size_t size, used;
    _Alignas(max_align_t) char bytes[];
};

struct redis_parser {
    redisReader *reader;
    struct block *newest;
    size_t allocated;
    bool has_answer;     /* given by the last redis_parser_next */
    const char *refusal; /* why a value was not created, or NULL */
};

/* --- arena --- */

static void *arena_alloc(struct redis_parser *parser, size_t len)
{
    if (len > PARSER_MAX_BYTES - parser->allocated) {
        parser->refusal = "an answer above 64 MiB";
        return NULL;
    }
    len = (len + sizeof(void *) - 1) & ~(sizeof(void *) - 1);
    struct block *block = parser->newest;
    if (!block || len > block->size - block->used) {
        size_t size = block ? block->size * 2 : BLOCK_MIN;
        if (size < len)
            size = len;
        block = malloc(sizeof *block + size);
        if (!block)
            return NULL;
        *block = (struct block){.older = parser->newest, .size = size};
        parser->newest = block;
    }
    void *memory = block->bytes + block->used;
    block->used += len;
    parser->allocated += len;
    return memory;
}

/* Blocks double, so the newest alone would have held nearly all of the last answer: it is the one to keep. */
static void arena_reset(struct redis_parser *parser, size_t keep)
{
    struct block *block = parser->newest;
    parser->newest = NULL;
    parser->allocated = 0;
    if (block && block->size <= keep) {
        parser->newest = block;
        block->used = 0;
        struct block *older = block->older;
        block->older = NULL;
        block = older;
    }
    while (block) {
        struct block *older = block->older;
        free(block);
        block = older;
    }
}

/* --- what hiredis calls for each value it finds; NULL ends the stream --- */

static void *refuse(const redisReadTask *task, const char *why)
{
    struct redis_parser *parser = task->privdata;
    parser->refusal = why;
    return NULL;
}

/* Makes a value at its place: in the array above it, or as a root. */
static struct redis_value *create(const redisReadTask *task, enum redis_type type)
{
    struct redis_value *value;
    if (task->parent) {
        const struct redis_value *array = task->parent->obj;
        value = (struct redis_value *)&array->item[task->idx]; /* const is for the readers of a finished tree */
    } else {
        value = arena_alloc(task->privdata, sizeof *value);
    }
    if (value)
        *value = (struct redis_value){.type = type, .str = ""};
    return value;
}

static void *create_string(const redisReadTask *task, char *bytes, size_t len)
{
    enum redis_type type;
    switch (task->type) {
    case REDIS_REPLY_STRING:
        type = REDIS_TYPE_STRING;
        break;
    case REDIS_REPLY_STATUS:
        type = REDIS_TYPE_STATUS;
        break;
    case REDIS_REPLY_ERROR:
        type = REDIS_TYPE_ERROR;
        break;
    default:
        return refuse(task, "a type of RESP3");
    }
    /* hiredis moves its buffer before we see the whole answer, so the bytes are copied. */
    char *copy = arena_alloc(task->privdata, len + 1);
    struct redis_value *value = copy ? create(task, type) : NULL;
    if (!value)
        return NULL;
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    value->str = copy;
    value->len = len;
    return value;
}

static unsigned depth_of(const redisReadTask *task)
{
    unsigned depth = 0;
    for (; task->parent; task = task->parent)
        depth++;
    return depth;
}

#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t count)
#else
static void *create_array(const redisReadTask *task, int signed_count)
#endif
{
#if HIREDIS_MAJOR < 1
    size_t count = (size_t)signed_count; /* hiredis has checked that it is not negative */
#endif
    if (task->type != REDIS_REPLY_ARRAY)
        return refuse(task, "a type of RESP3");
    if (depth_of(task) > PARSER_MAX_DEPTH)
        return refuse(task, "arrays nested too deeply");
    if (count > PARSER_MAX_BYTES / sizeof(struct redis_value))
        return refuse(task, "an array too long");
    struct redis_value *items = arena_alloc(task->privdata, count * sizeof *items);
    struct redis_value *value = items ? create(task, REDIS_TYPE_ARRAY) : NULL;
    if (!value)
        return NULL;
    value->count = count;
    value->item = items;
    return value;
}

static void *create_integer(const redisReadTask *task, long long integer)
{
    struct redis_value *value = create(task, REDIS_TYPE_INTEGER);
    if (value)
        value->integer = integer;
    return value;
}

static void *create_nil(const redisReadTask *task)
{
    return create(task, REDIS_TYPE_NIL);
}

#if HIREDIS_MAJOR >= 1
static void *create_double(const redisReadTask *task, double number, char *text, size_t len)
{
    (void)number;
    (void)text;
    (void)len;
    return refuse(task, "a type of RESP3");
}

static void *create_bool(const redisReadTask *task, int truth)
{
    (void)truth;
    return refuse(task, "a type of RESP3");
}
#endif

/* Never written to; hiredis asks for a pointer without const. */
static redisReplyObjectFunctions creators = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
    .freeObject = NULL, /* the arena is freed as a whole */
};

int redis_parser_new(struct redis_parser **parser)
{
    struct redis_parser *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->reader = redisReaderCreateWithFunctions(&creators);
    if (!made->reader) {
        free(made);
        return -ENOMEM;
    }
    made->reader->privdata = made;
    made->reader->maxbuf = READER_KEEP;
    *parser = made;
    return 0;
}

void redis_parser_free(struct redis_parser *parser)
{
    if (!parser)
        return;
    redisReaderFree(parser->reader);
    arena_reset(parser, 0);
    free(parser);
}

int redis_parser_feed(struct redis_parser *parser, const char *bytes, size_t len)
{
    size_t unparsed = parser->reader->len - parser->reader->pos;
    if (len > PARSER_MAX_BYTES - unparsed)
        return -EMSGSIZE;
    return redisReaderFeed(parser->reader, bytes, len) == REDIS_OK ? 0 : -ENOMEM;
}

int redis_parser_next(struct redis_parser *parser, const struct redis_value **value)
{
    if (parser->has_answer) {
        arena_reset(parser, BLOCK_KEEP);
        parser->has_answer = false;
    }
    void *root = NULL;
    if (redisReaderGetReply(parser->reader, &root) != REDIS_OK)
        return -EPROTO;
    if (!root)
        return 0;
    parser->has_answer = true;
    *value = root;
    return 1;
}

const char *redis_parser_error(const struct redis_parser *parser)
{
    return parser->refusal ? parser->refusal : parser->reader->errstr;
}

bool redis_value_is_error(const struct redis_value *value, const char *code)
{
    size_t len = strlen(code);
    return value->type == REDIS_TYPE_ERROR && strncmp(value->str, code, len) == 0 &&
           (value->str[len] == ' ' || value->str[len] == '\0');
}
