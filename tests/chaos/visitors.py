"""Those who talk during a chaos run: each has a session, a tab that always comes back, perhaps a second one, and others
that come and go. What each decides is drawn from the seed and its name."""

import asyncio
import json
import random

import websockets
import websockets.exceptions

from checker import Fault, SessionRecord, SocketRecord
from deployment import MARK

MEAN_SILENCE_S = 0.7
LAST_WORD = "last"
PADDING = (0, 0, 0, 0, 30, 500, 1100, 8000)  # past 1 KiB an event comes without its text
# A server that was killed, is frozen or has no Redis just now.
UNREACHABLE = (OSError, AssertionError, asyncio.TimeoutError, websockets.exceptions.WebSocketException, EOFError)


class Unavailable(Exception):
    """No answer just now; another time, perhaps elsewhere."""


def handshake_status(error):
    """The HTTP status that refused a WebSocket, for old and new python3-websockets; None if it was something else."""
    response = getattr(error, "response", None)
    return getattr(error, "status_code", None) or getattr(response, "status_code", None)


async def before(event, seconds):
    """Waits, but not beyond the event; whether the time passed before it."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        return True
    return False


class Visitor:
    def __init__(self, number, seed, deployment):
        self.name = f"{number:02}"
        self.deployment = deployment
        self.sockets = []
        self.faults = []
        self.reconnects = 0
        self.refreshes = 0
        self._seed = seed
        self._tabs = 0
        self._is_silent = asyncio.Event()  # tabs listen, but say nothing
        self._is_last_call = asyncio.Event()  # each open tab says one thing more
        self._is_over = asyncio.Event()

    async def open_session(self):
        server = self.deployment.servers[0].process
        self.token = await asyncio.to_thread(server.token, f"Visitor {self.name}")
        self.deployment.secrets.append(self.token)

    async def live(self):
        """Until over() is called."""
        rng = self._random("life")
        tabs = [asyncio.create_task(self._stay(self._random("main")))]
        if rng.random() < 0.5:
            tabs.append(asyncio.create_task(self._stay(self._random("second"))))
        while await before(self._is_silent, rng.expovariate(1 / 6)):
            if rng.random() < 0.3:
                await self._refresh(rng)
            else:
                await self._visit(rng, rng.uniform(0.1, 4))
        await asyncio.gather(*tabs)

    def silence(self):
        self._is_silent.set()

    def last_call(self):
        self._is_last_call.set()

    def over(self):
        for event in self._is_silent, self._is_last_call, self._is_over:
            event.set()

    async def record(self):
        """What the checker wants to know, as it is now."""
        history = await self._history(self._random(f"record {len(self.sockets)}"))
        return SessionRecord(self.name, self.sockets, history)

    def has_said_all(self):
        """Whether it is here, and if it is asked for, its tabs have sent their last message."""
        waiting = [socket for socket in self.sockets if socket.closed is None]
        last_words = [socket.sent and socket.sent[-1].endswith(LAST_WORD) for socket in waiting]
        return bool(waiting) and (all(last_words) or not self._is_last_call.is_set())

    def _random(self, what):
        return random.Random(f"{self._seed} {self.name} {what}")

    # ------------------------------------------------------------------------------------------------------ sockets

    async def _stay(self, rng):
        """A tab that connects again whenever its socket closes."""
        while not self._is_over.is_set():
            if await self._visit(rng, None):
                self.reconnects += 1
            if not self._is_over.is_set():
                await asyncio.sleep(rng.uniform(0.01, 0.4))

    async def _visit(self, rng, seconds):
        """One socket, for so long or until it is closed; whether it was opened at all."""
        server = self.deployment.some_server(rng)
        if server is None:
            return False
        try:
            after = await self._some_position(rng) if rng.random() < 0.4 else None
            url = f"ws://{server.host}{server.chat_path(self.token, f'after={after}' if after else '')}"
            websocket = await websockets.connect(
                url, max_size=None, ping_interval=None, open_timeout=5, close_timeout=2, compression=None
            )
        except (Unavailable, *UNREACHABLE) as error:
            self._expect_status(handshake_status(error), f"/chat of {server.name}")
            return False
        self._tabs += 1
        record = SocketRecord(f"{self.name}.{self._tabs}", server.name, after)
        self.sockets.append(record)
        await self._use(websocket, record, rng, seconds)
        return True

    async def _use(self, websocket, record, rng, seconds):
        tasks = [
            asyncio.create_task(self._listen(websocket, record)),
            asyncio.create_task(self._talk(websocket, record, rng)),
            asyncio.create_task(self._is_over.wait()),
        ]
        listening, _, over = tasks
        await asyncio.wait([listening, over], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            record.closed = websocket.close_code or 1006, websocket.close_reason
        elif not over.done():
            record.closed = 1000, "by the visitor"
            if rng.random() < 0.5:
                websocket.transport.abort()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await websocket.close()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _listen(self, websocket, record):
        try:
            while True:
                frame = await websocket.recv()
                (record.errors if frame.startswith("ERROR") else record.received).append(frame)
        except websockets.exceptions.ConnectionClosed:
            return

    async def _talk(self, websocket, record, rng):
        try:
            while await before(self._is_silent, rng.expovariate(1 / MEAN_SILENCE_S)):
                for _ in range(rng.choice((1, 1, 1, 1, 2, 6))):
                    await self._say(websocket, record, "x" * rng.choice(PADDING))
            await self._is_last_call.wait()
            await self._say(websocket, record, LAST_WORD)
        except websockets.exceptions.ConnectionClosed:
            return

    async def _say(self, websocket, record, padding):
        text = f"{record.name}.{len(record.sent)} {MARK} é🦘 {padding}".strip()
        record.sent.append(text)
        await websocket.send(text)

    # --------------------------------------------------------------------------------------------------------- HTTP

    async def _refresh(self, rng):
        try:
            await self._request(rng, "POST", f"/refresh_token?token={self.token}")
            self.refreshes += 1
        except Unavailable:
            pass

    async def _some_position(self, rng):
        history = await self._history(rng)
        return rng.choice([message["id"] for message in history[-20:]] + ["0"])

    async def _history(self, rng):
        messages, after, limit = [], "0", rng.choice((3, 50, 1000, 1000))
        while True:
            target = f"/messages?token={self.token}&after={after}&limit={limit}"
            page = json.loads((await self._request(rng, "GET", target)).body)
            if not page["messages"]:
                return messages
            messages += page["messages"]
            after = page["next"]

    async def _request(self, rng, method, target):
        server = self.deployment.some_server(rng)
        if server is None:
            raise Unavailable
        try:
            response = await asyncio.to_thread(server.request, method, target)
        except UNREACHABLE as error:
            raise Unavailable from error
        if response is None or response.status != 200:
            self._expect_status(response and response.status, f"{target.partition('?')[0]} of {server.name}")
            raise Unavailable
        return response

    def _expect_status(self, status, what):
        if status not in (None, 503):
            self.faults.append(Fault("failure", f"session {self.name}: {what} answered {status}"))
