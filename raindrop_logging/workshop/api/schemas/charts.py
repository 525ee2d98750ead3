"""What the JSON API counts: facets, and lines over time."""

from __future__ import annotations

import msgspec

from raindrop_logging.workshop.answers import Facet, Measure, Step


class FacetList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Facets, in the order asked for."""

    facets: list[Facet]


class ToldLine(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One line of a chart; `rates` are `counts` over `of`, null where there is nothing to share."""

    name: str | None
    counts: list[int]
    of: list[int]
    rates: list[float | None]


class ToldTimeline(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Lines over the same buckets; `starts` says when each begins, `others` counts the lines that are not told."""

    by: Step
    measure: Measure
    starts: list[str]
    lines: list[ToldLine]
    others: int
    partial: bool
