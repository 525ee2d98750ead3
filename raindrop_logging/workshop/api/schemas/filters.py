"""Saved filters as the JSON API tells them."""

from __future__ import annotations

import msgspec

from raindrop_logging.workshop.answers import SavedFilter


class ToldFilter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A filter that was saved."""

    name: str
    query: str


class FilterList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The saved filters."""

    filters: list[SavedFilter]
