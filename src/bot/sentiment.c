/*
 * Says whether a text sounds glad or sorry. Each word of the lists below counts for or against; a negation before it
 * ("not good", "isn't really bad") turns it round, an intensifier makes it weigh more, and what follows "but" weighs
 * double, since that is the half that people mean.
 */
#include "base/compiler.h"
#include "bot/bot_types.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WORD_MAX = 24, NEGATION_REACH = 3, PLAIN_WEIGHT = 2, STRONG_WEIGHT = 3 };

/* Words are separated by blanks; forms in -s, -d, -ed, -ing are found by their stem. */
static const char positive_words[] =
    "admirable admire adorable adore agreeable amaze amazing amuse amusing appreciate appreciative approve awesome "
    "beautiful beautifully best better bliss blissful brave bravo bright brilliant calm celebrate charm charming cheer "
    "cheerful clever comfortable compliment confident congratulate congratulations congrats cool courteous "
    "creative cute dazzling delicious delight delightful divine eager easy ecstatic elegant encourage energetic enjoy "
    "enjoyable enthusiastic epic excellent excellently excite excited exciting exquisite fabulous fantastic "
    "fascinating favorite favourite fine flawless fortunate fortunately fresh friendly fun funny generous gentle "
    "genuine gift glad gladly glorious good gorgeous graceful grateful great greatest happier happiest happily "
    "happiness happy healthy helpful hilarious honest hooray hope hopeful ideal impress impressed impressive "
    "incredible inspire inspiring interesting joy joyful jolly laugh liked like likes love lovely loving loyal "
    "lucky magical magnificent marvellous marvelous merry neat nice nicely nicest optimistic outstanding paradise "
    "passionate peaceful perfect perfectly pleasant pleased pleasure polite positive praise proud "
    "recommend refreshing relaxed reliable relief respect satisfied satisfy satisfying smart smile smooth spectacular "
    "splendid stunning succeed success successful superb superior sweet terrific thank thankful thanks "
    "thrill thrilled thrive treasure triumph trust useful victory warm welcome win winner wise won wonderful "
    "worth worthy wow yay yummy";

static const char negative_words[] =
    "abandon abuse abusive ache afraid aggressive alone anger angry annoy annoyed annoying anxious appalled appalling "
    "arrogant ashamed atrocious awful bad badly bitter bleak blame bore bored boring broken cheat clumsy complain "
    "complaint confuse confused confusing corrupt coward crap cruel cry crying cursed damage danger "
    "dangerous dead depressed depressing depression despair desperate despise devastate disappoint disappointed "
    "disappointing disappointment disaster disastrous disgust disgusting dishonest dislike dismal dissatisfied "
    "distress disturb dread dreadful dull embarrass embarrassed embarrassing enraged error evil exhausted exhausting "
    "fail failure fake fatal fault fear fearful filthy flawed foolish frighten frustrate frustrated frustrating "
    "frustration furious garbage gloomy greedy grief grim gross grumpy guilty harm harmful harsh hate hateful hatred "
    "heartbroken hideous hopeless horrendous horrible horribly horrid horrific hostile hurt ignorant inferior "
    "insult irritate irritated irritating jealous junk lame lazy liar lonely lose loser losing loss lost lousy mad "
    "mediocre mess messy miserable misery mistake nasty nervous nightmare offend offensive outrage outraged pain "
    "painful panic pathetic pessimistic poor poorly problem regret reject resent rotten rude ruin sad sadder saddest "
    "sadly sadness scam scare scared scary selfish shame shameful shocking sick sloppy sorrow stink stress "
    "stressed stressful stupid suck suffer terrible terribly terrified tragedy tragic trash trouble ugly unacceptable "
    "unbearable uncomfortable unfair unfortunate unfortunately unhappy unkind unpleasant unreliable upset upsetting "
    "useless vile violent waste weak weep worried worry worse worst worthless wreck wrong";

static const char negations[] =
    "not no never none nobody nothing neither nor without hardly barely scarcely cannot cant dont doesnt didnt isnt "
    "arent wasnt werent wont wouldnt shouldnt couldnt havent hasnt hadnt aint";

static const char intensifiers[] = "very really so extremely absolutely totally completely truly incredibly utterly "
                                   "deeply super pretty quite too damn";

static const struct {
    const char *text;
    int weight;
} signs[] = {
    {":)", 2},   {":-)", 2}, {":D", 2}, {":-D", 2},  {";)", 2}, {";-)", 2}, {"<3", 2},    {"😀", 2},   {"😃", 2},
    {"😄", 2},    {"😊", 2},   {"😍", 2},  {"🙂", 2}, {"❤", 2},  {"👍", 2},   {"🎉", 2},     {":(", -2}, {":-(", -2},
    {":'(", -2}, {"😞", -2},  {"😠", -2}, {"😡", -2},   {"😢", -2}, {"😭", -2},  {"🙁", -2}, {"💔", -2},  {"👎", -2},
};

enum kind { KIND_NONE, KIND_POSITIVE, KIND_NEGATIVE, KIND_NEGATION, KIND_INTENSIFIER, KIND_BUT };

struct entry {
    const char *word; /* in one of the lists: ends at a blank or NUL */
    size_t len;
    enum kind kind;
};

struct banter_bot {
    size_t count;
    struct entry entry[]; /* sorted by word */
};

