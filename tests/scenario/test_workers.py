"""Several workers on one queue, of which one dies, stalls, leaves or is not there (rows X19, X20)."""

import pytest

from banter import requests_key, wait_until

SLOW_ECHO = ("--bot", "echo:delay=300")
QUESTIONS = ["one", "two", "three"]


def held_by(deployment, bot):
    """Entries of the queue that this worker has in work."""
    consumers = deployment.redis.client.xinfo_consumers(requests_key("echo"), "bots")
    return sum(consumer["pending"] for consumer in consumers if f"-{bot.pid}-" in consumer["name"])


def is_beating(deployment, bot):
    return any(f"-{bot.pid}-" in worker for worker in deployment.redis.client.hkeys("banter:workers"))


def ask_all(websockets):
    for websocket in websockets:
        for question in QUESTIONS:
            websocket.send(question)


def expect_all_answered_once(server, conversations):
    """Every question has one answer, in order; one more shows that nothing comes behind them."""
    for token, websocket in conversations.items():
        for question in [*QUESTIONS, "last"]:
            if question == "last":
                websocket.send("last")
            assert websocket.receive(20) == f"BOT: {question}"
        history = server.history(token)
        answers = [message for message in history if message["role"] != "user"]
        assert [message["msg"] for message in answers] == [f"BOT: {question}" for question in [*QUESTIONS, "last"]]
        asked = [message["id"] for message in history if message["role"] == "user"]
        assert [message["reply_to"] for message in answers] == asked


def start_conversations(server, count):
    return {token: server.websocket(token) for token in (server.token() for _ in range(count))}


@pytest.mark.threads
def test_x19_a_worker_is_killed_in_the_middle_of_work(deployment):
    server = deployment.start_server()
    victim = deployment.start_bot(*SLOW_ECHO, "--lease", "1")
    conversations = start_conversations(server, 4)
    ask_all(conversations.values())
    wait_until(lambda: held_by(deployment, victim) > 0, what="work of the victim")
    deployment.start_bot(*SLOW_ECHO, "--lease", "1")
    victim.kill()
    expect_all_answered_once(server, conversations)


@pytest.mark.threads
def test_x20_a_worker_stalls_beyond_its_lease_and_wakes_up(deployment):
    server = deployment.start_server()
    sleeper = deployment.start_bot(*SLOW_ECHO, "--lease", "1")
    conversations = start_conversations(server, 4)
    ask_all(conversations.values())
    wait_until(lambda: held_by(deployment, sleeper) > 0, what="work of the sleeper")
    sleeper.freeze()
    deployment.start_bot(*SLOW_ECHO, "--lease", "1")
    wait_until(lambda: held_by(deployment, sleeper) == 0, 20, what="the claim of all that it held")
    # It believes in its turns until Redis tells it: their answers are due at once, before it beats again.
    deployment.redis.client.delete("banter:workers")
    sleeper.thaw()
    wait_until(lambda: is_beating(deployment, sleeper), what="the sleeper's sign of life")
    expect_all_answered_once(server, conversations)


def test_sigterm_finishes_what_is_in_work(deployment):
    server = deployment.start_server()
    worker = deployment.start_bot(*SLOW_ECHO, "--lease", "60")  # too long to be what helps
    websockets = [server.websocket(server.token()) for _ in range(4)]
    for websocket in websockets:
        websocket.send("hi")
    wait_until(lambda: held_by(deployment, worker) == len(websockets), what="all in work")
    assert worker.terminate(5) == 0
    assert [websocket.receive() for websocket in websockets] == ["BOT: hi"] * len(websockets)
    assert deployment.redis.client.xlen(requests_key("echo")) == 0
    assert not is_beating(deployment, worker)


def test_a_worker_may_be_there_before_the_server(deployment):
    deployment.start_bot("--bot", "echo")
    server = deployment.start_server()
    with server.websocket(server.token()) as websocket:
        assert websocket.ask("hi") == "BOT: hi"


def test_messages_wait_for_a_worker(deployment):
    server = deployment.start_server()
    conversations = start_conversations(server, 2)
    ask_all(conversations.values())
    for token in conversations:
        wait_until(lambda: len(server.history(token)) == len(QUESTIONS), what="the stored messages")
    deployment.start_bot("--bot", "echo")
    expect_all_answered_once(server, conversations)


def test_reconnects_are_no_deliveries(deployment):
    """A worker that lost its connection again and again is healthy: its message goes to no dead letters."""
    server = deployment.start_server()
    worker = deployment.start_bot("--bot", "echo:delay=2000")
    redis = deployment.redis.client
    with server.websocket(server.token()) as websocket:
        websocket.send("hi")
        wait_until(lambda: held_by(deployment, worker) == 1, what="the message in work")
        for _ in range(6):
            reader = wait_until(lambda: [c["id"] for c in redis.client_list() if c["cmd"] == "xreadgroup"])
            redis.client_kill_filter(_id=reader[0])
            wait_until(lambda: reader[0] not in [c["id"] for c in redis.client_list()])
        assert [entry["times_delivered"] for entry in redis.xpending_range(requests_key("echo"), "bots", "-", "+", 10)] == [1]
        assert websocket.receive() == "BOT: hi"


def test_a_living_session_is_not_looked_up_before_each_answer(deployment):
    server = deployment.start_server("--bot", "echo")
    with server.websocket(server.token()) as websocket:
        deployment.redis.client.config_resetstat()
        for _ in range(5):
            websocket.send("hi")
            assert websocket.receive() == "BOT: hi"
        assert "cmdstat_exists" not in deployment.redis.client.info("commandstats")
