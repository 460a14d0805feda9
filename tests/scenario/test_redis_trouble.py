"""A Redis that is slow, half gone, or changed by hand."""

import json

from banter import messages_key, session_key, wait_until


def replies_channel(token):
    return f"banter:{{0}}:replies:{token}"


def test_the_end_does_not_wait_for_a_redis_that_hangs(deployment):
    server = deployment.start_server("--bot", "echo", "--drain-time", "1")
    with server.raw_websocket(server.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"
        deployment.redis.freeze()
        websocket.send_text("in hand")
        server.signal(15)
        websocket.expect_close(1001)
    assert server.wait() == 0
    deployment.redis.thaw()


def test_an_answer_that_comes_while_commands_cannot_be_sent(deployment):
    server = deployment.start_server("--threads", "1")
    redis = deployment.redis.client
    token = server.token()
    with server.websocket(token) as websocket:
        websocket.settle()
        entry = redis.xadd(messages_key(token), {"role": "assistant", "msg": "pushed", "reply_to": "0-1"})
        redis.hset(session_key(token), "last", entry)
        event = {"type": "assistant", "id": entry, "prev": "0-0", "reply_to": "0-1"}
        # One transaction, so that the event is there before the server has its commands back.
        subscribed = {client["id"] for client in redis.client_list() if client["sub"] != "0"}
        own = redis.client_id()
        with redis.pipeline() as pipeline:
            for client in redis.client_list():
                if client["id"] not in subscribed and int(client["id"]) != own:
                    pipeline.execute_command("CLIENT", "KILL", "ID", client["id"])
            pipeline.publish(replies_channel(token), json.dumps(event))
            pipeline.execute()
        assert websocket.receive(10) == "pushed"


def test_a_session_without_expiry_stays(deployment):
    server = deployment.start_server("--bot", "echo", "--token-ttl", "2")
    redis = deployment.redis.client

    def times_asked():
        return redis.info("commandstats")["cmdstat_pttl"]["calls"]

    token = server.token()
    with server.websocket(token) as websocket:
        websocket.settle()
        before = times_asked()
        redis.persist(session_key(token))
        wait_until(lambda: times_asked() > before, 10, "the question whether the session has expired")
        assert websocket.ask("still here") == "BOT: still here"


def test_a_damaged_session_leaves_the_others_alone(deployment):
    server = deployment.start_server("--bot", "echo")
    damaged = server.token()
    with server.websocket(server.token()) as other, server.websocket(damaged) as websocket:
        websocket.settle()
        deployment.redis.client.set(messages_key(damaged), "not a stream")
        assert websocket.ask("hi").startswith("ERROR: ")
        assert other.ask("hi") == "BOT: hi"
    with server.websocket(damaged, "after=0") as websocket:
        websocket.expect_closed(1011)
    assert "redis is away" not in server.log


def test_entries_that_banter_has_not_written_are_passed_over(deployment):
    server = deployment.start_server("--bot", "echo")
    token = server.token()
    for _ in range(100):
        entry = deployment.redis.client.xadd(messages_key(token), {"foreign": "yes"})
    deployment.redis.client.hset(session_key(token), "last", entry)
    with server.websocket(token, "after=0") as websocket:
        assert websocket.ask("hi") == "BOT: hi"
