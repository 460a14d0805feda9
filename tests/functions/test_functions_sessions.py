"""What each function on a session answers at its edges; the random schedules show how they play together."""

import json
import random
from datetime import datetime, timedelta, timezone

import pytest
from function_calls import EVENT_TEXT_MAX, Calls, Turn, fields_of
from own_redis import RedisError

TOKEN = "7d444840-9dc0-41d1-b245-5ffdce74fad2"
UNKNOWN_TOKEN = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def session(calls):
    calls.open(TOKEN)
    return calls


def hash_of(calls):
    return fields_of(calls.redis("HGETALL", calls.key("session", TOKEN)))


def history(calls):
    return [fields_of(flat) for _, flat in calls.redis("XRANGE", calls.key("messages", TOKEN), "-", "+")]


def read_turn(calls, worker="w1", run=1):
    entry, fields = calls.read(worker, 1)[0]
    return Turn(fields["token"], fields["id"], entry, f"1.{worker}.{run}")


def iso(ms):
    moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def test_open_answers_times_by_the_clock_of_redis(calls):
    expires, now = calls.open(TOKEN, ttl_ms=3600000, name="Zoë")
    assert expires == now + 3600000 == calls.redis("PEXPIRETIME", calls.key("session", TOKEN))
    fields = hash_of(calls)
    assert (fields["session_start"], fields["expires_at"]) == (iso(now), iso(expires))
    assert (fields["name"], fields["bot"], fields["last"]) == ("Zoë", calls.bot, "0-0")
    assert not calls.redis("EXISTS", calls.key("messages", TOKEN))


def test_open_refuses_a_token_that_exists(session):
    assert session.open(TOKEN) == "EXISTS"


def test_open_refuses_a_bot_that_nobody_ever_served(redis):
    calls = Calls(redis)
    assert calls.open(TOKEN, bot_must_exist=1) == "UNKNOWN"
    calls.make_group()
    assert calls.open(TOKEN, bot_must_exist=1) != "UNKNOWN"


def test_times_are_right_on_any_day(session):
    """Leap years and centuries included."""
    dice = random.Random(1)
    ttl_ms = 0
    for _ in range(500):
        ttl_ms += dice.randrange(300 * 86400000)
        assert iso(session.refresh(TOKEN, ttl_ms)) == hash_of(session)["expires_at"]


def test_greatest_life(calls):
    expires, now = calls.open(TOKEN, ttl_ms=60000, max_life_ms=90000)
    assert expires == now + 60000
    assert calls.refresh(TOKEN, 3600000) == now + 90000
    assert calls.refresh(TOKEN, 3600000) == now + 90000
    assert hash_of(calls)["expires_at"] == iso(now + 90000)


def test_greatest_life_shorter_than_the_ttl(calls):
    expires, now = calls.open(TOKEN, ttl_ms=60000, max_life_ms=30000)
    assert expires == now + 30000


def test_refresh_extends_all_keys_and_never_shortens(session, listen):
    heard = listen(session.channel(TOKEN))
    session.accept(TOKEN, "hi")
    session.delta(read_turn(session), 0, "he")
    before = session.redis("PEXPIRETIME", session.key("session", TOKEN))
    assert session.refresh(TOKEN, 1000) == before
    after = session.refresh(TOKEN, 1200000)
    assert after > before
    assert {session.redis("PEXPIRETIME", session.key(k, TOKEN)) for k in ("session", "messages", "draft")} == {after}
    assert heard()[-1] == '{"type":"refresh"}'
    assert session.refresh(UNKNOWN_TOKEN, 1000) == "GONE"


def test_refresh_in_the_last_millisecond_brings_nothing_back(session):
    """An expiry of now deletes; what is written behind it would stay for ever."""
    session.redis("HSET", session.key("session", TOKEN), "ends_ms", 1)
    before = session.redis("PEXPIRETIME", session.key("session", TOKEN))
    assert session.refresh(TOKEN, 1000) == "GONE"
    assert session.redis("PEXPIRETIME", session.key("session", TOKEN)) == before


def test_a_session_without_ttl_keeps_its_history(session):
    """Someone pressed PERSIST in a browser for Redis."""
    session.redis("PERSIST", session.key("session", TOKEN))
    session.accept(TOKEN, "hi")
    session.delta(read_turn(session), 0, "he")
    assert [fields["msg"] for fields in history(session)] == ["hi"]
    assert session.redis("EXISTS", session.key("draft", TOKEN))


def test_end_deletes_all_and_tells_servers_and_worker(session, listen):
    heard, stops = listen(session.channel(TOKEN)), listen(session.stop)
    session.accept(TOKEN, "hi")
    turn = read_turn(session)
    session.delta(turn, 0, "he")
    heard()
    assert session.end(TOKEN) == "OK"
    assert (heard(), stops()) == (['{"type":"end"}'], [turn.entry])
    assert session.redis("KEYS", "*" + TOKEN) == []
    assert session.redis("XLEN", session.requests) == 0 and session.owners() == {}
    assert session.end(TOKEN) == "GONE"
    assert session.reply(turn, "too late") == "LOST"
    assert session.redis("KEYS", "*" + TOKEN) == []


