"""Answers that are large, alone and many together."""

import json

from banter import messages_key, session_key, wait_until


def fill_history(deployment, token):
    """Answers of 7 MB in all; returns their texts."""
    redis = deployment.redis.client
    texts = [str(number) + "x" * 120000 for number in range(60)]
    for text in texts:
        entry = redis.xadd(messages_key(token), {"role": "assistant", "msg": text, "reply_to": "0-1"})
    redis.hset(session_key(token), "last", entry)
    return texts


def test_the_largest_answer_that_is_allowed_arrives(deployment):
    server = deployment.start_server("--bot", "echo", "--max-answer", "1M", "--max-text", "1000000")
    text = "x" * 1000000
    with server.websocket(server.token()) as websocket:
        assert websocket.ask(text) == "BOT: " + text


def test_a_replay_larger_than_what_may_wait_for_a_socket(deployment):
    server = deployment.start_server()
    token = server.token()
    texts = fill_history(deployment, token)
    with server.websocket(token, "after=0") as websocket:
        assert [websocket.receive() for _ in texts] == texts


def test_pages_of_a_large_history_are_cut(deployment):
    server = deployment.start_server()
    token = server.token()
    texts, read, after = fill_history(deployment, token), [], "0"
    while len(read) < len(texts):
        response = server.request("GET", f"/messages?token={token}&limit=1000&after={after}")
        assert len(response.body) < 2 << 20 and response.json()["messages"]
        read += [message["msg"] for message in response.json()["messages"]]
        after = response.json()["next"]
    assert read == texts


def test_who_does_not_read_is_closed_and_counted(deployment):
    server = deployment.start_server("--threads", "1")
    token = server.token()
    with server.raw_websocket(token) as websocket:
        websocket.settle()
        with deployment.redis.client.pipeline(transaction=False) as pipeline:
            for number in range(200):
                event = {"type": "assistant", "id": f"{number + 1}-0", "prev": f"{number}-0", "reply_to": "0-1"}
                pipeline.publish(f"banter:{{0}}:replies:{token}", json.dumps(event | {"msg": "x" * 100000}))
            pipeline.execute()
        wait_until(lambda: b"banterd_slow_readers_total 1\n" in server.request("GET", "/metrics").body, 10, "the close")
