"""OpenTelemetry's spans as Raindrop's: a processor for the application's own TracerProvider, and instrumentors without.

    provider.add_span_processor(RaindropSpanProcessor())      # you have a TracerProvider: the other exporters stay
    instrument()                                              # you have none: installed instrumentors are switched on

Each span that ends is one log record, and takes the road of every other. The global provider is never replaced, and
what is added about the interaction around is added on our side only.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.trace import StatusCode

from raindrop_logging._pipeline.stats import tell_operator
from raindrop_logging.context import Scope, Turn, here
from raindrop_logging.offered_tools import offered_by_attributes, offered_tool
from raindrop_logging.otel_context import SCOPE, is_ai, processors
from raindrop_logging.plain import text_of
from raindrop_logging.record import say
from raindrop_logging.vocabulary import SpanKind

if TYPE_CHECKING:
    from opentelemetry.context import Context

MAX_OPEN = 10_000
"""Spans that are open at once; the interaction of one that never ends is forgotten past that."""


class RaindropSpanProcessor(SpanProcessor):
    """Sends the AI spans of a TracerProvider (models, tools, chains of any instrumentation) to Raindrop.

    A span belongs to the interaction that is open where it starts. Others, such as of HTTP servers and databases, are
    left out, and an AI span hangs on its nearest ancestor that is none of them.

    Args:
        logger: to log them on; the interaction's own by default, else the logger ``raindrop``.
        everything: also take the other spans that start within an interaction.
    """

    def __init__(self, *, logger: logging.Logger | None = None, everything: bool = False) -> None:
        self._logger = logger
        self._everything = everything
        self._open: dict[int, tuple[Span, Turn, Scope]] = {}
        processors.add(self)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 -- OpenTelemetry's
        """Remember the interaction that the span starts in."""
        if _is_ours(span):
            return
        scope = here()
        turn, _ = scope.open()
        self._open[span.get_span_context().span_id] = (span, turn or _NOBODY, scope)
        if len(self._open) > MAX_OPEN:
            with suppress(RuntimeError, StopIteration):  # another thread has just changed it
                self._open.pop(next(iter(self._open)), None)

    def on_end(self, span: ReadableSpan) -> None:
        """Log the span, if it is one for Raindrop."""
        context = span.get_span_context()
        if context is None or _is_ours(span):
            return
        _, turn, scope = self._open.pop(context.span_id, (None, _NOBODY, Scope()))
        wanted = is_ai(span) or (self._everything and turn.begun)
        if not wanted or not context.trace_flags.sampled or getattr(scope.span, "is_muted", False):
            return
        block = {
            "type": "span",
            "kind": kind_of(span.attributes or {}),
            "name": span.name,
            "start_time": (span.start_time or 0) / 1e9,
            "end_time": (span.end_time or span.start_time or 0) / 1e9,
            "trace_id": f"{context.trace_id:032x}",
            "span_id": f"{context.span_id:016x}",
            "parent_id": self._parent_of(span),
            "error": _error(span),
            "attributes": {**turn.attributes, **normalised(span.attributes or {}, turn.tools)},
            **turn.ids(),
        }
        fields = {key: value for key, value in scope.fields.items() if key not in ("trace_id", "span_id")}
        say(self._logger or turn.logger, block, Scope(fields), "%s %s", block["kind"], span.name)

    def _parent_of(self, span: ReadableSpan) -> str | None:
        """The nearest ancestor that Raindrop gets; one that is not known here is taken to be."""
        parent = span.parent
        while parent is not None and parent.span_id in self._open:
            ancestor, turn, _ = self._open[parent.span_id]
            if is_ai(ancestor) or (self._everything and turn.begun):
                break
            parent = ancestor.parent
        return f"{parent.span_id:016x}" if parent is not None else None

    def shutdown(self) -> None:
        """Nothing is held here."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what was logged so far, as the handlers' `flush` does."""
        from raindrop_logging.handler import flush

        return bool(flush(timeout_millis / 1000))


_NOBODY: Final = Turn()


def _is_ours(span: ReadableSpan) -> bool:
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE


def _error(span: ReadableSpan) -> Mapping[str, Any] | None:
    """What failed: the exception that was recorded, else what the status says."""
    if span.status.status_code is not StatusCode.ERROR:
        return None
    said = {"message": span.status.description or "error"}
    for event in span.events:
        if event.name == "exception" and event.attributes:
            for key, name in (("type", "type"), ("message", "message"), ("stack", "stacktrace")):
                text = event.attributes.get(f"exception.{name}")
                said |= {key: str(text)} if text else {}
    return said


# ---- what a span is, and what its attributes are called -------------------------------------------------------------

