"""The WebSocket handshake and the first frames (rows W1 to W16)."""

import time

import pytest

from raw_http import request_bytes
from ws_client import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawWebSocket,
    close_payload,
    frame_bytes,
    handshake_headers,
)


def handshake(server, token, **headers):
    """The answer to a handshake with these headers changed."""
    with server.connect() as connection:
        connection.send(request_bytes("GET", server.chat_path(token), server.host, handshake_headers(**headers)))
        return connection.response()


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "dGhlIHNhbXBsZQ==",
        "dGhlIHNhbXBsZSBub25jZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "!!!!IHNhbXBsZSBub25jZQ==",
        ["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
    ],
    ids=["none", "empty", "short", "long", "unpadded", "alphabet", "twice"],
)
def test_w1_wrong_key(server, key):
    response = handshake(server, server.token(), Sec_WebSocket_Key=key)
    assert (response.status, response.code) == (400, "bad_handshake")


@pytest.mark.parametrize("version", [None, "8", "12", "14", "13, 8", "", "013"])
def test_w2_wrong_version(server, version):
    response = handshake(server, server.token(), Sec_WebSocket_Version=version)
    assert (response.status, response.code) == (426, "upgrade_required")
    assert response.header("Sec-WebSocket-Version") == "13"
    assert response.header("Upgrade") == "websocket"


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": "WebSocket"},
        {"Upgrade": "h2c, websocket"},
        {"Connection": "keep-alive, Upgrade"},
        {"Connection": "upgrade"},
        {"Connection": ["keep-alive", "Upgrade"]},
    ],
    ids=str,
)
def test_w3_token_lists_in_any_case(server, headers):
    with server.raw_websocket(server.token(), **headers) as websocket:
        assert websocket.ask("hi") == "BOT: hi"


@pytest.mark.parametrize(
    "headers",
    [
        {"Upgrade": None},
        {"Connection": None},
        {"Connection": "keep-alive"},
        {"Upgrade": "h2c"},
        {"Upgrade": "websockets"},
    ],
    ids=str,
)
def test_w4_half_an_upgrade(server, headers):
    assert handshake(server, server.token(), **headers).status in (400, 426)


def test_w4_no_upgrade_at_all(server):
    response = server.request("GET", server.chat_path(server.token()))
    assert (response.status, response.code) == (426, "upgrade_required")
    assert response.header("Upgrade") == "websocket"


@pytest.mark.parametrize(
    "offered, chosen",
    [
        ("soap, wamp", None),
        ("chat.v1.text", "chat.v1.text"),
        ("soap, chat.v1.text", "chat.v1.text"),
        (["soap", "chat.v1.text"], "chat.v1.text"),
    ],
)
def test_w5_subprotocols(server, offered, chosen):
    response = handshake(server, server.token(), Sec_WebSocket_Protocol=offered)
    assert response.status == 101
    assert response.header("Sec-WebSocket-Protocol") == chosen


def test_w5_a_token_as_subprotocol_is_never_echoed(server):
    token = server.token()
    with RawWebSocket.open(
        server.address, "/chat", Sec_WebSocket_Protocol=f"chat.v1.text, bearer.{token}"
    ) as websocket:
        assert websocket.handshake.header("Sec-WebSocket-Protocol") == "chat.v1.text"
        assert websocket.ask("hi") == "BOT: hi"
    with server.connect() as connection:
        headers = handshake_headers(Sec_WebSocket_Protocol=f"bearer.{token}")
        connection.send(request_bytes("GET", "/chat", server.host, headers))
        response = connection.response()
    assert (response.status, response.code) == (400, "bearer_alone")
    assert token.encode() not in response.body


@pytest.mark.parametrize("extensions", ["permessage-deflate; client_max_window_bits", ";;,=", "x-" + "a" * 4000])
def test_w6_extensions_are_not_accepted(server, extensions):
    response = handshake(server, server.token(), Sec_WebSocket_Extensions=extensions)
    assert response.status == 101
    assert response.header("Sec-WebSocket-Extensions") is None


@pytest.mark.threads
def test_w7_first_frame_in_the_packet_of_the_request(server):
    early = frame_bytes(TEXT, b"early") + frame_bytes(TEXT, b"bird")
    with RawWebSocket.open(server.address, server.chat_path(server.token()), early) as websocket:
        assert websocket.receive_text() == "BOT: early"
        assert websocket.receive_text() == "BOT: bird"


def test_w8_one_connection_header(server):
    response = handshake(server, server.token())
    assert response.all("Connection") == ["Upgrade"]
    assert len(response.all("Upgrade")) == 1


