"""What is asked of a search, and what it answers.

In: what a person typed.  Out: a `Question`; a `Found`.  Touches: nothing.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

from raindrop_logging.workshop.event_filter import EventFilter

Mode = Literal["text", "regex"]
Side = Literal["input", "output"]
SIDES: Final[tuple[Side, ...]] = get_args(Side)
SEARCH_SECONDS: Final = 2.0
"""How long one search may take before it answers with what it has."""
MAX_CHARS: Final = 1_000
"""Longest text or pattern that is searched for; what a person typed beyond it is not looked at."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A search: `sides` are where the text must be; every condition of `where` must hold of the event."""

    text: str
    mode: Mode = "text"
    sides: tuple[Side, ...] = SIDES
    where: EventFilter = EventFilter()
    limit: int = 50
    cursor: str | None = None
    seconds: float = SEARCH_SECONDS


class Part(msgspec.Struct, frozen=True):
    """A piece of an excerpt, and whether it is what was searched for."""

    text: str
    hit: bool


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was found, with excerpts of both its texts."""

    event_id: str
    input: tuple[Part, ...]
    output: tuple[Part, ...]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The hits of one page.

    `next_cursor` is None at the end. `partial`: the time was up, or a word is so common that only the newest events
    with it were ranked, or so many events are `unindexed` that only the newest of them were looked through.
    `ranked` hits come best first, others the last stored first.
    """

    hits: tuple[Hit, ...]
    next_cursor: str | None = None
    partial: bool = False
    ranked: bool = False
    unindexed: int = 0
