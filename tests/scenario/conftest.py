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
        self.processes = []
        self._redis = None

    def _start(self, process):
        self.processes.append(process)
        return process.start()

    def _name(self, program):
        count = sum(process.name.startswith(program) for process in self.processes)
        return f"{program}-{count}" if count else program

    @property
    def redis(self):
        """The Redis of this test, started at the first use."""
        if self._redis is None:
            self._redis = self.start_redis()
        return self._redis

    def start_redis(self, *options):
        return self._start(Redis(self.directory, self._name("redis"), options))

    def absent_redis(self):
        """The Redis of this test, not started yet."""
        if self._redis is None:
            self._redis = Redis(self.directory, self._name("redis"))
            self.processes.append(self._redis)
        return self._redis

    def start_server(self, *options, redis=None):
        """Another server, ready, on the same Redis as all others."""
        return self.begin_server(*options, redis=redis).wait_ready()

    def begin_server(self, *options, redis=None):
        """Another server that may not become ready."""
        url = (redis or self.redis).url
        return self._start(Server(self.directory, "--redis", url, *options, name=self._name("banterd")))

    def start_bot(self, *options):
        """Another worker, ready."""
        return self._start(Bot(self.directory, self.redis.url, *options, name=self._name("banter-bot"))).wait_ready()

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