def test_w9_64_kib_of_frames_before_the_101(server):
    early = frame_bytes(TEXT, b"x" * 1000) * 64
    with server.connect() as connection:
        request = request_bytes("GET", server.chat_path(server.token()), server.host, handshake_headers())
        connection.send(request + early)
        response = connection.response()
        assert response is not None and response.status in (101, 400)
        if response.status == 101:
            assert RawWebSocket(connection).receive_text() == "BOT: " + "x" * 1000
    assert server.request("GET", "/healthz").status == 200


@pytest.mark.parametrize("size", [1, 125, 126, 127, 128, 65535, 65536])
def test_w10_text_of_each_length_form(deployment, size):
    server = deployment.start_server("--bot", "echo", "--max-text", "70000")
    text = "x" * size
    with server.raw_websocket(server.token()) as websocket:
        assert websocket.ask(text) == "BOT: " + text
        websocket.connection.send_slowly(frame_bytes(TEXT, text[:1000].encode()))
        assert websocket.receive_text() == "BOT: " + text[:1000]


def test_w10_empty_text_is_an_error_and_the_connection_stays(server):
    with server.raw_websocket(server.token()) as websocket:
        assert websocket.ask("") == "ERROR: message is empty"
        assert websocket.ask("hi") == "BOT: hi"


def test_w10_text_past_the_limit_is_an_error_and_the_connection_stays(deployment):
    server = deployment.start_server("--bot", "echo", "--max-text", "100")
    with server.raw_websocket(server.token()) as websocket:
        assert websocket.ask("x" * 101).startswith("ERROR: ")
        assert websocket.ask("x" * 100) == "BOT: " + "x" * 100


@pytest.mark.threads
def test_w11_binary(server):
    with server.raw_websocket(server.token()) as websocket:
        websocket.send(frame_bytes(BINARY, b"hi"))
        websocket.expect_close(1003)


@pytest.mark.parametrize("payload", [b"", b"Hello", bytes(range(125))], ids=len)
def test_w12_ping_is_answered_with_its_payload(server, payload):
    with server.raw_websocket(server.token()) as websocket:
        websocket.send(frame_bytes(PING, payload))
        assert websocket.receive() == (PONG, payload, True, 0)
        websocket.connection.send_slowly(frame_bytes(PING, payload))
        assert websocket.receive() == (PONG, payload, True, 0)


def test_w13_ping_of_126_bytes(server):
    with server.raw_websocket(server.token()) as websocket:
        websocket.send(frame_bytes(PING, b"x" * 126))
        websocket.expect_close(1002)


def test_w14_unsolicited_pong(server):
    with server.raw_websocket(server.token()) as websocket:
        websocket.send(frame_bytes(PONG, b"why"), frame_bytes(PONG))
        assert websocket.ask("hi") == "BOT: hi"


def test_w15_ten_pings_at_once(server):
    with server.raw_websocket(server.token()) as websocket:
        websocket.send(*(frame_bytes(PING, b"%d" % number) for number in range(10)))
        assert [websocket.receive().payload for _ in range(10)] == [b"%d" % number for number in range(10)]


def test_w16_ping_flood_whose_peer_never_reads(server):
    """The server stops reading, so what it holds stays small; then the flood ends and the connection is as before."""
    flood = frame_bytes(PING, b"x" * 125) * 200_000
    with server.raw_websocket(server.token()) as websocket:
        before = resident_kib(server)
        websocket.connection.socket.setblocking(True)
        websocket.connection.socket.settimeout(0.5)
        sent, end = 0, time.monotonic() + 10
        try:
            while sent < len(flood) and time.monotonic() < end:
                sent += websocket.connection.socket.send(flood[sent : sent + 65536])
        except (TimeoutError, ConnectionError):
            pass
        assert resident_kib(server) - before < 16 * 1024
    assert server.request("GET", "/healthz").status == 200


def resident_kib(process):
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def test_close_is_answered(server):
    with server.raw_websocket(server.token()) as websocket:
        websocket.send(frame_bytes(TEXT, b"hi"))
        assert websocket.receive_text() == "BOT: hi"
        websocket.send(frame_bytes(CLOSE, close_payload(1000, b"bye")))
        websocket.expect_close(1000, answer=False)


@pytest.mark.threads
def test_a_message_in_fragments_with_a_ping_between(server):
    with server.raw_websocket(server.token()) as websocket:
        websocket.send(frame_bytes(TEXT, b"he", fin=False), frame_bytes(PING, b"!"), frame_bytes(CONTINUATION, b"llo"))
        assert websocket.receive() == (PONG, b"!", True, 0)
        assert websocket.receive_text() == "BOT: hello"
