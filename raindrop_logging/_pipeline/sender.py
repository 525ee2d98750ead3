"""Carry requests to one receiver over HTTP: a few threads, one keep-alive client, every answer accounted for.

In: Request
Out: POSTs; Settled to whoever keeps the accounts
Touches: sockets (httpx), its own threads, the clock
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from raindrop_logging._pipeline.entries import Item, Request
from raindrop_logging._pipeline.outbox import Attempt, Outbox, Settled, Verdict, verdict_of
from raindrop_logging.late_imports import not_across_fork
from raindrop_logging.settings import Secret
from raindrop_logging.wire import ARRAY_LANES, JSON, PROJECT_HEADER, PROTOBUF, ROUTES, Lane

if TYPE_CHECKING:
    import httpx

MAX_CONNECTIONS = 4
"""Requests on their way at once; order per event id holds whatever the number (see outbox)."""

MAX_CONNECT_SECONDS = 5.0

MIN_MASKED_CHARS = 6
"""Keys shorter than this are made up, and masking them would only garble the text around."""

MAX_ANSWER_CHARS = 200
MAX_ANSWER_BYTES = 64 * 1024
"""What of a receiver's answer a diagnostic quotes, and what is read of it at all."""


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


class Attempted(Struct, frozen=True):
    """One attempt: its verdict, and the how manieth of its request it was."""

    verdict: Verdict
    number: int


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
        self._idle = 0
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
    def nbytes(self) -> int:
        """Bytes not settled yet."""
        return self._outbox.nbytes

    @property
    def requests(self) -> int:
        """Requests not settled yet."""
        return len(self._outbox)

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
        """Wait until everything submitted before now is settled; False if the deadline came first."""
        with self._changed:
            serial = self._outbox.last_serial
            while self._outbox.has_until(serial):
                left = deadline - self._clock()
                if left <= 0:
                    return False
                self._changed.wait(left)
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
        """One more thread when all are busy: a second at once, so that one slow answer holds nothing else up, more
        when work piles up. At interpreter exit none can start."""
        busy = len(self._threads) - self._idle
        enough = busy > 1 and len(self._outbox) <= 2 * busy
        if self._inline or self._stopping or self._idle or busy >= MAX_CONNECTIONS or enough:
            return
        name = f"raindrop-sender-{self._receiver.name}-{len(self._threads) + 1}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return
        self._threads.append(thread)

    def _work(self) -> None:
        while True:
            with self._changed:
                attempt = self._next()
            if attempt is None:
                return
            self._try(attempt, self._receiver.timeout)

    def _next(self) -> Attempt | None:
        while not self._stopping:
            attempt = self._outbox.take(self._clock())
            if attempt is not None:
                return attempt
            self._idle += 1
            self._changed.wait(self._pause() if len(self._outbox) else None)
            self._idle -= 1
        self._threads.remove(threading.current_thread())
        self._close_if_unused()
        return None

    def _pause(self) -> float:
        now = self._clock()
        until = self._outbox.next_time(now)
        return 1.0 if until is None else max(until - now, 0.001)

    def _close_if_unused(self) -> None:
        if not self._threads and self._transport is not None:
            self._transport.close()

    # ---- one attempt

    def _try(self, attempt: Attempt, timeout: float) -> None:
        verdict, detail, retry_after = self._post(attempt.request, min(timeout, self._receiver.timeout))
        with self._changed:
            if self._stopping:
                return
            settled = self._outbox.settle(attempt, verdict, self._clock(), retry_after)
            self._settled(settled, Attempted(verdict, attempt.attempts))
            self._changed.notify_all()
        self._tell(attempt, verdict, detail, settled)

    def _post(self, request: Request, timeout: float) -> tuple[Verdict, str, float | None]:
        deadline = self._clock() + timeout
        try:
            with closing(self._connected().handle_request(self._http(request, timeout))) as response:
                answer = _beginning_of(response, lambda: self._clock() < deadline)
        except Exception as error:  # noqa: BLE001 -- httpx.HTTPError, or what TLS and proxies raise beside it
            return Verdict.UNREACHABLE, f"{type(error).__name__}: {self._masked(str(error))}", None
        detail = f"HTTP {response.status_code}"
        if answer and self._receiver.quotes_answers:
            detail += f" {self._masked(answer.decode('utf-8', 'replace').strip())[:MAX_ANSWER_CHARS]!r}"
        retry_after = seconds_of(response.headers.get("retry-after"), time.time)
        return verdict_of(response.status_code), detail, retry_after

    def _http(self, request: Request, timeout: float) -> httpx.Request:
        with not_across_fork:
            import httpx

        connect = min(timeout, MAX_CONNECT_SECONDS)
        return httpx.Request(
            "POST",
            self._receiver.endpoint + ROUTES[request.lane],
            headers={**self._headers, "Content-Type": PROTOBUF if request.lane is Lane.TRACES else JSON},
            content=body_of(request),
            extensions={"timeout": {"connect": connect, "read": timeout, "write": timeout, "pool": timeout}},
        )

    def _connected(self) -> httpx.BaseTransport:
        """The keep-alive transport, built by the first request. It is httpx's own below the client, which follows no
        redirect, reads no netrc, and does not log every request at INFO."""
        with self._transport_lock:
            if self._transport is None:
                self._transport = _network_transport(self._receiver)
            return self._transport

    # ---- what to say about it

    def _tell(self, attempt: Attempt, verdict: Verdict, detail: str, settled: Settled) -> None:
        name = f"{self._receiver.endpoint}{ROUTES[attempt.request.lane]}"
        records = attempt.records if attempt.attempts == 1 else 0  # a record that waits is told once
        for item in settled.refused:
            self._trouble(Trouble("refused", f"{name} answered {detail} to a record of {item.source}", item.records))
        if settled.expired:
            expired = sum(item.records for item in settled.expired)
            self._trouble(Trouble("expired", f"{name} did not take them in time ({detail})", expired))
        elif verdict in (Verdict.LATER, Verdict.UNREACHABLE):
            said = f"{name} is not available ({detail}), retrying{self._hint_of(verdict)}"
            self._trouble(Trouble("waiting", said, records))
        elif verdict is Verdict.SETUP_REFUSED:
            hint = _HINTS.get(detail[5:8], "check the address and the proxy")
            self._trouble(Trouble("paused", f"{name} answered {detail}: {hint}; the records are kept", records))

    def _hint_of(self, verdict: Verdict) -> str:
        if verdict is not Verdict.UNREACHABLE or not _is_loopback(self._receiver.endpoint):
            return ""
        return "; start it with 'raindrop-logging workshop', or correct the address"

    def _masked(self, text: str) -> str:
        key = self._receiver.write_key.reveal() if self._receiver.write_key is not None else ""
        return text.replace(key, "***") if len(key) >= MIN_MASKED_CHARS else text


