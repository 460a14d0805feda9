"""Real processes for the scenarios: a Redis, servers and workers, each with its log in a file and its end checked.

BANTER_BIN names the folder of the programs under test; the default is build/bin.
"""

import json
import os
import re
import select
import signal
import subprocess
import time
import urllib.parse
from pathlib import Path

import redis

from raw_http import HttpConnection, Response, request_bytes
from ws_client import RawWebSocket, WebSocket

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.pop("BANTER_BIN", ROOT / "build" / "bin")).resolve()
START_DEADLINE_S = 20  # a sanitizer on a busy machine
STOP_DEADLINE_S = 20

SANITIZER_REPORT = re.compile(r"(Address|Leak|Thread|Memory)Sanitizer|runtime error:|Assertion .* failed")
# The user's own settings stay outside; an unknown BANTER_... would even be refused.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("BANTER_")},
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
}


def wait_until(predicate, deadline_s=5.0, what="the condition"):
    """Polls for what has no event, and returns the first true value."""
    end = time.monotonic() + deadline_s
    while True:
        value = predicate()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come within {deadline_s} s"
        time.sleep(0.01)


def run_to_end(program, *options, deadline_s=START_DEADLINE_S, **environment):
    """One of our programs that is to end by itself; what it said is in the result."""
    return subprocess.run(
        [BIN / program, *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=deadline_s,
        env={**ENVIRONMENT, **environment},
    )


def is_alive(pid):
    """Also of a process that is nobody's child here; a zombie, which only waits to be reaped, is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Process:
    """A process of the test. Whoever ends it by force says so through kill(); every other end must be SIGTERM and 0."""

    def __init__(self, name, argv, directory, **popen_options):
        self.name = name
        self.log_path = Path(directory) / f"{name}.log"
        self.log_path.touch()
        self._argv = [str(word) for word in argv]
        self._popen_options = {"env": ENVIRONMENT, **popen_options}
        self._popen = None
        self._killed = False

    def start(self):
        """Starts the process, again if it has ended."""
        self._killed = False
        with open(self.log_path, "ab") as log:
            self._popen = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._popen_options,
            )
        return self

    @property
    def pid(self):
        return self._popen.pid

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def children(self):
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def is_running(self):
        return self._popen is not None and self._popen.poll() is None

    def signal(self, number):
        self._popen.send_signal(number)

    def freeze(self):
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        self._killed = True
        self._popen.kill()
        self._popen.wait(STOP_DEADLINE_S)

    def terminate(self, deadline_s=STOP_DEADLINE_S):
        """SIGTERM, and the exit code."""
        if self.is_running():
            self.thaw()
            self._popen.terminate()
        return self.wait(deadline_s)

    def wait(self, deadline_s=STOP_DEADLINE_S):
        try:
            return self._popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {deadline_s} s") from None

    def finish(self):
        """Ends the process if it still runs; returns what was wrong with its life, or None."""
        if self._popen is None:
            return None
        try:
            status = self.terminate()
        except AssertionError as error:
            return str(error)
        if SANITIZER_REPORT.search(self.log):
            return f"{self.name}: a sanitizer or an assertion spoke"
        if status != 0 and not self._killed:
            return f"{self.name}: exit status {status}"
        return None


class Redis(Process):
    """A redis-server on a unix socket in a directory of its own."""

    def __init__(self, directory, name="redis", options=()):
        self.socket = Path(directory) / f"{name}.sock"
        self.url = f"unix://{self.socket}"
        # The package redis-tools carries the server under another name; called redis-server it serves.
        executable = next(
            path for path in ("/usr/bin/redis-server", "/usr/bin/redis-check-rdb") if os.path.exists(path)
        )
        super().__init__(
            name,
            [
                "redis-server",
                "--port",
                "0",
                "--unixsocket",
                self.socket,
                "--dir",
                directory,
                "--save",
                "",
                "--appendonly",
                "no",
                "--daemonize",
                "no",
                *options,
            ],
            directory,
            executable=executable,
        )
        self.client = redis.Redis(unix_socket_path=str(self.socket), decode_responses=True)

    def start(self):
        super().start()
        wait_until(self._answers, START_DEADLINE_S, "redis-server's answer")
        return self

    def url_of(self, user, password):
        return f"unix://{user}:{password}@{self.socket}"

    def _answers(self):
        assert self.is_running(), self.log
        try:
            return self.client.ping()
        except redis.exceptions.RedisError:
            return False

    def finish(self):
        self.client.close()
        return super().finish()


class Program(Process):
    """One of ours: reports over a pipe when it is ready."""

    def __init__(self, program, argv, directory, name, **popen_options):
        self._ready_fd, self._write_fd = os.pipe()
        self._ready_text = b""
        super().__init__(
            name,
            [BIN / program, *argv, "--ready-fd", self._write_fd],
            directory,
            pass_fds=[self._write_fd],
            **popen_options,
        )

    def start(self):
        try:
            return super().start()
        finally:
            os.close(self._write_fd)

    def read_ready_line(self, deadline_s=START_DEADLINE_S):
        """The next line of the ready pipe; None if the program closed it."""
        end = time.monotonic() + deadline_s
        while b"\n" not in self._ready_text:
            readable, _, _ = select.select([self._ready_fd], [], [], max(0.0, end - time.monotonic()))
            assert readable, f"{self.name} was not ready within {deadline_s} s"
            data = os.read(self._ready_fd, 4096)
            if not data:
                return None
            self._ready_text += data
        line, _, self._ready_text = self._ready_text.partition(b"\n")
        return line.decode()

    def finish(self):
        problem = super().finish()
        os.close(self._ready_fd)
        return problem


class Bot(Program):
    def __init__(self, directory, redis_url, *options, name="banter-bot"):
        super().__init__("banter-bot", ["--redis", redis_url, *options], directory, name)

    def wait_ready(self):
        line = self.read_ready_line()
        assert line == "ready", f"{self.name} said {line!r}"
        return self


class Server(Program):
    """banterd on a port of the kernel's choice. What goes through it leaves a trace in `secrets`, for the log check."""

    def __init__(self, directory, *options, name="banterd", **popen_options):
        self.secrets = set()
        self.urls = []
        super().__init__(
            "banterd",
            ["--listen", "127.0.0.1:0", "--drain-time", "1", "--log-level", "debug", *options],
            directory,
            name,
            **popen_options,
        )

    def wait_listening(self):
        """Until an address is known; Redis may still be away."""
        if not self.urls:
            line = self.read_ready_line()
            assert line and line.startswith("http://"), f"{self.name} said {line!r}"
            self.urls.append(line)
        return self

    def wait_ready(self):
        self.wait_listening()
        while (line := self.read_ready_line()) != "ready":
            assert line and line.startswith("http://"), f"{self.name} said {line!r}"
            self.urls.append(line)
        return self

    @property
    def address(self):
        parts = urllib.parse.urlsplit(self.urls[0])
        return parts.hostname, parts.port

    @property
    def host(self):
        return "%s:%d" % self.address

    def connect(self):
        """A bare HTTP connection, for bytes that no client would send."""
        return HttpConnection(self.address)

    def request(self, method, target, body=b"", **headers) -> Response:
        """One request on a connection of its own; underscores in header names stand for hyphens."""
        with self.connect() as connection:
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.send(request_bytes(method, target, self.host, {"Connection": "close", **fields}, body))
            return connection.response()

    def post_json(self, target, value, **headers) -> Response:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.request("POST", target, body, Content_Type="application/json", **headers)

    def token(self, name="Ann", **headers):
        response = self.request("POST", "/token?" + urllib.parse.urlencode({"name": name}), **headers)
        assert response.status == 200, response
        self.secrets.add(response.json()["token"])
        return response.json()["token"]

    def history(self, token):
        """The session's messages, oldest first. Each reactor finds Redis again by itself, so a 503 is tried again."""

        def ask():
            response = self.request("GET", f"/messages?token={token}&limit=1000")
            assert response.status in (200, 503), response
            return response if response.status == 200 else None

        return wait_until(ask, what="the history").json()["messages"]

    def is_ready(self):
        return self.request("GET", "/readyz").status == 200

    def chat_path(self, token, query=""):
        return f"/chat?token={token}" + (f"&{query}" if query else "")

    def websocket(self, token, query="", **options) -> WebSocket:
        """A well-behaved client."""
        return WebSocket(f"ws://{self.host}{self.chat_path(token, query)}", **options)

    def raw_websocket(self, token, query="", **headers) -> RawWebSocket:
        """A client that sends what it is told to, byte by byte; the handshake has succeeded."""
        return RawWebSocket.open(self.address, self.chat_path(token, query), **headers)

    def finish(self):
        problem = super().finish()
        if problem is None and any(secret in self.log for secret in self.secrets):
            problem = f"{self.name}: a token is in the log"
        return problem


def session_key(token):
    return f"banter:{{0}}:session:{token}"


def messages_key(token):
    return f"banter:{{0}}:messages:{token}"


def requests_key(bot):
    return f"banter:{{0}}:requests:{bot}"
