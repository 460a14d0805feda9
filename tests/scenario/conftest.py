"""What every scenario starts from: processes of its own, a deadline, and a check of how they ended."""

import signal

import pytest

from banter import Bot, Redis, Server

TEST_DEADLINE_S = 90
DEPLOYMENT = pytest.StashKey()


class Deployment:
    """The processes of one test, ended in the reverse order of their start."""

    def __init__(self, directory):
        self.directory = directory
        self.state_directory = directory / "state"
        self.processes = []
        self._redis = None

    def start(self, process):
        self.processes.append(process)
        return process.start()

    def name(self, program):
        count = sum(process.name.startswith(program) for process in self.processes)
        return f"{program}-{count}" if count else program

    @property
    def redis(self):
        """The Redis of this test, started at the first use."""
        return self._redis or self.start_redis()

    def start_redis(self, *options):
        """A Redis with settings of its own; the first one is the Redis of this test."""
        redis = Redis(self.directory, self.name("redis"), options)
        self._redis = self._redis or redis
        return self.start(redis)

    def absent_redis(self):
        """The Redis of this test, not started yet."""
        if self._redis is None:
            self._redis = Redis(self.directory, self.name("redis"))
            self.processes.append(self._redis)
        return self._redis

    def start_server(self, *options, redis=None, url=None):
        """Another server, ready, on the same Redis as all others."""
        return self.begin_server(*options, redis=redis, url=url).wait_ready()

    def begin_server(self, *options, redis=None, url=None):
        """Another server that may not become ready."""
        url = url or (redis or self.redis).url
        return self.start(Server(self.directory, "--redis", url, *options, name=self.name("banterd")))

    def begin_embedded_server(self, *options, **popen_options):
        """A server with a Redis of its own, whose files are in `state_directory`."""
        options = ("--state-dir", self.state_directory, *options)
        return self.start(Server(self.directory, *options, name=self.name("banterd"), **popen_options))

    def start_embedded_server(self, *options, **popen_options):
        return self.begin_embedded_server(*options, **popen_options).wait_ready()

    def start_bot(self, *options, url=None):
        """Another worker, ready."""
        bot = Bot(self.directory, url or self.redis.url, *options, name=self.name("banter-bot"))
        return self.start(bot).wait_ready()

    def finish(self):
        return [problem for process in reversed(self.processes) if (problem := process.finish())]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed and DEPLOYMENT in item.stash:
        for process in item.stash[DEPLOYMENT].processes:
            report.sections.append((f"log of {process.name}", process.log[-8000:]))


@pytest.fixture(autouse=True)
def deadline():
    """No test hangs: each wait has a deadline of its own, and this one is for what was forgotten."""

    def expire(*_):
        raise TimeoutError(f"the test took longer than {TEST_DEADLINE_S} s")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.alarm(TEST_DEADLINE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture
def deployment(request, tmp_path_factory):
    # A name of its own choice: a unix socket's path is limited to 107 bytes, and test names are long.
    deployment = Deployment(tmp_path_factory.mktemp("run"))
    request.node.stash[DEPLOYMENT] = deployment
    try:
        yield deployment
    finally:
        problems = deployment.finish()
    assert not problems, "; ".join(problems)


@pytest.fixture
def server(deployment):
    """A server with an echo bot inside."""
    return deployment.start_server("--bot", "echo")
