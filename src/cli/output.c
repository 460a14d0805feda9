#include "cli/output.h"
#include "protocol/json.h"
#include <string.h>
#include <unistd.h>

/* C0, DEL, and C1, which in UTF-8 is C2 80 to C2 9F. */
static size_t control_len(const unsigned char *at, size_t len)
{
    if (at[0] == 0xC2 && len > 1 && at[1] >= 0x80 && at[1] <= 0x9F)
        return 2;
    return (at[0] < 0x20 && at[0] != '\n' && at[0] != '\t') || at[0] == 0x7F;
}

void output_write_text(FILE *out, const char *text, size_t len)
{
    bool is_terminal = isatty(fileno(out));
    for (size_t i = 0; is_terminal && i < len;) {
        size_t control = control_len((const unsigned char *)text + i, len - i);
        fputc(control ? '?' : text[i], out);
        i += control ? control : 1;
    }
    if (!is_terminal)
        fwrite(text, 1, len, out);
}

void output_write_answer(const char *text, size_t len, bool is_json)
{
    struct buf json;
    buf_init(&json, 8 * len + 64); /* one byte becomes at most six, "\u0001" */
    if (!is_json)
        output_write_text(stdout, text, len);
    else if (buf_append_str(&json, "{\"msg\":") == 0 && json_append_string(&json, text, len) == 0 &&
             buf_append_str(&json, "}") == 0)
        fwrite(json.data, 1, json.len, stdout);
    buf_done(&json);
    fputc('\n', stdout);
    fflush(stdout);
}

void output_write_error(const char *what, const char *fix)
{
    fputs("banter: ", stderr);
    output_write_text(stderr, what, strlen(what));
    fputc('\n', stderr);
    if (fix)
        fprintf(stderr, "  %s\n", fix);
}
