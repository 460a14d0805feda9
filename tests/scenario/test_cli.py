"""banter, the tool for people: what it prints where, and how it ends."""

import json
import os
import pty
import select
import subprocess
import uuid

import pytest

from banter import BIN, ENVIRONMENT, wait_until


def banter(server, *words, stdin="", **environment):
    """Runs one command to its end."""
    return subprocess.run(
        [BIN / "banter", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        env={**ENVIRONMENT, "BANTER_URL": server.urls[0], **environment},
    )


def test_token_is_all_of_stdout(server):
    result = banter(server, "token", "--name", "Ann")
    assert (result.returncode, result.stderr) == (0, "")
    assert uuid.UUID(result.stdout.strip()).version == 4
    answer = banter(server, "token", "--json", "--name", "Ann").stdout
    assert json.loads(answer)["name"] == "Ann"
    assert answer.count("\n") == 1


@pytest.mark.parametrize(
    "words, stdin, answer",
    [
        (["send", "hello", "there"], "", "BOT: hello there\n"),
        (["send"], "from a pipe\n", "BOT: from a pipe\n"),
        (["send", "-"], "two\nlines\n", "BOT: two\nlines\n"),
        (["send", "--json", 'a "b"'], "", '{"msg":"BOT: a \\"b\\""}\n'),
    ],
)
def test_send_prints_only_the_answer(server, words, stdin, answer):
    result = banter(server, *words, stdin=stdin)
    assert (result.returncode, result.stdout, result.stderr) == (0, answer, "")


@pytest.mark.parametrize(
    "program, words",
    [
        ("banter", ["token"]),
        ("banter-bench", []),
        ("banter-bot", ["--redis", "redis://127.0.0.1:1", "--bot", "echo"]),
    ],
)
def test_without_descriptors_it_says_so(program, words):
    # Seven: with fewer libuv aborts by itself, with more it has what it needs. A hard limit is not raised again.
    limited = ["sh", "-c", 'ulimit -n 7; exec "$0" "$@"', BIN / program, *words]
    result = subprocess.run(limited, capture_output=True, text=True, timeout=30, env=ENVIRONMENT)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"{program}: too many open files\n"


def test_send_on_a_session_that_exists(server, tmp_path):
    token = banter(server, "token").stdout.strip()
    file = tmp_path / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    assert banter(server, "send", "a", BANTER_TOKEN=token).stdout == "BOT: a\n"
    assert banter(server, "send", "b", "--token-file", str(file)).stdout == "BOT: b\n"


def test_send_refused(server):
    result = banter(server, "send", "  ")
    assert (result.returncode, result.stdout) == (1, "")
    assert "empty" in result.stderr


def test_unknown_token(server):
    result = banter(server, "send", "hi", "--token", str(uuid.uuid4()))
    assert (result.returncode, result.stdout) == (1, "")
    assert "1008" in result.stderr and "leave --token" in result.stderr


def test_no_worker_is_a_timeout(deployment):
    server = deployment.start_server("--default-bot", "echo")
    result = banter(server, "send", "hi", "--timeout", "500ms")
    assert (result.returncode, result.stdout) == (3, "")
    assert "no answer in time" in result.stderr


def test_nobody_there_says_what_to_do(server):
    server.terminate()
    result = banter(server, "send", "hi")
    assert result.returncode == 1
    assert "refused" in result.stderr and "is banterd running?" in result.stderr


@pytest.mark.parametrize("words", [["sned", "hi"], [], ["token", "Ann"], ["send", "hi", "--token", "abc"]])
def test_wrong_usage(server, words):
    result = banter(server, *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr


def test_suggestion(server):
    assert "did you mean `banter send`?" in banter(server, "sned").stderr


def test_chat_answers_each_line_and_waits_for_the_last(deployment):
    server = deployment.start_server("--bot", "echo", "--message-rate", "0")
    lines = [f"line {number}" for number in range(100)]
    result = banter(server, "chat", stdin="\n".join(lines))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [f"BOT: {line}" for line in lines]


def test_chat_ends_at_quit(server):
    assert banter(server, "chat", stdin="a\n\n/quit\nb\n").stdout == "BOT: a\n"


class Terminal:
    """banter at the other end of a pseudo-terminal."""

    def __init__(self, server, *words):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(BIN / "banter", ["banter", *words], {**ENVIRONMENT, "BANTER_URL": server.urls[0]})

    def read_until(self, end):
        def has_come():
            if select.select([self.fd], [], [], 0)[0]:
                self.text += os.read(self.fd, 4096).decode()
            return self.text.endswith(end)

        wait_until(has_come, what=repr(end))
        seen, self.text = self.text, ""
        return seen

    def type(self, text):
        os.write(self.fd, text.encode())

    def wait(self):
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status


def test_chat_on_a_terminal(server):
    terminal = Terminal(server, "chat")
    assert "Ctrl-D" in terminal.read_until(">>> ")
    terminal.type("hello\n")
    assert terminal.read_until("\r\n>>> ") == "hello\r\nBOT: hello\r\n>>> "
    terminal.type("\n")
    assert terminal.read_until("\r\n>>> ") == "\r\n>>> "
    terminal.type("\x04")
    assert terminal.wait() == 0


def test_answers_cannot_command_the_terminal(server):
    terminal = Terminal(server, "send", "red \x1b[31m \u009b31m \x07 tab\t.")
    assert terminal.read_until(".\r\n") == "BOT: red ?[31m ?31m ? tab\t.\r\n"
    assert terminal.wait() == 0


def test_chat_on_a_terminal_ends_with_the_session(server):
    token = banter(server, "token").stdout.strip()
    terminal = Terminal(server, "chat", "--token", token)
    terminal.read_until(">>> ")
    server.terminate()
    assert terminal.read_until("moment\r\n").startswith("\r\nbanter: the server ended the conversation")
    assert terminal.wait() == 1
