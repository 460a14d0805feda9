"""What the functions on a queue answer at their edges: claim, renew, release, the heartbeats, sweep and retire."""

import json

import pytest
from function_calls import DEAD, NODES, PREFIX, WORKERS, Calls, Turn, fields_of, load
from own_redis import LIBRARY, RedisError

HOUR_MS = 3600000


def token(number):
    return f"{number:08d}-0000-4000-8000-000000000000"


def ask(calls, count):
    """One question in each of so many sessions, read by worker w1. Returns the entries."""
    for number in range(count):
        calls.open(token(number))
        calls.accept(token(number), f"question {number}")
    return [entry for entry, _ in calls.read("w1", count)]


def deliver_again(calls, entry, times):
    for run in range(times):
        calls.redis("XCLAIM", calls.requests, "bots", f"dead{run}", 0, entry)


def queue_is_empty(calls):
    return calls.redis("XLEN", calls.requests) == 0 and calls.owners() == {}


def dead_letters(calls):
    return [fields_of(flat) for _, flat in calls.redis("XRANGE", DEAD, "-", "+")]


def history(calls, number):
    return [fields_of(flat) for _, flat in calls.redis("XRANGE", calls.key("messages", token(number)), "-", "+")]


def test_claim_takes_over_what_is_overdue(calls):
    entries = ask(calls, 3)
    assert calls.claim("w2", HOUR_MS) == []
    taken = calls.claim("w2", room=2, run=7)
    assert [(got.entry, got.tag, got.text) for got in taken] == [
        (entries[0], "2.w2.7", "question 0"),
        (entries[1], "2.w2.8", "question 1"),
    ]
    assert taken[0].expires == calls.redis("HGET", calls.key("session", token(0)), "expires_at")
    late = Turn(token(0), taken[0].message, entries[0], "1.w1.1")
    assert calls.reply(late, "late") == "LOST"
    assert [owner for owner, _ in calls.owners().values()] == ["w2", "w2", "w1"]
    assert calls.reply(late._replace(tag=taken[0].tag), "answer") != "LOST"


def test_claim_takes_suspects_as_allowed(calls):
    entries = ask(calls, 4)
    for entry in entries[:3]:
        deliver_again(calls, entry, 1)
    assert [got.entry for got in calls.claim("w2", suspects=0)] == entries[3:]
    assert [got.entry for got in calls.claim("w3", suspects=1)] == entries[:1]  # the last is on its third, too


def test_claim_buries_after_the_last_delivery(calls, listen):
    (entry,) = ask(calls, 1)
    heard = listen(calls.channel(token(0)))
    deliver_again(calls, entry, 4)
    assert calls.claim("w2", suspects=0) == []
    assert dead_letters(calls) == [{"token": token(0), "id": history(calls, 0)[1]["reply_to"]}]
    assert (history(calls, 0)[1]["role"], history(calls, 0)[1]["msg"]) == ("error", "failed")
    assert [json.loads(event)["type"] for event in heard()] == ["error"]
    assert queue_is_empty(calls)
    assert calls.accept(token(0), "next")[0] != "GONE"
    assert len(calls.read("w1")) == 1


def test_claim_drops_what_has_no_session(calls):
    ask(calls, 2)
    calls.redis("DEL", calls.key("session", token(0)))
    calls.redis("HSET", calls.key("session", token(1)), "work", "5-5 5-5")
    assert calls.claim("w2") == [] and queue_is_empty(calls) and dead_letters(calls) == []


@pytest.mark.parametrize(
    "fields",
    [
        ["hello", "world"],
        ["token", token(1)],
        ["id", "1-1", "msg", "no token"],
        ["token", "", "id", "", "msg", ""],
        ["token", "x\n{y} *?", "id", "not an id", "msg", "\x01"],
    ],
)
def test_foreign_entries_stop_nothing(calls, fields):
    foreign = calls.redis("XADD", calls.requests, "*", *fields)
    assert ask(calls, 1) == [foreign]
    (entry,) = [entry for entry, _ in calls.read("w1")]
    assert [got.entry for got in calls.claim("w2")] == [entry]
    assert [entry for entry, _ in calls.redis("XRANGE", calls.requests, "-", "+")] == [entry] == list(calls.owners())


