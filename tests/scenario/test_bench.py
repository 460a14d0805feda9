"""banter-bench: it measures what it says, and a wrong or missing answer fails it."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from banter import BIN, ENVIRONMENT, wait_until

FREE_OF_LIMITS = ["--message-rate", "0", "--token-rate", "0"]


def bench(server, *options):
    result = subprocess.run(
        [BIN / "banter-bench", "--url", server.urls[0], "--warmup", "0", "--duration", "300ms", "--json", *options],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRONMENT,
    )
    return result.returncode, json.loads(result.stdout or "{}"), result.stderr


@pytest.mark.parametrize("mode", ["chat", "token", "handshake"])
def test_mode_counts_and_times(deployment, mode):
    server = deployment.start_server("--bot", "echo", *FREE_OF_LIMITS)
    status, report, error = bench(server, "--mode", mode, "--clients", "8", "--pid", str(server.pid))
    assert (status, error) == (0, "")
    assert report["count"] > 8 and report["errors"] == 0
    latency = list(report["latency_us"].values())
    assert latency == sorted(latency) and latency[0] > 0
    assert report["processes"][0]["cpu_us_each"] > 0


def test_open_loop_keeps_its_rate(deployment):
    server = deployment.start_server("--bot", "echo", *FREE_OF_LIMITS)
    status, report, _ = bench(server, "--clients", "20", "--rate", "200", "--duration", "1s")
    assert status == 0
    assert abs(report["count"] - 200 * report["seconds"]) <= 2


def test_each_handshake_reached_redis(deployment):
    server = deployment.start_server("--bot", "echo", *FREE_OF_LIMITS)
    deployment.redis.client.config_resetstat()
    _, report, _ = bench(server, "--mode", "handshake", "--clients", "4")
    assert deployment.redis.client.info("commandstats")["cmdstat_fcall"]["calls"] >= report["count"]


def test_handshakes_that_stall_at_the_end_fail(deployment):
    server = deployment.start_server("--bot", "echo", *FREE_OF_LIMITS)
    redis = deployment.redis.client
    redis.config_resetstat()
    with ThreadPoolExecutor() as executor:
        run = executor.submit(bench, server, "--mode", "handshake", "--clients", "4", "--timeout", "2s")
        wait_until(lambda: redis.info("commandstats").get("cmdstat_fcall", {}).get("calls", 0) > 50)
        server.freeze()
        status, report, error = run.result()
        server.thaw()
    assert status == 1
    assert report["errors"] >= 4
    assert "no answer" in error


def test_idle_counts_memory(deployment):
    server = deployment.start_server("--bot", "echo", *FREE_OF_LIMITS)
    status, report, _ = bench(server, "--mode", "idle", "--clients", "200", "--pid", str(server.pid))
    assert status == 0
    assert "kib_each" in report["processes"][0]


def test_missing_answers_fail(deployment):
    server = deployment.start_server("--default-bot", "echo", *FREE_OF_LIMITS)
    status, report, error = bench(server, "--clients", "3", "--timeout", "500ms")
    assert status == 1
    assert report["count"] == 0 and report["errors"] >= 3
    assert "never answered" in error


def test_wrong_answers_fail(deployment):
    server = deployment.start_server("--bot", "sentiment", *FREE_OF_LIMITS)
    status, report, error = bench(server, "--clients", "3")
    assert status == 1
    assert report["mismatches"] > 0 and report["count"] == 0
    assert "does not match" in error


def test_nobody_there(server):
    server.terminate()
    status, report, error = bench(server)
    assert (status, report) == (1, {})
    assert "refused" in error
