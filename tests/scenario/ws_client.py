"""Two WebSocket clients with a deadline on everything: a well-behaved one (python3-websockets, made synchronous) and a
raw one that frames byte by byte and is strict about what the server sends."""

import asyncio
import base64
import hashlib
import os
import struct
import threading
from collections import namedtuple

import websockets

from raw_http import DEADLINE_S, HttpConnection, request_bytes

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Frame = namedtuple("Frame", "opcode payload fin rsv")
Closed = namedtuple("Closed", "code reason")


class _Loop:
    """The event loop of all well-behaved clients, on a thread of its own."""

    _loop = None

    @classmethod
    def run(cls, coroutine, deadline_s):
        if cls._loop is None:
            cls._loop = asyncio.new_event_loop()
            threading.Thread(target=cls._loop.run_forever, daemon=True).start()
        bounded = asyncio.wait_for(coroutine, deadline_s)
        return asyncio.run_coroutine_threadsafe(bounded, cls._loop).result(deadline_s + 5)


class WebSocket:
    def __init__(self, url, deadline_s=DEADLINE_S, **options):
        async def connect():
            return await websockets.connect(url, max_size=None, ping_interval=None, **options)

        self._websocket = _Loop.run(connect(), deadline_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def subprotocol(self):
        return self._websocket.subprotocol

    def send(self, text, deadline_s=DEADLINE_S):
        _Loop.run(self._websocket.send(text), deadline_s)

    def receive(self, deadline_s=DEADLINE_S):
        """The next message, or Closed."""
        try:
            return _Loop.run(self._websocket.recv(), deadline_s)
        except websockets.exceptions.ConnectionClosed:
            return Closed(self._websocket.close_code, self._websocket.close_reason)

    def ask(self, text, deadline_s=DEADLINE_S):
        self.send(text)
        return self.receive(deadline_s)

    def settle(self, deadline_s=DEADLINE_S):
        """Until the server has confirmed the token: it reads nothing before, so a pong proves it."""

        async def ping():
            await (await self._websocket.ping())

        _Loop.run(ping(), deadline_s)

    def expect_closed(self, code, reason=None, deadline_s=DEADLINE_S):
        """The next thing that happens is this close."""
        closed = self.receive(deadline_s)
        assert isinstance(closed, Closed), f"a message instead of a close: {closed!r}"
        assert closed.code == code and reason in (None, closed.reason), closed

    def close(self, deadline_s=DEADLINE_S):
        _Loop.run(self._websocket.close(), deadline_s)


def handshake_headers(**replacements):
    """A right handshake's headers; underscores in names stand for hyphens, None leaves one out, a list repeats it."""
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    }
    headers.update({name.replace("_", "-"): value for name, value in replacements.items()})
    return headers


def frame_bytes(opcode, payload=b"", fin=True, rsv=0, masked=True, length_bytes=None, declared=None):
    """A frame; `length_bytes` 0, 2 or 8 forces a form of the length, `declared` makes it lie."""
    size = len(payload) if declared is None else declared
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 65536 else 8
    short = {0: size, 2: 126, 8: 127}[length_bytes]
    extended = {0: b"", 2: struct.pack(">H", size & 0xFFFF), 8: struct.pack(">Q", size)}[length_bytes]
    head = bytes([fin << 7 | rsv << 4 | opcode, masked << 7 | short]) + extended
    if not masked:
        return head + payload
    mask = os.urandom(4)
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    scrambled = int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")
    return head + mask + scrambled.to_bytes(len(payload), "big")


def close_payload(code, reason=b""):
    return struct.pack(">H", code) + reason


class RawWebSocket:
    def __init__(self, connection):
        self.connection = connection

    @classmethod
    def open(cls, address, target, early=b"", **headers):
        """Makes the handshake, with `early` in the same packet behind it, and insists on a right 101."""
        connection = HttpConnection(address)
        fields = handshake_headers(**headers)
        connection.send(request_bytes("GET", target, "%s:%d" % address, fields) + early)
        response = connection.response()
        assert response is not None and response.status == 101, response
        accept = base64.b64encode(hashlib.sha1((fields["Sec-WebSocket-Key"] + GUID).encode()).digest()).decode()
        assert response.header("Sec-WebSocket-Accept") == accept
        assert response.header("Upgrade").lower() == "websocket"
        assert response.header("Connection").lower() == "upgrade"
        websocket = cls(connection)
        websocket.handshake = response
        return websocket

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.socket.close()

    def send(self, *frames):
        self.connection.send(b"".join(frames))

    def send_text(self, text):
        self.send(frame_bytes(TEXT, text.encode()))

    def receive(self, deadline_s=DEADLINE_S):
        """The next frame; None at the end of the stream."""
        head = self.connection.read_exactly(2, deadline_s)
        if head is None:
            return None
        fin, rsv, opcode, masked, size = head[0] >> 7, head[0] >> 4 & 7, head[0] & 15, head[1] >> 7, head[1] & 127
        assert not masked, "a server must not mask"
        assert opcode < 8 or (fin and size < 126), "a malformed control frame"
        if size == 126:
            (size,) = struct.unpack(">H", self.connection.read_exactly(2, deadline_s))
            assert size >= 126, "a length that is not minimal"
        elif size == 127:
            (size,) = struct.unpack(">Q", self.connection.read_exactly(8, deadline_s))
            assert size >= 65536, "a length that is not minimal"
        payload = self.connection.read_exactly(size, deadline_s) if size else b""
        return Frame(opcode, payload, bool(fin), rsv)

    def receive_text(self, deadline_s=DEADLINE_S):
        frame = self.receive(deadline_s)
        assert frame is not None and frame.opcode == TEXT and frame.fin and frame.rsv == 0, frame
        return frame.payload.decode()

    def ask(self, text):
        self.send_text(text)
        return self.receive_text()

    def settle(self):
        """Until the server has confirmed the token: it reads nothing before, so a pong proves it."""
        self.send(frame_bytes(PING, b"settle"))
        assert self.receive() == (PONG, b"settle", True, 0)

    def expect_close(self, *codes, reason=None, answer=True, deadline_s=DEADLINE_S):
        """The next frame is a Close with one of the codes; then, answered or not, TCP ends within 2 s and a little."""
        frame = self.receive(deadline_s)
        assert frame is not None, "the stream ended without a Close"
        assert frame.opcode == CLOSE, f"no Close but {frame}"
        code = struct.unpack(">H", frame.payload[:2])[0] if frame.payload else 1005
        text = frame.payload[2:].decode()
        assert code in codes and reason in (None, text), (code, text)
        if answer:
            self.send(frame_bytes(CLOSE, frame.payload[:2]))
        rest = self.connection.read_to_end(5)
        assert rest == b"", f"bytes behind the Close: {rest!r}"
        return Closed(code, text)