def test_a_foreign_value_under_the_key_of_a_session(calls):
    ask(calls, 2)
    calls.redis("SET", calls.key("session", token(0)), "a string")
    assert [got.token for got in calls.claim("w2")] == [token(1)]
    assert [letter["token"] for letter in dead_letters(calls)] == [token(0)]
    assert len(calls.owners()) == 1


def test_a_foreign_value_under_the_key_of_a_history(calls):
    first, _ = ask(calls, 2)
    calls.redis("SET", calls.key("messages", token(0)), "a string")
    with pytest.raises(RedisError, match="WRONGTYPE"):
        calls.accept(token(0), "hi")
    deliver_again(calls, first, 4)
    assert [got.token for got in calls.claim("w2")] == [token(1)]
    assert [letter["token"] for letter in dead_letters(calls)] == [token(0)]


def test_a_foreign_value_under_the_key_of_the_dead_letters(calls):
    (entry,) = ask(calls, 1)
    calls.redis("SET", DEAD, "a string")
    deliver_again(calls, entry, 4)
    assert calls.claim("w2") == [] and queue_is_empty(calls)
    assert history(calls, 0)[1]["msg"] == "failed"


def test_renew_keeps_own_entries_and_names_the_others(calls):
    mine, other = ask(calls, 2)
    calls.redis("XCLAIM", calls.requests, "bots", "w2", 0, other)
    assert calls.renew("w1", [mine, other, "5-5"]) == [other, "5-5"]
    assert calls.owners() == {mine: ("w1", 1), other: ("w2", 2)}


def test_renew_without_a_group_says_so(calls):
    calls.redis("XGROUP", "DESTROY", calls.requests, "bots")
    with pytest.raises(RedisError, match="NOGROUP"):
        calls.renew("w1", ["5-5"])


def test_own_entries_are_read_without_a_delivery(calls):
    entries = ask(calls, 2)
    for _ in range(10):
        assert [entry for entry, _ in calls.own("w1")] == entries
    assert calls.own("w2") == [] and len(calls.own("w1", 1)) == 1
    assert calls.owners() == dict.fromkeys(entries, ("w1", 1))


def test_release_frees_own_entries_at_once(calls):
    mine, other = ask(calls, 2)
    calls.redis("XCLAIM", calls.requests, "bots", "w2", 0, other)
    assert calls.release("w1", [mine, other, "5-5"]) == 1
    assert [(got.entry, got.tag) for got in calls.claim("w3", HOUR_MS)] == [(mine, "1.w3.1")]
    assert calls.owners() == {mine: ("w3", 1), other: ("w2", 2)}


def test_the_beat_of_a_server(calls):
    calls.beat_worker("w1", in_work=3)
    Calls(calls.redis, bot="ant").beat_worker("w2")
    calls.beat_worker("w3")
    calls.beat_server("n1", 40)
    ask(calls, 2)
    total, now, lengths, bots = calls.beat_server("n2", 2, calls.requests, PREFIX + "requests:ant")
    assert (total, lengths, bots) == (42, [2, 0], ["ant", calls.bot])
    assert calls.beat_worker("w1")[0] >= now
    seen = json.loads(calls.redis("HGET", NODES, "n2"))
    assert (seen["connections"], seen["version"]) == (2, "0.1.0")
    assert json.loads(calls.redis("HGET", WORKERS, "w3"))["bot"] == calls.bot


def test_who_is_not_heard_of_is_dropped(calls):
    calls.beat_server("n1", 1)
    live = calls.redis("HGET", NODES, "n1")
    year = live.index('"seen":"') + len('"seen":"')
    for name, value in {
        "stale": live[:year] + "2020" + live[year + 4 :],
        "from the future": live[:year] + "2999" + live[year + 4 :],
        "no JSON": "{",
        "no object": "5",
        "no time": '{"connections":5}',
        "odd time": '{"connections":5,"seen":5}',
    }.items():
        calls.redis("HSET", NODES, name, value)
        calls.redis("HSET", WORKERS, name, value)
    calls.redis("HSET", NODES, "odd count", live.replace('"connections":1', '"connections":"many"'))
    total, _, _, bots = calls.beat_server("n2", 2)
    assert (total, bots) == (3, [])
    assert sorted(fields_of(calls.redis("HGETALL", NODES))) == ["n1", "n2", "odd count"]
    assert not calls.redis("EXISTS", WORKERS)


