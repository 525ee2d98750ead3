"""Carry requests to one receiver over HTTP: a few threads, one keep-alive client, every answer accounted for.

In: Request
Out: POSTs; Settled to whoever keeps the accounts
Touches: sockets (httpx), its own threads, the clock
"""

from __future__ import annotations

import codecs
import math
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from raindrop_logging._pipeline.entries import Item, Request
from raindrop_logging._pipeline.outbox import Attempt, Outbox, Settled, Verdict, verdict_of
from raindrop_logging.late_imports import not_across_fork
from raindrop_logging.settings import Secret
from raindrop_logging.wire import ARRAY_LANES, JSON, PROJECT_HEADER, PROTOBUF, ROUTES, Lane, start_workshop

if TYPE_CHECKING:
    import ssl

    import httpx

MAX_CONNECTIONS = 16
"""Requests on their way at once; order per event id holds whatever the number (see outbox)."""

BACKLOG_SECONDS = 1.0
"""What may go now should be on its way within this; if answers are too slow for that, one more connection is opened."""

SLOW_SECONDS = 0.02
"""Answers that come faster than this leave nothing to gain: sending itself is what takes the time."""

_ROUND_TRIP_WEIGHT = 0.2
"""Of the newest answer in the average; a few slow ones have to follow each other before they count."""

IDLE_SECONDS = 5.0
"""A thread that had nothing to do for so long ends, unless no other one is idle."""

MAX_CONNECT_SECONDS = 5.0

MIN_MASKED_CHARS = 6
"""Keys shorter than this are made up, and masking them would only garble the text around."""

MAX_ANSWER_CHARS = 200
MAX_ANSWER_BYTES = 64 * 1024
MAX_ANSWER_SECONDS = 1.0
"""What of a receiver's answer a diagnostic quotes, what is read of it at all, and how long that may take: the status
has said all that counts, the rest is only read so that the connection can be used again."""


class Receiver(Struct, frozen=True):
    """Where requests go, and what they carry; the key is in the header and nowhere else."""

    name: str
    endpoint: str
    write_key: Secret | None
    project_id: str | None
    timeout: float
    proxy: Secret | None
    verify: bool | str
    user_agent: str
    quotes_answers: bool  # what a receiver answers may repeat what users said


class Trouble(Struct, frozen=True):
    """Something to tell the operator: a kind that groups, a detail that helps, the records it is about."""

    kind: str
    detail: str
    records: int


class _Answer(Struct, frozen=True):
    """What came of one attempt: ``reached`` is whether the host took the connection, ``seconds`` the round trip of
    one that was answered."""

    verdict: Verdict
    detail: str
    reached: bool
    retry_after: float | None = None
    seconds: float | None = None


class Attempted(Struct, frozen=True):
    """One attempt: its verdict, the how manieth of its request it was, and the answer in words."""

    verdict: Verdict
    number: int
    answer: str


