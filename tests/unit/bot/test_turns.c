/* Turns against a real Redis, with a bot whose words the test puts into its mouth. */
#include "bot/turns.h"
#include "bot_fixture.h"

/* The bot under the test's thumb: remembers the turns it was asked, in order. */
static struct {
    struct banter_turn *asked[8];
    char question[8][64];
    int asks, cancels;
    const char *says_at_once; /* NULL: the test says it later */
} mouth;

static void mouth_ask(struct banter_bot *bot, struct banter_turn *turn, const struct banter_question *question)
{
    (void)bot;
    snprintf(mouth.question[mouth.asks], 64, "%.*s", (int)question->len, question->text);
    mouth.asked[mouth.asks++] = turn;
    if (!mouth.says_at_once)
        return;
    banter_turn_delta(turn, mouth.says_at_once, strlen(mouth.says_at_once));
    banter_turn_done(turn, "!", 1);
}

static void mouth_cancel(struct banter_bot *bot, struct banter_turn *turn)
{
    (void)bot, (void)turn;
    mouth.cancels++;
}

static const struct banter_bot_type mouth_type = {.name = "mouth", .ask = mouth_ask, .cancel = mouth_cancel};

static int errors;

static void handle_error(void *data, const struct redis_value *error)
{
    (void)data, (void)error;
    errors++;
}

static struct turns *open_turns(struct fixture *f, size_t max_answer)
{
    struct turns *turns;
    struct turns_options options = {
        .loop = &f->loop,
        .type = &mouth_type,
        .requests = f->requests,
        .history = HISTORY,
        .max_answer = max_answer,
        .metrics = &f->metrics,
        .on_error = handle_error,
    };
    memset(&mouth, 0, sizeof mouth);
    memset(&f->metrics, 0, sizeof f->metrics);
    errors = 0;
    CHECK(turns_open(&turns, &options) == 0);
    turns_set_link(turns, f->link);
    return turns;
}

/* Reads the next entry as a worker would, and gives it to `turns`. */
struct taking {
    struct turns *turns;
    const char *tag;
    bool may_be_expired;
    char entry[48];
    bool is_done;
};

static void handle_entry(void *data, int status, const struct redis_value *reply)
{
    struct taking *taking = data;
    CHECK(status == 0 && reply->type == REDIS_TYPE_ARRAY);
    const struct redis_value *read = &reply->item[0].item[1].item[0];
    const struct redis_value *field = read->item[1].item;
    struct turns_entry entry = {
        .id = read->item[0].str,
        .token = field[1].str,
        .token_len = field[1].len,
        .message = field[3].str,
        .text = field[5].str,
        .text_len = field[5].len,
        .tag = taking->tag,
        .may_be_expired = taking->may_be_expired,
    };
    CHECK_STR(field[0].str, "token");
    CHECK_STR(field[2].str, "id");
    CHECK_STR(field[4].str, "msg");
    snprintf(taking->entry, sizeof taking->entry, "%s", entry.id);
    CHECK(turns_take(taking->turns, &entry) == 0);
    CHECK(turns_take(taking->turns, &entry) == 0); /* once more is no harm */
    taking->is_done = true;
}

static struct taking take_next(struct fixture *f, struct turns *turns, const char *tag, bool may_be_expired)
{
    struct args args;
    struct taking taking = {.turns = turns, .tag = tag, .may_be_expired = may_be_expired};
    const char *requests = f->requests;
    call_read(&args, &requests, 1, "w", 1, 1000);
    CHECK(redis_link_command(f->link, &args, handle_entry, &taking) == 0);
    RUN_UNTIL(f, taking.is_done);
    return taking;
}

static void say(const char *text)
{
    banter_turn_delta(mouth.asked[mouth.asks - 1], text, strlen(text));
}

/* Runs until the draft holds so many bytes behind its first line. */
static void await_draft(struct fixture *f, const struct session *session, const char *text)
{
    size_t len = strlen(text);
    do
        ASK(f, "GET", session->keys.draft);
    while (strlen(f->text) < len || strcmp(f->text + strlen(f->text) - len, text) != 0);
}

static void check_only_answer(struct fixture *f, const struct session *session, const char *role, const char *text)
{
    struct answers answers;
    session_read(f, session, &answers);
    CHECK(answers.count == 1);
    CHECK_STR(answers.role[0], role);
    CHECK_STR(answers.text[0], text);
    ASK(f, "XLEN", f->requests);
    CHECK(f->integer == 0);
    ASK(f, "EXISTS", session->keys.draft);
    CHECK(f->integer == 0);
}

