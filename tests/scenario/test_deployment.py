"""How programs are started, and what they say when they cannot (rows O7, O8)."""

import socket

import pytest

from banter import run_to_end


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
