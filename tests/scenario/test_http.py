"""The HTTP layer against input that no honest client sends (rows H1 to H12)."""

import json
import os
import re

import pytest

from raw_http import request_bytes


@pytest.fixture
def server(deployment):
    """No bot is needed here, and without one a server ends sooner."""
    return deployment.start_server()


def refused(server, data, *statuses):
    """Sends the bytes; exactly one well-formed error answer of one of the statuses comes back, then the end."""
    with server.connect() as connection:
        connection.send(data)
        response = connection.only_response()
    assert response is not None, "closed without an answer"
    assert response.status in statuses, response
    assert re.fullmatch(r"[a-z_]+", response.code)
    assert response.header("Connection") == "close"
    assert_serves(server)
    return response


def assert_serves(server):
    assert server.request("GET", "/healthz").status == 200


def token_request(server, headers=(), line="POST /token?name=Ann HTTP/1.1", body=b""):
    """POST /token with exactly these header lines behind Host."""
    lines = [line, f"Host: {server.host}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def count_sessions(deployment):
    return len(deployment.redis.client.keys("banter:*:session:*"))


@pytest.mark.threads
def test_a_right_request_passes(server):
    with server.connect() as connection:
        connection.send(token_request(server, ["Content-Length: 0"]))
        assert connection.response().status == 200
        connection.send(token_request(server, ["Content-Length: 0", "Connection: close"]))
        assert connection.only_response().status == 200


def test_h1_chunked_and_content_length(server, deployment):
    smuggled = token_request(server, ["Content-Length: 0"])
    for headers in (
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
    ):
        refused(server, token_request(server, headers, body=b"0\r\n\r\n" + smuggled), 400)
    assert count_sessions(deployment) == 0


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 0", "Content-Length: 5"],
        ["Content-Length: 5", "Content-Length: 0"],
        ["Content-Length: 0", "Content-Length: 0"],
        ["Content-Length: 0, 5"],
    ],
)
def test_h2_two_content_lengths(server, deployment, headers):
    refused(server, token_request(server, headers, body=b"hello"), 400)
    assert count_sessions(deployment) == 0


@pytest.mark.parametrize("value", ["-1", "+5", "0x5", "5 5", "", "99999999999999999999", "18446744073709551617"])
def test_h3_content_length_is_no_plain_number(server, value):
    refused(server, token_request(server, [f"Content-Length: {value}"], body=b"hello"), 400, 413)


@pytest.mark.parametrize(
    "value", ["gzip", "chunked, gzip", "gzip, chunked", "identity", "xchunked", "chunked, chunked"]
)
def test_h4_unknown_transfer_encoding(server, value):
    refused(server, token_request(server, [f"Transfer-Encoding: {value}"], body=b"0\r\n\r\n"), 400, 501)


@pytest.mark.parametrize(
    "hosts", [[], ["Host: {0}", "Host: {0}"], ["Host: {0}", "Host: evil.example"], ["Host:"], ["Host: "]]
)
def test_h5_host_missing_twice_or_empty(server, hosts):
    lines = [
        "POST /token?name=Ann HTTP/1.1",
        *(host.format(server.host) for host in hosts),
        "Content-Length: 0",
        "",
        "",
    ]
    refused(server, "\r\n".join(lines).encode(), 400)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "user@localhost"]
)
def test_h5_host_of_another_name(server, host):
    assert server.request("POST", "/token?name=Ann", Host=host).status in (400, 403)


def test_h6_bare_line_feeds(server):
    request = token_request(server, ["Content-Length: 0"])
    refused(server, request.replace(b"\r\n", b"\n"), 400)
    refused(server, request.replace(b"\r\nContent", b"\nContent"), 400)
    refused(server, request[:-4] + b"\n\n", 400)


