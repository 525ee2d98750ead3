"""What the JSON API tells of the Workshop itself."""

from __future__ import annotations

import msgspec


class Health(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What runs here, and how much it holds."""

    name: str
    version: str
    database: str
    strict: bool
    events: int
    signals: int
    signals_without_event: int
    spans: int
    users: int
    unindexed: int
    database_bytes: int
    started_at: str
    received_bodies: int
    ignored_keys: dict[str, int]
