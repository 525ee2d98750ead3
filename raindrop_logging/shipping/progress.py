"""How far a shipment or another long reading is, for people: a bar on a terminal, else a plain line every few seconds.

In: Seen, as often as one likes.  Out: text on stderr.  Touches: stderr, the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from msgspec import Struct

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

_BAR_SECONDS: Final = 0.1
_LINE_SECONDS: Final = 5.0
_UNITS: Final = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


class Seen(Struct, frozen=True):
    """Where a shipment is: lines read, records delivered, bytes read, and bytes in all where that is known."""

    lines: int
    delivered: int
    read: int
    total: int | None


class Progress(Protocol):
    """Shows where a shipment is."""

    def show(self, seen: Seen) -> None:
        """Show it, unless it was shown just now."""
        ...

    def tell(self, line: str) -> None:
        """Say something beside it."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def progress(
    out: TextIO, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic, doing: str = "shipping"
) -> Progress:
    """What shows progress on this stream: a bar where it is a terminal and rich is installed."""
    if quiet:
        return Lines(out, clock, every=float("inf"))
    if out.isatty():
        try:
            return Bar(out, clock, doing)
        except ImportError:
            pass
    return Lines(out, clock, every=_LINE_SECONDS)


class Lines:
    """A line of text every few seconds."""

    def __init__(self, out: TextIO, clock: Callable[[], float], *, every: float) -> None:
        self._out = out
        self._clock = clock
        self._every = every
        self._began = clock()
        self._due = self._began + every
        self._first: Seen | None = None

    def show(self, seen: Seen) -> None:
        """Say it if some seconds have passed."""
        first = self._first = self._first or seen
        now = self._clock()
        if now < self._due:
            return
        self._due = now + self._every
        self.tell(said(seen, first, now - self._began))

    def tell(self, line: str) -> None:
        """Print a line."""
        print(line, file=self._out, flush=True)

    def close(self) -> None:
        """Nothing to tidy up."""


def said(seen: Seen, first: Seen, seconds: float) -> str:
    """Where it is, in words: how much, how fast, and what is left."""
    rate = (seen.lines - first.lines) / seconds if seconds > 0 else 0.0
    text = f"{seen.delivered:,} records delivered, {seen.lines:,} lines read ({rate:,.0f} a second)"
    if seen.total is None:
        return text
    left, speed = max(seen.total - seen.read, 0), (seen.read - first.read) / seconds if seconds > 0 else 0.0
    when = f", about {_duration(left / speed)} to go" if speed > 0 and left else ""
    return f"{text}, {_size(left)} of {_size(seen.total)} left{when}"


def _size(count: float) -> str:
    return next((f"{count / unit:.1f} {name}" for name, unit in _UNITS if count >= unit), f"{count:.0f} bytes")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Bar:
    """A bar that rich draws, with what is beside it above the bar.

    Raises:
        ImportError: rich is not installed.
    """

    def __init__(self, out: TextIO, clock: Callable[[], float], doing: str = "shipping") -> None:
        self._clock = clock
        self._shown = clock() - _BAR_SECONDS
        self._bars = _bars(out)
        self._task = self._bars.add_task(doing, total=None, delivered="0", rate="")
        self._began: float | None = None
        self._first = 0
        self._last: Seen | None = None
        self._bars.start()

    def show(self, seen: Seen) -> None:
        """Draw it, at most ten times a second."""
        self._last = seen
        now = self._clock()
        if self._began is None:
            self._began, self._first = now, seen.lines
        if now - self._shown >= _BAR_SECONDS:
            self._draw(seen, now - self._began)
            self._shown = now

    def _draw(self, seen: Seen, seconds: float) -> None:
        rate = f"{(seen.lines - self._first) / seconds:,.0f} lines/s" if seconds > 0 else ""
        self._bars.update(
            self._task, completed=seen.read, total=seen.total, delivered=f"{seen.delivered:,}", rate=rate, refresh=True
        )

    def tell(self, line: str) -> None:
        """Print a line above the bar."""
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Draw the bar as it ended, and leave the cursor below it."""
        if self._last is not None and self._began is not None:
            self._draw(self._last, self._clock() - self._began)
        self._bars.stop()


def _bars(out: TextIO) -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns: list[Any] = [
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        DownloadColumn(),
        TextColumn("{task.fields[delivered]} delivered"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    ]
    return Progress(*columns, console=Console(file=out), auto_refresh=False)
