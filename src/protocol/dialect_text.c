#include "protocol/dialect_text.h"

int dialect_text_error(struct buf *out, const char *why, size_t len)
{
    int error = buf_append_str(out, "ERROR: ");
    return error ? error : buf_append(out, why, len);
}
