#include "base/suggestion.h"
#include <stdbool.h>
#include <string.h>

enum { WORD_BYTES = 32 };

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/*
 * Typing slips between two words: a letter wrong, missing or too many, or two neighbours swapped (Damerau-Levenshtein,
 * no letter touched twice). Too long a word is near to none.
 */
static size_t count_slips(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len >= WORD_BYTES || b_len >= WORD_BYTES)
        return WORD_BYTES;
    size_t slips[WORD_BYTES][WORD_BYTES]; /* [i][j]: from the first i letters of a to the first j of b */
    for (size_t i = 0; i <= a_len; i++) {
        for (size_t j = 0; j <= b_len; j++) {
            if (i == 0 || j == 0) {
                slips[i][j] = i + j;
                continue;
            }
            size_t wrong = slips[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            slips[i][j] = smallest(wrong, slips[i - 1][j] + 1, slips[i][j - 1] + 1);
            bool is_swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (is_swapped && slips[i - 2][j - 2] + 1 < slips[i][j])
                slips[i][j] = slips[i - 2][j - 2] + 1;
        }
    }
    return slips[a_len][b_len];
}

void suggestion_init(struct suggestion *suggestion, const char *mistyped)
{
    *suggestion = (struct suggestion){.mistyped = mistyped, .slips = strlen(mistyped) / 3 + 1};
}

void suggestion_offer(struct suggestion *suggestion, const char *word)
{
    size_t slips = count_slips(suggestion->mistyped, word);
    if (slips < suggestion->slips) {
        suggestion->nearest = word;
        suggestion->slips = slips;
    }
}
