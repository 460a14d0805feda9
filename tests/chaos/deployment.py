"""The processes of a chaos run, and what befalls them: which disturbance comes when is drawn from the seed alone."""

import concurrent.futures
import random
import subprocess
import sys
import threading
import time
from collections import Counter, namedtuple
from pathlib import Path

import redis

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenario"))
from banter import Bot, Redis, Server, requests_key  # noqa: E402

SERVERS, BOTS = 2, 3
LEASE_S = 2
STALL_S = 0.3
# In every text of a user, and in no log.
MARK = "quokka"

COMMON_OPTIONS = ("--redis-timeout", "1s", "--history", "100000")
SERVER_OPTIONS = (
    *("--threads", "2", "--ping-interval", "1s", "--pong-wait", "3s"),
    *("--handshake-timeout", "3s", "--drain-time", "1s"),
)

Disturbance = namedtuple("Disturbance", "weight run shortest_s longest_s")
Event = namedtuple("Event", "at_s name slot pause_s")


class Slot:
    """A place for one process at a time; whoever disturbs it has it for himself meanwhile."""

    def __init__(self, start):
        self.start = start
        self.process = None
        self.lock = threading.Lock()


class Deployment:
    def __init__(self, directory, secrets):
        self.directory = directory
        self.problems = []
        self.counts = Counter()
        self.timeline = []
        self.secrets = secrets  # tokens and the like: they must be in no log
        self._began_s = time.monotonic()
        self._names = Counter()
        persistent = ("--appendonly", "yes", "--appendfsync", "always")
        self.redis = Slot(lambda: Redis(directory, "redis", persistent))
        self.servers = [Slot(self._start_server) for _ in range(SERVERS)]
        self.bots = [Slot(self._start_bot) for _ in range(BOTS)]

    def start(self):
        self.redis.process = self.redis.start().start()
        for slot in self.servers + self.bots:
            slot.process = slot.start()

    def _name(self, program):
        self._names[program] += 1
        return f"{program}-{self._names[program]}"

    def _start_server(self):
        options = ("--redis", self.redis.process.url, *COMMON_OPTIONS, *SERVER_OPTIONS)
        return Server(self.directory, *options, name=self._name("banterd")).start().wait_listening()

    def _start_bot(self):
        # Of different speed, so that they overtake each other and some work is in hand when one dies.
        delay = (5, 30, 150)[self._names["banter-bot"] % 3]
        options = ("--bot", f"echo:delay={delay}", "--lease", f"{LEASE_S}s", *COMMON_OPTIONS)
        bot = Bot(self.directory, self.redis.process.url, *options, name=self._name("banter-bot"))
        return bot.start().wait_ready()

    def some_server(self, rng):
        """A server that should be up; None if there is none now."""
        up = [server for slot in self.servers if (server := slot.process)]
        return rng.choice(up) if up else None

    def note(self, what):
        self.timeline.append(f"{time.monotonic() - self._began_s:8.3f} {what}")

    def perform(self, event):
        disturbance = DISTURBANCES[event.name]
        kind = event.name.split()[0]
        slots = {"server": self.servers, "worker": self.bots}.get(kind, [self.redis])
        slot = slots[event.slot % len(slots)]
        with slot.lock:
            self.note(f"{event.name}: {slot.process.name} for {event.pause_s:.2f} s")
            disturbance.run(self, slot, event.pause_s)
            self.counts[event.name] += 1
            self.note(f"{event.name} is over: {slot.process.name}")

    def retire(self, process):
        """Takes in how the life of a process ended."""
        problem = process.finish()
        if problem:
            self.problems.append(problem)
        if not isinstance(process, Redis):
            log = process.log
            if MARK in log or any(secret in log for secret in self.secrets):
                self.problems.append(f"{process.name}: a token or a message is in the log")

    def leftovers(self):
        """What is in Redis that should not be when all is quiet."""
        client = self.redis.process.client
        if waiting := client.xrange(requests_key("echo"), count=5):
            yield f"the queue is not empty: {waiting}"
        if dead := client.xrange("banter:{0}:dead", count=5):
            yield f"dead letters: {dead}"

    def finish(self):
        for slot in (*self.bots, *self.servers, self.redis):
            if slot.process:
                self.retire(slot.process)
                slot.process = None


