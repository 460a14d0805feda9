"""A banterd that brings its own Redis: who dies with whom, and what is there afterwards (rows X3, X14, X19, O6)."""

import os
import signal

import pytest

from banter import ENVIRONMENT, is_alive, run_to_end, wait_until

ANSWERED = [("user", "one"), ("assistant", "BOT: one")]


def only_child(server):
    """The redis-server of a banterd, once it is there."""
    return wait_until(lambda: server.children, what="the child")[0]


def talk(server, token):
    return [(message["role"], message["msg"]) for message in server.history(token)]


@pytest.mark.threads
def test_kill_of_banterd_in_mid_conversation_loses_nothing(deployment):
    first = deployment.start_embedded_server("--bot", "echo:delay=100", "--lease", "1")
    child, token = only_child(first), first.token()
    websocket = first.websocket(token)
    assert websocket.ask("one") == "BOT: one"
    seen = first.history(token)[-1]["id"]
    websocket.send("two")
    websocket.send("three")
    wait_until(lambda: ("user", "three") in talk(first, token), what="the message in the history")
    first.kill()
    wait_until(lambda: not is_alive(child), what="the end of redis-server, which was left alone")

    second = deployment.start_embedded_server("--bot", "echo:delay=100", "--lease", "1")
    second.secrets.add(token)
    assert talk(second, token)[:2] == ANSWERED
    with second.websocket(token, f"after={seen}") as websocket:
        assert [websocket.receive(20) for _ in range(2)] == ["BOT: two", "BOT: three"]
        assert websocket.ask("four") == "BOT: four"
    assert [text for role, text in talk(second, token) if role == "user"] == ["one", "two", "three", "four"]


def test_a_second_banterd_on_the_same_directory_is_refused(deployment):
    first = deployment.start_embedded_server()
    result = run_to_end("banterd", "--listen", "127.0.0.1:0", "--state-dir", deployment.state_directory, deadline_s=5)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"another banterd (process {first.pid}) uses the state directory" in result.stderr
    assert "--state-dir" in result.stderr and "--redis" in result.stderr
    with first.websocket(first.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"


@pytest.mark.threads
def test_a_dead_redis_is_started_again_and_sockets_stay(deployment):
    server = deployment.start_embedded_server()
    child, token = only_child(server), server.token()
    with server.websocket(token) as websocket:
        assert websocket.ask("one") == "BOT: one"
        os.kill(child, signal.SIGKILL)
        assert websocket.ask("two", 20) == "BOT: two"
    assert only_child(server) != child
    assert talk(server, token) == [*ANSWERED, ("user", "two"), ("assistant", "BOT: two")]


def test_sigterm_leaves_no_redis_behind_and_keeps_the_data(deployment):
    first = deployment.start_embedded_server()
    child, token = only_child(first), first.token()
    with first.websocket(token) as websocket:
        assert websocket.ask("one") == "BOT: one"
    assert first.terminate() == 0
    assert not is_alive(child)
    second = deployment.start_embedded_server()
    second.secrets.add(token)
    assert talk(second, token) == ANSWERED


def test_a_state_directory_too_long_for_a_socket(tmp_path):
    result = run_to_end("banterd", "--listen", "127.0.0.1:0", "--state-dir", tmp_path / ("d" * 100))
    assert result.returncode == 1
    assert "too long a path" in result.stderr and "--state-dir" in result.stderr


def test_a_state_directory_named_from_here(deployment, tmp_path):
    """As people type it: relative, with a blank, and with what means something in a URL."""
    deployment.state_directory = "my state/100%?"
    server = deployment.start_embedded_server(cwd=tmp_path)
    with server.websocket(server.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"
    assert (tmp_path / "my state/100%?/redis.sock").is_socket()


def test_a_state_directory_that_is_a_file(tmp_path):
    (tmp_path / "file").touch()
    result = run_to_end("banterd", "--listen", "127.0.0.1:0", "--state-dir", tmp_path / "file")
    assert result.returncode == 1
    assert "Not a directory" in result.stderr and "--state-dir" in result.stderr


def test_no_redis_server_on_the_path(tmp_path):
    result = run_to_end("banterd", "--listen", "127.0.0.1:0", "--state-dir", tmp_path, PATH="/nonexistent")
    assert result.returncode == 1
    assert "no redis-server" in result.stderr
    assert "apt install redis-tools" in result.stderr and "--redis" in result.stderr


def test_redis_check_rdb_alone_serves(deployment, tmp_path):
    """Debian's redis-tools has redis-server under this name only."""
    (tmp_path / "redis-check-rdb").symlink_to("/usr/bin/redis-check-rdb")
    server = deployment.start_embedded_server(env={**ENVIRONMENT, "PATH": str(tmp_path)})
    with server.websocket(server.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"
