"""The checker sees each kind of fault that is built in on purpose, and none where there is none."""

import copy

import pytest

from checker import SessionRecord, SocketRecord, answer_to, check_session


def conversation(*texts):
    """Each question with its answer behind it."""
    history = []
    for number, text in enumerate(texts, 1):
        history.append({"id": f"{number}-0", "role": "user", "msg": text})
        history.append({"id": f"{number}-1", "role": "assistant", "reply_to": f"{number}-0", "msg": answer_to(text)})
    return history


def good_session():
    """A socket that died, one that took up from there, and a tab that only listened for a while."""
    died = SocketRecord("a", "s1", sent=["one", "two", "unsent"], received=["BOT: one"], closed=(1006, ""))
    successor = SocketRecord("b", "s2", after="1-1", sent=["three"], received=["BOT: two", "BOT: three"])
    listener = SocketRecord("c", "s1", received=["BOT: two"], closed=(1000, ""))
    return SessionRecord("x", [died, successor, listener], conversation("one", "two", "three"))


def kinds(session):
    return {fault.kind for fault in check_session(session)}


def test_nothing_is_wrong():
    assert check_session(good_session()) == []
    assert check_session(SessionRecord("x", [], [])) == []


def test_questions_may_wait_together():
    session = good_session()
    u1, a1, u2, a2, u3, a3 = session.history
    for new_id, message in enumerate([u1, u2, a1, a2], 1):
        message["id"] = f"{new_id}-0"
    a1["reply_to"], a2["reply_to"] = "1-0", "2-0"
    u3["id"], a3["id"], a3["reply_to"] = "9-0", "9-1", "9-0"
    session.history = [u1, u2, a1, a2, u3, a3]
    session.sockets[1].after = "3-0"
    assert check_session(session) == []


def drop_answer(session):
    del session.history[3]


def double_answer(session):
    session.history.insert(4, {**session.history[3], "id": "2-2"})


def swap_answers(session):
    first, second = session.history[1], session.history[3]
    for name in ("msg", "reply_to"):
        first[name], second[name] = second[name], first[name]


def answer_of_another_session(session):
    session.history[3]["msg"] = answer_to("somebody else's")


def failed_answer(session):
    session.history[3].update(role="error", msg="failed")


def answer_to_nothing(session):
    session.history.append({"id": "7-0", "role": "assistant", "reply_to": "5-0", "msg": "BOT: hm"})


def stored_twice(session):
    session.history += [
        {"id": "7-0", "role": "user", "msg": "three"},
        {"id": "7-1", "role": "assistant", "reply_to": "7-0", "msg": "BOT: three"},
    ]


def stored_unsent(session):
    session.sockets[1].sent.remove("three")


def stored_in_another_order(session):
    session.sockets[0].sent[:2] = ["two", "one"]


def answered_but_not_in_the_history(session):
    session.sockets[0].received.append("BOT: unsent")


def frame_missed_at_the_end(session):
    session.sockets[1].received.pop()


def frame_missed_at_the_position(session):
    session.sockets[1].received.pop(0)


def frame_missed_by_who_asked(session):
    session.sockets[0].received[:] = ["BOT: two"]


def frame_missed_in_the_middle(session):
    session.sockets[2].received[:] = ["BOT: one", "BOT: three"]


def frame_twice(session):
    session.sockets[1].received.insert(1, "BOT: two")


def frame_again(session):
    session.sockets[1].received.insert(0, "BOT: one")


def frames_swapped(session):
    session.sockets[1].received.reverse()


def frame_of_another_session(session):
    session.sockets[2].received.append("BOT: somebody else's")


def refused_but_stored(session):
    session.sockets[1].errors.append("ERROR: not stored")


def sent_and_forgotten(session):
    session.sockets[1].sent.append("four")


def forgotten_before_a_later_one(session):
    session.sockets[0].sent[:] = ["one", "unsent", "two"]


def closed_for_no_reason(session):
    session.sockets[0].closed = (1008, "reset")


@pytest.mark.parametrize(
    "break_it, kind",
    [
        (drop_answer, "loss"),
        (double_answer, "double"),
        (swap_answers, "disorder"),
        (answer_of_another_session, "foreign"),
        (failed_answer, "failure"),
        (answer_to_nothing, "foreign"),
        (stored_twice, "double"),
        (stored_unsent, "foreign"),
        (stored_in_another_order, "disorder"),
        (answered_but_not_in_the_history, "foreign"),
        (frame_missed_at_the_end, "loss"),
        (frame_missed_at_the_position, "loss"),
        (frame_missed_by_who_asked, "loss"),
        (frame_missed_in_the_middle, "loss"),
        (frame_twice, "double"),
        (frame_again, "double"),
        (frames_swapped, "disorder"),
        (frame_of_another_session, "foreign"),
        (refused_but_stored, "failure"),
        (sent_and_forgotten, "loss"),
        (forgotten_before_a_later_one, "loss"),
        (closed_for_no_reason, "failure"),
    ],
)
def test_a_fault_is_seen(break_it, kind):
    session = good_session()
    whole = copy.deepcopy(session)
    break_it(session)
    assert session != whole
    assert kind in kinds(session)