def test_attach_from_now_from_the_beginning_and_from_an_id(session):
    ids = [session.accept(TOKEN, f"m{i}")[0] for i in range(3)]
    ok, last, work, draft, entries, pttl, name, bot = session.attach(TOKEN)
    assert (ok, last, draft, entries, name, bot) == ("OK", ids[2], "", [], "Ann", session.bot)
    assert work.split()[0] == ids[0] and 0 < pttl <= 600000
    assert [entry for entry, _ in session.attach(TOKEN, "0-0", 2)[4]] == ids[:2]
    assert [entry for entry, _ in session.attach(TOKEN, ids[0], 1)[4]] == ids[1:2]
    assert session.attach(TOKEN, ids[2])[4] == []
    assert session.attach(UNKNOWN_TOKEN) == ["GONE"]


def test_attach_at_a_position_that_is_not_there(session):
    assert session.attach(TOKEN, "5-0") == ["RESET", "0-0", "0-0"]
    first, second = (session.accept(TOKEN, "m")[0] for _ in range(2))
    newer = str(int(second.split("-")[0]) + 1) + "-0"
    for position in ("5-0", newer):
        assert session.attach(TOKEN, position) == ["RESET", first, second]
    session.redis("XDEL", session.key("messages", TOKEN), first)
    assert session.attach(TOKEN, first) == ["RESET", second, second]


def test_attach_queues_a_turn_again_whose_entry_is_gone(session):
    session.accept(TOKEN, "hi")
    lost = read_turn(session)
    session.redis("XDEL", session.requests, lost.entry)
    session.attach(TOKEN)
    again = read_turn(session)
    assert again.message == lost.message and again.entry != lost.entry
    assert session.reply(lost, "old") == "LOST"
    assert session.reply(again, "new") != "LOST"


def test_accept_mends_a_turn_that_is_older_than_a_minute(session):
    session.redis("XADD", session.key("messages", TOKEN), "1000000000000-0", "role", "user", "msg", "old")
    session.redis("HSET", session.key("session", TOKEN), "last", "1000000000000-0", "work", "1000000000000-0 5-5")
    session.accept(TOKEN, "new")
    assert [fields["msg"] for _, fields in session.read("w1")] == ["old"]


def test_accept_queues_the_first_and_lets_the_others_wait(session):
    first, second = session.accept(TOKEN, "a"), session.accept(TOKEN, "b")
    assert (first[1], second[1]) == ("0-0", first[0])
    entry, fields = session.read("w1")[0]
    assert fields == {"token": TOKEN, "id": first[0], "msg": "a", "expires": hash_of(session)["expires_at"]}
    assert session.read("w1") == []
    session.reply(Turn(TOKEN, first[0], entry, "1.w1.1"), "A")
    assert [fields["id"] for _, fields in session.read("w1")] == [second[0]]
    assert session.accept(UNKNOWN_TOKEN, "hi") == ["GONE"]


def test_accept_refuses_one_unanswered_turn_too_many(session):
    session.pending = 3
    assert [session.accept(TOKEN, "m")[0] == "FULL" for _ in range(5)] == [False, False, False, True, True]
    session.reply(read_turn(session), "answer")
    assert session.accept(TOKEN, "m") != ["FULL"]


@pytest.mark.parametrize("length", [1, 16, 64])
def test_the_last_32_client_ids_are_known(session, length):
    session.pending = 1000
    ids = [f"{i:0{length}d}"[-length:] if length > 1 else chr(33 + i) for i in range(90)]
    stored = [session.accept(TOKEN, "m" + client, client, "keep")[0] for client in ids]
    for client, message in list(zip(ids, stored))[-32:]:
        assert session.accept(TOKEN, "m" + client, client, "keep") == ["REPEATED", message]
    assert session.accept(TOKEN, "other", ids[-1], "keep") == ["CONFLICT", stored[-1]]
    assert len(hash_of(session)["recent"]) <= 1 + 65 * (length + 1)


def test_client_ids_that_contain_each_other_are_different(session):
    for client in ("11", "1", "111"):
        assert session.accept(TOKEN, "m", client, "keep")[0] not in ("REPEATED", "CONFLICT")


def test_a_retry_is_found_behind_many_others(session):
    session.pending = 1000
    stored = session.accept(TOKEN, "m", "mine")[0]
    for i in range(250):
        session.accept(TOKEN, "n", f"other{i}")
    assert session.accept(TOKEN, "m", "mine", "retry") == ["REPEATED", stored]
    assert len(session.accept(TOKEN, "m", "never stored", "retry")) == 2


def test_the_history_is_cut(session):
    session.history = 30
    for _ in range(60):
        session.accept(TOKEN, "m")
        session.reply(read_turn(session), "answer")
    assert 30 <= len(history(session)) < 60


