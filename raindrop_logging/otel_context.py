"""Our open span as OpenTelemetry's current one, where the application has loaded OpenTelemetry; nothing where not.

So any OpenTelemetry instrumentation nests under our spans, and ours under its AI spans. Where the application has set a
TracerProvider our spans are started through it, and its exporters get them as well (names, kinds, times, attributes and
errors; inputs and outputs go to Raindrop alone). Else they are non-recording spans with our ids. The global provider is
never set here, and what the application's provider and exporters raise goes no further than here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

import msgspec

from raindrop_logging._pipeline.stats import tell_operator_once
from raindrop_logging.plain import text_of
from raindrop_logging.vocabulary import instant

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext

SCOPE: Final = "raindrop-logging"
"""Instrumentation scope of our spans; the processor leaves it out, since they reach Raindrop as records."""

AI_PREFIXES: Final = ("gen_ai.", "ai.", "traceloop.", "llm.", "openinference.")
"""Attributes of a span that Raindrop keeps (wire contract, section 5), and those of conventions that mean the same."""


class Processor(Protocol):
    """What a `raindrop_logging.otel.RaindropSpanProcessor` tells of the spans that it has seen start."""

    def nearest(self, span: Span) -> tuple[str, str] | None:
        """Trace and span id, at Raindrop, of the innermost open span that it gets: this one or one around it."""


processors: Final[list[Processor]] = []
"""The processors of this process until they are shut down; without one, only our own spans reach Raindrop."""


def _api() -> Any:
    """``opentelemetry.trace``, if somebody has imported it, and whole."""
    trace = sys.modules.get("opentelemetry.trace")
    return trace if hasattr(trace, "use_span") and hasattr(trace, "NonRecordingSpan") else None


def current_ids() -> tuple[str, str] | None:
    """Trace and span id of OpenTelemetry's current span, ours or another's."""
    trace = _api()
    return None if trace is None else _ids(trace.get_current_span().get_span_context())


def current_ai_span() -> tuple[str, str] | None:
    """Trace and span id, at Raindrop, of the innermost span around that an instrumentation opened and Raindrop gets."""
    trace = _api()
    if trace is None or not processors:
        return None
    span = trace.get_current_span()
    return next(filter(None, (processor.nearest(span) for processor in tuple(processors))), None)


def is_ai(span: Any) -> bool:
    """Whether a recording span says anything that an AI reader looks for."""
    attributes = getattr(span, "attributes", None)
    return isinstance(attributes, Mapping) and any(key.startswith(AI_PREFIXES) for key in attributes)


def scope_in(context: Context | None) -> Any:
    """What the code around our innermost span in this OpenTelemetry context is about; None outside of any.

    Where only OpenTelemetry's context was taken along, such as to a thread by its own instrumentation.
    """
    from opentelemetry.context import get_value

    return get_value(_CARRIED, context)


_CARRIED: Final = "raindrop-logging.scope"


def _ids(context: SpanContext) -> tuple[str, str] | None:
    return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None


class Mirror:
    """OpenTelemetry's side of one span of ours; ``trace_id`` and ``span_id`` are the ones that it has there."""

    __slots__ = ("_span", "span_id", "trace_id")

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.trace_id, self.span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"

    def context(self, trace: Any) -> Context:
        """The OpenTelemetry context in which it is the current span."""
        return cast("Context", trace.set_span_in_context(self._span))

    def enter(self, scope: object) -> Token[Context]:
        """Make it OpenTelemetry's current span, with what the code inside is about."""
        from opentelemetry import context, trace

        return context.attach(context.set_value(_CARRIED, scope, trace.set_span_in_context(self._span)))

    def leave(self, token: Token[Context]) -> None:
        """Back to the span before."""
        from opentelemetry import context

        context.detach(token)

    def end(self, attributes: Mapping[str, Any], error: Mapping[str, Any] | None, end: Any) -> None:
        """End it, at a time as in a block; a span that records nothing ignores the rest."""
        try:
            self._end(attributes, error, _nanoseconds(end))
        except Exception as trouble:  # noqa: BLE001 -- an exporter of the application's
            _tell(trouble)

    def _end(self, attributes: Mapping[str, Any], error: Mapping[str, Any] | None, end: int | None) -> None:
        from opentelemetry.trace import Status, StatusCode

        span = self._span
        if span.is_recording():
            span.set_attributes({key: _typed(value) for key, value in attributes.items() if value is not None})
            if error:
                said = {name: str(error[key]) for key, name in _EXCEPTION.items() if error.get(key) is not None}
                span.add_event("exception", said, end)
                span.set_status(Status(StatusCode.ERROR, said.get("exception.message")))
        span.end(end)


