"""The sender by itself, against a real server: how many threads it takes, how it ends, and what bounds an attempt."""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest
import trustme
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from raindrop_logging._pipeline import deadline
from raindrop_logging._pipeline.entries import Request, request_of
from raindrop_logging._pipeline.outbox import Outbox, Patience, Settled
from raindrop_logging._pipeline.sender import IDLE_SECONDS, MAX_CONNECTIONS, Receiver, Sender, Trouble, seconds_of
from raindrop_logging.settings import Secret
from raindrop_logging.wire import Lane
from tests.faults import faulty_server as faults
from tests.faults.faulty_server import FaultyServer
from tests.stages.entries_made import item
from tests.wire.harness import PATIENCE, attach, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.wire.recorder import Recorder

RETRIES = Patience(budget=60.0, base_delay=0.05, max_delay=0.2, jitter=0.0, max_attempts=None)


class Made:
    """Senders to one server, stopped with the test, and what they said."""

    def __init__(self, server: FaultyServer) -> None:
        self.server = server
        self.settled: list[Settled] = []
        self.troubles: list[Trouble] = []
        self.senders: list[Sender] = []

    def sender(
        self,
        *,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        trouble: Callable[[Trouble], None] | None = None,
        settled: Callable[[Settled], None] | None = None,
    ) -> Sender:
        """One more."""
        receiver = Receiver(
            name="cloud",
            endpoint=self.server.endpoint,
            write_key=Secret("key"),
            project_id=None,
            timeout=timeout,
            proxy=None,
            verify=True,
            user_agent="test",
            quotes_answers=False,
        )
        made = Sender(
            receiver,
            Outbox(RETRIES, lambda: 0.5),
            clock=clock,
            settled=lambda one, _: (settled or self.settled.append)(one),
            trouble=trouble or self.troubles.append,
        )
        self.senders.append(made)
        return made

    @property
    def connections(self) -> int:
        """How many the server has seen requests on."""
        return len({request.connection for request in self.server.requests})


@pytest.fixture
def made() -> Iterator[Made]:
    """Senders of this test's own."""
    with FaultyServer() as server:
        found = Made(server)
        yield found
        for sender in found.senders:
            sender.stop()


def _event(number: int, *, key: str | None = None, size: int = 0) -> Request:
    body = f'{{"event_id":"{key or number}","n":{number},"x":"{"x" * size}"}}'
    return request_of(Lane.PARTIALS, (item(Lane.PARTIALS, body.encode(), key or f"e{number}"),))


def _soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


# ---- threads


def test_fast_answers_need_two_connections(made: Made) -> None:
    """A backlog of hundreds is no reason for more, when it is gone at once at the pace of the answers."""
    sender = made.sender(clock=lambda: time.monotonic() / 1_000)  # on its watch every answer is fast
    for number in range(300):
        sender.submit(_event(number))
    assert sender.wait(_soon() / 1_000)
    assert len(made.server.taken) == 300
    assert made.connections <= 2


def test_slow_answers_and_a_backlog_ask_for_more_connections(made: Made) -> None:
    """At 0.2 s an answer, a hundred requests would take one connection twenty seconds: more are opened, to a limit."""
    made.server.default = faults.slow(0.2)
    sender = made.sender()
    for number in range(100):
        sender.submit(_event(number))
    assert sender.wait(_soon())
    assert 4 <= made.connections <= MAX_CONNECTIONS


def test_what_it_carries_in_a_second_follows_from_the_pace_of_the_answers(made: Made) -> None:
    """All connections at that pace; where answers are fast it is not they that limit it."""
    sender = made.sender()
    sender.submit(_event(0))
    assert sender.wait(_soon())
    assert sender.a_second == math.inf
    made.server.default = faults.slow(0.2)
    for number in range(1, 100):
        sender.submit(_event(number))
    assert sender.wait(_soon())
    assert MAX_CONNECTIONS / 2 < sender.a_second <= MAX_CONNECTIONS / 0.1


