"""The descriptions in openapi/ say what the server does: no more, no less, and word for word."""

import re
import uuid
from collections import namedtuple

from api_description import Description
from banter import ROOT, wait_until
from ws_client import handshake_headers

OPENAPI = Description("openapi.yaml")
ASYNCAPI = Description("asyncapi.yaml")

Reject = namedtuple("Reject", "name status close code loc msg")
REJECTS = [
    Reject(name, int(status), int(close), *words)
    for name, status, close, *words in re.findall(
        r'X\((\w+), (\d+), (\d+), "([^"]+)", "([^"]+)",[\s\\]+"([^"]+)"\)', (ROOT / "src/base/reject.h").read_text()
    )
]
ON_A_SOCKET_ONLY = {
    *("empty_message", "nul_in_message", "message_too_long", "too_many_errors", "too_many_pending"),
    *("busy", "not_stored", "replaced", "slow_reader"),
}


def named_codes(text):
    return set(re.findall(r"`([a-z_]+)`", text)) & {reject.code for reject in REJECTS}


def operation_of(method, target):
    return OPENAPI.tree["paths"][target.partition("?")[0]][method.lower()]


def assert_as_described(response, method, target):
    """Status, headers, media type and body are those of the description."""
    responses = operation_of(method, target)["responses"]
    described = OPENAPI.resolve(responses.get(str(response.status)) or responses["default"])
    for name, header in described.get("headers", {}).items():
        value = response.header(name)
        header = OPENAPI.resolve(header)
        if value is None and "If" in header.get("description", ""):
            continue
        value = int(value) if header["schema"].get("type") == "integer" else value
        assert OPENAPI.misfits(value, header["schema"], name) == []
    if "content" not in described:
        assert response.body == b""
        return
    assert response.body.endswith(b"\n")
    media_type = response.header("Content-Type").partition(";")[0]
    schema = described["content"][media_type]["schema"]
    value = response.json() if media_type == "application/json" else response.body.decode()
    assert OPENAPI.misfits(value, schema) == []
    if str(response.status) in responses and response.status >= 400 and media_type == "application/json":
        assert "code" not in value or value["code"] in named_codes(described["description"]), value


def test_every_reject_is_read():
    assert len(REJECTS) == len(re.findall(r"^    X\(", (ROOT / "src/base/reject.h").read_text(), re.MULTILINE))


def test_the_routes_are_described_and_no_others(server):
    in_source = set(re.findall(r'\{"(/[^"]*)", "([A-Z]+)", ', (ROOT / "src/server/routes.c").read_text()))
    described = {(path, method) for method, path, _ in OPENAPI.operations()}
    assert described == in_source
    for path in OPENAPI.tree["paths"]:
        allowed = server.request("OPTIONS", path).header("Allow").split(", ")
        assert set(allowed) - {"HEAD", "OPTIONS"} == {method for where, method in described if where == path}
        assert ("HEAD" in allowed) == ("GET" in allowed)


def test_the_codes_are_those_of_the_table():
    codes = OPENAPI.tree["components"]["schemas"]["Error"]["properties"]["code"]["enum"]
    assert len(codes) == len(set(codes))
    assert set(codes) == {reject.code for reject in REJECTS}
    by_http = set().union(*(named_codes(response["description"]) for *_, response in OPENAPI.responses()))
    assert by_http == set(codes) - ON_A_SOCKET_ONLY


def test_codes_stand_at_their_status():
    table = {(reject.status, reject.code) for reject in REJECTS}
    for method, path, status, response in OPENAPI.responses():
        for code in named_codes(response["description"]) if status else ():
            assert (status, code) in table, (method, path)


def test_references_lead_somewhere():
    for description in (OPENAPI, ASYNCAPI):
        for path, node in description.nodes():
            assert description.resolve(node) is not None, path


