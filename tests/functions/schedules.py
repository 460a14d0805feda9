#!/usr/bin/env python3
"""
Random schedules against the function library: users who talk, repeat themselves, stop answers and leave; servers that
lose events; workers that stall, die and wake up; a Redis that loses a group or an entry, expires sessions and holds
foreign data. Whatever happens, every accepted message is answered once, in order, and every viewer sees exactly the
history.

    schedules.py --seeds FIRST LAST     runs these and prints what happened; a seed that fails, fails again
"""

import argparse
import calendar
import collections
import random
import re
import sys
import time
from dataclasses import dataclass, field

from function_calls import Calls, fields_of, load
from own_redis import LIBRARY, RedisError, RedisServer
from schedule_viewer import Bug, Viewer, order
from schedule_worker import Worker

PENDING = 8
SHORT_HISTORY, LONG_HISTORY = 3 * PENDING, 500
TTL_MS, MAX_LIFE_MS = 600000, 605000


@dataclass
class Rules:
    """What servers must do; a mutant breaks one to show that it matters."""

    subscribe_first: bool = True
    look_at_prev: bool = True
    group_start: str = "0"


@dataclass
class Session:
    """What the schedule knows of a session, beside Redis."""

    token: str
    has_max_life: bool
    accepted: list = field(default_factory=list)  # (id, text), in order
    expiries: set = field(default_factory=set)  # every expires_at it had
    aborted: dict = field(default_factory=dict)  # id -> "now" or "later"
    is_over: bool = False
    ends_by_itself_at: int = 0  # ms; over, but Redis may not have noticed

    def text(self, message):
        return dict(self.accepted).get(message)


