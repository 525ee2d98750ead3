"""The values that one stage hands to the next.

In: nothing
Out: frozen values
Touches: nothing (pure)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from raindrop_logging.plain import clean
from raindrop_logging.vocabulary import RecordType
from raindrop_logging.wire import Lane


class Source(Struct, frozen=True, gc=False):
    """Where a record was logged, to name it when it cannot be sent."""

    logger: str
    path: str
    line: int

    def __str__(self) -> str:
        return f"logger '{self.logger}', {self.path}:{self.line}"


class ErrorText(Struct, frozen=True, gc=False):
    """An exception as text; it keeps no frame alive."""

    type: str
    message: str
    stack: str


class Snapshot(Struct, frozen=True, gc=False):
    """What capture keeps of a LogRecord: copies, bytes and texts, no object that the caller can change.

    ``block`` is MessagePack, which unlike JSON keeps bytes, times and NaN apart from text. Of a usual event only the
    properties are, in a Struct with the fields of the vocabulary's and valid by it. Its long ``texts`` are beside it,
    by their keys, and need no copy.
    ``word`` is the record type as the block's own key or the message said it. ``number`` grows from one record of a
    pipeline to the next; ``ident`` are the bits of one that got them elsewhere. ``logger``, ``path`` and ``line`` are
    its source. ``nbytes`` is the memory it holds, near enough to bound the queue.
    """

    created: float
    number: int
    block: bytes | Struct
    word: str | None
    scope: Mapping[str, Any] | None
    error: ErrorText | None
    logger: str
    path: str
    line: int
    nbytes: int
    texts: Mapping[str, str] | None = None
    ident: int | None = None

    @property
    def bits(self) -> int:
        """What the ids are made of that the block does not name, and what the disk knows it by; 128 at most."""
        return self.number if self.ident is None else self.ident

    @property
    def packed(self) -> bytes:
        """What of the block is MessagePack: all of it, or its properties."""
        block: Any = self.block
        return block if isinstance(block, bytes) else block.properties

    @property
    def source(self) -> Source:
        """Where the record was logged."""
        return Source(self.logger, self.path, self.line)


def block_of(snapshot: Snapshot) -> Any:
    """The block as plain values, its long texts among them; what UTF-8 cannot say of these is mended."""
    block = _decode(packed_block(snapshot))
    for key, text in (snapshot.texts or {}).items():
        block[key] = text if text.isascii() else clean(text)
    return block


def packed_block(snapshot: Snapshot) -> bytes:
    """The block as MessagePack, without its long texts.

    What UTF-8 cannot say of a text is mended, and a text of a class of its own is read as what it holds.
    """
    block = snapshot.block
    if isinstance(block, bytes):
        return block
    properties = snapshot.packed
    said = replace(block, properties=None if properties == _NONE else msgspec.Raw(properties))
    try:
        return _encode(said)
    except UNPACKABLE:
        texts = {key: clean(str.__str__(text)) for key, text in asdict(said).items() if isinstance(text, str)}
        return _encode(replace(said, **texts))


UNPACKABLE = (UnicodeEncodeError, TypeError)
"""What MessagePack says of texts that it cannot hold: that UTF-8 has no room for, or of a class of their own."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_NONE = _encode(None)

exact = b"".join
"""``exact((encoded, b""))`` copies bytes into as many as there are, for what is kept: msgspec leaves up to half as much
unused behind what it wrote."""

ABOUT = "about"
"""Key of a snapshot's scope that holds the open interaction's ids; only records about an interaction take them all."""


def event_around(scope: Mapping[str, Any]) -> Any:
    """The event of the open interaction, else the one that is bound; None where there is neither."""
    return scope.get(ABOUT, {}).get("event_id") or scope.get("event_id")


SNAPSHOT_OVERHEAD = 320
"""Bytes of a snapshot beside its block and its error: the Struct, its float, its id bits, its source."""


class Entry(Struct, frozen=True, gc=False):
    """A valid record: its typed block with context, defaults and exception merged in, its ids and its time.

    ``trace_id`` is None where it follows from the event's id.
    """

    type: RecordType
    block: Any  # with the fields of vocabulary.STRUCTS[type]
    event_id: str
    trace_id: str | None
    timestamp: float
    source: Source
    bits: int = 0


class Refusal(Struct, frozen=True):
    """Records that go no further, and why: ``reason`` counts them, ``detail`` says what to do.

    ``ends`` is the event that a refused finish ends all the same.
    """

    reason: str
    detail: str
    source: Source
    records: int = 1
    ends: str | None = None


class Told(Struct, frozen=True, gc=False):
    """One thing to say on the wire: an event, a partial, a signal, a user or a span, still as values.

    ``trace_id`` is as in `Entry`.
    ``records`` is how many log records it speaks for; ``key`` is what must stay in order with it; ``pending`` is
    None where the route has no such notion; a ``timestamp`` of None is left to the receiver. ``idents`` are the bits of
    the records that need not be kept on disk any longer once this is settled. ``begun`` is an interaction of which a
    partial is known to have gone, where some are left out.
    """

    lane: Lane
    block: Any  # a Struct with the fields of one of the vocabulary's; an interaction's is what it adds up to
    event_id: str
    trace_id: str | None
    timestamp: float | None
    key: str | None
    source: Source
    records: int = 1
    pending: bool | None = None
    bits: int = 0
    idents: tuple[int, ...] = ()
    begun: bool = False


class Item(Struct, frozen=True, gc=False):
    """One thing as the bytes that go out, whatever happens afterwards; ``idents`` as in `Told`."""

    lane: Lane
    body: bytes
    key: str | None
    records: int
    source: Source
    ai: bool = False
    truncated: int = 0
    idents: tuple[int, ...] = ()


class Request(Struct, frozen=True, gc=False):
    """Items that go out in one POST, and what they are together.

    ``records`` are the log records that it speaks for, ``nbytes`` the bytes of its items, ``keys`` what must stay in
    order with it. Whoever collects items knows these already: a long request is not walked again for each.
    """

    lane: Lane
    items: tuple[Item, ...]
    records: int
    nbytes: int
    keys: frozenset[str]


def request_of(lane: Lane, items: tuple[Item, ...]) -> Request:
    """A request of these items."""
    records, nbytes = sum([item.records for item in items]), sum([len(item.body) for item in items])
    return Request(lane, items, records, nbytes, frozenset([item.key for item in items if item.key is not None]))