_EXCEPTION: Final = {"type": "exception.type", "message": "exception.message", "stack": "exception.stacktrace"}
_PLAIN: Final = (str, bool, int, float)
_MAX_INT: Final = 2**63
"""Exporters count in 64 bits, and give up a whole batch for a number that has more."""


def _typed(value: Any) -> Any:
    """What OpenTelemetry takes as an attribute: texts, numbers, truth values, lists of one of them; else JSON text."""
    entries = value if isinstance(value, list) else [value]
    kinds = {type(entry) for entry in entries}
    is_small = kinds != {int} or all(-_MAX_INT <= entry < _MAX_INT for entry in entries)
    if len(kinds) < 2 and kinds <= {*_PLAIN} and is_small:  # noqa: PLR2004 -- one kind, or the empty list
        return value
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return text_of(value, repr)


def _nanoseconds(moment: Any) -> int | None:
    """A time of a block as OpenTelemetry counts; None, which is now, for one that the record will be refused for."""
    with suppress(ValueError):
        return round(instant("time", moment) * 1_000_000) * 1_000  # what a float of seconds can say
    return None


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """What OpenTelemetry is told of a span of ours as it opens.

    Args:
        name, kind: of the span.
        trace_id, span_id: that it is to have; an application's provider gives it ids of its own.
        start: a time as in a block.
        parent_id: the span around it in our trace, where OpenTelemetry has no current span.
        parent: the span that is its parent whatever is current.
    """

    name: str
    kind: str
    trace_id: str
    span_id: str
    start: Any
    parent_id: str | None
    parent: Mirror | None


def mirrored(opened: Opened) -> Mirror | None:
    """A span of ours on OpenTelemetry's side, not current yet; None where OpenTelemetry is not loaded."""
    trace = _api()
    if trace is None:
        return None
    started = None
    try:
        started = _started(trace, opened)
    except Exception as trouble:  # noqa: BLE001 -- a sampler or an exporter of the application's
        _tell(trouble)
    if started is None:
        started = trace.NonRecordingSpan(_context(trace, opened.trace_id, opened.span_id, is_remote=False))
    return Mirror(started)


def _started(trace: Any, opened: Opened) -> Span | None:
    """A span of the application's provider; None where it has none, or one that makes no spans of its own."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):
        return None
    around = _around(trace, provider, opened)
    name, kind = text_of(opened.name, str), text_of(opened.kind, str)
    span: Span = provider.get_tracer(SCOPE).start_span(
        name,
        context=around,
        attributes={"traceloop.span.kind": kind, "traceloop.entity.name": name},
        start_time=_nanoseconds(opened.start),
    )
    made, outer = span.get_span_context(), trace.get_current_span(around).get_span_context()
    return span if made.is_valid and made.span_id != outer.span_id else None


def _around(trace: Any, provider: Any, opened: Opened) -> Context | None:
    """The OpenTelemetry context to start a span in; None is the current one."""
    if opened.parent is not None:
        return opened.parent.context(trace)
    if opened.parent_id is None or current_ids() is not None:
        return None
    is_sampled = _is_sampled(trace, provider, opened)
    context = _context(trace, opened.trace_id, opened.parent_id, is_remote=True, is_sampled=is_sampled)
    return cast("Context", trace.set_span_in_context(trace.NonRecordingSpan(context)))


def _is_sampled(trace: Any, provider: Any, opened: Opened) -> bool:
    """Whether the application's sampler would take a trace that begins here, and not at the parent we name.

    It is asked with the trace id folded: half the digits of a UUID are not random, and ratios look at one half only.
    """
    sampler = getattr(provider, "sampler", None)
    if sampler is None:
        return True
    nothing_around = trace.set_span_in_context(trace.INVALID_SPAN)
    number = int(opened.trace_id, 16)
    return bool(sampler.should_sample(nothing_around, number ^ number >> 64, opened.name).decision.is_sampled())


def _context(trace: Any, trace_id: str, span_id: str, *, is_remote: bool, is_sampled: bool = True) -> Any:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if is_sampled else trace.TraceFlags.DEFAULT)
    return trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=is_remote, trace_flags=flags)


def _tell(trouble: Exception) -> None:
    said = f"{type(trouble).__name__}: {text_of(trouble, str)}"
    tell_operator_once("opentelemetry", f"OpenTelemetry does not take our spans: {said}")