class Sender:
    """Sends what it is given, in order where order matters, until it is told to stop.

    Args:
        receiver: where to.
        outbox: which request goes next.
        clock: seconds, monotonic.
        settled: told what ended, under this sender's lock.
        trouble: told what went wrong, from a sending thread.
        transport: an httpx transport to use instead of the network.
        inline: has no threads; who wants something sent calls `work_inline`.
    """

    def __init__(
        self,
        receiver: Receiver,
        outbox: Outbox,
        *,
        clock: Callable[[], float],
        settled: Callable[[Settled, Attempted], None],
        trouble: Callable[[Trouble], None],
        transport: httpx.BaseTransport | None = None,
        inline: bool = False,
    ) -> None:
        self._receiver = receiver
        self._inline = inline
        self._outbox = outbox
        self._clock = clock
        self._settled = settled
        self._trouble = trouble
        self._headers = _headers(receiver)
        self._transport = transport
        self._transport_lock = threading.Lock()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._numbers = count(1)
        self._idle = 0
        self._round_trip = 0.0
        self._grown = 0.0
        self._moved = 0.0  # when a request last went on its way, or a thread was started for one
        self._telling: list[int] = []  # serials of requests whose trouble is about to be told
        self._stopping = False

    # ---- for the listener

    def submit(self, request: Request) -> None:
        """Queue a request; starts a thread if all are busy."""
        with self._changed:
            self._outbox.add(request)
            self._staff()
            self._changed.notify()

    @property
    def records(self) -> int:
        """Log records not settled yet; never between an answer and what follows from it."""
        with self._changed:
            return self._outbox.records

    @property
    def requests(self) -> int:
        """Requests not settled yet."""
        return len(self._outbox)

    @property
    def is_full(self) -> bool:
        """Whether more is better left where it is, for now."""
        return self._outbox.is_full

    @property
    def is_busy(self) -> bool:
        """Whether what can wait had better."""
        return self._outbox.is_busy

    @property
    def a_second(self) -> float:
        """Requests that all connections carry in a second at the pace of the answers so far; no end of them where
        these are so fast that it does not depend on them."""
        connections = 1 if self._inline else MAX_CONNECTIONS
        return connections / self._round_trip if self._round_trip > SLOW_SECONDS else math.inf

    def is_crowded(self, lane: Lane) -> bool:
        """Whether more of this lane would only be in the way of others."""
        return self._outbox.is_crowded(lane)

    def items_waiting(self, lane: Lane) -> int:
        """Items of a lane not settled yet."""
        return self._outbox.items_waiting(lane)

    def trim(self, lane: Lane, most: int) -> tuple[Item, ...]:
        """Give up the oldest waiting items of a lane beyond ``most``; what is lost by it."""
        with self._changed:
            excess = self._outbox.items_waiting(lane) - most
            return self._outbox.drop_oldest(lane, excess) if excess > 0 else ()

    # ---- for whoever waits

    def wake(self) -> None:
        """Have a thread look after what waits, where none does; after a pause in the life of the process."""
        with self._changed:
            if len(self._outbox):
                self._staff()
                self._changed.notify()

    def hurry(self) -> None:
        """Try everything once more at once, whatever pause is running; for the end of the process."""
        with self._changed:
            self._outbox.hurry()
            self._staff()
            self._changed.notify_all()

    def wait(self, deadline: float) -> bool:
        """Wait until everything submitted before now is settled, and what went wrong with it is told; False if the
        deadline came first."""
        with self._changed:
            serial = self._outbox.last_serial
            while self._outbox.has_until(serial) or any(telling <= serial for telling in self._telling):
                left = deadline - self._clock()
                if left <= 0:
                    return False
                self._changed.wait(min(left, BACKLOG_SECONDS))
                self._staff()
            return True

    def work_inline(self, deadline: float, *, patient: bool = True) -> None:
        """Send on the calling thread, in `sync` mode and where no thread can start any more; an impatient caller waits
        for no pause between attempts."""
        while (left := deadline - self._clock()) > 0:
            with self._changed:
                attempt = self._outbox.take(self._clock())
                if attempt is None:
                    if not len(self._outbox) or not patient:
                        return
                    self._changed.wait(min(left, self._pause()))
                    continue
            self._try(attempt, left)

    def stop(self) -> tuple[Request, ...]:
        """End the threads and give up what is left, which is for the caller to count or to keep."""
        with self._changed:
            self._stopping = True
            left = self._outbox.abandon()
            self._close_if_unused()
            self._changed.notify_all()
        return left

    @property
    def has_threads(self) -> bool:
        """Whether a thread of its own does the sending."""
        return any(thread.is_alive() for thread in self._threads)

    # ---- threads

    def _staff(self) -> None:
        """One more thread when it is needed. At interpreter exit none can start."""
        if self._inline or self._stopping or self._idle or not self._is_short_of_threads():
            return
        name = f"raindrop-sender-{self._receiver.name}-{next(self._numbers)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return
        self._threads.append(thread)
        self._moved = self._grown = self._clock()

    def _is_short_of_threads(self) -> bool:
        """Whether all are busy and too few: a second starts at once, so that one slow answer holds nothing else up,
        more when what may go now would not be on its way soon, at the pace of the answers so far or for lack of any."""
        now, busy = self._clock(), len(self._threads)
        ready = self._outbox.ready(now)
        if not busy:
            return len(self._outbox) > 0
        if not ready or busy >= MAX_CONNECTIONS:
            return False
        pace = self._round_trip if self._round_trip > SLOW_SECONDS else 0.0
        # What is held back because no more fits waits as well: one more a round trip, which shows what it brings.
        held_up = pace > 0.0 and self._outbox.is_full and now - self._grown > pace
        return busy == 1 or held_up or max(ready * pace / busy, now - self._moved) > BACKLOG_SECONDS

    def _work(self) -> None:
        while True:
            with self._changed:
                attempt = self._next()
            if attempt is None:
                return
            self._try(attempt, self._receiver.timeout)

    def _next(self) -> Attempt | None:
        """Wait for the next request; None, and this thread is none of the sender's any more, when it is to end."""
        since = self._clock()
        while not self._stopping and not self._is_superfluous(since):
            attempt = self._outbox.take(self._clock())
            if attempt is not None:
                self._moved = self._clock()
                self._staff()
                return attempt
            longest = IDLE_SECONDS if self._idle else None
            self._idle += 1
            self._changed.wait(self._pause() if len(self._outbox) else longest)
            self._idle -= 1
        self._threads.remove(threading.current_thread())
        self._close_if_unused()
        return None

    def _is_superfluous(self, since: float) -> bool:
        return bool(self._idle) and self._clock() - since >= IDLE_SECONDS

    def _pause(self) -> float:
        now = self._clock()
        until = self._outbox.next_time(now)
        return 1.0 if until is None else max(until - now, 0.001)

    def _close_if_unused(self) -> None:
        if not self._threads and self._transport is not None:
            self._transport.close()

    # ---- one attempt

    def _try(self, attempt: Attempt, timeout: float) -> None:
        answer = self._post(attempt.request, min(timeout, self._receiver.timeout))
        with self._changed:
            if self._stopping:
                return
            settled = self._outbox.settle(
                attempt, answer.verdict, self._clock(), answer.retry_after, reached=answer.reached
            )
            self._settled(settled, Attempted(answer.verdict, attempt.attempts, answer.detail))
            if answer.seconds is not None:
                self._round_trip += _ROUND_TRIP_WEIGHT * (answer.seconds - self._round_trip)
            self._telling.append(attempt.serial)
        try:
            self._tell(attempt, answer.verdict, answer.detail, settled)
        finally:
            with self._changed:
                self._telling.remove(attempt.serial)
                self._changed.notify_all()

    def _post(self, request: Request, timeout: float) -> _Answer:
        try:
            with not_across_fork:
                from raindrop_logging._pipeline.deadline import ends_within
            with ends_within(timeout), _unseen_by_instrumentation():
                return self._exchange(request, timeout)
        except Exception as error:  # noqa: BLE001 -- httpx.HTTPError, or what TLS and proxies raise beside it
            kind = type(error).__name__
            said = f"{kind}: {self._masked(str(error))}"
            return _Answer(Verdict.UNREACHABLE, said, reached=kind in _REACHED)

    def _exchange(self, request: Request, timeout: float) -> _Answer:
        transport, sent = self._connected(), self._http(request, timeout)
        started = self._clock()
        with closing(transport.handle_request(sent)) as response:
            seconds = self._clock() - started
            start = _beginning_of(response)
        detail = f"HTTP {response.status_code}"
        if start and self._receiver.quotes_answers:
            detail += f" {self._masked(start.decode('utf-8', 'replace').strip())[:MAX_ANSWER_CHARS]!r}"
        return _Answer(
            verdict_of(response.status_code),
            detail,
            reached=True,
            retry_after=seconds_of(response.headers.get("retry-after"), time.time),
            seconds=seconds,
        )

    def _http(self, request: Request, timeout: float) -> httpx.Request:
        with not_across_fork:
            import httpx

        kind = PROTOBUF if request.lane is Lane.TRACES else JSON
        connect = min(timeout, MAX_CONNECT_SECONDS)
        return httpx.Request(
            "POST",
            self._receiver.endpoint + ROUTES[request.lane],
            headers={**self._headers, "Content-Type": kind, "Content-Length": str(length_of(request))},
            content=pieces_of(request),
            extensions={"timeout": {"connect": connect, "read": timeout, "write": timeout, "pool": timeout}},
        )

    def _connected(self) -> httpx.BaseTransport:
        """The keep-alive transport, built by the first request. It is httpx's own below the client, which follows no
        redirect, reads no netrc, and does not log every request at INFO."""
        with self._transport_lock:
            if self._transport is None:
                self._transport = network_transport(self._receiver)
            return self._transport

    # ---- what to say about it

    def _tell(self, attempt: Attempt, verdict: Verdict, detail: str, settled: Settled) -> None:
        name = f"{self._receiver.endpoint}{ROUTES[attempt.request.lane]}"
        records = attempt.request.records if attempt.attempts == 1 else 0  # a record that waits is told once
        if settled.refused:
            self._tell_refused(settled.refused, f"{name} answered {detail}")
        if settled.expired:
            expired = sum(item.records for item in settled.expired)
            self._trouble(Trouble("expired", f"{name} did not take them in time ({detail})", expired))
        elif verdict in (Verdict.LATER, Verdict.UNREACHABLE):
            behind = self._outbox.records
            waiting = f"retrying with {behind} record{'s' * (behind != 1)} waiting behind it"
            said = f"{name} is not available ({detail}), {waiting}{self._hint_of(verdict)}"
            self._trouble(Trouble("waiting", said, records))
        elif verdict is Verdict.SETUP_REFUSED:
            hint = _HINTS.get(detail[5:8], "check the address and the proxy")
            self._trouble(Trouble("paused", f"{name} answered {detail}: {hint}; the records are kept", records))

    def _tell_refused(self, items: tuple[Item, ...], answered: str) -> None:
        first, records = items[0], sum(item.records for item in items)
        if len(items) == 1:
            self._trouble(Trouble("refused", f"{answered} to a record of {first.source}", records))
            return
        said = f"{answered} to every part of a batch that was tried; of those given up with it the first is of"
        self._trouble(Trouble("refused as a whole", f"{said} {first.source}", records))

    def _hint_of(self, verdict: Verdict) -> str:
        if verdict is not Verdict.UNREACHABLE or not is_loopback(self._receiver.endpoint):
            return ""
        return f"; {start_workshop(self._receiver.endpoint)}, or correct the address"

    def _masked(self, text: str) -> str:
        for secret in secrets_of(self._receiver):
            text = text.replace(secret, "***")
        return text


