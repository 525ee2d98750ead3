"""One record of each type, logged and sent by the real road, with every request and answer seen.

In: the keys of a handler, seconds.  Out: `Trial`.  Touches: the network, by a handler of its own; the package's own
logger, which nobody else hears from then on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final
from uuid import uuid4

import httpx
from msgspec import Struct

from raindrop_logging import extra
from raindrop_logging._pipeline import parts
from raindrop_logging._pipeline.sender import MAX_ANSWER_BYTES, network_transport
from raindrop_logging._pipeline.stats import Stats
from raindrop_logging._pipeline.stats import logger as diagnostics
from raindrop_logging.cli.diagnosis.loggers import set_apart
from raindrop_logging.handler import RaindropHandler
from raindrop_logging.settings import Settings
from raindrop_logging.wire import ROUTES, Lane

USER: Final = "raindrop-logging-doctor"
EVENT: Final = "doctor"
MARK: Final = {"doctor": True}

STAFFING_SECONDS: Final = 4.0
"""How much later than the first request the last one of those that go together may start, where none is answered."""

_MIRROR_SECONDS: Final = 2.0
_SETTLING_SECONDS: Final = 0.2
"""Until the figures say what the last answer said; what is paused by then would wait for longer than anyone does."""

_ONE_ATTEMPT: Final[Mapping[str, Any]] = {
    "enabled": True,
    "mode": "thread",
    "durability": "memory",
    "max_attempts": 1,
    "retry_budget": 0,
    "base_delay": 0.05,
    "upload_interval": 0.05,
    "partial_flush_interval": 0.05,
    "trace_flush_interval": 0.05,
}
"""What is different from the handler that is looked at: at once, once, and without its disk."""


class Exchange(Struct, frozen=True):
    """One request and what came of it.

    Attributes:
        status: of the answer; None where there was none, and then ``error`` says why.
        seconds: until the answer's head, or the error.
        headers: of the answer.
        answer: its body, as much as the road reads of it.
        error: the class of httpx's error, and its text.
        at: when it was over, in seconds since 1970.
    """

    lane: Lane
    seconds: float
    at: float
    status: int | None = None
    headers: Mapping[str, str] = {}
    answer: bytes = b""
    error: tuple[str, str] | None = None

    @property
    def taken(self) -> bool:
        """Whether the receiver has said that it has it."""
        return self.status is not None and self.status // 100 == 2  # noqa: PLR2004 -- the class of successes


class Trial(Struct, frozen=True):
    """What came of it all: each request, the handler's figures, and what the package would have told its operator."""

    exchanges: tuple[Exchange, ...]
    stats: Stats
    told: tuple[str, ...]

    def of(self, lane: Lane) -> Exchange | None:
        """The first request of a lane that was not taken, else its last one; None where there was none."""
        own = [exchange for exchange in self.exchanges if exchange.lane is lane]
        return next((exchange for exchange in own if not exchange.taken), own[-1] if own else None)


def lanes_of(settings: Settings) -> list[Lane]:
    """The lanes that a trial uses."""
    return [lane for lane in Lane if lane is not Lane.TRACES or settings.tracing]


def send_one_of_each(keys: Mapping[str, Any], settings: Settings, seconds: float) -> Trial:
    """Log and send.

    Args:
        keys: of the handler that is looked at.
        settings: what they come to.
        seconds: for one request; all of it takes at most `STAFFING_SECONDS` more, twice where the first step of the
            interaction arrives and its last does not.
    """
    told = set_apart(diagnostics)
    watched = _Watched(network_transport(parts.primary(settings)))
    timeout = min(settings.timeout, seconds)
    told_keys: Any = {**keys, **_ONE_ATTEMPT, "timeout": timeout}
    handler = RaindropHandler(transport=watched, **told_keys)
    log = logging.Logger(USER, logging.INFO)  # noqa: LOG001 -- of nobody's configuration
    log.addHandler(handler)
    finish = _say(log, spans=settings.tracing)
    wanted = set(lanes_of(settings))
    watched.wait(
        lambda seen: wanted - {exchange.lane for exchange in seen} <= held_back(seen), timeout + STAFFING_SECONDS
    )
    finish()
    if any(exchange.taken for exchange in watched.exchanges if exchange.lane is Lane.PARTIALS):
        watched.wait(_is_finished, timeout + STAFFING_SECONDS)
    is_good = all(exchange.taken for exchange in watched.exchanges)
    handler.flush(_MIRROR_SECONDS if is_good else _SETTLING_SECONDS)
    stats = handler.stats()
    watched.end()
    handler.shutdown(0.0)
    return Trial(tuple(watched.exchanges), stats, tuple(told))


