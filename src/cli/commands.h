/* The commands of `banter`: one row in main.c each, one file each. Each returns the exit code of the program. */
#pragma once
#include "base/config.h"

/* `banter token`: opens a session and prints its token. */
int token_command(const struct config *config);

/* `banter send WORDS`: one message, one answer. */
int send_command(const struct config *config);

/* `banter chat`: a line, an answer, until the end of the input. */
int chat_command(const struct config *config);