@pytest.mark.parametrize("line", ["X-Test : 1", "X-Test\t: 1", " X-Test: 1", "X Test: 1", ": 1", "X-Test"])
def test_h7_space_around_a_header_name(server, line):
    refused(server, token_request(server, [line, "Content-Length: 0"]), 400)
    refused(server, token_request(server, ["Content-Length: 0", line]), 400)


@pytest.mark.parametrize("fold", ["X-Test: 1\r\n 2", "X-Test: 1\r\n\t2", "X-Test:\r\n chunked"])
def test_h8_folded_header(server, fold):
    refused(server, token_request(server, [fold, "Content-Length: 0"]), 400)


@pytest.mark.parametrize("byte", ["\0", "\r", "\x01", "\x7f", "\x80", "\xff"])
def test_h9_control_or_high_byte_in_a_header_value(server, byte):
    refused(server, token_request(server, [f"X-Test: a{byte}b", "Content-Length: 0"]), 400)


def test_h10_unknown_versions(server):
    refused(server, token_request(server, ["Content-Length: 0"], "POST /token?name=Ann HTTP/9.9"), 505)
    refused(server, token_request(server, ["Content-Length: 0"], "POST /token?name=Ann HTP/1.1"), 400)
    refused(server, token_request(server, ["Content-Length: 0"], "POST /token?name=Ann http/1.1"), 400)
    refused(server, token_request(server, ["Content-Length: 0"], "POST /token?name=Ann"), 400)
    refused(server, token_request(server, ["Content-Length: 0"], "POST  /token?name=Ann HTTP/1.1"), 400)


def test_h10_http_1_0_may_ask_for_a_token_but_not_chat(server):
    with server.connect() as connection:
        connection.send(token_request(server, ["Content-Length: 0"], "POST /token?name=Ann HTTP/1.0"))
        assert connection.only_response().status == 200
    token = server.token()
    upgrade = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    with server.connect() as connection:
        connection.send(token_request(server, upgrade, f"GET /chat?token={token} HTTP/1.0"))
        assert connection.only_response().status == 426


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("16030100c8010000c40303") + bytes(190),
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\r\n\r\nGARBAGE\r\n\r\n",
        b"\x1b[31mred\x1b[0m\r\n\r\n",
        bytes(range(256)) * 8 + b"\r\n\r\n",
    ],
    ids=["tls", "ssh", "http2", "blank", "escape", "random"],
)
def test_h11_another_protocol(server, data):
    with server.connect() as connection:
        connection.send(data)
        response = connection.only_response()
    assert response is None or response.status in (400, 505)
    assert_serves(server)
    logged = server.log_path.read_bytes()
    assert not re.search(rb"[\0-\x08\x0b-\x1a\x1c-\x1f\x80-\xff]", logged)
    assert b"\x1b[31m" not in logged and b"OpenSSH" not in logged


@pytest.mark.parametrize("size", [8 * 1024, 20 * 1024, 1024 * 1024])
def test_h12_long_address(server, size):
    line = "POST /token?name=" + "a" * size + " HTTP/1.1"
    refused(server, token_request(server, ["Content-Length: 0"], line), 414)


def test_errors_are_json_that_tells_nothing_of_us(server):
    for method, target, status, code in (
        ("GET", "/nowhere", 404, "not_found"),
        ("PUT", "/token", 405, "method_not_allowed"),
        ("POST", "/token", 400, "invalid_name"),
    ):
        response = server.request(method, target)
        assert (response.status, response.code) == (status, code)
        assert os.fsencode(server.log_path.parent) not in response.body
        assert json.loads(response.body)["detail"]["msg"]


@pytest.mark.threads
def test_many_requests_in_one_packet_are_answered_in_order(server):
    with server.connect() as connection:
        requests = [request_bytes("POST", f"/token?name=n{number}", server.host) for number in range(100)]
        connection.send(b"".join(requests))
        for number in range(100):
            response = connection.response()
            if response is None:
                assert number > 0
                break
            assert response.json()["name"] == f"n{number}"
            server.secrets.add(response.json()["token"])
