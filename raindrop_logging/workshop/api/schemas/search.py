"""What the JSON API tells of a search."""

from __future__ import annotations

import msgspec

from raindrop_logging.workshop.api.schemas.events import PreviewedEvent
from raindrop_logging.workshop.search.question import Part, Side


class SearchHit(PreviewedEvent, kw_only=True, forbid_unknown_fields=True):
    """An event that was found, with excerpts of its texts."""

    excerpts: dict[Side, list[Part]]


class SearchAnswer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of what was found.

    `partial`: the time was up, or only the newest events with a common word were ranked. `unindexed` events were not in
    the index yet.
    """

    hits: list[SearchHit]
    next_cursor: str | None
    partial: bool
    ranked: bool
    unindexed: int
