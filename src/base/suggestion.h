/*
 * "Did you mean …?": finds among the words that exist the one nearest to a mistyped one. Offer them one by one; what is
 * `nearest` afterwards is the answer, NULL if none is near (at most one slip in three letters).
 */
#pragma once
#include <stddef.h>

struct suggestion {
    const char *mistyped; /* borrowed, as what is offered */
    const char *nearest;
    size_t slips; /* between the two; one more than allowed while there is none */
};

void suggestion_init(struct suggestion *suggestion, const char *mistyped);
void suggestion_offer(struct suggestion *suggestion, const char *word);
