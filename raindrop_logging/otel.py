"""OpenTelemetry's spans as Raindrop's: a processor for the application's own TracerProvider, and instrumentors without.

    provider.add_span_processor(RaindropSpanProcessor())      # you have a TracerProvider: the other exporters stay
    instrument()                                              # you have none: installed instrumentors are switched on

Each span that ends is one log record, and takes the road of every other. The global provider is never replaced, and
what is added about the interaction around is added on our side only.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Collection, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanContext, StatusCode

from raindrop_logging._pipeline.stats import tell_operator
from raindrop_logging.context import AnyLogger, Scope, Turn, here
from raindrop_logging.offered_tools import offered_by_attributes, offered_tool
from raindrop_logging.otel_context import SCOPE, is_ai, processors, scope_in
from raindrop_logging.plain import text_of
from raindrop_logging.record import say
from raindrop_logging.vocabulary import SpanKind

if TYPE_CHECKING:
    from opentelemetry.context import Context

MAX_SPANS = 10_000
"""Spans that a processor knows of at once: open ones, and those left out that others may hang on."""

MAX_ATTRIBUTES = 4_096
"""Attributes of a span of `instrument`'s own provider; a long conversation has more than OpenTelemetry's 128."""


_DEEPEST: Final = 1_000
"""Ancestors that are asked; span ids that come twice, as where an application seeds `random`, may go in circles."""


class RaindropSpanProcessor(SpanProcessor):
    """Sends the AI spans of a TracerProvider (models, tools, chains of any instrumentation) to Raindrop.

    A span belongs to the interaction that is open where it starts, and to its trace. Others, such as of HTTP servers
    and databases, are left out, and an AI span hangs on its nearest ancestor that is none of them.

    Args:
        logger: to log them on; the interaction's own by default, else the logger ``raindrop``.
        everything: also take the other spans that start within an interaction.
    """

    def __init__(self, *, logger: AnyLogger | None = None, everything: bool = False) -> None:
        self._logger = logger
        self._everything = everything
        self._open: OrderedDict[int, _Open] = OrderedDict()
        self._left_out: OrderedDict[int, int | None] = OrderedDict()
        processors.append(self)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember the interaction that the span starts in."""
        context = span.get_span_context()
        if not _is_ours(span):
            _remember(self._open, context.span_id, _Open(span, context, _scope_at(parent_context)))

    def on_end(self, span: ReadableSpan) -> None:
        """Log the span, if it is one for Raindrop."""
        context = span.get_span_context()
        if context is None or _is_ours(span):
            return
        seen = self._open.pop(context.span_id, None) or _Open(span, context, Scope())
        seen.span = span
        try:
            if self._is_wanted(seen):
                self._log(seen)
            else:
                _remember(self._left_out, context.span_id, self._parent_of(span))
        except Exception as error:  # noqa: BLE001 -- a filter of the application's must not end in its instrumentations
            tell_operator(f"the span '{span.name}' was not logged: {type(error).__name__}: {text_of(error, str)}")

    def _log(self, seen: _Open) -> None:
        span, turn, attributes = seen.span, seen.turn, seen.span.attributes or {}
        kind = kind_of(attributes)
        name = name_of(attributes) or span.name or kind
        parent = self._parent_of(span)
        block = {
            "type": "span",
            "kind": kind,
            "name": name,
            "start_time": (span.start_time or 0) / 1e9,
            "end_time": (span.end_time or span.start_time or 0) / 1e9,
            "trace_id": seen.trace_id,
            "span_id": f"{seen.context.span_id:016x}",
            "parent_id": turn.parent_id if parent is None else f"{parent:016x}",
            "error": _error(span),
            "tools": _offered(attributes, turn.tools) if kind == "llm" else None,
            "attributes": {**turn.attributes, **normalised(attributes)},
            **turn.ids(),
        }
        fields = {key: value for key, value in seen.scope.fields.items() if key not in ("trace_id", "span_id")}
        say(self._logger or turn.logger, block, Scope(fields), "%s %s", kind, name)

    def nearest(self, span: trace.Span) -> tuple[str, str] | None:
        """Trace and span id, at Raindrop, of the innermost open span that it gets: this one or one around it."""
        number = self._kept(span.get_span_context().span_id)
        seen = None if number is None else self._open.get(number)
        return None if seen is None else (seen.trace_id, f"{number:016x}")

    def _parent_of(self, span: ReadableSpan) -> int | None:
        """The nearest ancestor that Raindrop gets; one that is not known here is taken to be."""
        return None if span.parent is None else self._kept(span.parent.span_id)

    def _kept(self, number: int | None) -> int | None:
        """This span, if Raindrop gets it, else the nearest around it."""
        for _ in range(_DEEPEST):
            if number is None:
                break
            seen = self._open.get(number)
            if seen is None:
                around = self._left_out.get(number, number)
                if around == number:
                    return number
                number = around
            elif self._is_wanted(seen):
                return number
            else:
                number = None if seen.span.parent is None else seen.span.parent.span_id
        return None

    def _is_wanted(self, seen: _Open) -> bool:
        if getattr(seen.scope.span, "is_muted", False) or not seen.context.trace_flags.sampled:
            return False
        return is_ai(seen.span) or (self._everything and seen.turn.begun)

    def shutdown(self) -> None:
        """No span of ours hangs on one of this provider any more; what was logged is the handlers' to send."""
        if self in processors:
            processors.remove(self)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what was logged so far, as the handlers' `flush` does."""
        from raindrop_logging.handler import flush

        return bool(flush(timeout_millis / 1000))