def test_slow_answers_and_no_more_room_ask_for_more_connections(made: Made) -> None:
    """Where it has all it can hold in a few large requests, what is held back for them is a backlog as well."""
    made.server.default = faults.slow(0.15)
    room = threading.Semaphore(9)
    sender = made.sender(settled=lambda _: room.release())
    for number in range(40):
        assert room.acquire(timeout=20.0)
        sender.submit(_event(number, size=950_000))
    assert sender.wait(_soon())
    assert 4 <= made.connections <= MAX_CONNECTIONS


def test_slow_answers_without_a_backlog_do_not(made: Made) -> None:
    """One request after the other needs no second connection to wait on."""
    made.server.default = faults.slow(0.1)
    sender = made.sender()
    for number in range(8):
        sender.submit(_event(number))
        assert sender.wait(_soon())
    assert made.connections <= 2


def test_what_must_wait_for_its_turn_asks_for_no_connection(made: Made) -> None:
    """A hundred partials of one event go one after the other: more connections would only stand idle."""
    made.server.default = faults.slow(0.02)
    sender = made.sender()
    for number in range(100):
        sender.submit(_event(number, key="run"))
    assert sender.wait(_soon())
    assert [one.raw.split(b",")[1] for one in made.server.taken] == [b'"n":%d' % number for number in range(100)]
    assert made.connections <= 2


@pytest.mark.slow
def test_threads_that_are_no_longer_needed_end(made: Made) -> None:
    """What a backlog has called goes again, but for one that waits for the next request."""
    made.server.default = faults.slow(0.2)
    sender = made.sender()
    for number in range(60):
        sender.submit(_event(number))
    assert sender.wait(_soon())
    until = _soon(IDLE_SECONDS * 6)
    while len(sender._threads) > 1 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(sender._threads) == 1
    sender.submit(_event(99))
    assert sender.wait(_soon())


# ---- waiting and ending


def test_trouble_is_told_before_the_wait_for_its_request_ends(made: Made) -> None:
    """Whoever flushes has the line about what was refused, however late he began to wait."""
    told, go_on = threading.Event(), threading.Event()

    def trouble(_: Trouble) -> None:
        told.set()
        go_on.wait(20)

    made.server.default = faults.status(400)
    sender = made.sender(trouble=trouble)
    sender.submit(_event(1))
    assert told.wait(20)
    assert (sender.requests, len(made.settled)) == (0, 1)
    assert not sender.wait(_soon(0.1))
    go_on.set()
    assert sender.wait(_soon())


def test_a_stop_within_a_request_gives_it_up_and_says_so_once(made: Made) -> None:
    """What has no answer yet is counted by the stop, at once, and not a second time when its answer comes."""
    gate = threading.Event()

    def play(exchange: faults.Exchange) -> None:
        gate.wait(20)
        exchange.answer(200)

    made.server.default = faults.Fault("body", play)
    sender = made.sender()
    sender.submit(_event(1))
    sender.submit(_event(2, key="e1"))
    made.server.wait_for("the first is on its way", lambda: len(made.server.requests) == 1)
    waiter_done = threading.Event()

    def wait() -> None:
        if sender.wait(_soon()):
            waiter_done.set()

    waiter = threading.Thread(target=wait)
    waiter.start()
    assert sum(request.records for request in sender.stop()) == 2
    assert waiter_done.wait(20), "whoever waits is let go"
    waiter.join()
    assert (sender.records, sender.requests) == (0, 0)
    threads = list(sender._threads)
    gate.set()
    for thread in threads:
        thread.join(20)
    assert not sender.has_threads
    assert made.settled == []


