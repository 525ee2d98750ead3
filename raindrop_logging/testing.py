"""For tests of code that logs to Raindrop: everything takes its usual road, and arrives in memory instead.

    with raindrop_logging.testing.capture() as raindrop:
        answer("Where is my parcel?")
    raindrop.assert_event("support_reply", user_id="u1", output="In Lyon.")

With pytest the same object is the fixture ``raindrop``; in a unittest.TestCase it is ``self.enterContext(capture())``.
Nothing is sent, no thread is started, and what was logged is there as soon as its log call returns, from any thread and
any task.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypedDict, TypeVar, Unpack

from msgspec import Struct

from raindrop_logging import matching
from raindrop_logging._pipeline.entries import Refusal
from raindrop_logging._pipeline.pipeline import Pipeline
from raindrop_logging._pipeline.registry import captured_by
from raindrop_logging.context import here, within
from raindrop_logging.handler import RaindropHandler
from raindrop_logging.settings import read_settings
from raindrop_logging.vocabulary import Sentiment, SignalType, SpanKind
from raindrop_logging.wire import ROUTES, Lane
from raindrop_logging.workshop.merging import merge
from raindrop_logging.workshop.records import Event, Signal, Span, User

if TYPE_CHECKING:
    import httpx

    from raindrop_logging.workshop.records import Batch

__all__ = [
    "Capture",
    "Event",
    "EventFields",
    "Invalid",
    "Signal",
    "SignalFields",
    "Span",
    "SpanFields",
    "User",
    "capture",
]

Text = str | re.Pattern[str] | None
"""What is expected of a text: the text, a compiled pattern that is found in it, or None where it is not said."""

_Kind = TypeVar("_Kind", Event, Signal, Span, User)

_FIXED: Final[Mapping[str, Any]] = {
    "write_key": "captured",
    "mode": "sync",
    "shutdown_timeout": 60.0,  # how long a thread waits while others deliver
    "git_auto_detect": False,  # what a test sees is the same on every machine
}

_UNHEARD: Final = (
    "no record with a block was heard; is its logger's level above that of the record, or is the logger disabled?"
)

_LANES: Final = {f"/v1/{route}": lane for lane, route in ROUTES.items()}


class EventFields(TypedDict, total=False):
    """What `Capture.assert_event` may expect of an `Event`."""

    event_id: Text
    user_id: Text
    model: Text
    input: Text
    output: Text
    convo_id: Text
    properties: Mapping[str, Any]
    attachments: Sequence[Mapping[str, Any]]
    feature_flags: Mapping[str, Any]
    timestamp: Text
    is_pending: bool


class SignalFields(TypedDict, total=False):
    """What `Capture.assert_signal` may expect of a `Signal`; `comment` and `after` are properties on the wire."""

    event_id: Text
    signal_type: SignalType
    sentiment: Sentiment | None
    properties: Mapping[str, Any]
    attachment_id: Text
    timestamp: Text


class SpanFields(TypedDict, total=False):
    """What `Capture.assert_span` may expect of a `Span`; an input or output that is no text is compared as JSON."""

    kind: SpanKind
    input: Any
    output: Any
    error: Text
    event_id: Text
    trace_id: Text
    span_id: Text
    parent_id: Text
    attributes: Mapping[str, Any]


class Invalid(Struct, frozen=True):
    """A block that was refused, because it breaks a rule of the vocabulary.

    Attributes:
        reason: the key at fault, what was given and what is allowed.
        logger: the logger's name.
        path, line: where it was logged.
    """

    reason: str
    logger: str
    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.reason} (logger '{self.logger}', {self.path}:{self.line})"


@contextmanager
def capture(
    *,
    level: int | str | None = "INFO",
    redact: bool | list[str] | str = False,
    defaults: Mapping[str, Any] | None = None,
    tracing: bool = True,
    max_text_chars: int = 1_000_000,
) -> Generator[Capture]:
    """Keep what is logged with a `raindrop` block, in the whole process, instead of sending it.

    Every RaindropHandler puts its records here until the block ends, also one that is configured inside; then each has
    its own receiver back. What the environment says (`RAINDROP_...`) counts for nothing. Of captures inside one another
    the innermost gets everything. A child process that is not forked inside is on its own.

    Args:
        level: a handler that hears this level and above is on the root logger meanwhile, and on every logger that does
            not propagate to it or puts its records into a queue; the root logger's own level is lowered to it. None
            leaves all loggers alone: only what a RaindropHandler of the application hears is seen, as in production.
        redact, defaults, tracing, max_text_chars: as the handler's keys.

    Returns:
        Capture: what has arrived; it can still be asked when the block has ended.

    Raises:
        SettingsError: a value breaks its key's rule.
        ValueError: there is no such level.
    """
    chosen = {"redact": redact, "defaults": defaults, "tracing": tracing, "max_text_chars": max_text_chars}
    inbox = _Inbox()
    pipeline = _pipeline_to(inbox, chosen)
    with within(here()), captured_by(pipeline), _listening(level):
        yield Capture(pipeline, inbox)


class Capture:
    """What has been logged, as Raindrop would hold it now: the records of an interaction are one event.

    Made by `capture` and by the fixture ``raindrop``. Any thread may ask.
    """

    def __init__(self, pipeline: Pipeline, inbox: _Inbox) -> None:
        self._pipeline = pipeline
        self._inbox = inbox
        self._lock = threading.RLock()  # a signal handler may ask while its thread does
        self._forgotten: dict[str, int] = {}
        self._empty()

    @property
    def events(self) -> list[Event]:
        """Events and interactions by the order they began in. One that is open still is there as pending; what comes
        later, also after its end, is merged into it as the receiver does."""
        self._look()
        return list(self._events.values())

    @property
    def signals(self) -> list[Signal]:
        """Signals in the order they were said in."""
        self._look()
        return self._signals.copy()

    @property
    def users(self) -> list[User]:
        """Users who were identified, each with all the traits that were said."""
        self._look()
        return list(self._users.values())

    @property
    def spans(self) -> list[Span]:
        """Spans in the order they ended in, as their OpenTelemetry attributes are read."""
        self._look()
        return self._spans.copy()

    @property
    def invalid(self) -> list[Invalid]:
        """Blocks that were refused."""
        self._look()
        return self._invalid.copy()

    @property
    def dropped(self) -> dict[str, int]:
        """Records that were given up for another reason than a broken rule, by the reasons of `Stats.dropped`."""
        self._look()
        return {reason: number for reason, number in self._counted().items() if reason != "invalid"}

    def clear(self) -> None:
        """Forget what has arrived so far. Interactions that are open go on, and are whole when they end."""
        self._look()
        self._forgotten = self._pipeline.stats().dropped
        self._empty()

    # ---- expectations

    def assert_event(self, event: str | None = None, /, **expected: Unpack[EventFields]) -> Event:
        """The first event that is as expected; `is_pending` is expected to be false unless it is said.

        Of a dict only the keys given count; a compiled pattern is looked for in the text; anything else has to be
        equal.

        Args:
            event: its name.
            **expected: fields of `Event`.

        Raises:
            AssertionError: there is none; the message has the nearest, and what is different about it.
            TypeError: an event has no such field.
        """
        __tracebackhide__ = True
        named = {} if event is None else {"event": event}
        return self._the_one(Event, self.events, {**named, "is_pending": False, **expected})

    def assert_signal(self, name: str | None = None, /, **expected: Unpack[SignalFields]) -> Signal:
        """The first signal that is as expected; as `assert_event`."""
        __tracebackhide__ = True
        return self._the_one(Signal, self.signals, {**_named(name), **expected})

    def assert_span(self, name: str | None = None, /, **expected: Unpack[SpanFields]) -> Span:
        """The first span that is as expected; as `assert_event`."""
        __tracebackhide__ = True
        return self._the_one(Span, self.spans, {**_named(name), **expected})

    def assert_user(self, user_id: str, /, traits: Mapping[str, Any]) -> User:
        """The user who was identified with at least these traits; as `assert_event`."""
        __tracebackhide__ = True
        return self._the_one(User, self.users, {"user_id": user_id, "traits": traits})

    def assert_nothing(self) -> None:
        """Nothing was logged with a block, whole or broken.

        Raises:
            AssertionError: something was; the message names it.
        """
        __tracebackhide__ = True
        arrived = [matching.titled(one) for one in (*self.events, *self.signals, *self.spans, *self.users)]
        lines = matching.shortened([f"  {line}" for line in arrived]) + self._trouble()
        if lines:
            _fail("nothing was to be logged with a block, but", lines)

    def assert_clean(self) -> None:
        """No block was refused, and no record dropped.

        Raises:
            AssertionError: the message has each refused block's reason and place.
        """
        __tracebackhide__ = True
        if trouble := self._trouble():
            _fail("not all that was logged would have been sent", trouble)

    def _the_one(self, kind: type[_Kind], found: Sequence[_Kind], expected: Mapping[str, Any]) -> _Kind:
        __tracebackhide__ = True
        matching.check_fields(kind, expected)
        one = matching.first_fit(found, expected)
        if one is None:
            name = kind.__name__.lower()
            why: list[str] = matching.why_none_fits(found, expected) or self._why_nothing(name)
            _fail(f"no {name} is as expected: {matching.told(expected)}", [*why, *self._trouble()])
        return one

    def _why_nothing(self, kind: str) -> list[str]:
        if self._events or self._signals or self._spans or self._users:
            return [f"no {kind} arrived at all"]
        return [] if self._invalid else [_UNHEARD]

    def _trouble(self) -> list[str]:
        refused = [f"  {one}" for one in self.invalid]
        dropped = [f"  {number} as {reason}" for reason, number in self.dropped.items()]
        return [
            *(["refused:", *matching.shortened(refused)] if refused else []),
            *(["dropped:", *dropped] if dropped else []),
        ]

    # ---- what arrives

    def _look(self) -> None:
        """Have everything sent that waits, and read what has come since the last time."""
        self._pipeline.flush(self._pipeline.settings.shutdown_timeout)
        with self._lock:
            while self._inbox.bodies:
                self._add(_read(*self._inbox.bodies.popleft()))
            while self._inbox.refusals:
                self._refuse(self._inbox.refusals.popleft())

    def _add(self, batch: Batch) -> None:
        for event in batch.events:
            known = self._events.get(event.event_id)
            self._events[event.event_id] = event if known is None else merge(known, event)
        for user in batch.users:
            known_user = self._users.get(user.user_id, user)
            self._users[user.user_id] = User(user_id=user.user_id, traits={**known_user.traits, **user.traits})
        self._signals += batch.signals
        self._spans += batch.spans

    def _refuse(self, refusal: Refusal) -> None:
        if refusal.reason == "invalid":
            source = refusal.source
            self._invalid.append(Invalid(refusal.detail, source.logger, source.path, source.line))

    def _counted(self) -> dict[str, int]:
        """Records dropped since the last `clear`; where `tracing` is off, spans are left out as was asked."""
        counts = self._pipeline.stats().dropped
        since = {reason: number - self._forgotten.get(reason, 0) for reason, number in counts.items()}
        return {reason: number for reason, number in since.items() if number and reason != "tracing_off"}

    def _empty(self) -> None:
        self._events: dict[str, Event] = {}
        self._signals: list[Signal] = []
        self._users: dict[str, User] = {}
        self._spans: list[Span] = []
        self._invalid: list[Invalid] = []


class _Inbox:
    """What has come out at the end of a pipeline and was not read yet; any thread may put something into it."""

    def __init__(self) -> None:
        self.bodies: deque[tuple[Lane, bytes]] = deque()
        self.refusals: deque[Refusal] = deque()

    def receive(self, request: httpx.Request) -> httpx.Response:
        """Answer as Raindrop does."""
        import httpx

        self.bodies.append((_LANES[request.url.path], request.content))
        return httpx.Response(204)


def _pipeline_to(inbox: _Inbox, chosen: Mapping[str, Any]) -> Pipeline:
    import httpx

    settings = read_settings({**_FIXED, **chosen}, {})
    pipeline = Pipeline(settings, transport=httpx.MockTransport(inbox.receive), environ={})
    pipeline.witness = inbox.refusals.append
    return pipeline


def _named(name: str | None) -> dict[str, str]:
    return {} if name is None else {"name": name}


def _fail(what: str, lines: Sequence[str]) -> NoReturn:
    __tracebackhide__ = True
    raise AssertionError("\n".join([what, *lines]))


def _read(lane: Lane, body: bytes) -> Batch:
    """What one request says, as the local Workshop reads it."""
    import msgspec

    from raindrop_logging.workshop.receiving import otlp_protobuf, payloads, spans
    from raindrop_logging.workshop.records import Batch

    if lane is Lane.TRACES:
        return Batch(spans=tuple(spans.read(span) for span in otlp_protobuf.read(body)))
    return payloads.READERS[lane](msgspec.json.decode(body), None)


@contextmanager
def _listening(level: int | str | None) -> Generator[None]:
    """A handler wherever records end up, for a while; first in its place, so that whatever hands a record on hands it
    on as one that was captured."""
    if level is None:
        yield
        return
    handler = RaindropHandler(level, mode="off", workshop=False)  # off, but for the captures
    root, loggers = logging.getLogger(), list(_ends_of_the_road())
    before = root.level
    root.setLevel(min(before, handler.level))
    lowered = root.level
    for logger in loggers:
        logger.handlers = [handler, *logger.handlers]  # anew, for a thread may be going through them
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        if root.level == lowered:  # else a configuration that was loaded meanwhile says otherwise
            root.setLevel(before)


def _ends_of_the_road() -> Iterable[logging.Logger]:
    from logging.handlers import QueueHandler

    yield logging.getLogger()
    for logger in list(logging.getLogger().manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and (
            not logger.propagate or any(isinstance(handler, QueueHandler) for handler in logger.handlers)
        ):
            yield logger
