"""Snapshots, entries and items as the stages' tests need them."""

from __future__ import annotations

from itertools import count
from typing import Any

import msgspec

from raindrop_logging._pipeline.entries import Entry, ErrorText, Item, Snapshot, Source, Told
from raindrop_logging.vocabulary import STRUCTS, RecordType
from raindrop_logging.wire import Lane

PLACE = ("shop", "/srv/shop.py", 7)
SOURCE = Source(*PLACE)
TRACE = "0123456789abcdef0123456789abcdef"
_bits = count(1 << 64)


def entry(record_type: RecordType, event_id: str = "e1", *, at: float = 1_700_000_000.0, **fields: Any) -> Entry:
    """An entry of a type with these fields of its block."""
    return Entry(record_type, STRUCTS[record_type](**fields), event_id, TRACE, at, SOURCE, next(_bits) << 8)


def item(lane: Lane, body: bytes = b"{}", key: str | None = None, *, ai: bool = False) -> Item:
    """An item that speaks for one record."""
    return Item(lane, body, key, 1, SOURCE, ai)


def snapshot(bits: int, word: str | None = "ai", *, error: ErrorText | None = None, **fields: Any) -> Snapshot:
    """A snapshot of 400 bytes with these fields in its block."""
    return Snapshot(0.0, bits, msgspec.msgpack.encode(fields), word, None, error, *PLACE, 400)


def told(record_type: RecordType, event_id: str = "e1", **fields: Any) -> Told:
    """What the assembler would say of a record that goes out by itself."""
    block = STRUCTS[record_type](**fields)
    return Told(_LANES.get(record_type, Lane.EVENTS), block, event_id, TRACE, 1_700_000_000.0, event_id, SOURCE)


_LANES: dict[RecordType, Lane] = {"signal": Lane.SIGNALS, "identify": Lane.USERS, "span": Lane.TRACES}
