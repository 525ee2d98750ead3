"""A stream of bytes as lines of a bounded length, each with its place.

In: a binary stream.  Out: Line.  Touches: the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Final

from msgspec import Struct

MAX_LINE_BYTES: Final = 16 * 2**20
"""An event has at most 1 MiB on the wire; its line may hold every character as six, and the rest of the record."""


class Line(Struct, frozen=True, gc=False):
    """One line.

    Attributes:
        number: from 1.
        start, end: offsets of its first byte and of the one after it, its line break included.
        data: its bytes without the line break; of a line that is too long only the first.
        is_whole: it ends with a line break; what does not may still be written.
        is_cut: it is longer than a line may be.
    """

    number: int
    start: int
    end: int
    data: bytes
    is_whole: bool
    is_cut: bool


def lines(stream: IO[bytes], *, start: int, number: int, most: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """Each line from here on, as ``number`` and the following ones; raises what reading the stream raises."""
    while data := stream.readline(most + 1):
        end, last = start + len(data), data
        is_cut = len(data) > most and not data.endswith(b"\n")
        while is_cut and last and not last.endswith(b"\n"):  # nothing of the rest is kept
            last = stream.readline(most)
            end += len(last)
        yield Line(number, start, end, data.rstrip(b"\r\n"), last.endswith(b"\n"), is_cut)
        start, number = end, number + 1