static void test_pieces_become_the_answer(struct fixture *f)
{
    struct session session;
    struct turns *turns = open_turns(f, ANSWER_MAX);
    session_open(f, &session);
    session_say(f, &session, "tell", NULL);
    take_next(f, turns, "1.w.1", false);
    CHECK_STR(mouth.question[0], "tell");
    CHECK(mouth.asks == 1 && turns_count(turns) == 1);
    say("Once ");
    await_draft(f, &session, "Once ");
    say("upon ");
    say("a \xE2\x82"); /* a character torn in two */
    await_draft(f, &session, "Once upon a ");
    say("\xAC");
    await_draft(f, &session, "Once upon a \xE2\x82\xAC");
    banter_turn_done(mouth.asked[0], " time", 5);
    RUN_UNTIL(f, turns_count(turns) == 0);
    check_only_answer(f, &session, "assistant", "Once upon a \xE2\x82\xAC time");
    CHECK(counted(f, METRIC_TURNS_ANSWERED) == 1 && mouth.cancels == 0);
    turns_close(&turns);
}

static void test_an_answer_at_once_is_one_command(struct fixture *f)
{
    struct session session;
    struct turns *turns = open_turns(f, ANSWER_MAX);
    mouth.says_at_once = "Hi";
    session_open(f, &session);
    session_say(f, &session, "hello", NULL);
    take_next(f, turns, "1.w.2", false);
    CHECK(redis_link_pending(f->link) == 1);
    RUN_UNTIL(f, turns_count(turns) == 0);
    check_only_answer(f, &session, "assistant", "Hi!");
    turns_close(&turns);
}

