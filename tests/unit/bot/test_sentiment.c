#include "base/compiler.h"
#include "bot/bot_types.h"
#include "bot_host.h"

static const struct {
    const char *text;
    char expected; /* + - 0 */
} sentences[] = {
    {"I am happy", '+'},
    {"I am sad", '-'},
    {"good", '+'},
    {"bad", '-'},
    {"GOOD!!!", '+'},
    {"...bad...", '-'},
    {"hello", '0'},
    {"", '0'},
    {"What time is it?", '0'},
    {"The sky is blue and the table is made of wood.", '0'},
    /* negation */
    {"not good", '-'},
    {"This is not very good", '-'},
    {"That isn't bad", '+'},
    {"That isn\xE2\x80\x99t bad at all", '+'},
    {"I am never happy", '-'},
    {"Never happy.", '-'},
    {"I don't like it", '-'},
    {"DON'T LIKE IT", '-'},
    {"no problem", '+'},
    {"I can't say I'm happy", '-'},
    {"without any pain", '+'},
    {"No, it is good", '+'},
    {"not what I had in mind, happy now", '+'},
    {"not at all my kind of place and yet good", '+'}, /* too far away */
    /* weight */
    {"good, good and bad", '+'},
    {"good and bad", '0'},
    {"good and really bad", '-'},
    {"The food was good, but the service was terrible", '-'},
    {"It was slow but wonderful", '+'},
    {"not sad but happy", '+'},
    {"This is pretty bad", '-'},
    /* forms */
    {"She loved it", '+'},
    {"He hates waiting", '-'},
    {"It keeps failing", '-'},
    {"We are enjoying this", '+'},
    {"goodness", '0'},
    {"badminton", '0'},
    {"I'll see", '0'},
    /* signs */
    {":)", '+'},
    {"see you :-(", '-'},
    {"ok \xF0\x9F\x91\x8D", '+'},
    /* what is no English */
    {"\xC3\xA4rgerlich \xE6\x82\xB2\xE3\x81\x97\xE3\x81\x84", '0'},
    {"goodgoodgoodgoodgoodgoodgoodgoodgoodgoodgoodgood", '0'},
};

static char sign_of(const char *answer)
{
    if (strcmp(answer, "Positive sentiment detected!") == 0)
        return '+';
    if (strcmp(answer, "Negative sentiment detected.") == 0)
        return '-';
    CHECK_STR(answer, "Neutral sentiment.");
    return '0';
}

int main(void)
{
    struct banter_bot *bot = NULL;
    struct banter_turn turn;
    char error[256];
    int mistakes = 0;
    CHECK(bot_sentiment.open(&bot, &(struct banter_bot_settings){.name = "s"}, error, sizeof error) == 0);
    for (size_t i = 0; i < COUNT_OF(sentences); i++) {
        host_ask(&bot_sentiment, bot, &turn, sentences[i].text);
        CHECK(turn.is_done && !turn.has_failed);
        char got = sign_of(turn.text);
        if (got == sentences[i].expected)
            continue;
        fprintf(stderr, "\"%s\": %c, expected %c\n", sentences[i].text, got, sentences[i].expected);
        mistakes++;
    }
    CHECK(mistakes == 0);
    bot_sentiment.close(bot);
    return 0;
}
