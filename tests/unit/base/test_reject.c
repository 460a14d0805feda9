#include "base/reject.h"
#include "check.h"

enum { CLOSE_REASON_MAX = 123 }; /* RFC 6455: a control frame has 125 bytes, 2 of them the code */

static int is_plain(const char *text)
{
    for (; *text; text++)
        if (*text < 0x20 || *text > 0x7e)
            return 0;
    return 1;
}

static void test_every_row_is_complete(void)
{
    for (int i = REJECT_NONE + 1; i < REJECT_COUNT; i++) {
        const struct reject_info *info = reject_info((enum reject)i);
        CHECK(info->status >= 400 && info->status <= 599);
        CHECK(info->close_code == 0 || (info->close_code >= 1001 && info->close_code <= 1014));
        CHECK(*info->msg && is_plain(info->msg) && strlen(info->msg) <= CLOSE_REASON_MAX);
        CHECK(*info->loc && is_plain(info->loc));
        CHECK(*info->code && strspn(info->code, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(info->code));
    }
}

/* What clients and the interface description rely on, word for word. */
static void test_promised_words(void)
{
    const struct reject_info *invalid = reject_info(REJECT_TOKEN_INVALID);
    CHECK(invalid->status == 401 && invalid->close_code == 1008);
    CHECK_STR(invalid->code, "invalid_token");
    CHECK_STR(invalid->msg, "Session not authenticated or expired token");
    const struct reject_info *expired = reject_info(REJECT_TOKEN_EXPIRED);
    CHECK(expired->status == 400);
    CHECK_STR(expired->code, "invalid_token");
    CHECK_STR(expired->loc, "token");
    CHECK_STR(expired->msg, "Session expired or does not exist");
    const struct reject_info *name = reject_info(REJECT_NAME_INVALID);
    CHECK(name->status == 400);
    CHECK_STR(name->code, "invalid_name");
    CHECK_STR(name->loc, "name");
    CHECK_STR(name->msg, "Enter a valid name");
}

int main(void)
{
    test_every_row_is_complete();
    test_promised_words();
    return 0;
}