def held_back(seen: Iterable[Exchange]) -> set[Lane]:
    """Lanes that wait behind what was not taken: a signal never goes before the event that it is about."""
    return {Lane.SIGNALS} if any(not one.taken for one in seen if one.lane in _OF_EVENTS) else set()


_OF_EVENTS: Final = (Lane.EVENTS, Lane.PARTIALS)


def _is_finished(seen: list[Exchange]) -> bool:
    """Whether the last word on the interaction was answered; it comes after the one that was taken."""
    return sum(exchange.lane is Lane.PARTIALS for exchange in seen) > 1


def _say(log: logging.Logger, *, spans: bool) -> Callable[[], None]:
    """One record of each type but the last step of an interaction, which the answer says."""
    event, turn = str(uuid4()), str(uuid4())
    who: Any = {"user_id": USER, "event": EVENT, "properties": MARK}
    log.info("doctor", extra=extra.ai(event_id=event, input="raindrop-logging doctor", output="It arrives.", **who))
    log.info("doctor", extra=extra.event(**who))
    log.info("doctor", extra=extra.begin(event_id=turn, input="raindrop-logging doctor", **who))
    log.info("doctor", extra=extra.update(event_id=turn, properties={"step": 1}))
    log.info("doctor", extra=extra.signal(event_id=event, name=EVENT, sentiment="POSITIVE", properties=MARK))
    log.info("doctor", extra=extra.identify(user_id=USER, traits=MARK))
    if spans:
        log.info("doctor", extra=extra.span(kind="tool", name=EVENT, event_id=turn, user_id=USER, properties=MARK))
    return lambda: log.info("doctor", extra=extra.finish(event_id=turn, output="It arrives.", **who))


# ---- seeing what is sent -------------------------------------------------------------------------------------------


class _Watched(httpx.BaseTransport):
    """Passes requests on, and remembers what came of each."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self.exchanges: list[Exchange] = []
        self._transport = transport
        self._news = threading.Condition()
        self._ended = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._ended:
            raise httpx.ConnectError("the trial is over")
        lane, started = _lane_of(request.url.path), time.monotonic()
        try:
            response = self._transport.handle_request(request)
        except Exception as error:
            said = type(error).__name__, str(error)
            self._note(Exchange(lane, time.monotonic() - started, time.time(), error=said))
            raise
        seconds, at = time.monotonic() - started, time.time()
        headers = dict(response.headers)
        status = response.status_code

        def read(body: bytes) -> None:
            self._note(Exchange(lane, seconds, at, status, headers, body))

        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101 -- what a BaseTransport answers with
        stream = _Read(response.stream, read)
        return httpx.Response(status, headers=response.headers, stream=stream, extensions=response.extensions)

    def close(self) -> None:
        self._transport.close()

    def wait(self, enough: Callable[[list[Exchange]], bool], seconds: float) -> bool:
        """Wait until what was seen is enough."""
        with self._news:
            return self._news.wait_for(lambda: enough(self.exchanges), seconds)

    def end(self) -> None:
        """Pass nothing on any more."""
        self._ended = True

    def _note(self, exchange: Exchange) -> None:
        with self._news:
            self.exchanges.append(exchange)
            self._news.notify_all()


class _Read(httpx.SyncByteStream):
    """An answer's body, remembered as it is read."""

    def __init__(self, stream: httpx.SyncByteStream, read: Callable[[bytes], None]) -> None:
        self._stream = stream
        self._read = read
        self._body = b""
        self._told = False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._body += chunk[: MAX_ANSWER_BYTES - len(self._body)]
            yield chunk

    def close(self) -> None:
        self._stream.close()
        if not self._told:
            self._told = True
            self._read(self._body)


def _lane_of(path: str) -> Lane:
    """By the longest route that the path ends with, since one is the beginning of another."""
    return max(
        (lane for lane, route in ROUTES.items() if path.endswith(f"/{route}")), key=lambda lane: len(ROUTES[lane])
    )
