#!/usr/bin/python3
"""Usage: scripts/chaos [--seconds N | --minutes N] [--seed S] [--sessions N]

Two servers, three workers and a Redis are killed, frozen, ended and cut off from each other while many sessions talk,
and then all must be as promised: every message that was taken has one answer, in order, on every socket.

What happens when is drawn from the seed, which is printed; the processes' own timing is not, so a fault that a seed has
shown may need a few runs to come again. On a fault logs, histories and the time line are kept.
"""

import argparse
import asyncio
import concurrent.futures
import dataclasses
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from checker import KINDS, Fault, check_session  # noqa: E402
from deployment import Deployment, schedule  # noqa: E402
from visitors import Unavailable, Visitor  # noqa: E402

QUIET_DEADLINE_S = 40  # a message in hand is refused after 30 s at the latest
THREADS = 48  # for what waits: disturbances, and HTTP requests to frozen servers


class Run:
    def __init__(self, directory, seed, seconds, sessions):
        self.directory = Path(directory)
        self.seed, self.seconds, self.sessions = seed, seconds, sessions
        self.deployment = Deployment(self.directory, [])
        self.visitors = [Visitor(number, seed, self.deployment) for number in range(sessions)]
        self.records = []
        self.faults = []

    def run(self):
        """All of it; returns the faults."""
        try:
            self.deployment.start()
            asyncio.run(self._talk())
        finally:
            self.deployment.finish()
        self.faults += [Fault("failure", problem) for problem in self.deployment.problems]
        self.faults += [fault for visitor in self.visitors for fault in visitor.faults]
        if self.faults:
            self._keep_evidence()
        return self.faults

    async def _talk(self):
        asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(THREADS))
        await asyncio.gather(*(visitor.open_session() for visitor in self.visitors))
        lives = asyncio.gather(*(visitor.live() for visitor in self.visitors))
        disturbances = asyncio.gather(*(self._disturb(event) for event in schedule(self.seed, self.seconds)))
        await self._first_to_fail(lives, asyncio.ensure_future(asyncio.sleep(self.seconds)))
        # First without a further word, which would mend what is torn; then every socket must get a last answer.
        self._tell_all(Visitor.silence)
        await disturbances
        await self._first_to_fail(lives, asyncio.ensure_future(self._judge()))
        if not self.faults:
            self._tell_all(Visitor.last_call)
            await self._first_to_fail(lives, asyncio.ensure_future(self._judge()))
        self._tell_all(Visitor.over)
        await lives

    def _tell_all(self, what):
        self.deployment.note(what.__name__)
        for visitor in self.visitors:
            what(visitor)

    @staticmethod
    async def _first_to_fail(lives, task):
        """Waits for the task, but not if a visitor's life, which lasts longer, has failed."""
        await asyncio.wait([lives, task], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            lives.result()
        await task

    async def _disturb(self, event):
        await asyncio.sleep(event.at_s)
        await asyncio.to_thread(self.deployment.perform, event)

    async def _judge(self):
        """Until nothing is wrong, twice in a row, or the time is over: what is wrong then is a fault."""
        end, was_good = time.monotonic() + QUIET_DEADLINE_S, False
        while True:
            await asyncio.sleep(0.5)
            is_late = time.monotonic() > end
            try:
                self.records = [await visitor.record() for visitor in self.visitors]
                self.faults = self._look()
            except Unavailable:
                self.faults = [Fault("failure", "the histories cannot be read")]
            if is_late or (was_good and not self.faults):
                self.deployment.note("judged")
                return
            was_good = not self.faults

    def _look(self):
        faults = [fault for record in self.records for fault in check_session(record)]
        faults += [Fault("loss", leftover) for leftover in self.deployment.leftovers()]
        silent = [visitor.name for visitor in self.visitors if not visitor.has_said_all()]
        if silent:
            faults.append(Fault("failure", f"sessions without a socket on which all was said: {silent}"))
        return faults

    def _keep_evidence(self):
        sessions = [dataclasses.asdict(record) for record in self.records]
        (self.directory / "sessions.json").write_text(json.dumps(sessions, indent=1, ensure_ascii=False))
        (self.directory / "timeline.txt").write_text("\n".join(self.deployment.timeline) + "\n")

    def report(self):
        sockets = [socket for visitor in self.visitors for socket in visitor.sockets]
        questions = sum(len(record.questions) for record in self.records)
        answers = sum(len(record.answers) for record in self.records)
        kinds = Counter(fault.kind for fault in self.faults)
        refusals = Counter(error for socket in sockets for error in socket.errors)
        yield f"seed {self.seed}, {self.seconds:g} s, {self.sessions} sessions"
        counts = sorted(self.deployment.counts.items())
        yield "disturbances: " + ", ".join(f"{name.replace('redis: ', '')} {count}" for name, count in counts)
        yield (
            f"messages: sent {sum(len(socket.sent) for socket in sockets)}, stored {questions}, answered {answers}, "
            f"refused {sum(refusals.values())}"
        )
        for error, count in refusals.most_common():
            yield f"  {count} times {error}"
        yield (
            f"sockets: {len(sockets)}, of them {sum(socket.after is not None for socket in sockets)} with ?after; "
            f"reconnects {sum(visitor.reconnects for visitor in self.visitors)}, "
            f"frames {sum(len(socket.received) for socket in sockets)}, "
            f"refreshes {sum(visitor.refreshes for visitor in self.visitors)}"
        )
        names = {"loss": "losses", "double": "doubles", "foreign": "foreign answers", "failure": "failures"}
        yield "faults: " + ", ".join(f"{names.get(kind, kind)} {kinds[kind]}" for kind in KINDS)
        for fault in self.faults[:40]:
            yield f"  {fault.kind}: {fault.detail}"
        if self.faults:
            options = f"--seed {self.seed} --seconds {self.seconds:g} --sessions {self.sessions}"
            yield f"again: scripts/chaos {options}; logs, sessions.json and timeline.txt are in {self.directory}"


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=float, default=60, help="how long the disturbances last (60)")
    length.add_argument("--minutes", type=float)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(10**6)), help="any word")
    parser.add_argument("--sessions", type=int, default=20, help="how many talk (20)")
    arguments = parser.parse_args()
    seconds = arguments.minutes * 60 if arguments.minutes else arguments.seconds
    directory = tempfile.mkdtemp(prefix="chaos-")
    print(f"seed {arguments.seed}", flush=True)
    run = Run(directory, arguments.seed, seconds, arguments.sessions)
    faults = run.run()
    print("\n".join(run.report()))
    if not faults:
        shutil.rmtree(directory)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
