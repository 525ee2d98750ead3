"""How often a signal is given, as pictures and tables: a small one for the list, larger ones for its page.

In: lines and rates of the store.  Out: values for the macros of `signal_blocks.html`.  Touches: nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from raindrop_logging.workshop.pages import charts
from raindrop_logging.workshop.pages.event_list_page import with_query
from raindrop_logging.workshop.pages.text import percent

if TYPE_CHECKING:
    from raindrop_logging.workshop.signals.store import Rate

DAYS: Final = 30
"""Of the chart by day."""

SPARK_HEIGHT: Final = 22
SPARK_SLOT: Final = 7
SPARK_BAR: Final = 5


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """One day of a small chart; a day with events always has a height."""

    x: int
    y: float
    height: float
    label: str


class Spark(msgspec.Struct, frozen=True, kw_only=True):
    """A small chart of the last days, and the share of events over all of them; None without events."""

    ticks: tuple[Tick, ...]
    share: float | None
    hits: int
    width: int
    height: int = SPARK_HEIGHT


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a table of rates; `width` is its share of the highest rate in percent."""

    value: str | None
    hits: int
    events: int
    rate: float
    width: float
    address: str | None


def spark(counts: Sequence[int], starts: Sequence[str], of: Sequence[int]) -> Spark:
    """The days of one signal.

    Args:
        counts: its hits for each day.
        starts: when each day begins.
        of: how many events each day has.
    """
    shares = [count / whole if whole else None for count, whole in zip(counts, of, strict=True)]
    most = max((share for share in shares if share), default=1.0)
    ticks = []
    for at, share in enumerate(shares):
        if share is None:
            continue
        height = max(round(share / most * SPARK_HEIGHT, 1), 1.0)
        label = f"{day(starts[at])}: {counts[at]:,} of {of[at]:,}, {percent(share)}"
        ticks.append(Tick(x=at * SPARK_SLOT, y=SPARK_HEIGHT - height, height=height, label=label))
    whole = sum(of)
    return Spark(
        ticks=tuple(ticks),
        share=sum(counts) / whole if whole else None,
        hits=sum(counts),
        width=len(starts) * SPARK_SLOT - (SPARK_SLOT - SPARK_BAR),
    )


def daily(rates: Sequence[Rate]) -> charts.Drawn | None:
    """The share by day, up to the last day with events; None without any."""
    by_day = {date.fromisoformat(rate.value): rate for rate in rates if rate.value}
    if not by_day:
        return None
    last = max(by_day)
    days = [last - timedelta(days=back) for back in reversed(range(DAYS))]
    shares = tuple(by_day[one].rate if one in by_day else None for one in days)
    labels = [day(one.isoformat()) for one in days]
    return charts.bars(
        "by-day", "Share of events with this signal, by day", labels, [charts.Series("share", shares)], "%"
    )


def table(rates: Sequence[Rate], signal: str, condition: str) -> tuple[Row, ...]:
    """Rates by value, each leading to its events with this signal; `condition` is what filters by such a value."""
    most = max((rate.rate for rate in rates), default=0.0) or 1.0
    return tuple(
        Row(
            value=rate.value,
            hits=rate.hits,
            events=rate.events,
            rate=rate.rate,
            width=round(100 * rate.rate / most, 1),
            address=with_query((("signal", signal), (condition, rate.value))) if rate.value and rate.hits else None,
        )
        for rate in rates
    )


def day(moment: str) -> str:
    """The day of a time, such as ``Nov 27``."""
    at = date.fromisoformat(moment[:10])
    return f"{at:%b} {at.day}"
