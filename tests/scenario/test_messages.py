"""JSON that is meant to hurt (rows J1 to J6), as the body of POST /token; and what names are."""

import json
import time

import pytest


@pytest.fixture
def server(deployment):
    """No bot is needed here, and without one a server ends sooner."""
    return deployment.start_server()


def nested(depth):
    """An object with a name, `depth` levels deep in all."""
    return b'{"name":"Ann","extra":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def assert_refused(server, body, code):
    response = server.post_json("/token", body)
    assert (response.status, response.code) == (400, code)
    assert server.post_json("/token", {"name": "Ann"}).status == 200


def test_a_name_by_query_form_or_json(server):
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    for response in (
        server.request("POST", "/token?name=J%C3%B6rg%20B"),
        server.request("POST", "/token", b"name=J%C3%B6rg+B", **form),
        server.post_json("/token", {"name": "Jörg B"}),
        server.post_json("/token", b'{"name":"J\\u00f6rg B"}'),
    ):
        assert response.status == 200
        assert response.json()["name"] == "Jörg B"


@pytest.mark.parametrize(
    "name", ["", "%20%20", "%C2%A0", "a" * 65, "a%00b", "a%0Ab", "a%1Bb", "a%7Fb", "%FF", "%C0%80", "%ED%A0%80"]
)
def test_names_that_are_none(server, name):
    response = server.request("POST", f"/token?name={name}")
    assert (response.status, response.json()) == (
        400,
        {"code": "invalid_name", "detail": {"loc": "name", "msg": "Enter a valid name"}},
    )


def test_a_name_of_64_characters_not_bytes(server):
    assert server.post_json("/token", {"name": "ö" * 64}).status == 200
    assert server.post_json("/token", {"name": "ö" * 65}).code == "invalid_name"


@pytest.mark.parametrize("body", [b"{}", b'{"name":null}', b'{"name":7}', b'{"name":["Ann"]}', b'{"Name":"Ann"}'])
def test_a_name_of_the_wrong_type(server, body):
    response = server.post_json("/token", body)
    assert response.status == 400
    assert response.code in ("invalid_name", "invalid_type")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"Ann"',
        b"null",
        b"{",
        b'{"name":"Ann"}x',
        b'\xef\xbb\xbf{"name":"Ann"}',
        b'{"name":"\xff"}',
        b'{"name":"\\ud800"}',
        b'{"name":"Ann",}',
        b"{'name':'Ann'}",
        b'{"name":"Ann","n":NaN}',
    ],
)
def test_bodies_that_are_no_json_object(server, body):
    response = server.post_json("/token", body)
    assert response.status == 400
    assert response.code in ("invalid_json", "invalid_name")


def test_h30_json_under_another_type(server):
    for content_type in ("text/plain", "application/octet-stream", "application/jsonp"):
        response = server.request("POST", "/token", b'{"name":"Ann"}', Content_Type=content_type)
        assert (response.status, response.code) == (415, "unsupported_media_type")


def test_h17_body_past_the_limit(server):
    response = server.post_json("/token", json.dumps({"name": "Ann", "extra": "x" * 70_000}).encode())
    assert (response.status, response.code) == (413, "body_too_large")


def test_j1_depth_16_passes_and_17_does_not(server):
    assert server.post_json("/token", nested(16)).status == 200
    assert_refused(server, nested(17), "json_too_deep")


@pytest.mark.parametrize(
    "body",
    [nested(2047), nested(30_000), b"[" * 60_000, b'{"a":' * 12_000, b"]" * 100],
    ids=["2047", "30000", "open arrays", "open objects", "closers"],
)
def test_j2_depth_that_would_eat_the_stack(server, body):
    response = server.post_json("/token", body)
    assert response.status == 400
    assert response.code in ("json_too_deep", "invalid_json")
    assert server.is_running()


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"Ann","extra":[' + b"{}," * 20_000 + b"{}]}",
        b'{"name":"Ann","extra":[' + b"1," * 30_000 + b"1]}",
        json.dumps({"name": "Ann", **{f"k{number}": 1 for number in range(6000)}}, separators=(",", ":")).encode()[
            :65_536
        ],
    ],
    ids=["J3 objects", "J4 numbers", "J4 keys"],
)
def test_j3_j4_many_parts(server, body):
    assert len(body) <= 65_536
    assert_refused(server, body, "json_too_large")


def test_j5_many_keys_take_no_quadratic_time(server):
    started = time.monotonic()
    for _ in range(20):
        body = json.dumps({"name": "Ann", **{f"{number:0100}": 1 for number in range(450)}}).encode()
        assert server.post_json("/token", body).status == 200
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    "body",
    [b'{"name":"Ann","name":"Bob"}', b'{"name":"Ann","n\\u0061me":"Bob"}', b'{"name":"Ann","extra":{"a":1,"a":2}}'],
)
def test_j6_a_key_twice(server, body):
    response = server.post_json("/token", body)
    assert response.status == 400
    assert response.code in ("invalid_json", "repeated_field")
