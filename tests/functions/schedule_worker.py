"""A worker that streams, stalls, repeats itself, claims and gives back, as the schedule's dice have it."""

from dataclasses import dataclass, field

from function_calls import Turn
from own_redis import RedisError
from schedule_viewer import Bug

LONG_LEASE_MS = 3600000


@dataclass
class Run:
    """One attempt at an answer. Every piece names the run, so that a mixture shows."""

    turn: Turn
    question: str
    pieces: list
    is_cut: int
    sent: int = 0  # pieces
    offset: int = 0  # bytes

    def text_so_far(self, pieces):
        return "".join(self.pieces[:pieces])

    def final(self):
        """The last piece: it repeats the question and says how many pieces come before it."""
        return f"<{self.question}>{len(self.pieces)}" + "~" * self.is_cut


@dataclass
class Worker:
    world: object
    name: str
    runs: dict = field(default_factory=dict)  # by entry
    next_run: int = 1

    def step(self):
        dice = self.world.dice
        if not self.runs or dice.random() < 0.3:
            self.read()
        else:
            dice.choices([self.renew, self.claim, self.release, self.work_on_one], weights=[8, 10, 4, 60])[0]()

    def read(self):
        try:
            entries = self.world.calls.read(self.name, self.world.dice.randint(1, 4))
        except RedisError:  # NOGROUP
            self.world.calls.make_group()
            return
        if self.world.dice.random() < 0.07:
            self.world.stats["answer to XREADGROUP lost"] += 1
            return
        for entry, fields in entries:
            if "token" in fields and "id" in fields:
                turn = Turn(fields["token"], fields["id"], entry, f"1.{self.name}.{self.next_run}")
                self.take(turn, fields["msg"], fields["expires"])

    def take(self, turn, text, expires):
        self.world.check_expires(turn.token, expires)
        if turn.entry in self.runs:
            self.world.stats["entry read twice"] += 1
            return
        self.next_run += 1
        dice = self.world.dice
        mark = f"{turn.tag}/{dice.random():.6f}"
        pieces = [f"[{mark}:{i}]" for i in range(dice.randint(0, 4))]
        self.runs[turn.entry] = Run(turn, text, pieces, is_cut=int(dice.random() < 0.1))

    def renew(self):
        entries = list(self.runs)
        owners = self.world.calls.owners()
        for entry in self.world.calls.renew(self.name, entries):
            self.runs.pop(entry)
            self.world.stats["renew says lost"] += 1
        self.world.check_not_stolen(self.name, owners)

    def release(self):
        """Gives back what was not begun, as at SIGTERM; some of it may long be another's."""
        entries = [entry for entry, run in self.runs.items() if run.sent == 0]
        owners = self.world.calls.owners()
        count = self.world.calls.release(self.name, entries)
        mine = {entry for entry in entries if owners.get(entry, ("",))[0] == self.name}
        if count != len(mine):
            raise Bug(f"released {count}, had {len(mine)}")
        self.world.check_not_stolen(self.name, owners)
        free = self.world.calls.owners(LONG_LEASE_MS)
        for entry in mine:
            is_there = self.world.calls.redis("XRANGE", self.world.calls.requests, entry, entry)
            if is_there and free.get(entry) != (self.name, owners[entry][1] - 1):
                raise Bug("a released entry is not free, or was delivered once too often")
        self.world.released |= mine
        for entry in entries:
            self.runs.pop(entry)
        self.world.stats["entry released"] += count

    def claim(self):
        """Mostly as if all leases were over; now and then with a lease that leaves only what was released."""
        dice = self.world.dice
        lease = dice.choice([0, 0, 0, LONG_LEASE_MS])
        suspects = 0 if any(int(run.turn.tag.split(".")[0]) >= 3 for run in self.runs.values()) else 1
        taken = self.world.calls.claim(self.name, lease, dice.randint(1, 3), suspects, self.next_run)
        for got in taken:
            if lease and got.entry not in self.world.released:
                raise Bug("claimed within its lease")
            self.world.released.discard(got.entry)
            self.runs.pop(got.entry, None)
            self.take(Turn(got.token, got.message, got.entry, got.tag), got.text, got.expires)
            self.world.stats["claimed"] += 1

    def work_on_one(self):
        run = self.world.dice.choice(list(self.runs.values()))
        try:
            answer = self.stream(run) if run.sent < len(run.pieces) else self.finish(run)
        except RedisError:
            self.let_go_of_stranger(run)
            return
        if answer == "LOST" or run.sent > len(run.pieces):
            self.runs.pop(run.turn.entry)

    def let_go_of_stranger(self, run):
        """What is no session answers with an error. The worker forgets it; a claim will bury it."""
        if run.turn.token != self.world.STRANGER:
            raise
        self.runs.pop(run.turn.entry)

    def stream(self, run):
        calls, piece = self.world.calls, run.pieces[run.sent]
        answer = calls.delta(run.turn, run.offset, piece)
        if self.world.dice.random() < 0.05:
            answer = calls.delta(run.turn, run.offset, piece)
            self.world.stats["piece sent twice"] += 1
        run.sent += 1
        if answer == "AGAIN":
            answer = calls.delta(run.turn, 0, run.text_so_far(run.sent))
            self.world.stats["sent all again"] += 1
        if answer == "LOST":
            self.world.stats["lost while streaming"] += 1
        run.offset = len(run.text_so_far(run.sent))
        return answer

    def finish(self, run):
        whole = run.text_so_far(len(run.pieces)) + run.final()
        offset, text = run.offset, run.final()
        if self.world.dice.random() < 0.2:
            offset, text = 0, whole
        answer = self.world.calls.reply(run.turn, text, offset, cut=run.is_cut)
        if answer == "AGAIN":
            answer = self.world.calls.reply(run.turn, whole, cut=run.is_cut)
            self.world.stats["replied whole"] += 1
        if self.world.dice.random() < 0.1:
            self.world.stats["reply sent twice"] += 1
            if self.world.calls.reply(run.turn, whole, cut=run.is_cut) != "LOST":
                raise Bug("a reply counted twice")
        run.sent = len(run.pieces) + 1
        self.world.stats["lost at the reply" if answer == "LOST" else "replied"] += 1
        return answer

    def finish_everything(self):
        """Reads, claims and answers whatever there is, at once and whole."""
        self.runs.clear()
        self.read()
        for got in self.world.calls.claim(self.name, 0, 50, 1, self.next_run):
            self.runs.pop(got.entry, None)
            self.take(Turn(got.token, got.message, got.entry, got.tag), got.text, got.expires)
        for run in list(self.runs.values()):
            run.pieces = []
            try:
                self.world.calls.reply(run.turn, run.final(), cut=run.is_cut)
            except RedisError:
                self.let_go_of_stranger(run)
