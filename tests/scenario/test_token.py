"""Tokens, sessions and who may use them (rows A1 to A10)."""

import re
import time
import uuid

import pytest

from banter import messages_key, requests_key, session_key, wait_until
from raw_http import request_bytes
from ws_client import frame_bytes, handshake_headers, RawWebSocket, TEXT

UNAUTHENTICATED = "Session not authenticated or expired token"


def assert_refused_after_the_101(server, target, **headers):
    with RawWebSocket.open(server.address, target, **headers) as websocket:
        websocket.expect_close(1008, reason=UNAUTHENTICATED)


def test_a_session_is_opened_with_what_the_client_needs(server, deployment):
    response = server.request("POST", "/token?name=Ann")
    value = response.json()
    token = value["token"]
    server.secrets.add(token)
    assert response.header("Cache-Control") == "no-store"
    assert set(value) == {"token", "messages", "name", "session_start", "expires_at", "expires_in", "chat_url"}
    assert (value["messages"], value["name"], value["expires_in"]) == ([], "Ann", 3600)
    assert value["chat_url"] == f"ws://{server.host}/chat?token={token}"
    for field in ("session_start", "expires_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value[field])
    assert 3590_000 < deployment.redis.client.pttl(session_key(token)) <= 3600_000
    assert not deployment.redis.client.exists(messages_key(token))


@pytest.mark.parametrize(
    "token",
    [
        str(uuid.uuid4()),
        str(uuid.uuid4()).upper(),
        str(uuid.uuid4()).replace("-", ""),
        "{%s}" % uuid.uuid4(),
        "abc",
        "",
        "%00" + str(uuid.uuid4())[1:],
        str(uuid.uuid4())[:-1] + "%2d",
        "a" * 5000,
    ],
    ids=["unknown", "upper", "bare", "braces", "short", "empty", "nul", "escape", "long"],
)
def test_a1_no_token_of_ours(server, token):
    assert_refused_after_the_101(server, f"/chat?token={token}")
    response = server.request("GET", f"/messages?token={token}")
    assert (response.status, response.code) == (401, "invalid_token")
    assert response.header("WWW-Authenticate").startswith("Bearer")


def test_a1_no_token_at_all(server):
    assert_refused_after_the_101(server, "/chat")


@pytest.mark.threads
def test_a1_refusal_arrives_though_frames_were_sent(server):
    """A close over unread bytes would be a reset, and the reason lost."""
    early = frame_bytes(TEXT, b"x" * 1000) * 10
    for _ in range(20):
        with RawWebSocket.open(server.address, f"/chat?token={uuid.uuid4()}", early) as websocket:
            websocket.send(early)
            websocket.expect_close(1008, reason=UNAUTHENTICATED)
            assert not websocket.connection.was_reset


def test_a1_a_peer_that_never_answers_the_close_is_left(server):
    with RawWebSocket.open(server.address, "/chat") as websocket:
        websocket.expect_close(1008, reason=UNAUTHENTICATED, answer=False)


def test_a2_expired_before_the_handshake(deployment):
    server = deployment.start_server("--bot", "echo", "--token-ttl", "1")
    token = server.token()
    wait_until(lambda: not deployment.redis.client.exists(session_key(token)), 3)
    assert_refused_after_the_101(server, server.chat_path(token))
    for method in ("GET", "POST"):
        response = server.request(method, f"/refresh_token?token={token}")
        assert (response.status, response.json()) == (
            400,
            {"code": "invalid_token", "detail": {"loc": "token", "msg": "Session expired or does not exist"}},
        )


def test_a2_expires_while_connected_and_idle(deployment):
    server = deployment.start_server("--bot", "echo", "--token-ttl", "1")
    with server.raw_websocket(server.token()) as websocket:
        started = time.monotonic()
        websocket.expect_close(1008, reason=UNAUTHENTICATED)
        assert time.monotonic() - started > 0.5


def test_a3_a_message_after_the_end_is_neither_checked_nor_queued(deployment):
    """The session vanishes behind the server's back: accept sees it, and leaves nothing behind."""
    server = deployment.start_server("--bot", "echo")
    redis = deployment.redis.client
    token = server.token()
    with server.raw_websocket(token) as websocket:
        assert websocket.ask("hi") == "BOT: hi"
        redis.delete(session_key(token), messages_key(token))
        websocket.send_text("anyone?")
        websocket.expect_close(1008, reason=UNAUTHENTICATED)
    assert redis.keys(f"*{token}*") == []
    assert redis.xlen(requests_key("echo")) == 0


def test_a4_messages_do_not_extend_a_session(server, deployment):
    token = server.token()
    end = deployment.redis.client.pexpiretime(session_key(token))
    with server.websocket(token) as websocket:
        assert websocket.ask("hi") == "BOT: hi"
    assert server.request("GET", f"/refresh_token?token={token}").status == 200
    assert deployment.redis.client.pexpiretime(session_key(token)) == end
    assert deployment.redis.client.pexpiretime(messages_key(token)) == end


@pytest.mark.threads
def test_a4_refresh_through_any_server_extends(deployment):
    server = deployment.start_server("--bot", "echo", "--token-ttl", "2")
    other = deployment.start_server("--token-ttl", "2")
    redis = deployment.redis.client
    token = server.token()
    other.secrets.add(token)
    first_end = redis.pexpiretime(session_key(token))
    with server.raw_websocket(token) as websocket:
        assert websocket.ask("hi") == "BOT: hi"
        wait_until(lambda: redis.pttl(session_key(token)) < 1000)
        response = other.request("POST", f"/refresh_token?token={token}")
        assert response.status == 200
        assert [message["msg"] for message in response.json()["messages"]] == ["hi", "BOT: hi"]
        assert redis.pexpiretime(session_key(token)) == redis.pexpiretime(messages_key(token)) > first_end
        wait_until(lambda: time.time() * 1000 > first_end + 300)
        assert websocket.ask("still here?") == "BOT: still here?"
        websocket.expect_close(1008, reason=UNAUTHENTICATED)


def test_a4_no_refresh_extends_past_the_longest_life(deployment):
    server = deployment.start_server("--bot", "echo", "--token-ttl", "2", "--max-session-life", "3")
    started = time.monotonic()
    token = server.token()

    def refresh():
        return server.request("POST", f"/refresh_token?token={token}").status == 400

    with server.raw_websocket(token) as websocket:
        wait_until(refresh, 6)
        assert 2 < time.monotonic() - started < 5
        websocket.expect_close(1008, reason=UNAUTHENTICATED)


@pytest.mark.threads
def test_a5_an_ended_session_loses_its_sockets_and_its_data(deployment):
    server = deployment.start_server("--bot", "echo")
    other = deployment.start_server()
    token = server.token()
    other.secrets.add(token)
    with server.raw_websocket(token) as here, other.raw_websocket(token) as there:
        there.settle()
        assert here.ask("hi") == "BOT: hi"
        assert there.receive_text() == "BOT: hi"
        response = server.request("DELETE", f"/token?token={token}")
        assert (response.status, response.body) == (204, b"")
        here.expect_close(1008, deadline_s=2)
        there.expect_close(1008, deadline_s=2)
    assert deployment.redis.client.keys(f"*{token}*") == []
    assert server.request("DELETE", f"/token?token={token}").status == 401
    assert_refused_after_the_101(other, other.chat_path(token))


@pytest.mark.threads
def test_a6_all_sockets_of_a_session_see_the_replies_and_the_oldest_gives_way(deployment):
    server = deployment.start_server("--bot", "echo", "--max-sockets", "2", "--threads", "1")
    token = server.token()
    with server.raw_websocket(token) as first, server.raw_websocket(token) as second:
        second.settle()
        assert first.ask("one") == "BOT: one"
        assert second.receive_text() == "BOT: one"
        with server.raw_websocket(token) as third:
            first.expect_close(1008, reason="replaced")
            assert third.ask("two") == "BOT: two"
            assert second.receive_text() == "BOT: two"


@pytest.mark.threads
def test_a6_the_limit_counts_all_threads_of_a_server(deployment):
    server = deployment.start_server("--bot", "echo", "--max-sockets", "3", "--threads", "2")
    token = server.token()
    websockets = []
    for _ in range(8):
        websockets.append(server.raw_websocket(token))
        websockets[-1].settle()
    for websocket in websockets[:-3]:
        websocket.expect_close(1008, reason="replaced")
    for websocket in websockets[-3:]:
        websocket.settle()
        websocket.connection.socket.close()


@pytest.mark.threads
def test_a7_tokens_are_rationed_by_address_behind_a_trusted_proxy(deployment):
    server = deployment.start_server("--trusted-proxy", "127.0.0.1/32", "--token-rate", "5")

    def statuses(count, address):
        return [server.request("POST", "/token?name=Ann", X_Forwarded_For=address).status for _ in range(count)]

    assert statuses(7, "203.0.113.7") == [200] * 5 + [429] * 2
    assert statuses(1, "203.0.113.8") == [200]
    refused = server.request("POST", "/token?name=Ann", X_Forwarded_For="203.0.113.7")
    assert refused.code == "rate_limited"
    assert 1 <= int(refused.header("Retry-After")) <= 60
    # What the client itself put in front does not count; what the proxy added at the end does.
    assert statuses(1, "198.51.100.1, 203.0.113.7") == [429]
    assert statuses(1, ["198.51.100.1", "203.0.113.7"]) == [429]
    for nonsense in ("", ",", "unknown", "999.1.1.1", "[::1", "::ffff:1.2.3.4.5", "a" * 4000):
        assert statuses(1, nonsense)[0] in (200, 400, 429)
    assert server.request("GET", "/healthz").status == 200


def test_a7_an_untrusted_peer_cannot_pretend(deployment):
    server = deployment.start_server("--token-rate", "2")
    for number in range(6):
        assert server.request("POST", "/token?name=Ann", X_Forwarded_For=f"203.0.113.{number % 2}").status == 200


def test_a7_a_guessed_token_costs_one_command_at_most(server, deployment):
    redis = deployment.redis.client

    def calls():
        return sum(
            figures["calls"]
            for name, figures in redis.info("commandstats").items()
            if name in ("cmdstat_fcall", "cmdstat_fcall_ro")
        )

    before = calls()
    for _ in range(10):
        assert server.request("GET", f"/messages?token={uuid.uuid4()}").status == 401
    assert calls() - before <= 10 + 5  # and the server's own heartbeat
    assert redis.keys("banter:*:session:*") == []


def test_a8_tokens_are_random_uuids_of_version_4(server):
    tokens = []
    with server.connect() as connection:
        for _ in range(50):
            connection.send(request_bytes("POST", "/token?name=Ann", server.host) * 20)
            tokens += [connection.response().json()["token"] for _ in range(20)]
    server.secrets.update(tokens)
    assert len(set(tokens)) == 1000
    for token in tokens:
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", token)
    ones = [sum(int(token.replace("-", ""), 16) >> bit & 1 for token in tokens) for bit in range(128)]
    fixed = {62, 63, 76, 77, 78, 79}
    # 1000 fair coins: 400 to 600 heads leaves one false alarm in some 10^7 runs of all 122 bits.
    assert all(400 < count < 600 for bit, count in enumerate(ones) if bit not in fixed)


def origin_status(server, origin):
    with server.connect() as connection:
        target = server.chat_path(server.token())
        connection.send(request_bytes("GET", target, server.host, handshake_headers(Origin=origin)))
        return connection.response().status


def test_a9_origin(deployment):
    server = deployment.start_server("--origin", "https://app.example.com")
    allowed = [None, "https://app.example.com", f"http://{server.host}", "http://localhost:3000"]
    refused = [
        "https://evil.example",
        "http://localhost:1@evil.example",
        "https://evil-app.example.com",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "https://app.example.com:8443",
        "null",
        "",
        "https://app.example.com/",
        "https://app.example.com@evil.example",
        "http://localhost.evil.example",
        "file://",
    ]
    assert {origin: origin_status(server, origin) for origin in allowed} == dict.fromkeys(allowed, 101)
    assert {origin: origin_status(server, origin) for origin in refused} == dict.fromkeys(refused, 403)


def test_a9_foreign_origins_get_no_cors_headers(deployment):
    server = deployment.start_server("--origin", "https://app.example.com")
    foreign = server.request("POST", "/token?name=Ann", Origin="https://evil.example")
    assert foreign.header("Access-Control-Allow-Origin") is None
    own = server.request("POST", "/token?name=Ann", Origin="https://app.example.com")
    assert own.header("Access-Control-Allow-Origin") == "https://app.example.com"
    assert "origin" in own.header("Vary").lower()


def test_a10_cookies_are_no_tokens(server):
    token = server.token()
    for cookie in (f"token={token}", f"session={token}", f"Bearer {token}"):
        assert_refused_after_the_101(server, "/chat", Cookie=cookie)
    assert server.request("GET", "/messages", Cookie=f"token={token}").status == 401


def test_a11_three_ways_to_give_a_token_and_no_two_at_once(server):
    token, another = server.token(), server.token()
    for target, headers in (
        (f"/chat?token={token}", {}),
        ("/chat", {"Authorization": f"Bearer {token}"}),
        ("/chat", {"Sec_WebSocket_Protocol": f"chat.v1.text, bearer.{token}"}),
        (f"/chat?token={token}", {"Authorization": f"Bearer {token}"}),
    ):
        with RawWebSocket.open(server.address, target, **headers) as websocket:
            assert websocket.ask("hi") == "BOT: hi"
    with server.connect() as connection:
        headers = handshake_headers(Authorization=f"Bearer {another}")
        connection.send(request_bytes("GET", f"/chat?token={token}", server.host, headers))
        response = connection.response()
    assert (response.status, response.code) == (400, "conflicting_tokens")
