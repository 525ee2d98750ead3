"""A server that fails on purpose, below HTTP where need be; it shares no code with the package.

In:  HTTP/1.1 requests on a loopback port of its own, kept alive between requests, through TLS where a context is given.
Out: what arrived (`requests`), what it took of it (`taken`), and the faults it was told to commit.

A fault is played once for each time it is named in `script`, in that order; then `default` goes on for ever.
"""

from __future__ import annotations

import contextlib
import json
import random
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from itertools import count
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping
    from types import TracebackType

_PATIENCE = 30.0
"""Nothing that a fault holds up outlives this, nor `close`."""

_RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and when it takes over: with the connection, behind the request's head, or behind its body."""

    when: Literal["connection", "head", "body"]
    play: Callable[[Exchange], None]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a request's body, byte for byte; ``event_id`` is None where it names no event."""

    event_id: str | None
    raw: bytes


@dataclass(slots=True)
class Request:
    """One request whose body has arrived; ``answered`` is the status it got, None where it got none."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float
    connection: int
    answered: int | None = None

    @property
    def items(self) -> list[Item]:
        """The things in it, an array taken apart without changing a byte; of spans, which are no JSON, none."""
        if self.headers.get("content-type", "").endswith("protobuf"):
            return []
        text, found, decoder = self.body.decode(), list[Item](), json.JSONDecoder()
        at = 1 if text.startswith("[") else 0
        while at < len(text) and text[at] != "]":
            value, end = decoder.raw_decode(text, at)
            found.append(Item(value.get("event_id"), text[at:end].encode()))
            at = end + text[end : end + 1].count(",")
        return found


@dataclass(slots=True)
class _State:
    script: deque[Fault] = field(default_factory=deque)
    open: set[socket.socket] = field(default_factory=set)
    listening: socket.socket | None = None
    closing: threading.Event = field(default_factory=threading.Event)


class FaultyServer:
    """Starts at once; `stop` and `start` take it down and up again on the same port.

    >>> with FaultyServer() as server:
    ...     server.script(lost_answer, *[status(500)] * 3)
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.taken: list[Item] = []
        self.default = status(200)
        self.tls = tls
        self._state = _State()
        self._news = threading.Condition()
        self._connections = count(1)
        self.port = 0
        self.start()

    @property
    def endpoint(self) -> str:
        """The address to configure as `endpoint`."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/v1/"

    def script(self, *faults: Fault) -> None:
        """Append faults, each played once."""
        with self._news:
            self._state.script.extend(faults)

    def attempts(self, route: str | None = None) -> list[float]:
        """When requests arrived, of one route if named; monotonic seconds."""
        return [request.at for request in self.requests if route is None or request.path.endswith(route)]

    def bodies_by_event(self) -> dict[str, list[bytes]]:
        """What it took, by event, in the order of arrival."""
        found: dict[str, list[bytes]] = {}
        for item in self.taken:
            found.setdefault(item.event_id or "", []).append(item.raw)
        return found

    def wait_for(self, said: str, happened: Callable[[], bool], timeout: float = 20.0) -> None:
        """Block until something is true of what arrived."""
        with self._news:
            if not self._news.wait_for(happened, timeout):
                raise AssertionError(f"not within {timeout} s: {said}; {len(self.requests)} requests came")

    # ---- up and down

    def start(self) -> None:
        """Listen, on the port it had before if it had one."""
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(128)
        self.port = listening.getsockname()[1]
        self._state.listening = listening
        threading.Thread(target=self._accept, args=(listening,), name="faulty-server", daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on, and break those that are open."""
        listening, self._state.listening = self._state.listening, None
        for one in [*([listening] if listening else []), *self._state.open]:
            _hang_up(one)
        if listening:
            listening.close()

    def close(self) -> None:
        """End, and everything that a fault holds up with it."""
        self._state.closing.set()
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    # ---- one connection

    def _accept(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._serve, args=(connection,), name="faulty-connection", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        exchange = Exchange(self, connection, next(self._connections))
        self._state.open.add(connection)
        with contextlib.suppress(OSError, EOFError):
            if not exchange.struck_at("connection"):
                exchange.serve()
        self._state.open -= {connection, exchange.connection}
        exchange.connection.close()

    def _fault(self, when: str) -> Fault | None:
        with self._news:
            script = self._state.script
            chosen = script[0] if script else self.default
            if chosen.when != when:
                return None
            if script:
                script.popleft()
            return chosen

    def _note(self, request: Request) -> None:
        with self._news:
            self.requests.append(request)
            self._news.notify_all()

    def _take(self, request: Request) -> None:
        with self._news:
            self.taken += request.items
            self._news.notify_all()


class Exchange:
    """One connection, as a fault has it in hand."""

    def __init__(self, server: FaultyServer, connection: socket.socket, number: int) -> None:
        self.server = server
        self.connection = connection
        self.number = number
        self.request: Request | None = None
        self.over = False
        self._read = bytearray()

    def struck_at(self, when: Literal["connection", "head", "body"]) -> bool:
        """Play the fault that is due then, if one is; whether the connection is at its end."""
        fault = self.server._fault(when)
        if fault is not None:
            fault.play(self)
        return self.over

    def serve(self) -> None:
        """Answer requests until one of both hangs up."""
        if self.server.tls:
            self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
            self.server._state.open.add(self.connection)
        while not self.over:
            path, headers = self._head()
            if self.struck_at("head"):
                return
            body = self._exactly(int(headers.get("content-length", "0")))
            self.request = Request(path, headers, body, time.monotonic(), self.number)
            self.server._note(self.request)
            self.struck_at("body")

    # ---- what faults are made of

    def take(self) -> None:
        """The server's side is done: what the request carried has arrived for good."""
        assert self.request is not None
        self.server._take(self.request)

    def answer(self, code: int, headers: Mapping[str, str] | None = None, body: bytes = b"{}") -> None:
        """A whole answer; a 2xx takes what was sent."""
        assert self.request is not None
        self.request.answered = code
        if code // 100 == 2:
            self.take()
        self.send(head(code, {"Content-Length": str(len(body)), **(headers or {})}) + body)

    def send(self, raw: bytes) -> None:
        """Bytes as they are."""
        self.connection.sendall(raw)

    def wait(self, seconds: float = _PATIENCE) -> None:
        """Do nothing, as long as the server is up."""
        self.server._state.closing.wait(seconds)

    def read(self, nbytes: int) -> None:
        """Take so many bytes from the socket, and leave the rest there."""
        self._exactly(nbytes)

    def hang_up(self) -> None:
        """Close in good manners."""
        self.over = True
        _hang_up(self.connection)

    def reset(self) -> None:
        """Close with a reset, which also throws away what the client has not read yet."""
        self.over = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.connection.close()

    def _head(self) -> tuple[str, dict[str, str]]:
        while b"\r\n\r\n" not in self._read:
            self._more()
        raw = self._exactly(self._read.index(b"\r\n\r\n") + 4)
        first, *lines = raw.decode("latin-1").strip().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return first.split(" ")[1], {name.lower(): value.strip() for name, _, value in pairs}

    def _exactly(self, nbytes: int) -> bytes:
        while len(self._read) < nbytes:
            self._more()
        taken = bytes(self._read[:nbytes])
        del self._read[:nbytes]
        return taken

    def _more(self) -> None:
        came = self.connection.recv(65_536)
        if not came:
            raise EOFError
        self._read += came


def head(code: int, headers: Mapping[str, str]) -> bytes:
    """An answer's head."""
    lines = [f"HTTP/1.1 {code} Said", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


# ---- faults ---------------------------------------------------------------------------------------------------------


def status(code: int, headers: Mapping[str, str] | None = None, body: bytes = b"{}") -> Fault:
    """An answer, in good form."""
    return Fault("body", lambda exchange: exchange.answer(code, headers, body))


def retry_after(seconds: float, *, as_date: bool = False) -> Fault:
    """A 429 that asks to wait; as a date it is a whole second, rounded up, so that it never asks for less."""

    def play(exchange: Exchange) -> None:
        asked = formatdate(int(time.time() + seconds) + 1, usegmt=True) if as_date else f"{seconds:g}"
        exchange.answer(429, {"Retry-After": asked})

    return Fault("body", play)


def slow(seconds: float) -> Fault:
    """A good answer that takes its time."""

    def play(exchange: Exchange) -> None:
        exchange.wait(seconds)
        exchange.answer(200)

    return Fault("body", play)


def judging(judge: Callable[[Request], int]) -> Fault:
    """A status by what was sent."""

    def play(exchange: Exchange) -> None:
        assert exchange.request is not None
        exchange.answer(judge(exchange.request))

    return Fault("body", play)


def refusing(word: str, code: int = 400) -> Fault:
    """Refuses every request that has a word in it."""
    return judging(lambda request: code if word.encode() in request.body else 200)


def refusing_above(nbytes: int) -> Fault:
    """413 for every body that is larger."""
    return judging(lambda request: 413 if len(request.body) > nbytes else 200)


def at_random(seed: int, share: float) -> Fault:
    """503 for a share of the requests, in an order that the seed makes."""
    chance = random.Random(seed)  # noqa: S311 -- failures, not a secret
    return judging(lambda _: 503 if chance.random() < share else 200)


def _never_read(exchange: Exchange) -> None:
    exchange.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    exchange.wait()
    exchange.hang_up()


def _hang(exchange: Exchange) -> None:
    exchange.wait()
    exchange.hang_up()


def _drip(exchange: Exchange, raw: bytes) -> None:
    for byte in raw:
        exchange.send(bytes([byte]))
        exchange.wait(0.1)
        if exchange.server._state.closing.is_set():
            break
    exchange.hang_up()


def _drip_head(exchange: Exchange) -> None:
    _drip(exchange, head(200, {"X-Filler": "x" * 10_000, "Content-Length": "0"}))


def _drip_body(exchange: Exchange) -> None:
    assert exchange.request is not None
    exchange.request.answered = 200
    exchange.take()
    exchange.send(head(200, {"Content-Length": "10000"}))
    _drip(exchange, b"x" * 10_000)


def _reset_in_request(exchange: Exchange) -> None:
    exchange.read(min(100, len(exchange._read)))
    exchange.reset()


def _reset_in_answer(exchange: Exchange) -> None:
    exchange.take()
    exchange.send(b"HTTP/1.1 200 O")
    exchange.reset()


def _lost_answer(exchange: Exchange) -> None:
    exchange.take()
    exchange.hang_up()


def _tls_garbage(exchange: Exchange) -> None:
    exchange.connection.recv(65_536)
    exchange.send(b"220 mail.example.com ESMTP\r\n" + bytes(range(256)))
    exchange.hang_up()


hang = Fault("body", _hang)
never_read = Fault("connection", _never_read)
drip_head = Fault("body", _drip_head)
drip_body = Fault("body", _drip_body)
reset_in_request = Fault("head", _reset_in_request)
reset_in_answer = Fault("body", _reset_in_answer)
lost_answer = Fault("body", _lost_answer)
tls_garbage = Fault("connection", _tls_garbage)