def test_examples_fit_their_schemas():
    seen = 0
    for path, node in OPENAPI.nodes():
        if "example" in node and "schema" in node:
            seen += 1
            assert OPENAPI.misfits(node["example"], node["schema"], "/".join(map(str, path))) == []
    assert seen > 20


def test_error_examples_are_real():
    real = {(reject.status, reject.code, reject.loc, reject.msg) for reject in REJECTS}
    for method, path, status, response in OPENAPI.responses():
        example = response.get("content", {}).get("application/json", {}).get("example", {})
        if "detail" in example:
            words = (example["code"], example["detail"]["loc"], example["detail"]["msg"])
            assert (status or 404, *words) in real, (method, path)


def test_close_codes_and_reasons_are_real():
    described = {
        (int(code), reason)
        for code, reasons in re.findall(r"^\| (1\d\d\d) \| (.*?) \|", operation_of("GET", "/chat")["description"], re.M)
        for reason in re.findall(r"`([^`]+)`", reasons)
    }
    by_name = {reject.name: reject for reject in REJECTS}
    source = "".join(path.read_text() for path in (ROOT / "src").glob("*/*.[ch]"))
    used = {by_name[name] for name in re.findall(r"connection_close\(\w+, REJECT_(\w+)\)", source)}
    assert len(used) >= 6
    for reject in used:
        assert {(reject.close, reject.msg), (reject.close, reject.code)} & described, reject
    for code, reason in described:
        assert f'"{reason}"' in source, (code, reason)


JSON = {"Content_Type": "application/json"}
FORM = {"Content_Type": "application/x-www-form-urlencoded"}


CASES = [
    ("GET", "/", 200, b"", {}),
    ("GET", "/healthz", 200, b"", {}),
    ("GET", "/readyz", 200, b"", {}),
    ("GET", "/metrics", 200, b"", {}),
    ("GET", "/client-count", 200, b"", {}),
    ("GET", "/client-count", 403, b"", {"Host": "evil.example"}),
    ("POST", "/token?name=Ann", 200, b"", {}),
    ("POST", "/token?name=Ann&bot=echo", 200, b"", {}),
    ("POST", "/token", 200, b"name=Ann", FORM),
    ("POST", "/token", 200, b'{"name":"Ann","bot":"echo"}', JSON),
    ("POST", "/token?name=Bob", 200, b'{"name":"Ann"}', JSON),
    ("POST", "/token", 400, b"", {}),
    ("POST", "/token?name=a&name=b", 400, b"", {}),
    ("POST", "/token?name=Ann&bot=nobody", 400, b"", {}),
    ("POST", "/token", 400, b'{"name":1}', JSON),
    ("POST", "/token", 400, b"{", JSON),
    ("POST", "/token", 400, b"[" * 17, JSON),
    ("POST", "/token", 400, b"[" + b"1," * 1000 + b"1]", JSON),
    ("POST", "/token", 413, b"x" * 65537, JSON),
    ("POST", "/token", 415, b"name=Ann", {"Content_Type": "text/plain"}),
    ("DELETE", "/token", 401, b"", {}),
    ("DELETE", "/token?token={token}", 400, b"", {"Authorization": f"Bearer {uuid.uuid4()}"}),
    ("DELETE", "/token?token={token}", 204, b"", {}),
    ("GET", "/refresh_token?token={token}", 200, b"", {}),
    ("POST", "/refresh_token?token={token}", 200, b"", {}),
    ("POST", "/refresh_token", 200, b"", {"Authorization": "Bearer {token}"}),
    ("GET", "/refresh_token", 400, b"", {}),
    ("POST", f"/refresh_token?token={uuid.uuid4()}", 400, b"", {}),
    ("GET", "/messages?token={token}", 200, b"", {}),
    ("GET", "/messages?token={token}&after=0&limit=1", 200, b"", {}),
    ("GET", "/messages?token={token}&after=x", 400, b"", {}),
    ("GET", "/messages?token={token}&limit=1001", 400, b"", {}),
    ("GET", f"/messages?token={uuid.uuid4()}", 401, b"", {}),
    ("GET", "/messages?token={token}&after=5-5", 410, b"", {}),
    ("GET", "/chat?token={token}", 426, b"", {}),
    ("GET", "/chat?token={token}", 101, b"", handshake_headers()),
    ("GET", "/chat?token={token}", 101, b"", handshake_headers(Sec_WebSocket_Protocol="chat.v1.text")),
    ("GET", "/chat?token={token}", 400, b"", handshake_headers(Connection="close")),
    ("GET", "/chat?token={token}", 400, b"", handshake_headers(Sec_WebSocket_Protocol="bearer.{token}")),
    ("GET", "/chat?token={token}", 403, b"", handshake_headers(Origin="https://evil.example")),
]


