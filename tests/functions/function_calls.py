"""The calls of the function library for tests, as protocol/calls.h has them for the programs."""

from typing import NamedTuple

PREFIX = "banter:{0}:"
DEAD = PREFIX + "dead"
NODES, WORKERS = "banter:nodes", "banter:workers"
GROUP = "bots"
EVENT_TEXT_MAX = 1024


class Turn(NamedTuple):
    """A turn as its worker holds it."""

    token: str
    message: str
    entry: str
    tag: str


class Entry(NamedTuple):
    """An entry of a queue as a worker gets it."""

    entry: str
    token: str
    message: str
    text: str
    tag: str
    expires: str


def fields_of(flat):
    """A flat list of fields and values as a dict."""
    return dict(zip(flat[::2], flat[1::2]))


def load(redis, code):
    redis("FUNCTION", "LOAD", "REPLACE", code)


class Calls:
    """All functions on one bot's queue, over one connection."""

    def __init__(self, redis, bot="parrot", history=500, pending=8, deliveries=5):
        self.redis, self.bot = redis, bot
        self.requests, self.stop = PREFIX + "requests:" + bot, PREFIX + "stop:" + bot
        self.history, self.pending, self.deliveries = history, pending, deliveries

    def key(self, kind, token):
        return PREFIX + kind + ":" + token

    def channel(self, token):
        return self.key("replies", token)

    def _on_session(self, function, token, *arguments):
        keys = [self.key("session", token), self.key("messages", token), self.requests, self.key("draft", token)]
        return self.redis("FCALL", "banter_" + function, 4, *keys, *arguments)

    def _by_token(self, function, token, *arguments):
        keys = [self.key(kind, token) for kind in ("session", "messages", "draft")]
        return self.redis("FCALL", "banter_" + function, 3, *keys, *arguments)

    def make_group(self, start="0"):
        return self.redis("XGROUP", "CREATE", self.requests, GROUP, start, "MKSTREAM")

    def open(self, token, ttl_ms=600000, max_life_ms=0, bot_must_exist=0, name="Ann"):
        return self._on_session("open", token, ttl_ms, max_life_ms, bot_must_exist, name, self.bot)

    def attach(self, token, after="", limit=100):
        return self._by_token("attach", token, after, limit)

    def accept(self, token, text, client="", how="fresh"):
        return self._on_session("accept", token, text, client, how, self.history, self.pending)

    def abort(self, token, message):
        return self._on_session("abort", token, message, self.history, self.stop, self.channel(token))

    def refresh(self, token, ttl_ms):
        return self._by_token("refresh", token, ttl_ms, self.channel(token))

    def end(self, token):
        return self._by_token("end", token, self.channel(token))

    def delta(self, turn, offset, piece):
        return self._on_session("delta", turn.token, *turn[1:], offset, piece, self.channel(turn.token))

    def reply(self, turn, text, offset=0, role="assistant", cut=0):
        arguments = [offset, text, role, cut, self.history, self.channel(turn.token)]
        return self._on_session("reply", turn.token, *turn[1:], *arguments)

    def read(self, worker, count=10):
        """New entries, as [id, fields]."""
        got = self.redis("XREADGROUP", "GROUP", GROUP, worker, "COUNT", count, "STREAMS", self.requests, ">")
        return [(entry, fields_of(flat)) for entry, flat in got[0][1]] if got else []

    def claim(self, worker, lease_ms=0, room=10, suspects=1, run=1):
        arguments = [worker, lease_ms, room, suspects, self.deliveries, run, self.history, PREFIX]
        return [Entry(*e) for e in self.redis("FCALL", "banter_claim", 2, self.requests, DEAD, *arguments)]

    def own(self, worker, count=10):
        """What the worker was given, as `read` gives it."""
        got = self.redis("FCALL", "banter_own", 1, self.requests, worker, count)
        return [(entry, fields_of(flat)) for entry, flat in got[0][1]]

    def renew(self, worker, entries):
        return self.redis("FCALL", "banter_renew", 1, self.requests, worker, *entries)

    def release(self, worker, entries):
        return self.redis("FCALL", "banter_release", 1, self.requests, worker, *entries)

    def beat_server(self, name, connections, *queues):
        keys = [NODES, WORKERS, *queues]
        return self.redis("FCALL", "banter_beat_server", len(keys), *keys, name, connections, "0.1.0")

    def beat_worker(self, name, in_work=0):
        return self.redis("FCALL", "banter_beat_worker", 1, WORKERS, name, self.bot, in_work, "0.1.0")

    def sweep(self, after="", count=10):
        return self.redis("FCALL", "banter_sweep", 1, self.requests, after, count, PREFIX)

    def retire(self, idle_ms):
        return self.redis("FCALL", "banter_retire", 1, self.requests, idle_ms)

    def owners(self, idle_ms=0):
        """Worker and number of deliveries of each pending entry, or of those idle for at least `idle_ms`."""
        pending = self.redis("XPENDING", self.requests, GROUP, "IDLE", idle_ms, "-", "+", 100000)
        return {entry: (worker, delivered) for entry, worker, _, delivered in pending}
