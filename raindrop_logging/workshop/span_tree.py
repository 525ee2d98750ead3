"""The spans of one event as a tree on a time axis, listed from the top.

In: spans in any order.  Out: `Branch`es in the order a page shows them.  Touches: nothing.
A span whose parent is unknown is a root. Every span is listed once, even when parents form a circle.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import msgspec

from raindrop_logging.workshop import times
from raindrop_logging.workshop.records import Span

MIN_WIDTH: Final = 0.6
"""Percent: so that the shortest span can still be seen."""

MAX_DEPTH: Final = 12
"""What lies deeper is shown at this depth: a narrow screen nests only so far."""

STEPS: Final = (1, 2, 5)
MOST_TICKS: Final = 6

_Key = tuple[str, str]


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A span and its place: `depth` from 0, the bar's `left` and `width` in percent, `seconds` or None."""

    span: Span
    depth: int
    left: float
    width: float
    seconds: float | None


def grow(spans: Iterable[Span]) -> tuple[Branch, ...]:
    """Each parent before its children, siblings in order of start."""
    ordered = sorted(spans, key=lambda span: (span.start_time or "", span.span_id))
    begin, end = _extent(ordered)
    whole = times.seconds_between(begin, end) or 0.0
    return tuple(_branch(span, depth, begin, whole) for span, depth in _walked(ordered))


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """A mark of the time axis: so many `seconds` after the beginning, `left` in percent."""

    seconds: float
    left: float


def ticks(branches: Iterable[Branch]) -> tuple[Tick, ...]:
    """At most six marks at round times, from 0; none when no time passed."""
    spans = [branch.span for branch in branches]
    whole = times.seconds_between(*_extent(spans)) or 0.0
    if whole <= 0:
        return ()
    size = 10.0 ** math.floor(math.log10(whole / MOST_TICKS))
    step = next(size * by for by in (*STEPS, 10, 20) if whole / (size * by) < MOST_TICKS)
    return tuple(
        Tick(seconds=round(step * number, 9), left=round(100 * step * number / whole, 2))
        for number in range(int(whole / step) + 1)
    )


def _extent(spans: list[Span]) -> tuple[str | None, str | None]:
    begin = min((span.start_time for span in spans if span.start_time), default=None)
    return begin, max((span.end_time for span in spans if span.end_time), default=None)


def _walked(ordered: list[Span]) -> list[tuple[Span, int]]:
    known = {_key(span) for span in ordered}
    children: dict[_Key | None, list[Span]] = {}
    for span in ordered:
        parent = (span.trace_id, span.parent_id or "")
        children.setdefault(parent if parent in known else None, []).append(span)
    listed: dict[_Key, tuple[Span, int]] = {}
    # Circles have no root: after the real roots, whatever was not reached starts a tree of its own.
    for root in (*children.get(None, ()), *ordered):
        waiting = [(root, 0)]
        while waiting:
            span, depth = waiting.pop()
            if _key(span) in listed:
                continue
            listed[_key(span)] = (span, min(depth, MAX_DEPTH))
            waiting += [(child, depth + 1) for child in reversed(children.get(_key(span), ()))]
    return list(listed.values())


def _branch(span: Span, depth: int, begin: str | None, whole: float) -> Branch:
    seconds = times.seconds_between(span.start_time, span.end_time)
    left = min(_percent(times.seconds_between(begin, span.start_time), whole), 100 - MIN_WIDTH)
    width = min(max(_percent(seconds, whole), MIN_WIDTH), 100 - left)
    return Branch(span=span, depth=depth, left=round(left, 2), width=round(width, 2), seconds=seconds)


def _percent(part: float | None, whole: float) -> float:
    return 100 * max(part, 0.0) / whole if part and whole else 0.0


def _key(span: Span) -> _Key:
    return span.trace_id, span.span_id