class _Open:
    """A span that has started, and what it is about."""

    __slots__ = ("context", "scope", "span", "turn")

    def __init__(self, span: ReadableSpan, context: SpanContext, scope: Scope) -> None:
        self.span = span
        self.context = context
        self.scope = scope
        self.turn = scope.open()[0] or _NOBODY

    @property
    def trace_id(self) -> str:
        """Its trace at Raindrop: that of the interaction, in which there may be several of OpenTelemetry's."""
        return f"{self.context.trace_id:032x}" if self.turn is _NOBODY else self.turn.trace_id


_NOBODY: Final = Turn()
_NOWHERE: Final = Scope()
_Value = TypeVar("_Value")


def _scope_at(context: Context | None) -> Scope:
    """What the code that starts a span is about: as it is here, else as OpenTelemetry's context has brought it."""
    scope = here()
    return scope if scope != _NOWHERE else scope_in(context) or scope


def _remember(known: OrderedDict[int, _Value], number: int, value: _Value) -> None:
    known[number] = value
    if len(known) > MAX_SPANS:
        known.popitem(last=False)


def _is_ours(span: ReadableSpan) -> bool:
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE


def _error(span: ReadableSpan) -> Mapping[str, Any] | None:
    """What failed: the exception that was recorded last, else what the status says."""
    if span.status.status_code is not StatusCode.ERROR:
        return None
    said: dict[str, Any] = {"message": span.status.description or "error"}
    for event in reversed(span.events):
        if event.name == "exception" and event.attributes:
            found = {key: event.attributes.get(f"exception.{name}") for key, name in _EXCEPTION.items()}
            return said | {key: str(text) for key, text in found.items() if text}
    return said


_EXCEPTION: Final = {"type": "type", "message": "message", "stack": "stacktrace"}


# ---- what a span is, and what its attributes are called -------------------------------------------------------------

_KINDS: Final[dict[str, SpanKind]] = {
    "workflow": "workflow",
    "agent": "workflow",
    "invoke_agent": "workflow",
    "create_agent": "workflow",
    "invoke_workflow": "workflow",
    "task": "task",
    "chain": "task",
    "retriever": "task",
    "retrieval": "task",
    "reranker": "task",
    "guardrail": "task",
    "evaluator": "task",
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
_MODEL_KEYS: Final = ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "ai.model.id")


def kind_of(attributes: Mapping[str, Any]) -> SpanKind:
    """The kind that a span's attributes say, in any of the conventions; ``trace`` where they say none."""
    for key in _KIND_KEYS:
        said = attributes.get(key)
        kind = _KINDS.get(said.lower()) if isinstance(said, str) else None
        if kind is not None:
            return kind
    return "llm" if any(key in attributes for key in _MODEL_KEYS) else "trace"


def name_of(attributes: Mapping[str, Any]) -> str | None:
    """What a span is called in its attributes, where that is not the name of the span: "search", not "search.tool"."""
    keys = (_ENTITY_NAME, *_TOOL_NAMES) if kind_of(attributes) == "tool" else (_ENTITY_NAME,)
    return next((said for key in keys if isinstance(said := attributes.get(key), str) and said), None)


_ENTITY_NAME: Final = "traceloop.entity.name"
_TOOL_NAMES: Final = ("gen_ai.tool.name", "ai.toolCall.name", "tool.name")

