"""Tokens and cost of an event, where its spans or its properties say them.

In: spans and properties.  Out: a `Usage`.  Touches: nothing.
A span around a model's span often repeats its tokens, so a span counts only when none inside it says any.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from raindrop_logging.workshop.records import Span

INPUT: Final = (
    "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "ai.usage.inputTokens", "ai.usage.promptTokens",
    "ai.usage.prompt_tokens", "llm.usage.prompt_tokens", "llm.token_count.prompt",
)  # fmt: skip
OUTPUT: Final = (
    "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "ai.usage.outputTokens",
    "ai.usage.completionTokens", "ai.usage.completion_tokens", "llm.usage.completion_tokens",
    "llm.token_count.completion",
)  # fmt: skip
CACHED: Final = (
    "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cache_read.input_tokens", "ai.usage.cachedInputTokens",
    "llm.usage.cache_read_input_tokens",
)  # fmt: skip
COST: Final = ("gen_ai.usage.cost", "ai.usage.cost", "llm.usage.cost", "llm.usage.total_cost")


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens in and out, those of the input that came from a cache, and cost in whatever was sent; None: not said."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost: float | None = None

    def __bool__(self) -> bool:
        return any(value is not None for value in msgspec.structs.astuple(self))


def said(attributes: Mapping[str, Any]) -> Usage:
    """What one span's attributes, or an event's properties, say."""
    tokens = {name: _number(attributes, names) for name, names in _TOKENS.items()}
    whole: dict[str, Any] = {name: None if value is None else int(value) for name, value in tokens.items()}
    return Usage(**whole, cost=_number(attributes, COST))


def total(spans: Iterable[Span], properties: Mapping[str, Any]) -> Usage:
    """The sum over the spans; where none says anything, what the event's properties say."""
    known = {(span.trace_id, span.span_id): span for span in spans}
    speaking = {key: usage for key, span in known.items() if (usage := said(span.attributes))}
    around = {outer for key in speaking for outer in _around(key, known)}
    counted = [usage for key, usage in speaking.items() if key not in around]
    if not counted:
        return said(properties)
    return Usage(**{name: _sum(getattr(usage, name) for usage in counted) for name in Usage.__struct_fields__})


_TOKENS: Final = {"input_tokens": INPUT, "output_tokens": OUTPUT, "cached_tokens": CACHED}
_Key = tuple[str, str]


def _around(key: _Key, known: Mapping[_Key, Span]) -> set[_Key]:
    """The spans that this one lies in; parents may form a circle."""
    found: set[_Key] = set()
    span = known[key]
    while span.parent_id:
        outer = (span.trace_id, span.parent_id)
        if outer not in known or outer in found or outer == key:
            break
        found.add(outer)
        span = known[outer]
    return found


def _number(attributes: Mapping[str, Any], names: Iterable[str]) -> float | None:
    for name in names:
        try:
            value = float(attributes[name])
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if math.isfinite(value) and value >= 0:
            return value
    return None


def _sum(values: Iterable[Any]) -> Any:
    there = [value for value in values if value is not None]
    return sum(there) if there else None
