"""HTTP/1.1 over a bare socket: sends any bytes, and is strict about what comes back."""

import json
import re
import select
import socket
import time

DEADLINE_S = 10


class Response:
    def __init__(self, version, status, headers, body):
        self.version = version
        self.status = status
        self.headers = headers  # (lower-case name, value) in order
        self.body = body

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    def header(self, name):
        """The value of a header that may come at most once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def json(self):
        assert self.header("content-type").startswith("application/json"), self
        return json.loads(self.body)

    @property
    def code(self):
        """The stable code of an error answer, whose shape is checked on the way."""
        value = self.json()
        assert set(value) == {"code", "detail"} and set(value["detail"]) == {"loc", "msg"}, value
        return value["code"]

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


def request_bytes(method, target, host, headers=None, body=b""):
    """A request; a header whose value is None is left out, one whose value is a list comes several times."""
    fields = {"Host": host}
    if body or method in ("POST", "PUT"):
        fields["Content-Length"] = str(len(body))
    fields.update(headers or {})
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in fields.items():
        values = value if isinstance(value, list) else [] if value is None else [value]
        lines += [f"{name}: {one}" for one in values]
    return "\r\n".join(lines + ["", ""]).encode("latin-1") + body


class HttpConnection:
    """One TCP connection. Everything has a deadline; a reset by the server ends the stream like a FIN, but is noted."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, DEADLINE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.buffer = b""
        self.is_ended = False
        self.was_reset = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data, deadline_s=DEADLINE_S):
        """Sends, and takes in what comes meanwhile; stops quietly when the server will read no more."""
        end = time.monotonic() + deadline_s
        view = memoryview(data)
        while view:
            readers = [] if self.is_ended else [self.socket]
            readable, writable, _ = select.select(readers, [self.socket], [], max(0.0, end - time.monotonic()))
            assert readable or writable, f"{len(view)} bytes were not taken within {deadline_s} s"
            if readable:
                self._take_in()
            if writable:
                try:
                    view = view[self.socket.send(view) :]
                except (BrokenPipeError, ConnectionResetError):
                    return
                except BlockingIOError:
                    pass

    def send_slowly(self, data):
        """Each byte in a segment of its own."""
        for position in range(len(data)):
            self.send(data[position : position + 1])

    def _take_in(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except ConnectionResetError:
            self.was_reset = True
            data = b""
        self.buffer += data
        self.is_ended = self.is_ended or not data

    def _wait(self, end, what):
        readable, _, _ = select.select([self.socket], [], [], max(0.0, end - time.monotonic()))
        assert readable, f"{what}: nothing came in time; so far {self.buffer[:300]!r}"
        self._take_in()

    def read_exactly(self, size, deadline_s=DEADLINE_S):
        """`size` bytes; None if the stream ended before the first."""
        end = time.monotonic() + deadline_s
        while len(self.buffer) < size and not self.is_ended:
            self._wait(end, f"{size} bytes")
        if not self.buffer and size > 0:
            return None
        assert len(self.buffer) >= size, f"the stream ended inside {self.buffer!r}"
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def read_to_end(self, deadline_s=DEADLINE_S):
        """What comes until the server ends the connection, which it must within the deadline."""
        end = time.monotonic() + deadline_s
        while not self.is_ended:
            self._wait(end, "the end of the connection")
        data, self.buffer = self.buffer, b""
        return data

    def response(self, deadline_s=DEADLINE_S, to_head=False):
        """The next response; None if the connection ended instead."""
        end = time.monotonic() + deadline_s
        while b"\r\n\r\n" not in self.buffer and not self.is_ended:
            self._wait(end, "a response head")
        if not self.buffer:
            return None
        head, separator, self.buffer = self.buffer.partition(b"\r\n\r\n")
        assert separator, f"the stream ended inside {head!r}"
        version, status, headers = parse_head(head)
        length = dict(headers).get("content-length")
        if to_head or status in (101, 204, 304):
            body = b""
        elif length is not None:
            body = self.read_exactly(int(length), end - time.monotonic()) or b""
        else:
            assert ("connection", "close") in headers, f"a body without a length: {headers}"
            body = self.read_to_end(end - time.monotonic())
        return Response(version, status, headers, body)

    def only_response(self, deadline_s=DEADLINE_S):
        """The one response of a connection that the server then closes, with not a byte behind it."""
        response = self.response(deadline_s)
        rest = self.read_to_end(deadline_s)
        assert rest == b"", f"bytes behind the response: {rest!r}"
        return response


def parse_head(head):
    lines = head.decode("latin-1").split("\r\n")
    match = re.fullmatch(r"(HTTP/1\.[01]) ([1-5]\d\d) [ -~]*", lines[0])
    assert match, f"no status line: {lines[0]!r}"
    headers = []
    for line in lines[1:]:
        field = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t -~]*)", line)
        assert field, f"no header: {line!r}"
        headers.append((field[1].lower(), field[2].strip()))
    return match[1], int(match[2]), headers
