"""Charts: the shapes stand for the figures, and the figures can be read without seeing them."""

from __future__ import annotations

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging.workshop.pages import charts
from raindrop_logging.workshop.pages.charts import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, Series
from raindrop_logging.workshop.pages.frame import HERE

DAYS = ("Mon", "Tue", "Wed")
VALUES = st.lists(st.none() | st.floats(0, 1e12), min_size=1, max_size=40)


@given(st.lists(VALUES, min_size=1, max_size=4).map(lambda rows: [row[: min(map(len, rows))] for row in rows]))
def test_shapes_stay_inside(rows: list[list[float | None]]) -> None:
    """Whatever the figures, each shape lies within the picture's own area, and stacked bars do not overlap."""
    labels = [str(at) for at in range(len(rows[0]))]
    series = [Series(f"s{number}", tuple(row)) for number, row in enumerate(rows)]
    for drawn in (charts.bars("c", "t", labels, series), charts.lines("c", "t", labels, series)):
        for bar in drawn.bars:
            assert bar.x >= LEFT
            assert bar.x + bar.width <= WIDTH
            assert bar.y >= TOP - 0.02
            assert bar.y + bar.height <= HEIGHT - BOTTOM + 0.02
        for line in drawn.lines:
            assert all(LEFT <= dot.x <= WIDTH and TOP - 0.02 <= dot.y <= HEIGHT - BOTTOM for dot in line.dots)
        assert len(drawn.table) == len(labels)


def test_a_bar_is_as_high_as_its_figure() -> None:
    """Half the figure is half the bar; nothing is no bar."""
    drawn = charts.bars("c", "Events", DAYS, [Series("events", (4.0, 2.0, 0.0))])
    first, second = drawn.bars
    assert first.height == pytest.approx(2 * second.height)
    assert first.label == "Mon, events: 4"
    assert [mark.label for mark in drawn.marks] == ["0", "2", "4"]


def test_what_is_counted_has_no_halves() -> None:
    """An axis of whole figures says no half of one; one of shares does."""
    users = charts.bars("c", "Users", DAYS, [Series("users", (5.0, 2.0, None))])
    assert [mark.label for mark in users.marks] == ["0", "5"]
    rates = charts.bars("c", "Rate", DAYS, [Series("rate", (1.0, 0.0, None))], "%")
    assert [mark.label for mark in rates.marks] == ["0 %", "50 %", "100 %"]


def test_what_stands_below_is_chosen() -> None:
    """Each tick stands in the middle below its bar, an empty one not at all; there is one for each label."""
    series = [Series("events", (1.0, 2.0, 3.0))]
    drawn = charts.bars("c", "Events", DAYS, series, ticks=("", "two", ""))
    (mark,) = drawn.below
    assert mark.label == "two"
    assert mark.at == pytest.approx(drawn.bars[1].x + drawn.bars[1].width / 2, abs=0.02)
    with pytest.raises(ValueError, match="2 ticks for 3 labels"):
        charts.bars("c", "Events", DAYS, series, ticks=("one", "two"))


def test_a_line_is_broken_where_nothing_is() -> None:
    """A missing value is a gap, not a zero; one alone is a dot."""
    (left, right) = charts.lines("c", "Rate", DAYS, [Series("rate", (0.5, None, 0.25))], unit="%").lines
    assert [dot.label for dot in (*left.dots, *right.dots)] == ["Mon, rate: 50 %", "Wed, rate: 25 %"]


def test_said_in_words_and_as_a_table() -> None:
    """Who does not see the picture reads from when to when, the highest figures, and all of them."""
    drawn = charts.bars("c", "Events", DAYS, [Series("ok", (1.0, 3.0, None)), Series("bad", (None, None, None))])
    assert drawn.description == "From Mon to Wed. ok: at most 3, Tue; bad: none."
    assert drawn.table == (("Mon", "1", ""), ("Tue", "3", ""), ("Wed", "", ""))


@pytest.mark.parametrize("values", [(1.0,), (1.0, -1.0, 2.0), (1.0, float("nan"), 2.0)])
def test_what_cannot_be_drawn(values: tuple[float, ...]) -> None:
    """A series that does not fit its labels, or holds what no bar can show, is refused by name."""
    with pytest.raises(ValueError, match="'odd'"):
        charts.bars("c", "t", DAYS, [Series("odd", values)])


def test_drawn_without_styles() -> None:
    """The macro escapes every name and writes no style attribute."""
    pages = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True)
    evil = "<script>x</script>"
    series = [Series(evil, (1.0,)), Series("b", (2.0,))]
    module = pages.get_template("chart.html").module
    for drawn in (charts.bars("c", evil, [evil], series), charts.lines("c", evil, [evil], series)):
        html = str(module.chart(drawn))  # type: ignore[attr-defined]
        assert "<script" not in html
        assert " style=" not in html
        assert "<title" in html
        assert "<table" in html
