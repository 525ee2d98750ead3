"""The bytes of a spool's segment: how a frame is written, and how frames are found again whatever happened to the file.

A segment opens with `PREAMBLE`, which names the version of this format. Frames follow, each in one piece:

    mark 4 | kind 1 | ident 16 | payload length 4 | CRC-32 of kind, ident, length and payload 4 | payload

Numbers are big-endian. The mark belongs to one segment (`mark_of`): a payload that holds a piece of some spool, because
somebody logged it, is never taken for frames, even where damage makes the scanner look inside.

In: kind, ident and payload; or bytes of a segment
Out: bytes of a segment; or Frame, and how far the bytes were understood
Touches: nothing (pure)
"""

from __future__ import annotations

import re
import struct
import sys
from collections.abc import Callable, Iterator
from zlib import crc32

from msgspec import Struct

VERSION = 1
PREAMBLE = b"raindrop-spool %d\n" % VERSION
_ANY_PREAMBLE = re.compile(rb"raindrop-spool (\d+)\n")

MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
"""More is never written, and a length above it is damage."""

MARK_BYTES = 4
IDENT_BYTES = 16
_HEAD = struct.Struct(f">B{IDENT_BYTES}sI")
_CRC_BYTES = 4
HEADER_BYTES = MARK_BYTES + _HEAD.size + _CRC_BYTES

_HELD_BACK = max(len(PREAMBLE), MARK_BYTES)
"""Bytes at an open end that may be the beginning of a mark, or the preamble."""


_CHUNK_BYTES = 64 * 1024


class Frame(Struct, frozen=True, gc=False):
    """One thing kept: what it is, what confirms it, and its bytes."""

    kind: int
    ident: int
    payload: bytes

    @property
    def nbytes(self) -> int:
        """Bytes in the segment."""
        return HEADER_BYTES + len(self.payload)


def mark_of(owner: str, segment: str) -> bytes:
    """The mark of a segment's frames, from the name of its owner (which nobody can guess) and its own.

    The first byte is one that neither UTF-8 nor MessagePack's types use, so that text never holds a mark by chance.
    """
    return b"\xc1" + crc32(f"{VERSION}/{owner}/{segment}".encode()).to_bytes(4, "big")[1:]


def encode(mark: bytes, kind: int, ident: int, payload: bytes) -> bytes:
    """One frame."""
    head = _HEAD.pack(kind, ident.to_bytes(IDENT_BYTES, "big"), len(payload))
    return b"".join((mark, head, crc32(payload, crc32(head)).to_bytes(_CRC_BYTES, "big"), payload))


def is_foreign(opening: bytes) -> bool:
    """Whether a segment that opens so is of another version; one whose preamble is damaged is not."""
    found = _ANY_PREAMBLE.match(opening)
    return found is not None and found[0] != PREAMBLE


class Scan(Struct, frozen=True):
    """What a piece of a segment came to.

    Attributes:
        frames: the whole frames that are wanted, in order.
        consumed: bytes that need not be read again.
        wanted: bytes from there that make the next frame whole, as far as known.
        dry: whether the piece holds nothing more; false where ``most`` ended the scan.
    """

    frames: list[Frame]
    consumed: int
    wanted: int
    dry: bool


class Piece(Struct, frozen=True):
    """Frames of a stretch of a file; up to where it is understood, and up to where there is no more to be found."""

    frames: list[Frame]
    understood: int
    examined: int


class Scanner:
    """Finds the frames of one segment, piece by piece, and counts the regions that are none.

    A frame that does not check out is skipped, and the next mark is looked for right behind its own. One that is
    incomplete where the bytes end is not damage yet: only a whole frame inside it, or the end of a file that nobody
    writes any more, proves that it will never be completed.
    """

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._lost = False
        self.damaged = 0

    def scan(self, data: bytes, *, last: bool, most: int = sys.maxsize, unwanted: frozenset[int] = frozenset()) -> Scan:
        """Frames of ``data``, which goes on where the last scan's ``consumed`` ended.

        Args:
            data: the next bytes of the segment.
            last: nothing will ever follow them.
            most: stop once the frames found have that many bytes.
            unwanted: idents of frames to leave out.
        """
        frames: list[Frame] = []
        start = search = 0
        unfinished: tuple[int, int] | None = None  # where the first incomplete frame begins and should end
        while most > 0:
            begin = data.find(self._mark, search)
            if begin < 0:
                return self._ran_dry(frames, data, start, unfinished, last)
            end = _end_of(data, begin)
            frame = _frame_at(data, begin, end)
            if frame is None:
                search = begin + 1
                if end > len(data) and unfinished is None:
                    unfinished = (begin, end)
                continue
            self._pass_over(data[start:begin])
            self._lost, unfinished = False, None
            start = search = end
            if frame.ident not in unwanted:
                frames.append(frame)
                most -= frame.nbytes
        return Scan(frames, start, 0, dry=False)

    def pieces(
        self,
        read: Callable[[int, int], bytes],
        start: int,
        end: int,
        *,
        last: bool,
        most: int = sys.maxsize,
        unwanted: frozenset[int] = frozenset(),
    ) -> Iterator[Piece]:
        """The frames of a file, as `scan` finds them.

        Args:
            read: gives so many bytes of it from a position.
            start: up to where it is understood.
            end: where to stop; the file may have grown beyond.
            last: nothing follows ``end``.
            most: as for `scan`.
            unwanted: as for `scan`.
        """
        wanted = 0
        while start < end and most > 0:
            length = min(max(_CHUNK_BYTES, wanted), end - start)
            data = read(length, start)
            at_end = start + length >= end or len(data) < length
            scan = self.scan(data, last=last and at_end, most=most, unwanted=unwanted)
            start, wanted = start + scan.consumed, scan.wanted
            most -= sum(frame.nbytes for frame in scan.frames)
            done = at_end and scan.dry
            yield Piece(scan.frames, start, end if done else start)
            if done:
                return

    def _ran_dry(
        self, frames: list[Frame], data: bytes, start: int, unfinished: tuple[int, int] | None, last: bool
    ) -> Scan:
        if last:
            stop = wanted_end = len(data)
        elif unfinished is not None:
            stop, wanted_end = unfinished
        else:
            stop, wanted_end = max(start, len(data) - _HELD_BACK), len(data) + 1
        self._pass_over(data[start:stop])
        return Scan(frames, stop, wanted_end - stop, dry=True)

    def _pass_over(self, gap: bytes) -> None:
        """What lies before a frame: nothing, the preamble, or damage."""
        if gap and gap != PREAMBLE and not self._lost:
            self._lost = True
            self.damaged += 1


def _end_of(data: bytes, begin: int) -> int:
    """Where the frame at ``begin`` should end: beyond the data if it is incomplete, at ``begin`` if it is damage."""
    body = begin + HEADER_BYTES
    if body > len(data):
        return body
    _, _, length = _HEAD.unpack_from(data, begin + MARK_BYTES)
    return body + length if length <= MAX_PAYLOAD_BYTES else begin


def _frame_at(data: bytes, begin: int, end: int) -> Frame | None:
    """The frame at ``begin`` if it is whole and checks out."""
    if not begin < end <= len(data):
        return None
    kind, ident, _ = _HEAD.unpack_from(data, begin + MARK_BYTES)
    body = begin + HEADER_BYTES
    head, crc, payload = data[begin + MARK_BYTES : body - _CRC_BYTES], data[body - _CRC_BYTES : body], data[body:end]
    if crc32(payload, crc32(head)).to_bytes(_CRC_BYTES, "big") != crc:
        return None
    return Frame(kind, int.from_bytes(ident, "big"), payload)
