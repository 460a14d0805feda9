#include "base/config_table.h"
#include "base/option_help.h"
#include "capture.h"

static struct capture capture;

static void test_every_option_is_there_in_80_columns(void)
{
    for (int program = CONFIG_BANTERD; program <= (int)CONFIG_BENCH; program <<= 1) {
        capture_begin(&capture, STDOUT_FILENO);
        option_help_write(stdout, config_table, config_table_count, (enum config_program)program);
        const char *text = capture_end(&capture);
        for (size_t i = 0; i < config_table_count; i++) {
            char name[64];
            snprintf(name, sizeof name, "\n  --%s ", config_table[i].name);
            CHECK(!strstr(text, name) == !(config_table[i].programs & (unsigned)program));
        }
        for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
            size_t len = strcspn(line, "\n");
            CHECK(len < 80 && (len == 0 || line[len - 1] != ' '));
        }
    }
}

static void test_layout(void)
{
    static const struct option table[] = {
        {"one", "N", "First", "A number", "5", .max = 9, .programs = CONFIG_CLI, .type = OPTION_INTEGER},
        {"other", "N", "First", "Not ours", "5", .max = 9, .programs = CONFIG_BOT, .type = OPTION_INTEGER},
        {"two", "WORD", "First", "A choice whose explanation needs more than a line", "a", .choices = "a, b",
         .programs = CONFIG_CLI, .type = OPTION_CHOICE},
        {"three", NULL, "Second", "A flag", .programs = CONFIG_CLI, .type = OPTION_FLAG},
        {"four", "DIR", "Second", "Text", .shown = "here", .programs = CONFIG_CLI, .type = OPTION_STRING},
    };
    capture_begin(&capture, STDOUT_FILENO);
    option_help_write(stdout, table, COUNT_OF(table), CONFIG_CLI);
    CHECK_STR(capture_end(&capture), "\nFirst:\n"
                                     "  --one N                  A number [5; 0..9]\n"
                                     "  --two WORD               A choice whose explanation needs more than a line\n"
                                     "                           [a; a, b]\n"
                                     "\nSecond:\n"
                                     "  --three                  A flag\n"
                                     "  --four DIR               Text [here]\n");
    capture_begin(&capture, STDOUT_FILENO);
    option_help_write_markdown(stdout, table, 1, CONFIG_CLI);
    CHECK_STR(capture_end(&capture), "| option | default | allowed | means | environment |\n|---|---|---|---|---|\n"
                                     "| `--one N` | 5 | 0..9 | A number | `BANTER_ONE` |\n");
}

int main(void)
{
    test_every_option_is_there_in_80_columns();
    test_layout();
    return 0;
}
