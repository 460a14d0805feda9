"""A server goes down, and another takes its place (rows O1, O2, O3)."""

import re
import select
import socket
import sys
import threading
import time

import pytest

from banter import BIN, Server, requests_key, run_to_end, wait_until
from raw_http import HttpConnection, request_bytes
from ws_client import CLOSE, close_payload

GOING_AWAY = close_payload(1001, b"The server is going down; connect again")


def readiness(server):
    """The status of /readyz, or None where nobody listens any more, or just stops to."""
    try:
        response = server.request("GET", "/readyz")
    except ConnectionError:
        return None
    return response and response.status


def wait_in_work(deployment, count):
    wait_until(lambda: deployment.redis.client.xlen(requests_key("echo")) == count, what="all questions in work")


def closing_times(websockets, deadline_s):
    """When each of the sockets got its Close, in order; it must be a 1001 with nothing before it."""
    waiting = {websocket.connection.socket: websocket for websocket in websockets}
    end = time.monotonic() + deadline_s
    times = []
    while waiting:
        readable, _, _ = select.select(list(waiting), [], [], max(0.0, end - time.monotonic()))
        assert readable, f"{len(waiting)} sockets were not closed"
        for ready in readable:
            frame = waiting.pop(ready).receive()
            assert (frame.opcode, frame.payload) == (CLOSE, GOING_AWAY)
            times.append(time.monotonic())
    return times


@pytest.mark.threads
@pytest.mark.slow
def test_o1_closes_are_spread_and_answers_in_work_come_first(deployment):
    server = deployment.start_server("--bot", "echo:delay=500", "--drain-time", "3", "--threads", "2")
    talking = [server.raw_websocket(server.token()) for _ in range(10)]  # the oldest would be the first to go
    idle = [server.raw_websocket(server.token()) for _ in range(300)]
    for websocket in idle + talking:
        websocket.settle()
    for websocket in talking:
        websocket.send_text("hi")
    wait_in_work(deployment, len(talking))
    server.signal(15)
    start = time.monotonic()
    wait_until(lambda: readiness(server) in (None, 503), what="the end of readiness")
    times = closing_times(idle, 6)
    for websocket in talking:
        assert websocket.receive_text() == "BOT: hi"
        websocket.expect_close(1001, reason=GOING_AWAY[2:].decode())
    assert server.wait(start + 8 - time.monotonic()) == 0
    # Not in one instant: no quarter of the time had more than twice its share.
    assert times[-1] - times[0] > 1
    quarters = [int(4 * (at - times[0]) / (times[-1] - times[0] + 1e-6)) for at in times]
    assert max(quarters.count(quarter) for quarter in range(4)) <= len(times) / 2


def test_o1_who_has_just_connected_is_still_answered(deployment):
    server = deployment.start_server("--threads", "1", "--drain-time", "20")

    def sockets_open():
        metrics = server.request("GET", "/metrics").body.decode()
        return int(re.search(r"^banterd_http_connections (\d+)", metrics, re.M)[1])

    before = sockets_open()
    with server.connect() as slow, server.connect() as silent:
        wait_until(lambda: sockets_open() == before + 2, what="both being accepted")
        server.signal(15)
        wait_until(lambda: readiness(server) is None, what="the closed door")
        slow.send(request_bytes("POST", "/token?name=Ann", server.host))
        assert slow.only_response().status == 200
        assert silent.read_to_end() == b""
    assert server.wait(5) == 0


@pytest.mark.threads
def test_o2_a_second_sigterm_ends_at_once(deployment):
    server = deployment.start_server("--bot", "echo:delay=60000", "--drain-time", "60")
    idle, talking = [[server.raw_websocket(server.token()) for _ in range(4)] for _ in range(2)]
    for websocket in idle:
        websocket.settle()
    for websocket in talking:
        websocket.send_text("hi")
    wait_in_work(deployment, len(talking))
    server.signal(15)
    closing_times(idle, 5)
    assert server.is_running()  # it waits for the answers
    server.signal(15)
    closing_times(talking, 3)
    assert server.wait(3) == 0


LAUNCHER = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


class HeirServer(Server):
    """A server that inherits a listening socket as a service manager would pass it, as descriptor 3."""

    def __init__(self, directory, listener, *options, name):
        super().__init__(directory, *options, name=name)
        assert self._write_fd > 3
        self._argv = [sys.executable, "-c", LAUNCHER, str(listener.fileno()), *self._argv]
        self._popen_options["pass_fds"].append(listener.fileno())


class Callers:
    """Clients that come one after the other without a pause and each want a token; what went wrong is kept. A server
    that has not found its Redis yet may say so, but it must answer."""

    def __init__(self, address, threads=3):
        self.answered = 0
        self.problems = []
        self._address = address
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._call_on) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        for thread in self._threads:
            thread.join(10)

    def _call_on(self):
        request = request_bytes("POST", "/token?name=Ann", "%s:%d" % self._address, {"Connection": "close"})
        while not self._is_over.is_set() and not self.problems:
            try:
                with HttpConnection(self._address) as connection:
                    connection.send(request)
                    response = connection.response()
            except (OSError, AssertionError) as error:
                self.problems.append(repr(error))
                return
            if response is None or response.status not in (200, 503):
                self.problems.append(f"{response} reset={connection.was_reset}")
            self.answered += 1

    def wait_answered(self, more):
        goal = self.answered + more
        wait_until(lambda: self.problems or self.answered >= goal, 20, f"{more} more answers")
        assert not self.problems


@pytest.mark.threads
@pytest.mark.slow
def test_o3_a_successor_accepts_on_the_same_socket(deployment):
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:

        def start():
            options = ("--redis", deployment.redis.url, "--threads", "2", "--token-rate", "0")
            name = deployment.name("banterd")
            return deployment.start(HeirServer(deployment.directory, listener, *options, name=name)).wait_ready()

        deployment.start_bot("--bot", "echo")
        server = start()
        assert server.address == listener.getsockname()
        token = server.token()
        with Callers(server.address) as callers:
            for _ in range(5):
                callers.wait_answered(50)
                websocket = server.websocket(token)
                assert websocket.ask("hi") == "BOT: hi"
                successor = start()
                successor.secrets.add(token)
                server.signal(15)
                websocket.expect_closed(1001)
                assert server.wait() == 0
                callers.wait_answered(50)
                server = successor
        assert callers.problems == []
        assert len(server.history(token)) == 10


def test_a_promise_of_sockets_that_is_not_kept(deployment):
    standard_input = "0"
    result = run_to_end(
        sys.executable, "-c", LAUNCHER, standard_input, BIN / "banterd", "--redis", deployment.redis.url
    )
    assert result.returncode == 1
    assert "LISTEN_FDS promises a listening TCP socket as descriptor 3" in result.stderr