_REACHED = frozenset({"ReadError", "ReadTimeout", "RemoteProtocolError", "WriteError", "WriteTimeout"})
"""Errors of httpx behind an open connection: it is the route that does not answer, the host does."""

_HINTS = {
    "401": "check write_key",
    "403": "check write_key and project_id",
    "404": "check the address, which usually ends in /v1/",
    "405": "check the address, which usually ends in /v1/",
}


def secrets_of(receiver: Receiver) -> list[str]:
    """The write key, and what a proxy's address says of a user; short ones are made up."""
    key = receiver.write_key.reveal() if receiver.write_key is not None else ""
    user, at, _ = (receiver.proxy.reveal() if receiver.proxy is not None else "").rpartition("@")
    said = user.partition("://")[2] if at else ""
    return [secret for secret in (key, said, said.partition(":")[2]) if len(secret) >= MIN_MASKED_CHARS]


def _headers(receiver: Receiver) -> dict[str, str]:
    headers = {"User-Agent": receiver.user_agent}
    if receiver.write_key is not None:
        headers["Authorization"] = f"Bearer {receiver.write_key.reveal()}"
    if receiver.project_id is not None:
        headers[PROJECT_HEADER] = receiver.project_id
    return headers


def network_transport(receiver: Receiver) -> httpx.HTTPTransport:
    """What carries requests to a receiver: through its proxy, trusting whom it says, in time (`ends_within`)."""
    with not_across_fork:  # httpx imports more when a transport is made, and the first look-up of a host the codec
        import httpx

        codecs.lookup("idna")

        from raindrop_logging._pipeline.deadline import bounded

        limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
        transport = httpx.HTTPTransport(verify=trusted(receiver), limits=limits, proxy=proxy_of(receiver))
        bounded(transport)
    return transport