def test_answers_are_as_described(server):
    for method, target, status, body, headers in CASES:
        token = server.token()
        with server.websocket(token) as websocket:
            assert websocket.ask("hi") == "BOT: hi"
        headers = {name: value.replace("{token}", token) for name, value in headers.items()}
        response = server.request(method, target.replace("{token}", token), body, **headers)
        assert response.status == status, (method, target, response)
        assert_as_described(response, method, target)


def test_the_history_is_as_described(server):
    token = server.token()
    with server.websocket(token) as websocket:
        assert websocket.ask("hi") == "BOT: hi"
    question, answer = server.request("GET", f"/messages?token={token}").json()["messages"]
    described = OPENAPI.tree["paths"]["/messages"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    for message, example in zip((question, answer), described["messages"]):
        assert set(message) == set(example)
        assert (message["role"], message["msg"]) == (example["role"], example["msg"])
    page = server.request("GET", f"/messages?token={token}&after={answer['id']}").json()
    assert page == {"messages": [], "next": answer["id"]}


def test_without_redis_too(deployment):
    redis = deployment.absent_redis()
    server = deployment.begin_server(redis=redis).wait_listening()
    token = uuid.uuid4()
    for method, target, headers in (
        ("GET", "/readyz", {}),
        ("POST", "/token?name=Ann", {}),
        ("DELETE", f"/token?token={token}", {}),
        ("GET", f"/refresh_token?token={token}", {}),
        ("POST", f"/refresh_token?token={token}", {}),
        ("GET", f"/messages?token={token}", {}),
        ("GET", f"/chat?token={token}", handshake_headers()),
        ("GET", "/client-count", {}),
    ):
        response = server.request(method, target, **headers)
        assert response.status == 503, response
        assert_as_described(response, method, target)
    assert server.request("GET", "/healthz").status == 200
    redis.start()
    wait_until(lambda: server.request("GET", "/readyz").status == 200, 20, "readiness")


def test_too_many_tokens_are_refused_as_described(deployment):
    server = deployment.start_server("--trusted-proxy", "127.0.0.1", "--token-rate", "1")
    assert server.request("POST", "/token?name=Ann").status == 200
    for method, target in (("POST", "/token?name=Ann"), ("GET", "/messages"), ("GET", "/refresh_token")):
        response = server.request(method, target)
        assert response.status == 429, response
        assert_as_described(response, method, target)
    response = server.request("GET", "/metrics")
    assert response.status == 403
    assert_as_described(response, "GET", "/metrics")


def test_the_socket_talks_as_described(server):
    messages = ASYNCAPI.tree["components"]["messages"]
    refusals = {"ERROR: " + reject.msg for reject in REJECTS}
    for message in messages.values():
        for example in message["examples"]:
            assert ASYNCAPI.misfits(example["payload"], message["payload"]) == []
    assert {example["payload"] for example in messages["error"]["examples"]} <= refusals
    said, answered, refused = (
        [example["payload"] for example in messages[name]["examples"]] for name in ("message", "answer", "error")
    )
    with server.websocket(server.token()) as websocket:
        assert [websocket.ask(text) for text in said] == answered
        assert [websocket.ask(text) for text in (" ", "\0", "x" * 16385)] == refused[:3]
