"""Two servers and two workers on one Redis are one service."""

import pytest

from banter import session_key, wait_until


def start_servers(deployment, *options):
    for _ in range(2):
        deployment.start_bot("--bot", "echo:delay=20")
    return [deployment.start_server("--message-rate", "0", *options) for _ in range(2)]


@pytest.fixture
def servers(deployment):
    return start_servers(deployment)


def open_tabs(servers):
    """A session with a confirmed socket on each server."""
    token = servers[0].token()
    tabs = []
    for server in servers:
        server.secrets.add(token)
        tabs.append(server.websocket(token))
        tabs[-1].settle()
    return token, tabs


def client_count(server):
    return server.request("GET", "/client-count").json()["count"]


@pytest.mark.threads
def test_every_tab_sees_each_answer_once_and_in_order(servers):
    token, tabs = open_tabs(servers)
    for number in range(12):
        for tab, socket in enumerate(tabs):
            socket.send(f"{number} of tab {tab}")
    answers = [[socket.receive() for _ in range(24)] for socket in tabs]
    history = servers[0].history(token)
    assert answers[0] == answers[1] == [message["msg"] for message in history if message["role"] == "assistant"]
    for tab, socket in enumerate(tabs):
        own = [answer for answer in answers[0] if answer.endswith(f"of tab {tab}")]
        assert own == [f"BOT: {number} of tab {tab}" for number in range(12)]
    tabs[0].send("last")
    assert [socket.receive() for socket in tabs] == ["BOT: last", "BOT: last"]


@pytest.mark.slow
def test_a_refresh_through_one_keeps_the_socket_on_the_other(deployment):
    servers = start_servers(deployment, "--token-ttl", "3")
    token, (_, idle) = open_tabs(servers)

    def left_ms():
        return deployment.redis.client.pttl(session_key(token))

    wait_until(lambda: left_ms() < 1000, what="the session growing old")
    assert servers[0].request("POST", f"/refresh_token?token={token}").status == 200
    assert left_ms() > 2000
    wait_until(lambda: left_ms() < 1500, what="the time of the first expiry")
    assert idle.ask("still here") == "BOT: still here"
    idle.expect_closed(1008, "Session not authenticated or expired token")


def test_delete_through_one_closes_the_sockets_on_both(servers):
    token, tabs = open_tabs(servers)
    assert servers[0].request("DELETE", f"/token?token={token}").status == 204
    for socket in tabs:
        socket.expect_closed(1008, "Session not authenticated or expired token")


@pytest.mark.slow
def test_client_count_sums_servers_and_forgets_a_dead_one(servers):
    tabs = [tab for _ in range(2) for tab in open_tabs(servers)[1]]
    for server in servers:
        wait_until(lambda: client_count(server) == 4, what="the count of both servers")
    tabs[1].close()
    for server in servers:
        wait_until(lambda: client_count(server) == 3, what="the count after a close")
    servers[0].kill()
    wait_until(lambda: client_count(servers[1]) == 1, 10, what="the count without the dead server")