_NAMES: Final = {
    "gen_ai.usage.input_tokens": (
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
    ),
    "gen_ai.usage.output_tokens": (
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "gen_ai.provider.name": ("gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    "gen_ai.response.model": ("ai.response.model", "gen_ai.request.model", "llm.model_name", "ai.model.id"),
    "gen_ai.tool.name": ("ai.toolCall.name", "tool.name"),
    "ai.toolCall.args": ("gen_ai.tool.call.arguments",),
    "ai.toolCall.result": ("gen_ai.tool.call.result",),
    "traceloop.entity.input": ("input.value",),
    "traceloop.entity.output": ("output.value",),
}
"""Names that Raindrop reads tokens, models and contents by, and those of other conventions that say the same."""


def normalised(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a span, with Raindrop's own names beside those of other conventions.

    A name that the span has itself is never changed.
    """
    found: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else value for key, value in attributes.items()
    }
    for name, others in _NAMES.items():
        said = next((attributes[other] for other in others if attributes.get(other) is not None), None)
        if said is not None:
            found.setdefault(name, said)
    if kind_of(attributes) == "tool" and "gen_ai.tool.name" in found:
        found.setdefault("traceloop.entity.name", found["gen_ai.tool.name"])
        found.setdefault("raindrop.tool.name", found["gen_ai.tool.name"])
    return found


def _offered(attributes: Mapping[str, Any], tools: Collection[Any] | None) -> list[Any] | None:
    """The tools a model was offered: as the interaction says, else as the span does."""
    return offered_by_attributes(attributes) if tools is None else [offered_tool(tool) for tool in tools]


# ---- instrumentors -------------------------------------------------------------------------------------------------

_own: Final[list[tuple[TracerProvider, RaindropSpanProcessor]]] = []
"""The provider of our own, made when the first instrumentor needs one, and its processor."""

_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_ALL: Final = "*"
"""What OpenTelemetry's own command reads in that variable as all of them."""


def instrument(*names: str) -> list[str]:
    """Switch installed OpenTelemetry instrumentors on, so that what they know of is captured by itself.

    They are found by OpenTelemetry's own entry points (the packages ``opentelemetry-instrumentation-*``). Where the
    application has set a TracerProvider they use that one, with a `RaindropSpanProcessor` if it has none yet; else a
    private one.

    Args:
        names: of the instrumentors, such as ``openai``; if none is named, all that are installed with the library
            that they are for, without those in ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS``.

    Returns:
        list[str]: those that are on now. One that is named and not installed, or that cannot be switched on, is told
        on the logger ``raindrop_logging``.
    """
    found: dict[str, list[EntryPoint]] = {}
    for point in sorted(entry_points(group="opentelemetry_instrumentor"), key=lambda point: point.value):
        found.setdefault(point.name, []).append(point)
    for name in sorted(set(names) - found.keys()):
        known = ", ".join(sorted(found)) or "none"
        tell_operator(f"no OpenTelemetry instrumentor '{name}' is installed; installed: {known}")
    disabled = {name.strip() for name in os.environ.get(_DISABLED, "").split(",")}
    allowed = set[str]() if _ALL in disabled else found.keys() - disabled
    wanted = found.keys() & set(names) if names else allowed
    provider = _tracer_provider()
    return [name for name in sorted(wanted) if _is_on(name, found[name], provider, is_named=bool(names))]


def _tracer_provider() -> trace.TracerProvider:
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        if not {*processors} - {processor for _, processor in _own}:
            provider.add_span_processor(RaindropSpanProcessor())
        return provider
    if not _own:
        limits = SpanLimits(max_span_attributes=MAX_ATTRIBUTES)
        private = TracerProvider(ALWAYS_ON, Resource.get_empty(), shutdown_on_exit=False, span_limits=limits)
        processor = RaindropSpanProcessor()
        private.add_span_processor(processor)
        _own.append((private, processor))
    return _own[0][0]


def _is_on(name: str, points: list[EntryPoint], provider: trace.TracerProvider, *, is_named: bool) -> bool:
    """Whether it is on; of several packages that bring one for the same library, the first that works is."""
    troubles: list[Exception] = []
    for point in points:
        trouble = _trouble(point, provider)
        if trouble is None:
            return True
        troubles.append(trouble)
    for trouble in troubles:
        if is_named or not _is_for_nothing_installed(trouble):
            tell_operator(f"the OpenTelemetry instrumentor '{name}' failed: {text_of(trouble, str)}")
    return False


def _trouble(point: EntryPoint, provider: trace.TracerProvider) -> Exception | None:
    """None once it is on, else why it is not."""
    try:
        instrumentor = point.load()()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(tracer_provider=provider, raise_exception_on_conflict=True)
        is_on = instrumentor.is_instrumented_by_opentelemetry
    except Exception as error:  # noqa: BLE001 -- somebody else's package must not break the application
        return error
    # Versions of OpenTelemetry that do not know of raise_exception_on_conflict leave it off, and log why.
    return None if is_on else ModuleNotFoundError("its library is missing, or of a version that it does not know")


def _is_for_nothing_installed(error: Exception) -> bool:
    """Whether an instrumentor failed because its library is missing, or of a version that it does not know."""
    return isinstance(error, ModuleNotFoundError) or type(error).__name__ == "DependencyConflictError"
