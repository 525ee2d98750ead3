"""Signals as the JSON API tells them: how they are defined, how they do, where they were found.

In: what `signals.store` answers.  Out: values for JSON.  Touches: nothing.
"""

from __future__ import annotations

from typing import Final

import msgspec

from raindrop_logging.workshop.api.schemas.conversion import told
from raindrop_logging.workshop.records import Event
from raindrop_logging.workshop.search.question import Part
from raindrop_logging.workshop.signals import excerpts as signal_excerpts
from raindrop_logging.workshop.signals.rules import Definition, Kind, Origin, Sentiment, State
from raindrop_logging.workshop.signals.store import Hit, Preview, SignalInfo

SAMPLE_CHARS: Final = 1_000
"""Longest input or output of a hit; the event itself has all of it."""


class Marks(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How many hits somebody marked as right, and as wrong."""

    right: int
    wrong: int


class ToldInfo(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A signal with its state and how well it does; `definition` is null for what SDKs send."""

    id: str
    name: str
    kind: Kind
    origin: Origin
    label: str | None
    description: str
    sentiment: Sentiment | None
    enabled: bool
    state: State
    reason: str | None
    version: int
    definition: Definition | None
    progress: float
    hits: int
    precision: float | None
    marks: Marks


class SignalList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Every signal."""

    signals: list[ToldInfo]


class ShortEvent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An event that has a signal; long texts are cut."""

    event_id: str
    user_id: str | None
    event: str | None
    model: str | None
    convo_id: str | None
    timestamp: str | None
    is_pending: bool
    input: str | None
    output: str | None


class ToldHit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One event that has a signal, where it was found, and whether it was marked wrong.

    `excerpt` is the text around what was found, in parts that say whether they are it; empty for what SDKs send.
    """

    event: ShortEvent
    found_at: str
    place: str | None
    matched: str | None
    wrong: bool | None
    excerpt: list[Part]


class HitList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of hits, newest event first."""

    hits: list[ToldHit]
    next_cursor: str | None


class ToldPreview(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a definition would find among the newest `scanned` of `events`; `problem` says why it cannot be used."""

    count: int
    scanned: int
    events: int
    complete: bool
    problem: str | None
    samples: list[ToldHit]


class ToldRate(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How many of the events with this value have the signal."""

    value: str | None
    hits: int
    events: int
    rate: float


class RateList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Rates by day, model, event or a property."""

    by: str
    rates: list[ToldRate]


def told_info(info: SignalInfo) -> ToldInfo:
    """A signal under the API's keys."""
    return told(info, ToldInfo, id=info.signal_id, marks=Marks(right=info.right, wrong=info.wrong))


def told_preview(preview: Preview) -> ToldPreview:
    """A preview under the API's keys."""
    return told(preview, ToldPreview, samples=[told_hit(hit) for hit in preview.samples])


def told_hit(hit: Hit) -> ToldHit:
    """A hit under the API's keys."""
    return told(hit, ToldHit, event=_short(hit.event), excerpt=signal_excerpts.around(hit))


def _short(event: Event) -> ShortEvent:
    return told(event, ShortEvent, input=_cut(event.input), output=_cut(event.output))


def _cut(text: str | None) -> str | None:
    return text if text is None else text[:SAMPLE_CHARS]