def test_a_foreign_value_under_the_key_of_a_queue(calls):
    calls.redis("SET", PREFIX + "requests:other", "a string")
    assert calls.beat_server("n1", 1, PREFIX + "requests:other", calls.requests)[2] == [0, 0]


def test_sweep_drops_only_what_is_over(calls):
    entries = ask(calls, 7)
    for number in (0, 1, 5):
        calls.redis("DEL", calls.key("session", token(number)))
    calls.redis("SET", calls.key("session", token(6)), "a string")
    calls.redis("XADD", calls.requests, "*", "hello", "world")
    assert calls.sweep("", 3) == entries[2]
    assert calls.sweep(entries[2], 3) == entries[5]
    assert calls.sweep(entries[5], 3) == ""
    assert [entry for entry, _ in calls.redis("XRANGE", calls.requests, "-", "+")] == entries[2:5]
    assert list(calls.owners()) == entries[2:5]


def test_retire_forgets_idle_workers_without_entries(calls):
    assert Calls(calls.redis, bot="nobody").retire(0) == 0
    (entry,) = ask(calls, 1)
    calls.redis("XGROUP", "CREATECONSUMER", calls.requests, "bots", "w0")
    assert calls.retire(HOUR_MS) == 0
    while 0 in [fields_of(flat)["idle"] for flat in calls.redis("XINFO", "CONSUMERS", calls.requests, "bots")]:
        pass  # no whole millisecond yet
    assert calls.retire(0) == 1
    assert [fields_of(flat)["name"] for flat in calls.redis("XINFO", "CONSUMERS", calls.requests, "bots")] == ["w1"]
    assert list(calls.owners()) == [entry]


# What a server and a worker need of Redis, both together; the rest is forbidden.
ACL = """
    -@all ~banter:* resetchannels &banter:*
    +ping +fcall +hmget +hget +hset +hdel +hgetall +exists +del +get +set +append +publish +time
    +xadd +xlen +xrange +xrevrange +xack +xdel +xpending +xclaim +pexpire +pexpireat +pexpiretime +pttl
    +subscribe +unsubscribe +function|load +function|list +info +xreadgroup +xgroup|create +xgroup|delconsumer
    +xinfo|consumers
"""


def test_the_least_rights_are_enough(server, calls):
    calls.redis("ACL", "LOG", "RESET")
    calls.redis("ACL", "SETUSER", "least", "on", ">secret", *ACL.split())
    try:
        link = server.connect()
        link("AUTH", "least", "secret")
        load(link, LIBRARY.read_text())
        mine = Calls(link)
        mine.beat_server("n1", 1, mine.requests)
        mine.beat_worker("w1")
        (entry,) = ask(mine, 1)
        mine.accept(token(0), "again", "c1", "retry")
        mine.accept(token(0), "waits", "c2", "keep")
        waiting = mine.accept(token(0), "stopped", "c3", "keep")[0]
        mine.abort(token(0), waiting)
        mine.renew("w1", [entry])
        mine.release("w1", [entry])
        (got,) = mine.claim("w1")
        turn = Turn(got.token, got.message, got.entry, got.tag)
        mine.delta(turn, 0, "an ")
        mine.delta(turn, 3, "ans")
        mine.attach(token(0), "0-0")
        mine.reply(turn, "wer", offset=6)
        mine.refresh(token(0), HOUR_MS)
        (entry,) = [entry for entry, _ in mine.read("w1")]
        deliver_again(calls, entry, 4)
        mine.claim("w1")
        mine.sweep()
        mine.retire(HOUR_MS)
        mine.end(token(0))
        link("HDEL", NODES, "n1")
        link.close()
        assert calls.redis("ACL", "LOG") == []
    finally:
        calls.redis("ACL", "DELUSER", "least")