_KINDS: Final[dict[str, SpanKind]] = {
    "workflow": "workflow",
    "agent": "workflow",
    "invoke_agent": "workflow",
    "create_agent": "workflow",
    "task": "task",
    "chain": "task",
    "retriever": "task",
    "tool": "tool",
    "execute_tool": "tool",
    "ai.toolcall": "tool",
    "llm": "llm",
    "chat": "llm",
    "completion": "llm",
    "text_completion": "llm",
    "generate_content": "llm",
    "embeddings": "llm",
    "embedding": "llm",
}
_KIND_KEYS: Final = (
    "traceloop.span.kind",
    "openinference.span.kind",
    "gen_ai.operation.name",
    "llm.request.type",
    "ai.operationId",
)
_MODEL_KEYS: Final = ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "llm.request.model")


def kind_of(attributes: Mapping[str, Any]) -> SpanKind:
    """The kind that a span's attributes say, in any of the conventions; ``trace`` where they say none."""
    for key in _KIND_KEYS:
        kind = _KINDS.get(str(attributes.get(key)).lower())
        if kind is not None:
            return kind
    return "llm" if any(key in attributes for key in _MODEL_KEYS) else "trace"


_RENAMED: Final = {
    "gen_ai.usage.prompt_tokens": "gen_ai.usage.input_tokens",
    "gen_ai.usage.completion_tokens": "gen_ai.usage.output_tokens",
    "llm.usage.prompt_tokens": "gen_ai.usage.input_tokens",
    "llm.usage.completion_tokens": "gen_ai.usage.output_tokens",
    "llm.token_count.prompt": "gen_ai.usage.input_tokens",
    "llm.token_count.completion": "gen_ai.usage.output_tokens",
    "gen_ai.system": "gen_ai.provider.name",
    "llm.model_name": "gen_ai.response.model",
    "gen_ai.request.model": "gen_ai.response.model",
}
"""Names that Raindrop counts tokens and models by, from those that say the same (wire notes, model usage)."""


def normalised(attributes: Mapping[str, Any], tools: Collection[Any] | None = None) -> dict[str, Any]:
    """The attributes, with Raindrop's own names beside those of other conventions.

    Args:
        attributes: of a span.
        tools: what the interaction says its models are offered; wins over what the span says.
    """
    found: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in attributes.items()
    }
    for old, new in _RENAMED.items():
        if old in attributes:
            found.setdefault(new, attributes[old])
    if kind_of(attributes) != "llm":
        return found
    offered = offered_by_attributes(attributes) if tools is None else [offered_tool(tool) for tool in tools]
    if offered is not None:
        found["ai.prompt.tools"] = [_json_text(tool) for tool in offered]
    return found


def _json_text(value: Any) -> str:
    import msgspec

    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


# ---- instrumentors -------------------------------------------------------------------------------------------------

_provider: list[TracerProvider] = []
"""The provider of our own, made when the first instrumentor needs one."""


def instrument(*names: str) -> list[str]:
    """Switch installed OpenTelemetry instrumentors on, so that what they know of is captured by itself.

    They are found by OpenTelemetry's own entry points (the packages ``opentelemetry-instrumentation-*``). Where the
    application has set a TracerProvider they use that one, with a `RaindropSpanProcessor` if it has none yet; else a
    private one.

    Args:
        names: of the instrumentors, such as ``openai``; all that are installed, if none is named.

    Returns:
        list[str]: those that are on now. One that is named and not installed, or that cannot be switched on, is told
        on the logger ``raindrop_logging``.
    """
    found = {point.name: point for point in entry_points(group="opentelemetry_instrumentor")}
    for name in set(names) - found.keys():
        known = ", ".join(sorted(found)) or "none"
        tell_operator(f"no OpenTelemetry instrumentor '{name}' is installed; installed: {known}")
    provider = _tracer_provider()
    return [name for name in sorted(found) if (not names or name in names) and _is_on(found[name], provider)]


def _tracer_provider() -> trace.TracerProvider:
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        if not processors:
            provider.add_span_processor(RaindropSpanProcessor())
        return provider
    if not _provider:
        private = TracerProvider(shutdown_on_exit=False)
        private.add_span_processor(RaindropSpanProcessor())
        _provider.append(private)
    return _provider[0]


def _is_on(point: EntryPoint, provider: trace.TracerProvider) -> bool:
    try:
        instrumentor = point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(tracer_provider=provider)
    except Exception as error:  # noqa: BLE001 -- somebody else's package must not break the application
        tell_operator(f"the OpenTelemetry instrumentor '{point.name}' failed: {text_of(error, str)}")
        return False
    return bool(instrumentor.is_instrumented_by_opentelemetry)
