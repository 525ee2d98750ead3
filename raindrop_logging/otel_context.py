"""Our open span as OpenTelemetry's current one, where the application has loaded OpenTelemetry; nothing where not.

So any OpenTelemetry instrumentation nests under our spans, and ours under its AI spans. Where the application has set a
TracerProvider our spans are started through it, and its exporters get them as well (names, kinds, times, attributes and
errors; inputs and outputs go to Raindrop alone). Else they are non-recording spans with our ids. The global provider is
never set here.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakSet

from raindrop_logging.plain import text_of

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, SpanContext

SCOPE: Final = "raindrop-logging"
"""Instrumentation scope of our spans; the processor leaves it out, since they reach Raindrop as records."""

processors: Final[WeakSet[Any]] = WeakSet()
"""The `RaindropSpanProcessor`s of this process; without one, only our own spans reach Raindrop."""

AI_PREFIXES: Final = ("gen_ai.", "ai.", "traceloop.", "llm.", "openinference.")
"""Attributes of a span that Raindrop keeps (wire contract, section 5), and those of conventions that mean the same."""


def _api() -> Any:
    """``opentelemetry.trace``, if somebody has imported it, and whole."""
    trace = sys.modules.get("opentelemetry.trace")
    return trace if hasattr(trace, "use_span") and hasattr(trace, "NonRecordingSpan") else None


def current_ids() -> tuple[str, str] | None:
    """Trace and span id of OpenTelemetry's current span, ours or another's."""
    trace = _api()
    return None if trace is None else _ids(trace.get_current_span().get_span_context())


def current_ai_span() -> tuple[str, str] | None:
    """Its ids where Raindrop gets that span too: an AI span of an instrumentation, or one of ours."""
    trace = _api()
    if trace is None or not processors:
        return None
    span = trace.get_current_span()
    return _ids(span.get_span_context()) if is_ai(span) else None


def is_ai(span: Any) -> bool:
    """Whether a recording span says anything that an AI reader looks for."""
    attributes: Mapping[str, Any] = getattr(span, "attributes", None) or {}
    return any(key.startswith(AI_PREFIXES) for key in attributes)


def _ids(context: SpanContext) -> tuple[str, str] | None:
    return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None


class Mirror:
    """OpenTelemetry's side of one span of ours; ``ids`` are the ones that both sides use."""

    __slots__ = ("_span", "ids")

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.ids = (f"{context.trace_id:032x}", f"{context.span_id:016x}")

    def context(self, trace: Any) -> Context:
        """The OpenTelemetry context in which it is the current span."""
        return cast("Context", trace.set_span_in_context(self._span))

    def enter(self) -> Token[Context]:
        """Make it OpenTelemetry's current span."""
        from opentelemetry import context, trace

        return context.attach(trace.set_span_in_context(self._span))

    def leave(self, token: Token[Context]) -> None:
        """Back to the span before."""
        from opentelemetry import context

        context.detach(token)

    def end(self, attributes: Mapping[str, Any], error: Mapping[str, str] | None, end: float) -> None:
        """End it, ``end`` in seconds since 1970; a span that records nothing ignores the rest."""
        from opentelemetry.trace import Status, StatusCode

        span = self._span
        if span.is_recording():
            span.set_attributes({key: _typed(value) for key, value in attributes.items()})
            if error:
                said = {f"exception.{_EXCEPTION[key]}": text for key, text in error.items() if key in _EXCEPTION}
                span.add_event("exception", said)
                span.set_status(Status(StatusCode.ERROR, error.get("message")))
        span.end(round(end * 1e9))


def _typed(value: Any) -> Any:
    """What OpenTelemetry takes as an attribute; the text of anything else."""
    entries = value if isinstance(value, list) else [value]
    return value if all(isinstance(entry, str | bool | int | float) for entry in entries) else text_of(value, str)


_EXCEPTION: Final = {"type": "type", "message": "message", "stack": "stacktrace"}


def mirrored(
    name: str,
    kind: str,
    ids: tuple[str, str],
    *,
    start: float,
    parent_id: str | None,
    parent: Mirror | None,
) -> Mirror | None:
    """A span of ours on OpenTelemetry's side, not current yet; None where OpenTelemetry is not loaded.

    Args:
        name, kind: of the span.
        ids: the trace and span id it is to have; an application's provider gives it ids of its own.
        start: seconds since 1970.
        parent_id: the span around it in our trace, where OpenTelemetry's current span is of another one.
        parent: the span that is its parent whatever is current.
    """
    trace = _api()
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    if not isinstance(provider, trace.ProxyTracerProvider):
        span = provider.get_tracer(SCOPE).start_span(
            name,
            context=_around(trace, ids[0], parent_id, parent),
            attributes={"traceloop.span.kind": kind, "traceloop.entity.name": name},
            start_time=round(start * 1e9),
        )
        if span.get_span_context().is_valid:
            return Mirror(span)
    return Mirror(trace.NonRecordingSpan(_context(trace, ids, is_remote=False)))


def _around(trace: Any, trace_id: str, parent_id: str | None, parent: Mirror | None) -> Context | None:
    """The OpenTelemetry context to start a span in; None is the current one."""
    if parent is not None:
        return parent.context(trace)
    current = current_ids()
    if parent_id is None or (current is not None and current[0] == trace_id):
        return None
    span = trace.NonRecordingSpan(_context(trace, (trace_id, parent_id), is_remote=True))
    return cast("Context", trace.set_span_in_context(span))


def _context(trace: Any, ids: tuple[str, str], *, is_remote: bool) -> Any:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.SpanContext(int(ids[0], 16), int(ids[1], 16), is_remote=is_remote, trace_flags=flags)
