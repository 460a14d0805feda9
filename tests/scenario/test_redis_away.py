"""Redis is away, stalls, forgets, or is not as it must be (rows O17, X1, X3, X4, X7, X12, X14, X30, X31, X32)."""

import re

import pytest

from banter import ROOT, run_to_end, wait_until
from ws_client import handshake_headers

NOBODY = "5f0c8a52-0000-4000-8000-000000000000"
DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


def readiness(server):
    response = server.request("GET", "/readyz")
    return response.status, response.json()["redis"]


def wait_away(server):
    wait_until(lambda: not server.is_ready(), what="the loss being seen")


def answers(websocket, count):
    return [websocket.receive(20) for _ in range(count)]


def echoes(first, last):
    return [f"BOT: {number}" for number in range(first, last)]


def say(websocket, first, last):
    for number in range(first, last):
        websocket.send(str(number))


def assert_stored_once(server, token, count):
    history = server.history(token)
    asked = [message for message in history if message["role"] == "user"]
    assert [message["msg"] for message in asked] == [str(number) for number in range(count)]
    replies = [message["reply_to"] for message in history if message["role"] == "assistant"]
    assert replies == [message["id"] for message in asked]


def test_x1_o17_absent_at_start(deployment):
    redis = deployment.absent_redis()
    server = deployment.begin_server("--bot", "echo", redis=redis).wait_listening()
    assert server.request("GET", "/healthz").status == 200
    status, why = readiness(server)
    assert status == 503 and why
    for method, target, headers in (
        ("POST", "/token?name=Ann", {}),
        ("GET", f"/messages?token={NOBODY}", {}),
        ("POST", f"/refresh_token?token={NOBODY}", {}),
        ("GET", f"/chat?token={NOBODY}", handshake_headers()),
    ):
        response = server.request(method, target, **headers)
        assert (response.status, response.code) == (503, "unavailable"), target
        assert int(response.header("Retry-After")) >= 1
    wait_until(lambda: "cannot use Redis" in server.log, what="a word to the operator")
    assert redis.url in server.log and 'fix="start Redis' in server.log
    redis.start()
    server.wait_ready()
    wait_until(server.is_ready, what="readiness")
    with server.websocket(server.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"


@pytest.mark.threads
def test_x3_x14_killed_under_talk_and_back_with_its_data(deployment):
    redis = deployment.start_redis(*DURABLE)
    server = deployment.start_server("--bot", "echo:delay=20", "--message-rate", "0", "--lease", "1")
    token = server.token()
    with server.websocket(token) as websocket:
        say(websocket, 0, 20)
        assert answers(websocket, 5) == echoes(0, 5)
        redis.kill()
        wait_away(server)
        say(websocket, 20, 25)
        redis.start()
        assert answers(websocket, 20) == echoes(5, 25)
        assert websocket.ask("25") == "BOT: 25"
    assert_stored_once(server, token, 26)


@pytest.mark.threads
def test_x4_stopped_for_longer_than_a_command_may_take(deployment):
    server = deployment.start_server("--bot", "echo", "--redis-timeout", "500ms", "--lease", "1")
    token = server.token()
    with server.websocket(token) as websocket:
        assert websocket.ask("0") == "BOT: 0"
        deployment.redis.freeze()
        say(websocket, 1, 4)  # on their way to a Redis that will do them, and not say so
        wait_away(server)
        deployment.redis.thaw()
        assert answers(websocket, 3) == echoes(1, 4)
        assert websocket.ask("4") == "BOT: 4"
    assert_stored_once(server, token, 5)


@pytest.mark.threads
def test_x7_subscriptions_killed_under_talk(deployment):
    server = deployment.start_server("--bot", "echo:delay=20", "--message-rate", "0")
    token = server.token()
    with server.websocket(token) as websocket:
        for first in range(0, 40, 10):
            say(websocket, first, first + 10)
            assert websocket.receive() == f"BOT: {first}"
            assert deployment.redis.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub") > 0
            assert answers(websocket, 9) == echoes(first + 1, first + 10)
        assert websocket.ask("40") == "BOT: 40"
    assert_stored_once(server, token, 41)


def test_x12_restarted_empty(deployment):
    server = deployment.start_server("--bot", "echo", "--lease", "1", "--threads", "1")
    websocket = server.websocket(server.token())
    assert websocket.ask("hi") == "BOT: hi"
    deployment.redis.kill()
    wait_away(server)
    deployment.redis.start()
    websocket.expect_closed(1008, "Session not authenticated or expired token")
    wait_until(server.is_ready, what="readiness")
    with server.websocket(server.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"


def test_functions_deleted_under_an_idle_server(deployment):
    server = deployment.start_server()
    deployment.redis.client.function_delete("banter")
    wait_until(lambda: server.request("POST", "/token?name=Ann").status == 200, what="the functions")


@pytest.mark.threads
def test_functions_deleted_under_talk(deployment):
    server = deployment.start_server()
    deployment.start_bot("--bot", "echo")
    token = server.token()
    with server.websocket(token) as websocket:
        for number in range(3):
            assert websocket.ask(str(number)) == f"BOT: {number}"
            deployment.redis.client.function_delete("banter")
        assert websocket.ask("3") == "BOT: 3"
    assert_stored_once(server, token, 4)


@pytest.mark.parametrize("password", ["wrong-secret", ""])
def test_wrong_password(deployment, password):
    redis = deployment.start_redis()
    redis.client.acl_setuser("default", enabled=True, reset_passwords=True, passwords=["+right-secret"])
    server = deployment.begin_server("--bot", "echo", url=redis.url_of("default", password)).wait_listening()
    server.secrets |= {"wrong-secret", "right-secret"}
    wait_until(lambda: "password" in readiness(server)[1], what="the reason in /readyz")
    assert readiness(server)[0] == 503
    wait_until(lambda: re.search(r'cannot use Redis.*why="Redis refused the password', server.log), what="the log")


def load_acl(deployment, name):
    """A Redis with the users of an ACL file of ours; the test itself stays what nobody is there, the default user."""
    lines = (ROOT / "docs" / name).read_text().splitlines()
    path = deployment.directory / name
    path.write_text("\n".join(line for line in lines if not line.startswith("user default")) + "\n")
    return deployment.start_redis("--aclfile", path)


@pytest.mark.threads
def test_x32_the_acl_file_gives_every_right_that_is_needed(deployment):
    redis = load_acl(deployment, "redis.acl")
    server = deployment.start_server(
        "--token-ttl", "60", url=redis.url_of("banter-server", "change-me-server"), redis=redis
    )
    url = redis.url_of("banter-worker", "change-me-worker")
    victim = deployment.start_bot("--bot", "echo:delay=200", "--lease", "1", url=url)
    token = server.token()
    with server.websocket(token) as websocket:
        assert websocket.ask("0") == "BOT: 0"
        websocket.send("1")
        wait_until(lambda: redis.client.xpending("banter:{0}:requests:echo", "bots")["pending"], what="work")
        victim.kill()
        other = deployment.start_bot("--bot", "echo", "--lease", "1", url=url)
        assert websocket.receive(20) == "BOT: 1"
        redis.client.function_delete("banter")
        assert websocket.ask("2", 20) == "BOT: 2"
    position = server.history(token)[1]["id"]
    with server.websocket(token, f"after={position}") as websocket:
        assert answers(websocket, 2) == echoes(1, 3)
    assert server.request("POST", f"/refresh_token?token={token}").status == 200
    assert server.request("GET", f"/refresh_token?token={token}").status == 200
    assert server.request("DELETE", f"/token?token={token}").status == 204
    assert other.terminate() == 0
    assert server.terminate() == 0
    assert redis.client.acl_log() == []


@pytest.mark.parametrize("program", ["server", "worker"])
def test_x32_the_acl_file_gives_no_more(deployment, program):
    client = load_acl(deployment, "redis.acl").client
    for command in ("KEYS *", "FLUSHALL", "CONFIG GET *", "EVAL x 0", "SCAN 0", "GET other", "PUBLISH other x", "SHUTDOWN"):
        verdict = client.execute_command("ACL", "DRYRUN", f"banter-{program}", *command.split())
        assert "no permissions" in str(verdict), command


def test_x31_a_user_without_channels(deployment):
    redis = deployment.start_redis()
    redis.client.execute_command(*"ACL SETUSER mute on >mute-secret ~* +@all resetchannels".split())
    server = deployment.begin_server("--bot", "echo", url=redis.url_of("mute", "mute-secret")).wait_listening()
    server.secrets.add("mute-secret")
    wait_until(lambda: "publish" in readiness(server)[1], what="the reason in /readyz")
    wait_until(lambda: re.search(r'cannot use Redis.*channel', server.log), what="the reason in the log")


def refusal(deployment):
    """What banterd says before it ends with 1."""
    result = run_to_end("banterd", "--listen", "127.0.0.1:0", "--redis", deployment.redis.url)
    assert result.returncode == 1
    return result.stderr


def test_x30_a_policy_that_throws_sessions_away(deployment):
    deployment.start_redis("--maxmemory-policy", "allkeys-lru")
    said = refusal(deployment)
    assert "maxmemory-policy noeviction" in said and "allkeys-lru" in said


LIBRARY = "#!lua name=banter\n-- version {}\nredis.register_function('banter_open', function() return 'OTHER' end)"


def test_a_newer_library_is_left_alone(deployment):
    client = deployment.redis.client
    client.function_load(LIBRARY.format(99999))
    assert "a newer Banter uses this Redis" in refusal(deployment)
    assert client.fcall("banter_open", 0) == "OTHER"


def test_an_older_library_is_replaced(deployment):
    deployment.redis.client.function_load(LIBRARY.format(0))
    server = deployment.start_server("--bot", "echo")
    with server.websocket(server.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"
