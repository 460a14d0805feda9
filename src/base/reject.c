#include "base/reject.h"
#include <assert.h>

static const struct reject_info table[REJECT_COUNT] = {
#define REJECT_ROW(name, status, close_code, code, loc, msg) [REJECT_##name] = {status, close_code, code, loc, msg},
    REJECTS(REJECT_ROW)
#undef REJECT_ROW
};

const struct reject_info *reject_info(enum reject reject)
{
    assert(reject > REJECT_NONE && reject < REJECT_COUNT);
    return &table[reject];
}