@contextmanager
def _unseen_by_instrumentation() -> Generator[None]:
    """An application that traces its HTTP calls gets neither spans nor headers of ours; asks OpenTelemetry only where
    it is loaded already."""
    context: Any = sys.modules.get("opentelemetry.context")
    if not hasattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY"):  # the last of the names it defines
        yield
        return
    ours = context.set_value("suppress_instrumentation", True)
    for key in (context._SUPPRESS_INSTRUMENTATION_KEY, context._SUPPRESS_HTTP_INSTRUMENTATION_KEY):  # noqa: SLF001 -- what instrumentations ask for
        ours = context.set_value(key, True, ours)
    token = context.attach(ours)
    try:
        yield
    finally:
        context.detach(token)


def trusted(receiver: Receiver) -> bool | ssl.SSLContext:
    """Certificates of a file or a directory as a context, for httpx is about to take no path any more; nobody's for an
    address that shows none: to read all authorities takes longer than a thousand records."""
    import ssl

    if receiver.endpoint.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if isinstance(receiver.verify, bool):
        return receiver.verify
    if Path(receiver.verify).is_dir():
        return ssl.create_default_context(capath=receiver.verify)
    return ssl.create_default_context(cafile=receiver.verify)


def proxy_of(receiver: Receiver) -> str | None:
    """The proxy that requests to a receiver go through, as its settings say, else as the environment does."""
    return receiver.proxy.reveal() if receiver.proxy else _proxy_of_environment(receiver.endpoint)


