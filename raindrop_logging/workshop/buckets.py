"""Buckets of time: where each begins, and all of them between two moments.

In: times as `times` writes them.  Out: the beginnings of buckets, as such times.  Touches: nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from raindrop_logging.workshop import times

if TYPE_CHECKING:
    from collections.abc import Callable

    from raindrop_logging.workshop.answers import Step

MAX_BUCKETS: Final = 1_000

_FIRST: Final[datetime] = datetime(1, 1, 1)  # noqa: DTZ001 - every time here is UTC

_WIDTHS: Final[dict[Step, timedelta]] = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_FLOORS: Final[dict[Step, Callable[[datetime], datetime]]] = {
    "minute": lambda moment: moment.replace(second=0),
    "hour": lambda moment: moment.replace(minute=0, second=0),
    "day": lambda moment: moment.replace(hour=0, minute=0, second=0),
    "week": lambda moment: _midnight(moment) - min(timedelta(days=moment.weekday()), _midnight(moment) - _FIRST),
    "month": lambda moment: _midnight(moment).replace(day=1),
}


def between(first: str, last: str, by: Step) -> list[str]:
    """The beginnings of the buckets from the one that holds `first` to the one that holds `last`.

    At most the last `MAX_BUCKETS`; with ``all`` just `first`.
    """
    if by == "all":
        return [first]
    floor = _FLOORS[by]
    start, end = floor(_plain(first)), floor(_plain(last))
    found = [end]
    while found[-1] > start and len(found) < MAX_BUCKETS:
        found.append(_before(found[-1], by))
    return [times.from_datetime(moment) for moment in reversed(found) if moment >= start]


def _before(moment: datetime, by: Step) -> datetime:
    width = _WIDTHS.get(by)
    if width is None:
        return (moment - timedelta(days=1)).replace(day=1)
    return moment - min(width, moment - _FIRST)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0)


def _plain(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=None, microsecond=0)