static void test_pieces_keep_their_pace(struct fixture *f)
{
    struct session session;
    struct turns *turns = open_turns(f, ANSWER_MAX);
    session_open(f, &session);
    session_say(f, &session, "tell", NULL);
    take_next(f, turns, "1.w.3", false);
    ASK(f, "CONFIG", "RESETSTAT");
    uint64_t began_ms = uv_now(&f->loop);
    while (uv_now(&f->loop) < began_ms + 300) {
        say("x");
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    int64_t most = (int64_t)(uv_now(&f->loop) - began_ms) / TURN_PIECE_INTERVAL_MS + 1;
    banter_turn_done(mouth.asked[0], "", 0);
    RUN_UNTIL(f, turns_count(turns) == 0);
    ASK(f, "INFO", "commandstats");
    const char *publishes = strstr(f->text, "cmdstat_publish:calls=");
    CHECK(publishes != NULL);
    int64_t pieces = strtoll(publishes + strlen("cmdstat_publish:calls="), NULL, 10) - 1; /* and the answer */
    CHECK(pieces >= 3 && pieces <= most);
    turns_close(&turns);
}

static void test_a_draft_that_is_gone_is_sent_again(struct fixture *f)
{
    struct session session;
    struct turns *turns = open_turns(f, ANSWER_MAX);
    session_open(f, &session);
    session_say(f, &session, "tell", NULL);
    take_next(f, turns, "1.w.4", false);
    say("one ");
    await_draft(f, &session, "one ");
    ASK(f, "DEL", session.keys.draft);
    say("two ");
    await_draft(f, &session, "one two ");
    ASK(f, "DEL", session.keys.draft);
    banter_turn_done(mouth.asked[0], "three", 5);
    RUN_UNTIL(f, turns_count(turns) == 0);
    check_only_answer(f, &session, "assistant", "one two three");
    turns_close(&turns);
}

static void test_a_stopped_turn_is_lost(struct fixture *f)
{
    struct session session;
    struct args args;
    char message[48], stop[KEY_MAX];
    struct turns *turns = open_turns(f, ANSWER_MAX);
    session_open(f, &session);
    session_say(f, &session, "tell", message);
    take_next(f, turns, "1.w.5", false);
    say("so far");
    await_draft(f, &session, "so far");
    keys_stop(stop, "b");
    call_abort(&args, &session.keys, f->requests, stop, message, HISTORY);
    ask(f, &args);
    CHECK(mouth.cancels == 0);
    say(" and on");
    RUN_UNTIL(f, mouth.cancels == 1);
    CHECK(turns_count(turns) == 0 && counted(f, METRIC_TURNS_LOST) == 1);
    check_only_answer(f, &session, "assistant", "so far");
    turns_close(&turns);
}

static void test_a_failure_replaces_what_was_said(struct fixture *f)
{
    struct session session;
    struct turns *turns = open_turns(f, ANSWER_MAX);
    session_open(f, &session);
    session_say(f, &session, "tell", NULL);
    take_next(f, turns, "1.w.6", false);
    say("a long beginning");
    banter_turn_failed(mouth.asked[0], "no idea"); /* while the piece is on its way */
    RUN_UNTIL(f, turns_count(turns) == 0);
    check_only_answer(f, &session, "error", "no idea");
    CHECK(counted(f, METRIC_TURNS_FAILED) == 1);
    turns_close(&turns);
}

static void test_too_long_an_answer_is_cut_and_the_bot_stopped(struct fixture *f)
{
    struct session session;
    struct answers answers;
    struct turns *turns = open_turns(f, 100);
    session_open(f, &session);
    session_say(f, &session, "tell", NULL);
    take_next(f, turns, "1.w.7", false);
    char text[201] = "";
    for (int i = 0; i < 50; i++)
        strcat(text, "a\xE2\x82\xAC"); /* 25 of them fit */
    say(text);
    RUN_UNTIL(f, turns_count(turns) == 0);
    session_read(f, &session, &answers);
    CHECK(answers.count == 1 && answers.len[0] == 100 && answers.is_truncated[0]);
    CHECK_STR(answers.role[0], "assistant");
    CHECK(mouth.cancels == 1);
    turns_close(&turns);
}

static void test_an_ended_session_is_not_answered(struct fixture *f)
{
    struct session session, other;
    struct turns *turns = open_turns(f, ANSWER_MAX);
    mouth.says_at_once = "Hi";
    session_open(f, &session);
    session_say(f, &session, "anyone there?", NULL);
    ASK(f, "DEL", session.keys.session, session.keys.messages);
    take_next(f, turns, "1.w.8", true);
    RUN_UNTIL(f, turns_count(turns) == 0);
    CHECK(mouth.asks == 0);
    ASK(f, "XLEN", f->requests);
    CHECK(f->integer == 0);
    ASK(f, "EXISTS", session.keys.session, session.keys.messages);
    CHECK(f->integer == 0);

    session_open(f, &other); /* one that was refreshed since then is */
    session_say(f, &other, "hello", NULL);
    take_next(f, turns, "1.w.9", true);
    RUN_UNTIL(f, turns_count(turns) == 0);
    CHECK_STR(mouth.question[0], "hello");
    check_only_answer(f, &other, "assistant", "Hi!");
    turns_close(&turns);
}

static void test_an_error_is_tried_again(struct fixture *f)
{
    struct session session;
    struct turns *turns = open_turns(f, ANSWER_MAX);
    mouth.says_at_once = "Hi";
    session_open(f, &session);
    session_say(f, &session, "hello", NULL);
    ASK(f, "RENAME", session.keys.messages, "aside");
    ASK(f, "SET", session.keys.messages, "not a stream");
    take_next(f, turns, "1.w.10", false);
    RUN_UNTIL(f, errors >= 1);
    CHECK(turns_count(turns) == 1);
    ASK(f, "RENAME", "aside", session.keys.messages);
    RUN_UNTIL(f, turns_count(turns) == 0);
    check_only_answer(f, &session, "assistant", "Hi!");
    turns_close(&turns);
}

static void test_forgetting_while_a_command_is_on_its_way(struct fixture *f)
{
    struct session session;
    struct turns *turns = open_turns(f, ANSWER_MAX);
    session_open(f, &session);
    session_say(f, &session, "tell", NULL);
    struct taking taking = take_next(f, turns, "1.w.11", false);
    CHECK_STR(turns_entry_id(turns_next(turns, NULL)), taking.entry);
    say("piece");
    CHECK(redis_link_pending(f->link) == 1);
    turns_forget(turns, taking.entry);
    turns_forget(turns, taking.entry);
    CHECK(turns_count(turns) == 0 && mouth.cancels == 1 && turns_next(turns, NULL) == NULL);
    RUN_UNTIL(f, redis_link_pending(f->link) == 0);
    turns_close(&turns);
}

static void test_what_is_no_entry_is_refused(struct fixture *f)
{
    struct turns *turns = open_turns(f, ANSWER_MAX);
    struct turns_entry entry = {
        .id = "1-0", .token = "x", .token_len = 1, .message = "1-0", .text = "", .tag = "1.w.1"};
    CHECK(turns_take(turns, &entry) == -EINVAL);
    entry.token = "2b1c9a52-9a3f-4a5e-8f0e-6f6d3c1a9d10";
    entry.token_len = TOKEN_LEN;
    entry.message = "";
    CHECK(turns_take(turns, &entry) == -EINVAL);
    entry.message = "123456789012345678901234567890-123456789012345678901234567890";
    CHECK(turns_take(turns, &entry) == -EINVAL);
    CHECK(turns_count(turns) == 0 && mouth.asks == 0);
    turns_close(&turns);
}

int main(void)
{
    struct fixture f;
    fixture_open(&f, "b", NULL);
    load_functions(&f);
    test_pieces_become_the_answer(&f);
    test_an_answer_at_once_is_one_command(&f);
    test_pieces_keep_their_pace(&f);
    test_a_draft_that_is_gone_is_sent_again(&f);
    test_a_stopped_turn_is_lost(&f);
    test_a_failure_replaces_what_was_said(&f);
    test_too_long_an_answer_is_cut_and_the_bot_stopped(&f);
    test_an_ended_session_is_not_answered(&f);
    test_an_error_is_tried_again(&f);
    test_forgetting_while_a_command_is_on_its_way(&f);
    test_what_is_no_entry_is_refused(&f);
    fixture_close(&f);
    return 0;
}
