"""Processes that come, go and share a Redis (rows O1, O2, O7, O8, O17, X1, X3, X19)."""

import socket

import pytest

from banter import requests_key, run_to_end, wait_until


@pytest.mark.threads
def test_a_worker_of_its_own_answers_for_any_server(deployment):
    deployment.start_bot("--bot", "echo")
    first, second = deployment.start_server(), deployment.start_server()
    token = first.token()
    second.secrets.add(token)
    with first.websocket(token) as here, second.websocket(token) as there:
        here.settle()
        there.settle()
        assert here.ask("one") == "BOT: one"
        assert there.receive() == "BOT: one"
        assert there.ask("two") == "BOT: two"
        assert here.receive() == "BOT: two"
    history = second.request("GET", f"/messages?token={token}").json()["messages"]
    assert [(message["role"], message["msg"]) for message in history] == [
        ("user", "one"),
        ("assistant", "BOT: one"),
        ("user", "two"),
        ("assistant", "BOT: two"),
    ]
    assert history[1]["reply_to"] == history[0]["id"]


@pytest.mark.threads
def test_o1_sigterm_closes_sockets_with_1001_and_exits_with_0(deployment):
    server = deployment.start_server("--bot", "echo")
    websockets = [server.raw_websocket(server.token()) for _ in range(8)]
    for websocket in websockets:
        assert websocket.ask("hi") == "BOT: hi"
    server.signal(15)
    for websocket in websockets:
        websocket.expect_close(1001)
    assert server.wait() == 0
    with pytest.raises(ConnectionError):
        server.connect()


def test_o2_a_second_sigterm_does_not_wait_for_the_drain_window(deployment):
    server = deployment.start_server("--bot", "echo", "--drain-time", "60")
    with server.raw_websocket(server.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"
        server.signal(15)
        wait_until(lambda: "drain" in server.log, what="the log's word of the drain")
        server.signal(15)
        assert server.wait(10) == 0


@pytest.mark.parametrize(
    "options, word",
    [
        (["--token-tll", "5"], "token-ttl"),
        (["--token-ttl", "soon"], "token-ttl"),
        (["--threads", "-1"], "threads"),
        (["--redis", "http://x"], "redis"),
        (["--config", "/nowhere/banterd.conf"], "/nowhere/banterd.conf"),
        (["--bot", "nobody"], "nobody"),
        (["--listen", "nonsense"], "listen"),
        (["--trusted-proxy", "10.0.0.0/33"], "trusted-proxy"),
    ],
    ids=str,
)
def test_o7_a_wrong_option_ends_with_2_and_says_which(options, word):
    result = run_to_end("banterd", *options)
    assert result.returncode == 2
    assert word in result.stderr and result.stdout == ""


def test_o7_all_mistakes_at_once():
    result = run_to_end("banterd", "--token-ttl", "soon", "--history", "-3", "--nonsense")
    assert result.returncode == 2
    assert all(word in result.stderr for word in ("token-ttl", "history", "nonsense"))


@pytest.mark.parametrize("program", ["banterd", "banter-bot"])
def test_help_and_version(program):
    for flag in ("--help", "--version"):
        result = run_to_end(program, flag)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout


def test_o8_a_port_in_use(deployment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_to_end("banterd", "--listen", f"127.0.0.1:{port}", "--redis", deployment.redis.url)
    assert result.returncode == 1
    assert str(port) in result.stderr and "in use" in result.stderr


def test_x1_o17_redis_absent_at_start(deployment):
    server = deployment.begin_server("--bot", "echo", redis=deployment.absent_redis()).wait_listening()
    assert server.request("GET", "/healthz").status == 200
    assert server.request("GET", "/readyz").status == 503
    for method, target in (
        ("POST", "/token?name=Ann"),
        ("GET", "/messages?token=5f0c8a52-0000-4000-8000-000000000000"),
    ):
        response = server.request(method, target)
        assert (response.status, response.code) == (503, "unavailable")
        assert int(response.header("Retry-After")) >= 1
    deployment.absent_redis().start()
    server.wait_ready()
    wait_until(lambda: server.request("GET", "/readyz").status == 200, what="readiness")
    with server.websocket(server.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"


@pytest.mark.threads
def test_x3_redis_dies_and_comes_back_and_the_socket_stays(deployment):
    redis = deployment.start_redis("--appendonly", "yes", "--appendfsync", "always")
    server = deployment.start_server("--bot", "echo", redis=redis)
    token = server.token()
    with server.websocket(token) as websocket:
        assert websocket.ask("one") == "BOT: one"
        redis.kill()
        wait_until(lambda: server.request("GET", "/readyz").status == 503, what="the loss being seen")
        websocket.send("two")
        redis.start()
        assert websocket.receive(30) == "BOT: two"
        assert websocket.ask("three") == "BOT: three"
    history = server.request("GET", f"/messages?token={token}").json()["messages"]
    assert [message["msg"] for message in history if message["role"] == "user"] == ["one", "two", "three"]


@pytest.mark.slow
def test_x19_a_dead_workers_message_is_answered_by_another(deployment):
    server = deployment.start_server()
    first = deployment.start_bot("--bot", "echo", "--lease", "2")
    with server.websocket(server.token()) as websocket:
        assert websocket.ask("one") == "BOT: one"
        first.freeze()
        websocket.send("two")
        # The frozen worker's blocked read takes it; from there only its lease leads out.
        wait_until(lambda: deployment.redis.client.xpending(requests_key("echo"), "bots")["pending"] == 1)
        first.kill()
        deployment.start_bot("--bot", "echo", "--lease", "2")
        assert websocket.receive(30) == "BOT: two"