class Schedule:
    STRANGER = "stranger"  # a token under whose key there is no session

    def __init__(self, server, stats, seed, rules):
        self.server, self.stats, self.rules = server, stats, rules
        self.dice = random.Random(seed)
        self.redis = server.connect()
        self.calls = Calls(self.redis, history=self.dice.choice([SHORT_HISTORY, LONG_HISTORY]), pending=PENDING)
        self.redis("FLUSHALL")
        self.calls.make_group()
        self.released = set()
        self.nodes = {}
        self.worker_count = 0
        self.sessions = [self._open(seed, number) for number in range(2)]
        self.workers = [self._new_worker() for _ in range(3)]
        self.viewers = [Viewer(self, session.token) for session in self.sessions for _ in range(2)]

    def close(self):
        for viewer in self.viewers:
            viewer.close()
        self.redis.close()

    def _open(self, seed, number):
        session = Session(f"{seed:08d}-0000-4000-8000-{number:012d}", has_max_life=number == 1)
        self.calls.open(session.token, TTL_MS, MAX_LIFE_MS if session.has_max_life else 0)
        self._note_expiry(session)
        return session

    def _new_worker(self):
        self.worker_count += 1
        return Worker(self, f"w{self.worker_count}")

    def any_worker(self):
        return self.dice.choice(self.workers)

    def session(self, token):
        return next(session for session in self.sessions if session.token == token)

    def any_session(self):
        return self.dice.choice(self.sessions)

    # What may happen, one at a time ----------------------------------------------------------------------------------

    def run(self):
        actions, weights = zip(
            (self.say, 150),
            (lambda: self.any_worker().step(), 700),
            (lambda: self.dice.choice(self.viewers).step(), 155),
            (lambda: self.dice.choice(self.viewers).lose(), 15),
            (self.reconnect, 15),
            (self.kill_worker, 15),
            (self.stop_answer, 20),
            (self.refresh, 7),
            (self.sweep, 7),
            (self.retire, 4),
            (self.beat, 4),
            (self.lose_group, 3),
            (self.put_foreign_entry, 2),
            (self.lose_entry, 1),
            (self.lose_draft, 5),
            (self.end, 1),
            (self.expire, 1),
        )
        for _ in range(self.dice.randint(80, 500)):
            self.dice.choices(actions, weights)[0]()
        self.finish_all_turns()
        for session in self.sessions:
            self.check_over(session) if session.is_over else self.check_history(session)
        for viewer in self.viewers:
            self.check_viewer(viewer)
        self.stats["messages"] += sum(len(session.accepted) for session in self.sessions)
        self.stats["schedules"] += 1

    def say(self):
        session = self.any_session()
        number = len(session.accepted)
        text = f"{session.token[-1]}:{number}" + ":long" * self.dice.choice([0] * 9 + [400])
        client, how = f"c{number}", self.dice.choice(["keep", "keep", "fresh"])
        answer = self.calls.accept(session.token, text, client, how)
        if session.is_over:
            if answer[0] != "GONE" and not session.ends_by_itself_at:
                raise Bug("accepted after the end")
            return
        if answer[0] == "GONE":
            raise Bug("a session is gone")
        if answer[0] == "FULL":
            self.stats["full"] += 1
            return
        session.accepted.append((answer[0], text))
        waiting = self.redis("HGET", self.calls.key("session", session.token), "waiting").split()
        if len(waiting) + 1 > PENDING:
            raise Bug("more unanswered turns than allowed")
        if self.dice.random() < 0.2:  # the acknowledgement was lost
            self.stats["said twice"] += 1
            again = self.calls.accept(session.token, text, client, "retry" if how == "fresh" else "keep")
            if again != ["REPEATED", answer[0]]:
                raise Bug(f"said twice: {answer}, then {again}")

    def reconnect(self):
        number = self.dice.randrange(len(self.viewers))
        old = self.viewers[number]
        old.close()
        self.viewers[number] = Viewer(self, old.token, old.position)
        self.viewers[number].seen = {**old.seen, **self.viewers[number].seen}
        self.stats["reconnected"] += 1

    def kill_worker(self):
        self.workers[self.dice.randrange(len(self.workers))] = self._new_worker()
        self.stats["worker died"] += 1

    def stop_answer(self):
        session = self.any_session()
        if not session.accepted:
            return
        message = self.dice.choice(session.accepted[-6:])[0]
        draft = self.calls.attach(session.token)[3:4]
        answer = self.calls.abort(session.token, message)
        if answer in ("GONE", "NONE"):
            return
        session.aborted[message] = "later" if answer == "LATER" else "now"
        self.stats["stopped " + session.aborted[message]] += 1
        if answer != "LATER" and not session.is_over:
            stored = fields_of(self.redis("XRANGE", self.calls.key("messages", session.token), answer, answer)[0][1])
            if stored["msg"] != (draft[0] or "stopped"):
                raise Bug("stopped, but what was streamed is not the answer")

    def refresh(self):
        session = self.any_session()
        if self._redis_ms() <= session.ends_by_itself_at:
            return  # this would save it
        before = self.redis("PEXPIRETIME", self.calls.key("session", session.token))
        at = self.calls.refresh(session.token, TTL_MS + self.dice.randint(-9, 9) * 1000)
        if session.is_over:
            return
        if at < before:
            raise Bug("refresh made a session shorter")
        self._note_expiry(session)

    def _note_expiry(self, session):
        key = self.calls.key("session", session.token)
        start, expires = self.redis("HMGET", key, "session_start", "expires_at")
        session.expiries.add(expires)
        if milliseconds(expires) != self.redis("PEXPIRETIME", key):
            raise Bug("expires_at is not when the session expires")
        life_ms = milliseconds(expires) - milliseconds(start)
        if session.has_max_life and life_ms > MAX_LIFE_MS:
            raise Bug("a session outlives its greatest life")

    def sweep(self):
        alive = self._entries_in_work()
        after = ""
        while True:
            after = self.calls.sweep(after, self.dice.randint(1, 3))
            if after == "":
                break
        if alive - self._entries_in_work():
            raise Bug("the sweep dropped an entry in work")
        self.stats["swept"] += 1

    def _entries_in_work(self):
        """The queue entries that the turns of living sessions name and that are there."""
        alive = [self.calls.key("session", session.token) for session in self.sessions if not session.is_over]
        works = [self.redis("HGET", key, "work") for key in alive]
        named = {work.split()[1] for work in works if work}
        return named & {entry for entry, _ in self.redis("XRANGE", self.calls.requests, "-", "+")}

    def retire(self):
        self.stats["consumers retired"] += self.calls.retire(0)

    def beat(self):
        name, connections = f"n{self.dice.randint(1, 3)}", self.dice.randint(0, 9)
        self.nodes[name] = connections
        worker = self.any_worker()
        self.calls.beat_worker(worker.name, len(worker.runs))
        total, _, lengths, bots = self.calls.beat_server(name, connections, self.calls.requests)
        if total != sum(self.nodes.values()) or bots != [self.calls.bot]:
            raise Bug(f"beat: {total} connections of {self.nodes}, bots {bots}")
        if lengths != [self.redis("XLEN", self.calls.requests)]:
            raise Bug("beat: length of the queue")

    def lose_group(self):
        self.redis("XGROUP", "DESTROY", self.calls.requests, "bots")
        self.calls.make_group(self.rules.group_start)
        self.stats["group lost"] += 1

    def put_foreign_entry(self):
        """What a stranger may write into our queue: other fields, or the token of no session."""
        self.redis("SET", self.calls.key("session", self.STRANGER), "a string")
        fields = self.dice.choice([["hello", "world"], ["token", self.STRANGER, "id", "1-1", "msg", "", "expires", ""]])
        self.redis("XADD", self.calls.requests, "*", *fields)
        self.stats["foreign entry"] += 1

    def lose_entry(self):
        entries = self.redis("XRANGE", self.calls.requests, "-", "+", "COUNT", 3)
        if entries:
            self.redis("XDEL", self.calls.requests, self.dice.choice(entries)[0])
            self.stats["entry lost"] += 1

    def lose_draft(self):
        self.redis("DEL", self.calls.key("draft", self.any_session().token))

    def end(self):
        session = self.any_session()
        self.calls.end(session.token)
        session.is_over, session.ends_by_itself_at = True, 0
        self.stats["ended"] += 1

    def expire(self):
        """Redis's own expiry, in a moment: all keys of a session in the same millisecond."""
        session = self.any_session()
        if not session.is_over:
            at = self._redis_ms() + 2
            for key in self._keys(session):
                self.redis("PEXPIREAT", key, at)
            session.is_over, session.ends_by_itself_at = True, at
            self.stats["expired"] += 1

    def _redis_ms(self):
        seconds, microseconds = map(int, self.redis("TIME"))
        return seconds * 1000 + microseconds // 1000

    def _keys(self, session):
        return [self.calls.key(kind, session.token) for kind in ("session", "messages", "draft")]

    # What must be true -----------------------------------------------------------------------------------------------

    def check_expires(self, token, expires):
        for session in self.sessions:
            if session.token == token and expires not in session.expiries:
                raise Bug(f"a queue entry expires at {expires!r}")

    def check_not_stolen(self, worker, before):
        for entry, (owner, _) in self.calls.owners().items():
            if owner == worker and before[entry][0] != worker:
                raise Bug("an entry was stolen back")

    def finish_all_turns(self):
        while self._redis_ms() <= max(session.ends_by_itself_at for session in self.sessions):
            pass
        for session in self.sessions:
            self.calls.attach(session.token)  # mends
        worker = self._new_worker()
        spent = sum(delivered >= self.calls.deliveries for _, delivered in self.calls.owners().values())
        failed = self._failed_answers()
        for _ in range(400):
            worker.finish_everything()
            if self.redis("XLEN", self.calls.requests) == 0 and not self.calls.owners():
                break
        else:
            raise Bug("the queue is never empty")
        if self._failed_answers() > failed + spent:
            raise Bug("a turn failed that could have been answered")
        for viewer in self.viewers:
            viewer.drain()

    def _failed_answers(self):
        histories = [self.history(session.token) for session in self.sessions]
        return sum(fields["msg"] == "failed" for history in histories for _, fields in history)

    def check_over(self, session):
        for key in self._keys(session):
            if self.redis("EXISTS", key):
                raise Bug(f"{key} came back")

    def check_history(self, session):
        keys = self._keys(session)
        if self.redis("HMGET", keys[0], "work", "waiting") != ["", ""]:
            raise Bug("a turn is stuck")
        if self.redis("EXISTS", keys[1]) and self.redis("PEXPIRETIME", keys[1]) != self.redis("PEXPIRETIME", keys[0]):
            raise Bug("history and session expire apart")
        history = self.history(session.token)
        answers = [fields for _, fields in history if "reply_to" in fields]
        if self.is_trimmed(session, history):
            self.stats["trimmed history"] += 1
        else:
            questions = [(entry, fields["msg"]) for entry, fields in history if fields["role"] == "user"]
            if questions != session.accepted:
                raise Bug("questions are not as accepted")
            if [answer["reply_to"] for answer in answers] != [entry for entry, _ in session.accepted]:
                raise Bug("not every question has one answer, in order")
        for answer in answers:
            self.check_answer(session, answer)

    def check_answer(self, session, answer):
        message, text = answer["reply_to"], answer["msg"]
        was_stopped = answer.get("aborted") == "1"
        if was_stopped and message not in session.aborted:
            raise Bug("stopped unasked")
        if answer["role"] == "error":
            self.stats["error " + text] += 1
            if was_stopped != (text == "stopped"):
                raise Bug("a stopped answer without its mark")
            return
        if session.aborted.get(message) == "later":
            raise Bug("answered, though stopped while it waited")
        marks = re.findall(r"\[([^\]:]*):(\d+)\]", text)
        if len({mark for mark, _ in marks}) > 1 or [int(i) for _, i in marks] != list(range(len(marks))):
            raise Bug(f"pieces of several attempts: {text}")
        rest = re.sub(r"\[[^\]]*\]", "", text)
        question = session.text(message)
        if was_stopped and rest == "" or question is None:
            return
        if rest.rstrip("~") != f"<{question}>{len(marks)}" or was_stopped:
            raise Bug(f"not a whole answer: {text}")
        if rest.endswith("~") != (answer.get("truncated") == "1"):
            raise Bug("a cut answer without its mark, or the reverse")

    def check_viewer(self, viewer):
        session = self.session(viewer.token)
        history = self.history(viewer.token)
        is_trimmed = self.is_trimmed(session, history)
        if session.is_over or (viewer.closed == "RESET" and is_trimmed):
            return
        if viewer.closed:
            raise Bug(f"a viewer was closed: {viewer.closed}")
        if viewer.shown:
            raise Bug("a viewer shows an answer that never ends")
        shown = {entry: {**fields, "client": None} for entry, fields in viewer.seen.items()}
        stored = {entry: {**fields, "client": None} for entry, fields in history}
        if is_trimmed:
            shown = {entry: fields for entry, fields in shown.items() if entry in stored}
        if shown != stored or list(viewer.seen) != sorted(viewer.seen, key=order):
            raise Bug("a viewer saw something else than the history")

    @staticmethod
    def is_trimmed(session, history):
        return bool(history) and history[0][0] != session.accepted[0][0]

    def history(self, token):
        entries = self.redis("XRANGE", self.calls.key("messages", token), "-", "+")
        return [(entry, fields_of(flat)) for entry, flat in entries]


