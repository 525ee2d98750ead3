"""Charts as shapes: figures in, rectangles and lines out, drawn by the macro of `chart.html`.

In: labels and series.  Out: a `Drawn`.  Touches: nothing.
Shapes are told by SVG attributes, as the pages' policy forbids style attributes; each carries its figures as a title,
and the same figures come as a table for who cannot see them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

WIDTH: Final = 720
HEIGHT: Final = 190
LEFT: Final = 44
TOP: Final = 10
BOTTOM: Final = 24
"""In units of the picture, which scales to its place: room for the labels beside and below."""

COLOURS: Final = 8
"""How many series the style sheet tells apart; the ninth looks like the first."""

MOST_LABELS: Final = 7
MOST_DOTS: Final = 60
MOST_TABLE: Final = 400
"""Rows of the table, and dots: a longer series is a line only."""

Value = float | None


class Series(msgspec.Struct, frozen=True):
    """A name and a value for each label; None where there is none. No value is negative."""

    name: str
    values: tuple[Value, ...]


class Mark(msgspec.Struct, frozen=True):
    """A label of an axis, and where it stands."""

    at: float
    label: str


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle; `label` tells its figures."""

    series: int
    x: float
    y: float
    width: float
    height: float
    label: str


class Dot(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a line; `label` tells it."""

    x: float
    y: float
    label: str


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch without gaps, as an SVG `points` attribute, and its dots."""

    series: int
    points: str
    dots: tuple[Dot, ...]


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A chart, ready for the macro.

    `name` is unique on its page; `table` has a label and a cell for each series; `dense` when dots would touch.
    """

    name: str
    title: str
    description: str
    names: tuple[str, ...]
    table: tuple[tuple[str, ...], ...]
    marks: tuple[Mark, ...]
    below: tuple[Mark, ...]
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    dense: bool = False


def bars(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    unit: str = "",
    *,
    ticks: Sequence[str] | None = None,
) -> Drawn:
    """A bar for each label, the series on top of one another.

    Args:
        name: unique on the page.
        title: what is counted.
        labels: one for each bar, as the figures are told.
        series: each with a value for every label.
        unit: of the values.
        ticks: what stands below each bar, empty for nothing; by default some of the labels.

    Raises:
        ValueError: a series has not one value for each label, or a negative one; or there is not one tick for each.
    """
    _check(labels, series, ticks)
    sums = [sum(one.values[at] or 0.0 for one in series) for at in range(len(labels))]
    top = _top(sums)
    slot = (WIDTH - LEFT) / max(len(labels), 1)
    shapes: list[Bar] = []
    for at, label in enumerate(labels):
        below = 0.0
        for number, one in enumerate(series):
            value = one.values[at] or 0.0
            if value:
                x, width = LEFT + slot * (at + 0.1), slot * 0.8
                y = _y(below + value, top)
                height = _y(below, top) - y
                said = f"{label}, {one.name}: {_figure(value, unit)}"
                shapes.append(
                    Bar(series=number % COLOURS, x=_r(x), y=_r(y), width=_r(width), height=_r(height), label=said)
                )
            below += value
    return _drawn(name, title, labels, series, unit=unit, top=top, ticks=ticks, bars=tuple(shapes))


def lines(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    unit: str = "",
    *,
    ticks: Sequence[str] | None = None,
) -> Drawn:
    """A line for each series, broken where a value is missing.

    Args as for `bars`.

    Raises:
        ValueError: a series has not one value for each label, or a negative one; or there is not one tick for each.
    """
    _check(labels, series, ticks)
    top = _top([value for one in series for value in one.values if value is not None])
    slot = (WIDTH - LEFT) / max(len(labels), 1)
    shapes: list[Line] = []
    for number, one in enumerate(series):
        for run in _runs(one.values):
            dots = tuple(
                Dot(
                    x=_r(LEFT + slot * (at + 0.5)),
                    y=_r(_y(value, top)),
                    label=f"{labels[at]}, {one.name}: {_figure(value, unit)}",
                )
                for at, value in run
            )
            points = " ".join(f"{dot.x:g},{dot.y:g}" for dot in dots)
            shapes.append(Line(series=number % COLOURS, points=points, dots=dots if len(labels) <= MOST_TABLE else ()))
    return _drawn(name, title, labels, series, unit=unit, top=top, ticks=ticks, lines=tuple(shapes))


def _drawn(
    name: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    *,
    unit: str,
    top: float,
    ticks: Sequence[str] | None,
    bars: tuple[Bar, ...] = (),
    lines: tuple[Line, ...] = (),
) -> Drawn:
    cells = [(label, *(_figure(one.values[at], unit) for one in series)) for at, label in enumerate(labels)]
    return Drawn(
        name=name,
        title=title,
        description=_described(labels, series, unit),
        names=tuple(one.name for one in series),
        table=tuple(cells[-MOST_TABLE:]),
        marks=_marks(top, series, unit),
        below=_below(_spread(labels) if ticks is None else ticks),
        bars=bars,
        lines=lines,
        dense=len(labels) > MOST_DOTS,
    )


def _marks(top: float, series: Sequence[Series], unit: str) -> tuple[Mark, ...]:
    """None, half and all of the height; no half of one where only whole ones are counted."""
    counted = unit != "%" and all((value or 0.0).is_integer() for one in series for value in one.values)
    shares = (0.0, 1.0) if counted and not (top / 2).is_integer() else (0.0, 0.5, 1.0)
    return tuple(Mark(_r(_y(top * share, top)), _figure(top * share, unit)) for share in shares)


def _spread(labels: Sequence[str]) -> list[str]:
    """As many labels as find room, at equal distances."""
    step = max(math.ceil(len(labels) / MOST_LABELS), 1)
    return ["" if at % step else label for at, label in enumerate(labels)]


def _below(ticks: Sequence[str]) -> tuple[Mark, ...]:
    slot = (WIDTH - LEFT) / max(len(ticks), 1)
    return tuple(Mark(_r(LEFT + slot * (at + 0.5)), text) for at, text in enumerate(ticks) if text)


def _described(labels: Sequence[str], series: Sequence[Series], unit: str) -> str:
    """From when to when, and the highest value of each series."""
    if not labels:
        return "No values."
    highest = []
    for one in series:
        there = [(value, labels[at]) for at, value in enumerate(one.values) if value is not None]
        most = max(there, default=None, key=lambda pair: pair[0])
        highest.append(
            f"{one.name}: none" if most is None else f"{one.name}: at most {_figure(most[0], unit)}, {most[1]}"
        )
    return f"From {labels[0]} to {labels[-1]}. {'; '.join(highest)}."


def _check(labels: Sequence[str], series: Sequence[Series], ticks: Sequence[str] | None) -> None:
    if ticks is not None and len(ticks) != len(labels):
        raise ValueError(f"{len(ticks)} ticks for {len(labels)} labels")
    for one in series:
        if len(one.values) != len(labels):
            raise ValueError(f"series {one.name!r} has {len(one.values)} values for {len(labels)} labels")
        if any(value is not None and not 0 <= value < math.inf for value in one.values):
            raise ValueError(f"series {one.name!r} has a value that is negative or no number")


def _runs(values: Sequence[Value]) -> list[list[tuple[int, float]]]:
    """The stretches without a gap."""
    found: list[list[tuple[int, float]]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            found.append([])
        else:
            found[-1].append((at, value))
    return [run for run in found if run]


def _top(values: Sequence[float]) -> float:
    """A round number that no value exceeds: 1, 2, 4, 5 or 10 times a power of ten."""
    most = max(values, default=0.0)
    if most < sys.float_info.min:  # nothing, or so little that a power of ten for it is nothing
        return 1.0
    size = 10.0 ** math.floor(math.log10(most))
    return next((size * by for by in (1, 2, 4, 5, 10) if size * by >= most), size * 10)


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / top


def _figure(value: Value, unit: str) -> str:
    """Percent of a share when the unit is ``%``, else the number and the unit."""
    if value is None:
        return ""
    if unit == "%":
        return f"{100 * value:.3g} %"
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"
    return f"{text} {unit}".rstrip()


def _r(value: float) -> float:
    return round(value, 2)