def _proxy_of_environment(endpoint: str) -> str | None:
    """What HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say for the receiver's host."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    url = urlsplit(endpoint)
    found = getproxies()
    proxy = found.get(url.scheme) or found.get("all")
    if not proxy or proxy_bypass(url.netloc) or is_loopback(endpoint):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def is_loopback(endpoint: str) -> bool:
    """Whether the receiver is on this machine: no proxy of the environment is asked for it."""
    from urllib.parse import urlsplit

    return urlsplit(endpoint).hostname in {"localhost", "127.0.0.1", "::1"}


def _beginning_of(response: httpx.Response) -> bytes:
    """The start of an answer; a short one is read whole, so that its connection can be used again.

    The status has said all that counts: an answer that breaks off, drips or does not end changes nothing.
    """
    if response.is_closed:  # an answer made in this process, as tests do, has its content already
        return response.content
    from raindrop_logging._pipeline.deadline import ends_within, is_over

    start = b""
    with suppress(Exception), ends_within(MAX_ANSWER_SECONDS):
        for chunk in response.iter_raw():
            start += chunk
            if len(start) > MAX_ANSWER_BYTES or is_over():
                break
    return start


def pieces_of(request: Request) -> Iterator[bytes]:
    """The body of a request: an array of the items, one object, or spans end to end (protobuf joins them so).

    In pieces of a few items, so that what is on its way is not there twice.
    """
    opening, between, closing = _AROUND[request.lane in ARRAY_LANES]
    bodies = [item.body for item in request.items]
    for start in range(0, len(bodies), _ITEMS_A_PIECE):
        end = start + _ITEMS_A_PIECE
        piece = between.join(bodies[start:end])
        yield (between if start else opening) + piece + (b"" if end < len(bodies) else closing)


def length_of(request: Request) -> int:
    """Bytes of the body of a request."""
    opening, between, closing = _AROUND[request.lane in ARRAY_LANES]
    return len(opening) + request.nbytes + len(between) * (len(request.items) - 1) + len(closing)


_AROUND = {True: (b"[", b",", b"]"), False: (b"", b"", b"")}
_ITEMS_A_PIECE = 64


def seconds_of(retry_after: str | None, time_of_day: Callable[[], float]) -> float | None:
    """Seconds that a Retry-After header asks for, given as seconds or as an HTTP date; None if it says neither."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        when = _moment_of(retry_after)
        return None if when is None else when - time_of_day()
    return seconds if math.isfinite(seconds) else None


def _moment_of(date: str) -> float | None:
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(date)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()  # all dates of HTTP are in GMT
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