def milliseconds(iso):
    """Unix time in ms of "2026-11-22T05:20:00.000Z"."""
    seconds, fraction = iso[:-1].split(".")
    return calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 1000 + int(fraction)


def run_schedules(seeds, library=None, rules=Rules()):
    """Runs the seeds in order; a Bug names the seed. Returns what happened how often."""
    stats = collections.Counter()
    with RedisServer() as server:
        load(server.connect(), library or LIBRARY.read_text())
        for seed in seeds:
            schedule = None
            try:
                schedule = Schedule(server, stats, seed, rules)
                schedule.run()
            except (Bug, RedisError) as problem:
                raise Bug(f"seed {seed}: {problem}") from problem
            finally:
                if schedule:
                    schedule.close()
    return stats


def main():
    parser = argparse.ArgumentParser(description="Random schedules against the function library.")
    parser.add_argument("--seeds", nargs=2, type=int, default=[1, 1000], metavar=("FIRST", "LAST"))
    parser.add_argument("--library", type=argparse.FileType(), help="another text than src/protocol/functions.lua")
    arguments = parser.parse_args()
    first, last = arguments.seeds
    began = time.monotonic()
    try:
        stats = run_schedules(range(first, last + 1), arguments.library and arguments.library.read())
    except Bug as bug:
        sys.exit(str(bug))
    for what, count in sorted(stats.items()):
        print(f"{count:10} {what}")
    print(f"{time.monotonic() - began:10.0f} s")


if __name__ == "__main__":
    main()
