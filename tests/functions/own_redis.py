"""A redis-server of our own on a unix socket, and a client that speaks just enough RESP2."""

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2] / "src" / "protocol" / "functions.lua"


class RedisError(Exception):
    """An error reply."""


class _Incomplete(Exception):
    """The reply goes on in bytes that are not here yet."""


def _parse(data, at):
    """The reply that begins at `at`, and where the next one begins."""
    end = data.find(b"\r\n", at)
    if end < 0:
        raise _Incomplete
    kind, line, at = data[at : at + 1], data[at + 1 : end], end + 2
    if kind == b"+":
        return line.decode(), at
    if kind == b"-":
        return RedisError(line.decode()), at
    number = int(line)
    if kind == b":":
        return number, at
    if number < 0:
        return None, at
    if kind == b"$":
        if len(data) < at + number + 2:
            raise _Incomplete
        return data[at : at + number].decode(), at + number + 2
    items = []
    for _ in range(number):
        item, at = _parse(data, at)
        items.append(item)
    return items, at


def _format(words):
    out = [b"*%d\r\n" % len(words)]
    for word in words:
        data = str(word).encode()
        out.append(b"$%d\r\n%s\r\n" % (len(data), data))
    return b"".join(out)


class Client:
    """One connection. Not for threads."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(path)
        self._data = b""

    def close(self):
        self._socket.close()

    def __call__(self, *words):
        """Sends a command and returns its reply; error replies are raised."""
        reply = self.batch([words])[0]
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def batch(self, commands):
        """Sends commands in one write and returns their replies, errors as values."""
        self._socket.sendall(b"".join(map(_format, commands)))
        return [self.read() for _ in commands]

    def read(self):
        """The next reply or pushed message."""
        while True:
            try:
                value, end = _parse(self._data, 0)
            except _Incomplete:
                data = self._socket.recv(1 << 20)
                if not data:
                    raise ConnectionError("Redis closed the connection") from None
                self._data += data
            else:
                self._data = self._data[end:]
                return value

    def read_arrived(self):
        """All messages that have been pushed to a subscriber by now."""
        self._socket.setblocking(False)
        try:
            self._data += self._socket.recv(1 << 20)
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(20)
        messages, at = [], 0
        try:
            while True:
                message, at = _parse(self._data, at)
                messages.append(message)
        except _Incomplete:
            self._data = self._data[at:]
        return messages


class RedisServer:
    """`with RedisServer() as redis:` runs one until the end of the block, in a directory that goes with it."""

    def __init__(self, *options):
        self._directory = tempfile.mkdtemp(prefix="banter-redis-")
        self.path = self._directory + "/socket"
        self._process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--dir", self._directory, "--save", ""]
            + ["--hash-max-listpack-value", "2048", "--stream-node-max-bytes", "512", *options],
            # redis-tools carries the server under another name; called redis-server it serves.
            executable=shutil.which("redis-server") or "/usr/bin/redis-check-rdb",
            stdout=subprocess.PIPE,
        )
        log = b""
        while b"ready to accept connections" not in log.lower():
            line = self._process.stdout.readline()
            if not line:
                raise RuntimeError("redis-server did not start: " + log.decode())
            log += line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait()
        self._process.stdout.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def connect(self):
        return Client(self.path)
