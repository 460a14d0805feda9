"""One Redis for all direct tests of the functions, empty at the beginning of each."""

import pytest
from function_calls import Calls, load
from own_redis import LIBRARY, RedisServer


@pytest.fixture(scope="session")
def server():
    with RedisServer() as server:
        load(server.connect(), LIBRARY.read_text())
        yield server


@pytest.fixture
def redis(server):
    client = server.connect()
    client("FLUSHALL")
    yield client
    client.close()


@pytest.fixture
def calls(redis):
    """The functions on a queue that a worker has served."""
    calls = Calls(redis)
    calls.make_group()
    return calls


@pytest.fixture
def listen(server):
    """listen(channel) -> a function that returns what was published on it since."""
    links = []

    def open_link(channel):
        link = server.connect()
        links.append(link)
        link("SUBSCRIBE", channel)

        def heard():
            probe = server.connect()
            probe("PUBLISH", channel, "probe")
            probe.close()
            messages = []
            while not messages or messages[-1] != "probe":
                messages.append(link.read()[2])
            return messages[:-1]

        return heard

    yield open_link
    for link in links:
        link.close()
