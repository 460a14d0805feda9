"""A connection's view on a session, as a server keeps it; everything it is shown is checked."""

import collections
import json

from function_calls import EVENT_TEXT_MAX, fields_of


class Bug(Exception):
    """The functions did what they must not do."""


def order(history_id):
    """History ids compare as pairs of numbers."""
    return tuple(map(int, history_id.split("-")))


Shown = collections.namedtuple("Shown", "message tag text")


class Viewer:
    """
    Subscribes, waits for the confirmation, attaches. From then on each event that names the entry before it as this
    view's position is shown; what is older is dropped; any other is a hole, and the history is read instead.
    """

    def __init__(self, world, token, after="0-0"):
        self.world, self.calls, self.stats, self.token = world, world.calls, world.stats, token
        self.position, self.answered = after, "0-0"
        self.seen = {}  # history id -> fields, all that this view was shown
        self.shown = None  # the answer that is being streamed
        self.closed = None
        self.events = collections.deque()
        self.link = world.server.connect()
        if world.rules.subscribe_first:
            self._subscribe()
        self.catch_up()
        if not world.rules.subscribe_first:
            for _ in range(10):
                world.any_worker().step()
            self._subscribe()

    def _subscribe(self):
        self.link("SUBSCRIBE", self.calls.channel(self.token))

    def close(self):
        self.link.close()

    def step(self):
        """Handles one event, if there is one."""
        self._receive(self.link.read_arrived())
        if self.events and not self.closed:
            self._handle(self.events.popleft())

    def lose(self):
        """The subscription broke: what was on its way is gone, the history tells it."""
        self.link.read_arrived()
        self.events.clear()
        self.catch_up()
        self.stats["subscription lost"] += 1

    def drain(self):
        """Handles everything that was published so far: a probe on the same channel is the last to arrive."""
        self.calls.redis("PUBLISH", self.calls.channel(self.token), '{"type":"probe"}')
        while not self.events or self.events[-1]["type"] != "probe":
            self._receive([self.link.read()])
        while self.events and not self.closed:
            self._handle(self.events.popleft())

    def _receive(self, messages):
        self.events.extend(json.loads(message[2]) for message in messages)

    def catch_up(self):
        """Reads the history from this view's position on, in small pages, then the draft."""
        limit = 5
        while True:
            answer = self.calls.attach(self.token, self.position, limit)
            if answer[0] != "OK":
                self.closed = answer[0]
                return
            _, last, work, draft, entries = answer[:5]
            for entry, flat in entries:
                self._deliver(entry, fields_of(flat))
            if len(entries) < limit:
                break
        if self.position != last and self.world.session(self.token).is_over:
            # In its last millisecond a session can outlive a history made in it: PEXPIREAT deletes what has no time
            # left by the clock, and keys are gone only after their time.
            self.closed = "expired"
            return
        if self.position != last:
            raise Bug(f"caught up at {self.position}, but the last entry is {last}")
        turn = work.split()
        if len(turn) == 3:
            self._piece(turn[0], turn[2], 0, draft, live=False)

    def _handle(self, event):
        kind = event["type"]
        if kind == "delta":
            self._piece(event["reply_to"], event["by"], event["offset"], event["msg"], live=True)
        elif kind in ("assistant", "error"):
            self._answer(event)
        elif kind == "end":
            self.closed = "end"

    def _answer(self, event):
        if order(event["id"]) <= order(self.position):
            self.stats["event already seen"] += 1
        elif event["prev"] != self.position and self.world.rules.look_at_prev:
            self.stats["hole in the events"] += 1
            self.catch_up()
        elif "msg" not in event:
            self.catch_up()
            if event["id"] in self.seen and len(self.seen[event["id"]]["msg"]) <= EVENT_TEXT_MAX:
                raise Bug("a short text was left out of its event")
            self.stats["event without text"] += 1
        else:
            if len(event["msg"]) > EVENT_TEXT_MAX:
                raise Bug("a long text in an event")
            fields = {"role": event["type"], "msg": event["msg"], "reply_to": event["reply_to"]}
            fields.update({mark: "1" for mark in ("aborted", "truncated") if event.get(mark)})
            self._deliver(event["id"], fields)

    def _deliver(self, entry, fields):
        if order(entry) <= order(self.position):
            raise Bug(f"{entry} was shown after {self.position}")
        self.position = entry
        self.seen[entry] = fields
        question = fields.get("reply_to")
        if not question:
            return
        if order(question) <= order(self.answered):
            raise Bug("answers out of order")
        self.answered = question
        if self.shown and order(self.shown.message) <= order(question):
            self.shown = None

    def _piece(self, message, tag, offset, text, live):
        if order(message) <= order(self.answered):
            self.stats["piece of an answered question"] += 1
            return
        if live and order(message) > order(self.position):
            self.catch_up()
            return
        if self.shown and self.shown.message == message:
            if int(tag.split(".")[0]) < int(self.shown.tag.split(".")[0]):
                self.stats["piece of an earlier try"] += 1
                return
            if tag != self.shown.tag:
                self.stats["begun again"] += 1
                self.shown = None
        elif self.shown and order(message) < order(self.shown.message):
            return
        else:
            self.shown = None
        self._extend(message, tag, offset, text, live)

    def _extend(self, message, tag, offset, text, live):
        before = self.shown.text if self.shown else ""
        if offset > len(before):
            if not live:
                raise Bug("a draft does not begin at its beginning")
            self.stats["hole in the pieces"] += 1
            self.catch_up()
            return
        known = before[offset : offset + len(text)]
        if text[: len(known)] != known:
            raise Bug(f"pieces of two answers are mixed: {before!r} and {text!r} at {offset}")
        self.shown = Shown(message, tag, before + text[len(known) :])