static int compare(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = memcmp(a->word, b->word, a->len < b->len ? a->len : b->len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static const struct {
    const char *words;
    enum kind kind;
} lists[] = {
    {positive_words, KIND_POSITIVE},  {negative_words, KIND_NEGATIVE}, {negations, KIND_NEGATION},
    {intensifiers, KIND_INTENSIFIER}, {"but however", KIND_BUT},
};

/* The words of all lists go to `out`, unless it is NULL. Returns how many there are. */
static size_t collect(struct entry *out)
{
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        for (const char *word = lists[i].words; *word; word += *word == ' ') {
            size_t len = strcspn(word, " ");
            if (out)
                out[count] = (struct entry){.word = word, .len = len, .kind = lists[i].kind};
            count++;
            word += len;
        }
    return count;
}

static int sentiment_open(struct banter_bot **bot, const struct banter_bot_settings *settings, char *error,
                          size_t error_size)
{
    (void)settings;
    size_t count = collect(NULL);
    *bot = malloc(sizeof **bot + count * sizeof(struct entry));
    if (!*bot) {
        snprintf(error, error_size, "out of memory");
        return -ENOMEM;
    }
    (*bot)->count = collect((*bot)->entry);
    qsort((*bot)->entry, count, sizeof(struct entry), compare);
    return 0;
}

static void sentiment_close(struct banter_bot *bot)
{
    free(bot);
}

static enum kind find_exactly(const struct banter_bot *bot, const char *word, size_t len)
{
    struct entry key = {.word = word, .len = len};
    const struct entry *found = bsearch(&key, bot->entry, bot->count, sizeof key, compare);
    return found ? found->kind : KIND_NONE;
}

/* Finds the word or its stem: worries no, but hates, hated, failed, failing, hating. `word` has room for one more byte.
 */
static enum kind find(const struct banter_bot *bot, char *word, size_t len)
{
    static const char *const endings[] = {"s", "d", "ed", "ing"};
    enum kind kind = find_exactly(bot, word, len);
    for (size_t i = 0; i < COUNT_OF(endings) && kind == KIND_NONE; i++) {
        size_t ending = strlen(endings[i]);
        if (len < ending + 3 || memcmp(word + len - ending, endings[i], ending) != 0)
            continue;
        size_t stem = len - ending;
        kind = find_exactly(bot, word, stem);
        if (kind == KIND_NONE && ending == 3) {
            char after = word[stem];
            word[stem] = 'e';
            kind = find_exactly(bot, word, stem + 1);
            word[stem] = after;
        }
    }
    return kind;
}

/* What the words so far amount to. */
struct reading {
    int score;
    int factor;      /* 2 after "but" */
    int negated;     /* words that the last negation still reaches */
    int intensified; /* the next word weighs more */
};

static void read_word(struct reading *reading, enum kind kind)
{
    if (kind == KIND_BUT)
        *reading = (struct reading){.score = reading->score, .factor = 2};
    if (kind == KIND_NEGATION) {
        reading->negated = NEGATION_REACH;
        return;
    }
    if (kind == KIND_POSITIVE || kind == KIND_NEGATIVE) {
        int weight = reading->factor * (reading->intensified ? STRONG_WEIGHT : PLAIN_WEIGHT);
        bool is_glad = (kind == KIND_POSITIVE) != (reading->negated > 0);
        reading->score += is_glad ? weight : -weight;
    }
    reading->intensified = kind == KIND_INTENSIFIER;
    if (reading->negated > 0)
        reading->negated--;
}

/* An apostrophe, plain or typographic, inside a word is left out: isn't = isnt. Returns its length, or 0. */
static size_t apostrophe(const char *text, size_t len)
{
    if (text[0] == '\'')
        return 1;
    return len >= 3 && memcmp(text, "\xE2\x80\x99", 3) == 0 ? 3 : 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Copies the word at `text` in lower case; of one that is too long to be in a list only the beginning. Returns its end.
 */
static size_t take_word(char *word, size_t *word_len, const char *text, size_t len)
{
    size_t at = 0, skip;
    for (*word_len = 0; at < len; at += skip) {
        skip = is_letter(text[at]) ? 1 : apostrophe(text + at, len - at);
        if (skip == 0)
            break;
        if (is_letter(text[at]) && *word_len < WORD_MAX)
            word[(*word_len)++] = (char)(text[at] | 0x20);
    }
    return at;
}

static int score_of_signs(const char *text, size_t len)
{
    int score = 0;
    for (size_t i = 0; i < COUNT_OF(signs); i++)
        if (memmem(text, len, signs[i].text, strlen(signs[i].text)))
            score += signs[i].weight;
    return score;
}

static int score_of(const struct banter_bot *bot, const char *text, size_t len)
{
    struct reading reading = {.score = score_of_signs(text, len), .factor = 1};
    char word[WORD_MAX + 1];
    size_t word_len;
    for (size_t at = 0; at < len;) {
        if (is_letter(text[at])) {
            at += take_word(word, &word_len, text + at, len - at);
            read_word(&reading, find(bot, word, word_len));
            continue;
        }
        if (strchr(".,;:!?", text[at]))
            reading.negated = reading.intensified = 0;
        at++;
    }
    return reading.score;
}

static void sentiment_ask(struct banter_bot *bot, struct banter_turn *turn, const struct banter_question *question)
{
    int score = score_of(bot, question->text, question->len);
    const char *answer = score > 0   ? "Positive sentiment detected!"
                         : score < 0 ? "Negative sentiment detected."
                                     : "Neutral sentiment.";
    banter_turn_done(turn, answer, strlen(answer));
}

static void sentiment_cancel(struct banter_bot *bot, struct banter_turn *turn)
{
    (void)bot, (void)turn; /* answers are never pending */
}

const struct banter_bot_type bot_sentiment = {
    .abi = BANTER_BOT_ABI,
    .size = sizeof(struct banter_bot_type),
    .name = "sentiment",
    .summary = "says whether a message sounds positive, negative or neutral",
    .open = sentiment_open,
    .close = sentiment_close,
    .ask = sentiment_ask,
    .cancel = sentiment_cancel,
};