_HINTS = {
    "401": "check write_key",
    "403": "check write_key and project_id",
    "404": "check the address, which usually ends in /v1/",
    "405": "check the address, which usually ends in /v1/",
}


def _headers(receiver: Receiver) -> dict[str, str]:
    headers = {"User-Agent": receiver.user_agent}
    if receiver.write_key is not None:
        headers["Authorization"] = f"Bearer {receiver.write_key.reveal()}"
    if receiver.project_id is not None:
        headers[PROJECT_HEADER] = receiver.project_id
    return headers


def _network_transport(receiver: Receiver) -> httpx.BaseTransport:
    with not_across_fork:  # httpx imports more when a transport is made
        import httpx

        limits = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
        proxy = receiver.proxy.reveal() if receiver.proxy else _proxy_of_environment(receiver.endpoint)
        return httpx.HTTPTransport(verify=receiver.verify, limits=limits, proxy=proxy)


def _proxy_of_environment(endpoint: str) -> str | None:
    """What HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY say for the receiver's host."""
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    url = urlsplit(endpoint)
    found = getproxies()
    proxy = found.get(url.scheme) or found.get("all")
    if not proxy or proxy_bypass(url.netloc) or _is_loopback(endpoint):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_loopback(endpoint: str) -> bool:
    """Whether the receiver is on this machine: no proxy of the environment is asked for it."""
    from urllib.parse import urlsplit

    return urlsplit(endpoint).hostname in {"localhost", "127.0.0.1", "::1"}


def _beginning_of(response: httpx.Response, in_time: Callable[[], bool]) -> bytes:
    """The start of an answer; a short one is read whole, so that its connection can be used again.

    The status has said all that counts: an answer that breaks off, drips or does not end changes nothing.
    """
    if response.is_closed:  # an answer made in this process, as tests do, has its content already
        return response.content
    start = b""
    with suppress(Exception):
        for chunk in response.iter_raw():
            start += chunk
            if len(start) > MAX_ANSWER_BYTES or not in_time():
                break
    return start


def body_of(request: Request) -> bytes:
    """The body of a request: an array of the items, one object, or spans end to end (protobuf joins them so)."""
    bodies = [item.body for item in request.items]
    if request.lane in ARRAY_LANES:
        return b"[" + b",".join(bodies) + b"]"
    return b"".join(bodies)


def seconds_of(retry_after: str | None, time_of_day: Callable[[], float]) -> float | None:
    """Seconds that a Retry-After header asks for, given as seconds or as an HTTP date; None if it says neither."""
    if retry_after is None:
        return None
    from email.utils import parsedate_to_datetime

    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(retry_after).timestamp() - time_of_day()
        except (TypeError, ValueError):
            return None
    return seconds if math.isfinite(seconds) else None