def test_a_wait_in_the_moment_the_threads_end_ends_too(made: Made) -> None:
    """Submit, wait and stop from three threads, in any order: nobody hangs and every record ends once."""
    for number in range(50):
        made.settled.clear()
        sender = made.sender()
        sender.submit(_event(number))
        lost: list[int] = []
        threads = [
            threading.Thread(target=sender.wait, args=(_soon(),)),
            threading.Thread(target=lambda sender=sender, lost=lost: lost.extend(one.records for one in sender.stop())),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        assert sum(lost) + sum(len(one.delivered) for one in made.settled) == 1


def test_sending_inline_ends_with_its_deadline(made: Made) -> None:
    """Where no thread can start, a server that hangs holds the caller no longer than he said."""
    made.server.default = faults.hang
    sender = made.sender()
    sender._outbox.add(_event(1))
    started = time.monotonic()
    sender.work_inline(started + 0.5)
    assert 0.4 < time.monotonic() - started < 5.0
    made.server.default = faults.status(200)
    sender.hurry()
    sender.work_inline(_soon())
    assert len(made.server.taken) == 1


# ---- one attempt


@pytest.mark.parametrize(
    "fault", [faults.hang, faults.drip_head, faults.never_read], ids=["hang", "drip", "never read"]
)
def test_one_attempt_ends_as_a_whole(made: Made, fault: faults.Fault) -> None:
    """However a server stretches an exchange, and though the body is larger than any buffer."""
    made.server.script(fault)
    sender = made.sender(timeout=1.0)
    sender.submit(_event(1, size=10_000_000 if fault is faults.never_read else 0))
    started = time.monotonic()
    made.server.wait_for("the second attempt", lambda: bool(made.server.taken))
    assert time.monotonic() - started < 15.0
    assert sender.wait(_soon())
    assert [trouble.kind for trouble in made.troubles] == ["waiting"]


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9", "https://127.0.0.1:9"])
def test_every_transport_is_bounded(proxy: str | None) -> None:
    """With and without a proxy, httpx's pool is as the deadline needs it."""
    with httpx.HTTPTransport(proxy=proxy) as transport:
        assert deadline.bounded(transport)


def test_a_transport_that_is_built_otherwise_is_left_alone() -> None:
    """Should httpx change inside, each read still has its own timeout, and nothing breaks."""
    transport = httpx.HTTPTransport()
    transport.close()
    del transport._pool
    assert not deadline.bounded(transport)


def test_the_deadline_holds_through_a_proxy(made: Made) -> None:
    """A proxy that drips its answer is bounded as the receiver is."""
    made.server.default = faults.drip_head
    with httpx.HTTPTransport(proxy=f"http://127.0.0.1:{made.server.port}") as transport:
        assert deadline.bounded(transport)
        started = time.monotonic()
        with deadline.ends_within(0.5), pytest.raises(httpx.ReadTimeout):
            transport.handle_request(httpx.Request("POST", "http://receiver.invalid/v1/", content=b"{}"))
        assert time.monotonic() - started < 10.0


class _Tunnel:
    """An HTTPS proxy that takes one CONNECT, and then carries bytes to and fro."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self._listening, suppress(OSError):
            accepted, _ = self._listening.accept()
            with self._context.wrap_socket(accepted, server_side=True) as client:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += client.recv(4096)
                host, _, port = head.split()[1].decode().rpartition(":")
                with socket.create_connection((host, int(port))) as server:
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    back = threading.Thread(target=_carry, args=(server, client), daemon=True)
                    back.start()
                    _carry(client, server)
                    back.join(20)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


_TLS_WITHIN_TLS = pytest.mark.skipif(httpcore.__version__ == "1.0.0", reason="httpcore 1.0.0 refuses it")


@pytest.mark.parametrize("through_a_proxy", [False, pytest.param(True, marks=_TLS_WITHIN_TLS)])
def test_a_body_arrives_whole_through_tls_and_through_tls_within_tls(through_a_proxy: bool) -> None:
    """To a receiver by HTTPS, and to it through a proxy that speaks HTTPS as well, whose socket is none to write to."""
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    body = b'{"event_id":"e","x":"%s"}' % (b"x" * 1_000_000)
    proxy = httpx.Proxy(_Tunnel(serving).url, ssl_context=trusting) if through_a_proxy else None
    with FaultyServer(serving) as server, httpx.HTTPTransport(verify=trusting, proxy=proxy) as transport:
        assert deadline.bounded(transport)
        headers = {"Content-Length": str(len(body)), "Content-Type": "application/json"}
        request = httpx.Request("POST", f"{server.endpoint}events/track_partial", headers=headers, content=body)
        with deadline.ends_within(20.0):
            assert transport.handle_request(request).status_code == 200
        assert [one.body for one in server.requests] == [body]


def test_an_http_address_needs_no_certificates(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is shown none is read: a missing bundle holds nothing up, and a local receiver is reached sooner."""
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/bundle.pem")
    sender = made.sender()
    sender.submit(_event(1))
    assert sender.wait(_soon())
    assert len(made.server.taken) == 1


def test_every_address_of_a_host_is_tried(made: Made) -> None:
    """A host of several addresses is reached at the one that listens, and one of none is a connection that failed."""
    with httpx.HTTPTransport() as transport:
        deadline.bounded(transport)
        with deadline.ends_within(20.0):
            found = transport.handle_request(
                httpx.Request("POST", f"http://localhost:{made.server.port}/", content=b"{}")
            )
            assert found.status_code == 200
        with deadline.ends_within(20.0), pytest.raises(httpx.ConnectError):
            transport.handle_request(httpx.Request("POST", "http://receiver.invalid/", content=b"{}"))


def test_a_deadline_inside_another_only_shortens_it(made: Made) -> None:
    """The outer one holds whatever is asked for inside, and is back afterwards."""
    made.server.script(faults.hang, faults.status(200))
    with httpx.HTTPTransport() as transport:
        deadline.bounded(transport)
        asked = httpx.Request("POST", made.server.endpoint, content=b"{}")
        with deadline.ends_within(0.3), deadline.ends_within(60.0), pytest.raises(httpx.ReadTimeout):
            transport.handle_request(asked)
        with deadline.ends_within(20.0):
            assert transport.handle_request(asked).status_code == 200
        with deadline.ends_within(0.0), pytest.raises(httpx.TimeoutException):
            transport.handle_request(asked)


NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("4", 4.0),
        ("0.5", 0.5),
        ("-3", -3.0),
        (format_datetime(NOW + timedelta(seconds=4), usegmt=True), 4.0),
        ("Thu Nov 26 12:00:04 2026", 4.0),
        ("Thursday, 26-Nov-26 12:00:04 GMT", 4.0),
        ("nan", None),
        ("1e999", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_retry_after_is_read_in_every_form_that_http_has(said: str | None, seconds: float | None) -> None:
    """Seconds, and each of the three dates, all in GMT; what is none of them says nothing."""
    assert seconds_of(said, NOW.timestamp) == seconds


# ---- an application that traces its HTTP calls


def test_an_application_that_traces_httpx_gets_no_span_of_ours(recorder: Recorder) -> None:
    """Instrumented for its own calls, it sees none of ours: no span, and no header of its trace on our requests."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = HTTPXClientInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        handler = attach(recorder.endpoint)
        say({"type": "event", "user_id": "u", "event": "e"})
        assert handler.flush(PATIENCE)
        (ours,) = recorder.requests
        assert exporter.get_finished_spans() == ()
        assert "traceparent" not in ours.headers
        _own_call(recorder)
        assert len(exporter.get_finished_spans()) == 1, "its own calls are traced as before"
        assert "traceparent" in recorder.requests[-1].headers
    finally:
        instrumentor.uninstrument()
        provider.shutdown()


def _own_call(recorder: Recorder, **options: Any) -> None:
    with httpx.Client(trust_env=False, **options) as client:
        client.post(recorder.endpoint, content=b"{}")
