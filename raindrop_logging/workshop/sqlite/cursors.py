"""Where a list goes on: the last row's place in it, as an opaque text.

In: a place.  Out: a cursor, and back.  Touches: nothing.
A place is what the list is ordered by, so that rows which come or go elsewhere move nothing.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, TypeVar

import msgspec

from raindrop_logging.workshop.refusals import QuestionError

Moment = tuple[str, int]
"""A time, and the row's number among those of the same time."""

SpanPlace = tuple[str, str, str]
"""A span's start ('' when unknown), its trace's id and its own."""

HitPlace = tuple[float, int]
"""A hit's score (lower is better), then its event's number, the last stored first."""

_ROWS: Final = 2**62
"""Beyond every row's number, and within what SQLite can hold."""

NEWEST: Final[Moment] = ("~", 0)
LATEST_SPAN: Final[SpanPlace] = ("~", "", "")
"""Before the first row of a list that begins with the newest."""

BEST_HIT: Final[HitPlace] = (-1e308, _ROWS - 1)
"""Before the first hit of a search, ranked or not."""

OLDEST: Final[Moment] = ("", 0)
"""Before the first row of a list that begins with the oldest."""

_Place = TypeVar("_Place")


def written(place: tuple[str | float, ...]) -> str:
    """The cursor of a place."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode("ascii").rstrip("=")


def moment(cursor: str | None, start: Moment) -> Moment:
    """The moment a cursor means, or where the list starts.

    Raises:
        QuestionError: no list of events made it.
    """
    at, number = _read(cursor, tuple[str, int]) if cursor else start
    if not -_ROWS < number < _ROWS:
        raise _wrong(str(cursor))
    return at, number


def span_place(cursor: str | None) -> SpanPlace:
    """The span a cursor means, or the start of the list.

    Raises:
        QuestionError: no list of spans made it.
    """
    return _read(cursor, tuple[str, str, str]) if cursor else LATEST_SPAN


def hit_place(cursor: str | None) -> HitPlace:
    """The hit a cursor means, or the start.

    Raises:
        QuestionError: no search made it.
    """
    score, number = _read(cursor, tuple[float, int]) if cursor else BEST_HIT
    if not -_ROWS < number < _ROWS:
        raise _wrong(str(cursor))
    return score, number


def _read(cursor: str, kind: type[_Place]) -> _Place:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=kind)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise _wrong(cursor) from None


def _wrong(cursor: str) -> QuestionError:
    return QuestionError("cursor", f"{cursor[:64]!r} is not a cursor of this list")