def test_abort_in_work_stores_what_was_streamed(session, listen):
    heard, stops = listen(session.channel(TOKEN)), listen(session.stop)
    session.accept(TOKEN, "hi")
    turn = read_turn(session)
    session.delta(turn, 0, "half an ")
    heard()
    answer = session.abort(TOKEN, turn.message)
    assert history(session)[-1] == {"role": "assistant", "msg": "half an ", "reply_to": turn.message, "aborted": "1"}
    assert stops() == [turn.entry]
    assert json.loads(heard()[0]) == {"type": "assistant", "id": answer, "prev": turn.message, "reply_to": turn.message,
                                      "aborted": True, "msg": "half an "}  # fmt: skip
    assert session.reply(turn, "answer") == "LOST"
    assert session.abort(TOKEN, turn.message) == "NONE"


def test_abort_of_what_waits_or_never_was(session):
    first, second = (session.accept(TOKEN, "m")[0] for _ in range(2))
    assert session.abort(TOKEN, second) == "LATER"
    assert session.abort(TOKEN, second) == "LATER"
    assert session.abort(TOKEN, "5-5") == "NONE"
    assert session.abort(UNKNOWN_TOKEN, first) == "GONE"
    session.reply(read_turn(session), "answer")
    assert history(session)[-1] == {"role": "error", "msg": "stopped", "reply_to": second, "aborted": "1"}
    assert session.read("w1") == []
    assert session.abort(TOKEN, session.accept(TOKEN, "m")[0]) == session.attach(TOKEN)[1]


def test_a_waiting_question_that_vanished_gets_an_error(session, listen):
    session.accept(TOKEN, "a")
    lost, third = (session.accept(TOKEN, "m")[0] for _ in range(2))
    session.redis("XDEL", session.key("messages", TOKEN), lost)
    heard = listen(session.channel(TOKEN))
    session.reply(read_turn(session), "A")
    events = [json.loads(event) for event in heard()]
    assert [(event["type"], event["msg"]) for event in events] == [("assistant", "A"), ("error", "lost")]
    assert events[1]["prev"] == events[0]["id"] and events[0]["prev"] == third
    assert read_turn(session).message == third


@pytest.mark.parametrize(
    "text", ["x" * EVENT_TEXT_MAX, "x" * (EVENT_TEXT_MAX + 1), "ü" * 600, '"\\\n\u2028</script>\x01']
)
def test_a_text_over_1_kib_is_not_in_its_event(session, listen, text):
    session.accept(TOKEN, "hi")
    heard = listen(session.channel(TOKEN))
    session.reply(read_turn(session), text, cut=1)
    event = json.loads(heard()[0])
    assert event["truncated"] is True
    assert event.get("msg") == (text if len(text.encode()) <= EVENT_TEXT_MAX else None)
    assert history(session)[-1]["msg"] == text and history(session)[-1]["truncated"] == "1"


def test_offsets_are_bytes(session):
    session.accept(TOKEN, "hi")
    turn = read_turn(session)
    assert session.delta(turn, 0, "é") == "OK"
    assert session.delta(turn, 1, "é") == "AGAIN"
    assert session.delta(turn, 0, "é") == "OK"
    assert session.delta(turn, 2, "é") == "OK"
    assert session.reply(turn, "!", offset=3) == "AGAIN"
    assert session.reply(turn, "!", offset=4) != "AGAIN"
    assert history(session)[-1]["msg"] == "éé!"


def test_a_draft_that_is_gone_is_asked_for_again(session):
    session.accept(TOKEN, "hi")
    turn = read_turn(session)
    session.delta(turn, 0, "one ")
    session.redis("DEL", session.key("draft", TOKEN))
    assert session.reply(turn, "two", offset=4) == "AGAIN"
    assert session.delta(turn, 4, "two") == "AGAIN"
    assert not session.redis("EXISTS", session.key("draft", TOKEN))


def test_the_first_to_stream_has_the_turn(session):
    session.accept(TOKEN, "hi")
    mine = read_turn(session)
    other = mine._replace(tag="1.w2.1")
    session.delta(mine, 0, "m")
    assert session.delta(other, 0, "o") == "LOST" and session.reply(other, "other") == "LOST"
    assert list(session.owners()) == [mine.entry]  # left alone
    assert session.reply(mine, "ine", offset=1) != "LOST"
    assert session.reply(mine, "ine", offset=1) == "LOST"
    assert session.owners() == {} and session.redis("XLEN", session.requests) == 0


def test_full_memory_refuses_only_what_takes_in_more(session):
    session.accept(TOKEN, "hi")
    turn = read_turn(session)
    session.redis("CONFIG", "SET", "maxmemory", "1")
    try:
        for call in (lambda: session.accept(TOKEN, "hi"), lambda: session.open(UNKNOWN_TOKEN)):
            with pytest.raises(RedisError, match="OOM"):
                call()
        session.beat_server("n1", 1)
        session.beat_worker("w1")
        session.delta(turn, 0, "a")
        session.refresh(TOKEN, 1000)
        session.reply(turn, "answer")
        assert session.end(TOKEN) == "OK"
    finally:
        session.redis("CONFIG", "SET", "maxmemory", "0")
