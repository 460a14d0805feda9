/* Prints the table of banterd's options as README.md shows it; scripts/check-docs compares the two. */
#include "base/config.h"

int main(void)
{
    config_write_markdown(stdout, CONFIG_BANTERD);
    return 0;
}
