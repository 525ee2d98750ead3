"""The bytes in which snapshots and items wait on disk; their ids are beside them, in the frame.

In: Snapshot, Item; or their bytes, of this process or an earlier one
Out: bytes; or Snapshot, Item
Touches: nothing (pure)
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from raindrop_logging._pipeline.entries import ErrorText, Item, Snapshot, Source, packed_block
from raindrop_logging.plain import clean, plain
from raindrop_logging.wire import Lane

SNAPSHOT = 1
ITEM = 2
"""Kinds of frames. A number, once written by a release, keeps its meaning."""


class _Place(Struct, array_like=True, frozen=True):
    logger: str
    path: str
    line: int


class _Failure(Struct, array_like=True, frozen=True):
    type: str
    message: str
    stack: str


class _Snapshot(Struct, array_like=True, frozen=True):
    created: float
    block: bytes
    word: str | None
    scope: dict[str, Any] | None
    error: _Failure | None
    place: _Place
    nbytes: int
    texts: dict[str, str] | None = None


class _Item(Struct, array_like=True, frozen=True):
    lane: str
    body: bytes
    key: str | None
    records: int
    place: _Place
    ai: bool


_encode = msgspec.msgpack.Encoder(enc_hook=plain).encode
_snapshot = msgspec.msgpack.Decoder(_Snapshot).decode
_item = msgspec.msgpack.Decoder(_Item).decode


def snapshot_bytes(snapshot: Snapshot) -> bytes:
    """A snapshot without its bits, which are the frame's ident."""
    error, scope = snapshot.error, snapshot.scope
    return _encode(
        _Snapshot(
            snapshot.created,
            packed_block(snapshot),
            snapshot.word,
            None if scope is None else dict(scope),
            None if error is None else _Failure(error.type, error.message, error.stack),
            _Place(snapshot.logger, snapshot.path, snapshot.line),
            snapshot.nbytes,
            None if snapshot.texts is None else {key: clean(text) for key, text in snapshot.texts.items()},
        )
    )


def snapshot_of(ident: int, data: bytes) -> Snapshot:
    """What `snapshot_bytes` said.

    Raises:
        msgspec.MsgspecError: these bytes are no snapshot.
    """
    said = _snapshot(data)
    error = None if said.error is None else ErrorText(said.error.type, said.error.message, said.error.stack)
    logger, path, line = said.place.logger, said.place.path, said.place.line
    return Snapshot(
        said.created, ident, said.block, said.word, said.scope, error, logger, path, line, said.nbytes, said.texts
    )


def item_bytes(item: Item) -> bytes:
    """An item without its idents."""
    return _encode(_Item(item.lane.value, item.body, item.key, item.records, _place(item.source), item.ai))


def item_of(ident: int, data: bytes) -> Item:
    """What `item_bytes` said; the frame's ident is the one to confirm.

    Raises:
        msgspec.MsgspecError: these bytes are no item.
        ValueError: the lane is none of this version's.
    """
    said = _item(data)
    source = _source(said.place)
    return Item(Lane(said.lane), said.body, said.key, said.records, source, ai=said.ai, idents=(ident,))


def _place(source: Source) -> _Place:
    return _Place(source.logger, source.path, source.line)


def _source(place: _Place) -> Source:
    return Source(place.logger, place.path, place.line)
