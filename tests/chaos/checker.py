"""What must be true of a session when all is quiet: judged from its history and from what its sockets sent and saw.

What a socket sent last before it died may be absent, for nobody has acknowledged it; every other message is there once,
has one answer, and every socket was given a run of the answers without a hole: to the last one, if it is open still.
"""

from collections import Counter, namedtuple
from dataclasses import dataclass, field
from typing import Optional

KINDS = ("loss", "double", "disorder", "foreign", "failure")
# By the visitor; going away; killed; Redis away.
CLOSES = (1000, 1001, 1006, 1013)

Fault = namedtuple("Fault", "kind detail")


@dataclass
class SocketRecord:
    name: str
    server: str = ""
    after: Optional[str] = None  # the position it was opened with
    sent: list = field(default_factory=list)
    received: list = field(default_factory=list)  # frames that are no ERROR
    errors: list = field(default_factory=list)
    closed: Optional[tuple] = None  # code and reason; None: open to the end


@dataclass
class SessionRecord:
    name: str
    sockets: list
    history: list

    @property
    def questions(self):
        return [message for message in self.history if message["role"] == "user"]

    @property
    def answers(self):
        return [message for message in self.history if message["role"] != "user"]


def answer_to(text):
    return f"BOT: {text}"


def position(message_id):
    """Something that compares as message ids do."""
    milliseconds, _, sequence = message_id.partition("-")
    return int(milliseconds), int(sequence or 0)


def check_session(session):
    """All that is wrong, as a list of Fault."""
    faults = [*_check_questions(session), *_check_answers(session)]
    for socket in session.sockets:
        for fault in (*_check_frames(session, socket), *_check_fate(session, socket)):
            faults.append(Fault(fault.kind, f"socket {socket.name} on {socket.server}: {fault.detail}"))
    return [Fault(fault.kind, f"session {session.name}: {fault.detail}") for fault in faults]


def _repeated(values):
    return [value for value, count in Counter(values).items() if count > 1]


def _check_questions(session):
    ids = [position(message["id"]) for message in session.history]
    if any(first >= second for first, second in zip(ids, ids[1:])):
        yield Fault("disorder", "the ids of the history do not rise")
    stored = [message["msg"] for message in session.questions]
    for text in _repeated(stored):
        yield Fault("double", f"{_short(text)} is in the history more than once")
    for text in set(stored).difference(*(socket.sent for socket in session.sockets)):
        yield Fault("foreign", f"{_short(text)} is in the history, but nobody sent it")
    place = {text: index for index, text in enumerate(stored)}
    for socket in session.sockets:
        places = [place[text] for text in socket.sent if text in place]
        for first, second in zip(places, places[1:]):
            if first > second:
                detail = f"sent {_short(stored[first])} before {_short(stored[second])}, stored the other way round"
                yield Fault("disorder", f"socket {socket.name} on {socket.server}: {detail}")


def _check_answers(session):
    answers = {}
    for answer in session.answers:
        answers.setdefault(answer.get("reply_to"), []).append(answer)
    for question in session.questions:
        mine = answers.pop(question["id"], [])
        if not mine:
            yield Fault("loss", f"{question['id']} {_short(question['msg'])} has no answer")
        if len(mine) > 1:
            yield Fault("double", f"{question['id']} {_short(question['msg'])} has {len(mine)} answers")
        for answer in mine:
            if answer["role"] != "assistant":
                yield Fault("failure", f"{question['id']} was answered with the {answer['role']} {answer['msg']!r}")
            elif answer["msg"] != answer_to(question["msg"]):
                yield Fault("foreign", f"{question['id']} {_short(question['msg'])} got {_short(answer['msg'])}")
    for answer in sum(answers.values(), []):
        yield Fault("foreign", f"{answer['id']} {_short(answer['msg'])} answers what is not here")
    # In the order of the questions, and each behind its own.
    order = [position(answer.get("reply_to", "0")) for answer in session.answers]
    if order != sorted(order):
        yield Fault("disorder", f"the answers reply to {[answer.get('reply_to') for answer in session.answers]}")
    for answer in session.answers:
        if position(answer.get("reply_to", "0")) >= position(answer["id"]):
            yield Fault("disorder", f"{answer['id']} stands before its question")


def _check_frames(session, socket):
    place = {answer["msg"]: index for index, answer in enumerate(session.answers)}
    for text in set(socket.received).difference(place):
        yield Fault("foreign", f"was given {_short(text)}, which the history does not hold")
    places = [place[text] for text in socket.received if text in place]
    for index in _repeated(places):
        yield Fault("double", f"was given {_short(session.answers[index]['msg'])} more than once")
    once = list(dict.fromkeys(places))
    if once != sorted(once):
        yield Fault("disorder", f"was given {[_short(text) for text in socket.received]}")
    first = _first_due(session, socket)
    if socket.after is not None and min(places, default=first) < first:
        yield Fault("double", f"was given what lies before its position {socket.after}")
    end = len(session.answers) if socket.closed is None else max(places, default=-1) + 1
    for index in sorted(set(range(min([first, *places]), end)).difference(places)):
        answer = session.answers[index]
        yield Fault("loss", f"was not given {answer['id']} {_short(answer['msg'])}")


def _first_due(session, socket):
    """The place of the first answer that the socket must have been given before any later one."""
    if socket.after is not None:
        known = position(socket.after)
    else:
        # Nothing is read before the socket has its place in the session: so it was there before its own first message.
        own = [question["id"] for question in session.questions if question["msg"] in socket.sent]
        if not own:
            return len(session.answers)
        known = min(map(position, own))
    return sum(position(answer["id"]) <= known for answer in session.answers)


def _check_fate(session, socket):
    """What was sent is stored, or refused, or was the last thing that its socket sent before it died."""
    stored = {question["msg"] for question in session.questions}
    absent = [text for text in socket.sent if text not in stored]
    if len(socket.errors) > len(absent):
        yield Fault("failure", f"{len(absent)} messages are not in the history, but it was told {socket.errors}")
    taken = [index for index, text in enumerate(socket.sent) if text in stored]
    due = socket.sent if socket.closed is None else socket.sent[: max(taken, default=0)]
    lost = [text for text in due if text not in stored]
    if len(lost) > len(socket.errors):
        yield Fault("loss", f"{', '.join(map(_short, lost))} not stored, but it was told only {socket.errors}")
    if socket.closed is not None and socket.closed[0] not in CLOSES:
        yield Fault("failure", f"was closed with {socket.closed}")


def _short(text):
    return repr(text if len(text) <= 40 else text[:40] + "...")
