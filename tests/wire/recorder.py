"""A server that writes down what arrives and answers as it was told; it shares no code with the package.

In:  HTTP/1.1 requests on a loopback port of its own, kept alive between requests.
Out: `Recorder.requests`, and the scripted answers (204 when the script says nothing).
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping
    from email.message import Message
    from types import TracebackType

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

_GATE_PATIENCE = 30.0
_STATUS_CODES = {0: "UNSET", 1: "OK", 2: "ERROR"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the recorder says to one request.

    Args:
        status: the HTTP status; None closes the connection without a word.
        gate: the answer is held back until this event is set (or the recorder is closed).
        route: only a request whose path ends with this takes the answer; None means any request.
    """

    status: int | None = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    gate: threading.Event | None = None
    route: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: Message
    body: bytes
    connection: int
    at: float

    @property
    def route(self) -> str:
        """The path behind the API version, such as `events/track`."""
        return self.path.partition("/v1/")[2]

    @property
    def json(self) -> Any:
        """The body as JSON; a duplicate key or a bare NaN is an error, since servers differ on both."""
        return json.loads(self.body.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constants)

    @property
    def spans(self) -> list[dict[str, Any]]:
        """The spans of an OTLP protobuf body as plain values, ids in hex."""
        message = ExportTraceServiceRequest()
        message.ParseFromString(self.body)
        return [
            {
                "name": span.name,
                "kind": int(span.kind),
                "trace_id": span.trace_id.hex(),
                "span_id": span.span_id.hex(),
                "parent_id": span.parent_span_id.hex(),
                "start": span.start_time_unix_nano,
                "end": span.end_time_unix_nano,
                "status": {"code": _STATUS_CODES[int(span.status.code)], "message": span.status.message},
                "attributes": _attributes(span.attributes),
                "events": [{"name": event.name, "attributes": _attributes(event.attributes)} for event in span.events],
                "scope": scope.scope.name,
                "resource": _attributes(resource.resource.attributes),
            }
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class Recorder:
    """The recording server; starts at once, stops with `close` or at the end of a `with`.

    A request gets the next scripted answer that fits it, else what `judge` says of it, else `default`.

    >>> with Recorder() as recorder:
    ...     recorder.script(Answer(503), Answer(204))
    ...     recorder.wait_for(2)
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.default = Answer()
        self.judge: Callable[[Request], Answer | None] = lambda _: None
        self._script: deque[Answer] = deque()
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._connections = count(1)
        self._open: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="recorder", daemon=True
        )
        self._thread.start()

    @property
    def base(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def endpoint(self) -> str:
        """The address to configure as `endpoint`."""
        return f"{self.base}/v1/"

    def script(self, *answers: Answer) -> None:
        """Append answers; each is given once, in order, to the first request whose route it fits."""
        with self._news:
            self._script.extend(answers)

    def wait_for(self, n: int, timeout: float = 10.0, route: str | None = None) -> list[Request]:
        """Block until n requests (of one route, if named) have arrived; all that did arrive are returned."""
        with self._news:
            if not self._news.wait_for(lambda: len(self.to(route)) >= n, timeout):
                arrived = [request.path for request in self.requests]
                raise AssertionError(f"{n} requests to {route or 'any route'} expected within {timeout} s: {arrived}")
            return self.to(route)

    def to(self, route: str | None) -> list[Request]:
        """The requests to one route so far; None means all."""
        return [request for request in self.requests if route is None or request.route == route]

    def bodies(self, route: str) -> list[Any]:
        """The JSON bodies sent to one route so far."""
        return [request.json for request in self.to(route)]

    def items(self, route: str) -> list[dict[str, Any]]:
        """The single items sent to one route so far, arrays taken apart."""
        return [item for body in self.bodies(route) for item in (body if isinstance(body, list) else [body])]

    def spans(self) -> list[dict[str, Any]]:
        """All spans so far."""
        return [span for request in self.to("traces") for span in request.spans]

    def close(self) -> None:
        """Release every held answer, hang up and stop."""
        self._closing.set()
        with self._news:
            gates = [answer.gate for answer in (*self._script, self.default) if answer.gate]
            self._script.clear()
        for gate in gates:
            gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in list(self._open):
            _hang_up(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self.close()

    def _note(self, request: Request) -> Answer:
        with self._news:
            self.requests.append(request)
            answer = next((a for a in self._script if a.route is None or request.path.endswith(a.route)), None)
            if answer is not None:
                self._script.remove(answer)
            self._news.notify_all()
        return answer or self.judge(request) or self.default


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], recorder: Recorder) -> None:
        self.recorder = recorder
        super().__init__(address, _Exchange)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.number = next(self.server.recorder._connections)
        self.server.recorder._open.add(self.connection)

    def finish(self) -> None:
        self.server.recorder._open.discard(self.connection)
        super().finish()

    def do_POST(self) -> None:
        recorder = self.server.recorder
        body = self._body()
        if body is None:
            self.close_connection = True
            return
        answer = recorder._note(Request(self.command, self.path, self.headers, body, self.number, time.monotonic()))
        if answer.gate is not None:
            _wait_for_either(answer.gate, recorder._closing)
        if answer.status is None:
            self.close_connection = True
            _hang_up(self.connection)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.status != 204 and self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_OPTIONS = do_POST

    def _body(self) -> bytes | None:
        """The whole body; None from a sender that was gone before its end, whose request was never made."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            return body if len(body) == length else None
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        return b"".join(chunks) if self.rfile.readline() else None

    def log_message(self, *_: Any) -> None:
        """The recorder keeps what arrives; it prints nothing."""


def _wait_for_either(gate: threading.Event, closing: threading.Event) -> None:
    deadline = time.monotonic() + _GATE_PATIENCE
    while not gate.wait(0.05) and not closing.is_set() and time.monotonic() < deadline:
        pass


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(2)


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    which = value.WhichOneof("value")
    if which == "array_value":
        return [_value(element) for element in value.array_value.values]
    if which == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, which) if which else None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise AssertionError(f"a key twice in one object: {keys}")
    return dict(pairs)


def _no_constants(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")
