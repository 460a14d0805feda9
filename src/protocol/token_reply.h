/* The two answers of POST /token, as a client reads them. */
#pragma once
#include "protocol/token.h"

/* The token of a new session. False if the body is not such an answer. */
bool token_reply_read(struct token *token, const char *body, size_t len);

enum { REFUSAL_CODE_SIZE = 40 };

/* The stable `code` of an error answer, NUL-terminated; "" if the body is not one (a proxy's page, for example). */
void token_reply_refusal(char code[REFUSAL_CODE_SIZE], const char *body, size_t len);
