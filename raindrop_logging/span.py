"""A span: one piece of work in an interaction or outside one, and one log record when it ends.

Spans nest by context (`raindrop_logging.context`), share the trace of the interaction that they are in, and are
OpenTelemetry's current span while they are open (`raindrop_logging.otel_context`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, Self, TypedDict, cast

from raindrop_logging import otel_context
from raindrop_logging.context import AnyLogger, Scope, Turn, enter, here, leave, root_span_id
from raindrop_logging.identifiers import mint_bits, span_id, trace_id_of_event
from raindrop_logging.offered_tools import offered_tool
from raindrop_logging.plain import error_text, frozen, text_of
from raindrop_logging.record import say
from raindrop_logging.vocabulary import SpanKind

Time = datetime | str | float
"""A datetime, ISO 8601 text, or seconds since 1970; without a zone it is UTC."""

Failure = BaseException | str | Mapping[str, Any]
"""What failed: an exception, its message, or {type, message, stack}."""


class SpanOptions(TypedDict, total=False):
    """What every way to open a span understands beside its name.

    ``trace_content=False`` keeps inputs, outputs, messages and tools out; ``suppress_tracing=True`` leaves out the
    span and all inside it.
    """

    version: int | None
    input: Any
    properties: Mapping[str, Any] | None
    attributes: Mapping[str, Any] | None
    parent: Span | None
    start_time: Time | None
    logger: AnyLogger | None
    trace_content: bool
    suppress_tracing: bool


class LlmOptions(SpanOptions, total=False):
    """What a model span understands beside."""

    model: str | None
    provider: str | None
    messages: Sequence[Mapping[str, Any]] | None
    tools: Sequence[Any] | None


class Span:
    """One piece of work that is going on; made by `task_span`, `tool_span`, `start_span` and their like.

    A context manager, sync and async, inside which it is the current span. Or ended by hand, in any thread or task,
    by `end` or `end_at`; what is set after its end changes nothing. No method raises for what it is given.

    Attributes:
        kind, name: as it was opened.
        turn: the interaction it belongs to, if it is begun.
        mirror: the same span on OpenTelemetry's side.
        trace_id, span_id, parent_id: lowercase hex; parent_id is None for a root.
    """

    def __init__(self, kind: SpanKind, name: str, turn: Turn, scope: Scope, options: SpanOptions) -> None:
        """Use `raindrop_logging.start_span` and its like; ``scope`` is where it starts."""
        parent, around = options.get("parent"), _innermost(scope)
        self.kind: Final = kind
        self.name: Final = name
        self.turn: Final = turn
        self.is_muted: Final[bool] = (
            _truth(options.get("suppress_tracing"), otherwise=False)
            or (parent is not None and parent.is_muted)
            or (around is not None and around.is_muted)
        )
        self._has_content = _truth(options.get("trace_content"), otherwise=True)
        self._logger = options.get("logger")
        self._scope = scope
        self._clock = time.perf_counter()
        self._opened = time.time()
        self._start_time = options.get("start_time")
        self._said: dict[str, Any] = {"version": options.get("version")}
        self._properties: dict[str, Any] = {}
        self._attributes: dict[str, Any] = {}
        self._ways_back: list[WayBack] = []
        self._late: WayBack | None = None
        self._open = [True]
        self._is_told = False
        self.trace_id: str
        self.span_id: str
        self.parent_id: Final = parent.span_id if parent is not None else _parent_of(turn, scope)
        ids = (turn.trace_id if parent is None else parent.trace_id, span_id(mint_bits(64)))
        self.mirror: Final = None if self.is_muted else self._mirrored(ids, parent)
        self.trace_id, self.span_id = ids if self.mirror is None else self._ids_with(self.mirror, ids)
        if not turn.begun:
            turn.trace_id = self.trace_id
        self._record_options(options)

    def _mirrored(self, ids: tuple[str, str], parent: Span | None) -> otel_context.Mirror | None:
        around = self.parent_id or (root_span_id(self.turn) if self.turn.begun else None)
        above = parent.mirror if parent is not None else None
        start = self._opened if self._start_time is None else self._start_time
        trace_id, own_id = ids
        return otel_context.mirrored(
            otel_context.Opened(
                name=self.name,
                kind=self.kind,
                trace_id=trace_id,
                span_id=own_id,
                start=start,
                parent_id=around,
                parent=above,
            )
        )

    def _ids_with(self, mirror: otel_context.Mirror, ids: tuple[str, str]) -> tuple[str, str]:
        """The ids that OpenTelemetry gave it; its trace only where this is the first span of its own."""
        around = self._scope.open()[0]
        is_first = self.parent_id is None and not self.turn.begun and (around is None or not around.begun)
        return (mirror.trace_id if is_first else ids[0], mirror.span_id)

    def _record_options(self, options: SpanOptions) -> None:
        self.record_input(options.get("input"))
        properties, attributes = options.get("properties"), options.get("attributes")
        if properties is not None:
            self.set_properties(properties)
        if attributes is not None:
            self.set_attributes(attributes)

    # ---- what it says

    @property
    def event_id(self) -> str | None:
        """Of the interaction it belongs to; None outside any."""
        return self.turn.event_id if self.turn.begun else None

    @property
    def traceparent(self) -> str:
        """The W3C header with which another process continues from here."""
        return f"00-{self.trace_id}-{self.span_id}-01"

    def record_input(self, data: Any) -> None:
        """What went in: text, or any value; it is copied now. None changes nothing."""
        self._set_content("input", data)

    def record_output(self, data: Any) -> None:
        """What came out; as `record_input`."""
        self._set_content("output", data)

    set_input = record_input
    set_output = record_output

    def set_io(self, input: Any = None, output: Any = None) -> None:  # noqa: A002 -- the official SDKs' name
        """Both at once."""
        self.record_input(input)
        self.record_output(output)

    def set_property(self, key: str, value: Any) -> None:
        """One property; see `set_properties`."""
        self._properties[as_text(key)] = frozen(value)

    def set_properties(self, properties: Mapping[str, Any]) -> None:
        """Properties of the interaction's association, merged key by key."""
        self._merge(self._properties, "properties", properties)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """OpenTelemetry attributes: texts, numbers, truth values, or lists of one of them."""
        self._merge(self._attributes, "attributes", attributes)

    def set_model(self, model: str) -> None:
        """Name of the model that did the work."""
        self._said["model"] = model

    def set_error(self, error: Failure) -> None:
        """Mark the work as failed; an exception is taken with its type, message and stack."""
        self._said["error"] = error_text(error) if isinstance(error, BaseException) else frozen(error)

    def _set_content(self, key: str, data: Any) -> None:
        if data is not None and self._has_content:
            self._said[key] = frozen(data)

    def _merge(self, into: dict[str, Any], key: str, more: Any) -> None:
        """Merge a mapping; what is none is kept for the record to be refused by name."""
        said = frozen(more)
        if isinstance(said, dict):
            into.update(said)
        else:
            self._said[key] = said

    # ---- while it is open

    def __enter__(self) -> Self:
        self._ways_back.append(_made_current(self._scope.inside(self.turn, self)))
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        self._leave()
        self.end(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        self._leave()
        self.end(error)

    @contextmanager
    def current(self, scope: Scope | None = None) -> Generator[None]:
        """Make it the current span for a block, and leave it open.

        Args:
            scope: what was current at the end of an earlier block, to go on from there.
        """
        way_back = _made_current(self._scope.inside(self.turn, self) if scope is None else scope)
        try:
            yield
        finally:
            way_back()

    def _leave(self) -> None:
        """Back to what was current before; where a span inside is still open, that one goes all the way."""
        way_back = self._ways_back.pop()
        inner = here().span
        if inner is not None and inner is not self and inner.is_current:
            self._late = way_back
            return
        way_back()
        while (outer := _innermost(here())) is not None and outer.go_back_late():
            pass

    @property
    def is_current(self) -> bool:
        """Whether code is inside its ``with``, in any context."""
        return bool(self._ways_back)

    def go_back_late(self) -> bool:
        """Leave it, if it was left before while a span inside was still open; false where there is nothing to do."""
        way_back, self._late = self._late, None
        return way_back is not None and way_back()

    def end(self, error: Failure | None = None) -> None:
        """End it now and log it, once; a further end changes nothing.

        Args:
            error: what failed, if it did.
        """
        end = self._opened + (time.perf_counter() - self._clock)
        self._end(end, error)

    def end_at(self, end_time: Time, error: Failure | None = None) -> None:
        """End it at the given time, for work that is told of later."""
        self._end(end_time, error)

    def tell(self, output: Any, error: Failure | None, *, duration_ms: float | None, end_time: Time | None) -> None:
        """End it as work that is over already: how it went, and when it was.

        Args:
            output, error: as `record_output` and `end`.
            duration_ms: how long it took; counted from its start_time, else back from ``end_time``.
            end_time: when it ended; absent, its start and its duration say it, else it is now.
        """
        self.record_output(output)
        self._said["duration_ms"] = duration_ms
        self._is_told = True
        self._end(end_time, error)

    def _end(self, end_time: Time | None, error: Failure | None) -> None:
        try:
            self._open.pop()  # atomic: of two threads that end it, one does
        except IndexError:
            return
        if error is not None and not isinstance(error, GeneratorExit):
            self.set_error(error)
        block = self._block(end_time)
        if self.mirror is not None:
            failure = block.get("error")
            told = failure if isinstance(failure, dict) else {"message": str(failure)} if failure else None
            self.mirror.end({**self._properties, **self._attributes}, told, end_time)
        if not self.is_muted:
            self._log(block)

    def _log(self, block: Mapping[str, Any]) -> None:
        others = _OWN_IDS | _WHOSE if self.turn.is_apart else _OWN_IDS
        around = Scope({key: value for key, value in self._scope.fields.items() if key not in others})
        text = "%s %s" if block.get("error") is None else "%s %s failed"
        logger = self.turn.logger if self._logger is None else self._logger
        say(logger, block, around, text, self.kind, self.name)

    def _block(self, end_time: Time | None) -> dict[str, Any]:
        turn = self.turn
        block = {
            "type": "span",
            "kind": self.kind,
            "name": self.name,
            "start_time": self._start_time if self._is_told or self._start_time is not None else self._opened,
            "end_time": end_time,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "parent_id": self.parent_id,
            "properties": self._properties.copy() or None,
            "attributes": {**turn.attributes, **self._attributes} or None,
            **turn.ids(),
        }
        said = self._said.copy()  # another thread may be saying more
        return block | {key: value for key, value in said.items() if value is not None}

    def __repr__(self) -> str:
        return f"<Span {self.kind} {self.name!r} {self.span_id}{'' if self._open else ' ended'}>"


class LlmSpan(Span):
    """A call of a model; made by `llm_span`."""

    def _record_options(self, options: SpanOptions) -> None:
        super()._record_options(options)
        given = cast("LlmOptions", options)
        self._said |= {"model": given.get("model"), "provider": given.get("provider")}
        messages, tools = given.get("messages"), given.get("tools")
        if messages is not None:
            self.set_messages(messages)
        if tools is not None:
            self.set_tools(tools)
        elif self.turn.tools is not None:
            self.set_tools(self.turn.tools)

    def set_provider(self, provider: str) -> None:
        """Who runs the model, such as ``openai``."""
        self._said["provider"] = provider

    def set_messages(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """The prompt as messages of ``role`` and ``content``, in place of an input and of messages set before."""
        self._said.pop("input", None)
        self._set_content("messages", messages)

    def set_token_usage(self, input_tokens: int | None = None, output_tokens: int | None = None) -> None:
        """Tokens read and written; Raindrop counts them where the model is known as well. None changes nothing."""
        told = {"input_tokens": input_tokens, "output_tokens": output_tokens}
        self._said |= {key: value for key, value in told.items() if value is not None}

    def set_tools(self, tools: Sequence[Any], *, source: str | None = None) -> None:
        """The tools it was offered, in OpenAI's, Anthropic's or Raindrop's own shape; an empty list says: none.

        Args:
            tools: their definitions.
            source: where the list comes from, if it is a catalogue rather than what this request carried.
        """
        said = frozen(tools)
        self._set_content("tools", [offered_tool(tool) for tool in said] if isinstance(said, list) else said)
        if source is not None:
            self._attributes["ai.prompt.tools.source"] = source


_OWN_IDS: Final = frozenset({"trace_id", "span_id", "parent_id"})
_WHOSE: Final = frozenset({"event_id", "user_id", "event", "convo_id"})
"""Bound fields that a span never takes, and those that one of nobody's does not take either."""

WayBack = Callable[[], bool]
"""Undoes that a scope was made current; false in another context, which has its own."""


def _made_current(scope: Scope) -> WayBack:
    """Make a scope and its span current, here and on OpenTelemetry's side."""
    before, token = here(), enter(scope)
    span = _innermost(scope)
    mirror = None if span is None else span.mirror
    other = None if mirror is None else mirror.enter(scope)

    def way_back() -> bool:
        is_back = leave(token)
        if is_back and mirror is not None and other is not None:
            mirror.leave(other)
        elif not is_back and here() is scope:  # another context that goes on with this scope, such as a generator's
            enter(before)
        return is_back

    return way_back


def _innermost(scope: Scope) -> Span | None:
    """The innermost span of a scope, whatever interactions were begun inside it."""
    around: Scope | None = scope
    while around is not None and around.span is None:
        around = around.outer
    return None if around is None else around.span


def as_text(value: Any) -> str:
    """An id, a name or a key as text, whatever it was given as."""
    return str.__str__(value) if isinstance(value, str) else text_of(value, str)


def _truth(value: Any, *, otherwise: bool) -> bool:
    """A switch as it was given; ``otherwise`` where it was not, or has no truth."""
    try:
        return otherwise if value is None else bool(value)
    except Exception:  # noqa: BLE001 -- the application's own __bool__
        return otherwise


def _parent_of(turn: Turn, scope: Scope) -> str | None:
    """The innermost span around that is of the same interaction, and that Raindrop gets."""
    other = otel_context.current_ai_span()
    if other is not None and other[0] == turn.trace_id:
        return other[1]
    around: Scope | None = scope.now()
    while around is not None:
        if around.span is not None and around.span.turn is turn:
            return str(around.span.span_id)
        around = around.outer
    return turn.parent_id


def turn_around(scope: Scope) -> Turn:
    """The interaction that is open here; else a new one without ids, for a root span that a begin may follow in."""
    turn, span = scope.open()
    if turn is not None:
        return turn
    if span is not None:
        return Turn(trace_id=span.trace_id, parent_id=span.span_id)
    return root_turn(scope)


def root_turn(scope: Scope, event_id: str | None = None) -> Turn:
    """A new interaction with no span around it: in the trace that is bound, or current elsewhere, or its own."""
    turn, span = scope.open()
    if span is None and scope.fields.get("trace_id"):
        return Turn(trace_id=scope.fields["trace_id"], parent_id=scope.fields.get("span_id"))
    other = otel_context.current_ids() if turn is None and span is None else None
    return Turn(trace_id=other[0] if other is not None else event_id and trace_id_of_event(event_id))