def kill(deployment, slot, pause_s):
    victim, slot.process = slot.process, None
    victim.kill()
    deployment.retire(victim)
    time.sleep(pause_s)
    slot.process = slot.start()


def end(deployment, slot, pause_s):
    """SIGTERM; a successor is there at once, as in an upgrade, or after a while."""
    leaving, slot.process = slot.process, slot.start() if pause_s < 1 else None
    deployment.retire(leaving)
    slot.process = slot.process or slot.start()


def freeze(_, slot, pause_s):
    slot.process.freeze()
    time.sleep(pause_s)
    slot.process.thaw()


def kill_redis(deployment, slot, pause_s):
    slot.process.kill()
    time.sleep(pause_s)
    repair(deployment)
    slot.process.start()


def kill_redis_at_work(deployment, slot, pause_s):
    """In the middle of what has come in during a stall: some of it is done and on disk, but nobody was told."""
    slot.process.freeze()
    time.sleep(STALL_S)
    slot.process.thaw()
    time.sleep(pause_s)
    slot.process.kill()
    repair(deployment)
    slot.process.start()


def repair(deployment):
    """Cuts off what was half written. Redis does so too, but inside a function's MULTI only behind the last whole
    command: that MULTI stays open, and what is written behind it comes back as something else at the next start."""
    manifest = deployment.directory / "appendonlydir" / "appendonly.aof.manifest"
    command = ["redis-check-aof", "--fix", manifest]
    result = subprocess.run(command, input="y\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, result.stdout
    if "Successfully truncated" in result.stdout:
        deployment.counts["half-written file"] += 1


def on_redis(*command):
    """A command in the midst of others, which Redis finds all at once after a stall: they are done, but their answers
    go the way of their connections."""

    def execute(client):
        try:
            client.execute_command(*command)
        except redis.exceptions.ConnectionError:  # of before its last death
            client.execute_command(*command)
        except redis.exceptions.ResponseError as error:
            assert "not found" in str(error), error  # nobody has loaded the functions yet

    def run(_, slot, pause_s):
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            slot.process.freeze()
            try:
                time.sleep(pause_s / 2)
                executed = thread.submit(execute, slot.process.client)
                time.sleep(pause_s / 2)
            finally:
                slot.process.thaw()
            executed.result()

    return run


DISTURBANCES = {
    "server kill": Disturbance(3, kill, 0, 1),
    "server end": Disturbance(2, end, 0, 2),
    "server freeze": Disturbance(2, freeze, 0.1, 2.5),
    "worker kill": Disturbance(3, kill, 0, 1),
    "worker end": Disturbance(1, end, 0, 2),
    "worker freeze": Disturbance(3, freeze, LEASE_S + 0.3, LEASE_S + 2),
    "redis kill": Disturbance(2, kill_redis, 0, 1.5),
    "redis kill at work": Disturbance(3, kill_redis_at_work, 0, 0.01),
    "redis freeze": Disturbance(2, freeze, 0.3, 2.5),
    "redis: CLIENT KILL TYPE pubsub": Disturbance(2, on_redis("CLIENT", "KILL", "TYPE", "pubsub"), 0, 0.5),
    "redis: CLIENT KILL TYPE normal": Disturbance(3, on_redis("CLIENT", "KILL", "TYPE", "normal"), 0, 0.5),
    "redis: FUNCTION DELETE": Disturbance(2, on_redis("FUNCTION", "DELETE", "banter"), 0, 0.5),
}
MEAN_GAP_S = 0.8


def schedule(seed, seconds):
    """The disturbances of a run. Last, when nothing comes that would show the hole, events are lost."""
    rng = random.Random(f"{seed} disturbances")
    events, at_s = [], 1.0
    while at_s < seconds:
        name = rng.choices(list(DISTURBANCES), [disturbance.weight for disturbance in DISTURBANCES.values()])[0]
        disturbance = DISTURBANCES[name]
        pause_s = rng.uniform(disturbance.shortest_s, disturbance.longest_s)
        events.append(Event(at_s, name, rng.randrange(SERVERS * BOTS), pause_s))
        at_s += rng.expovariate(1 / MEAN_GAP_S)
    return [*events, Event(seconds - 0.1, "redis: CLIENT KILL TYPE pubsub", 0, 0.2)]
