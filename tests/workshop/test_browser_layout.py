"""How the pages are laid out in a real browser: nothing wider than a phone, nothing on top of another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from raindrop_logging.workshop.pages.home_page import RANGES
from tests.workshop.chromium import EXECUTABLE, Chromium
from tests.workshop.wire_bodies import ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    import httpx

    from raindrop_logging.workshop import Running

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine")

OVERLAPS = """[...document.querySelectorAll('.charts svg')].flatMap((chart) => {
  const labels = [...chart.querySelectorAll('text')];
  const boxes = labels.map((text) => text.getBoundingClientRect()).filter((box) => box.width);
  return boxes.flatMap((one, at) => boxes.slice(at + 1).filter((other) => one.left < other.right
    && other.left < one.right && one.top + 1 < other.bottom && other.top + 1 < one.bottom));
}).length"""
"""How many pairs of labels of a chart lie on top of each other."""


@pytest.fixture
def called_twice(client: httpx.Client) -> None:
    """An event of a minute ago, one of whose two tool calls failed."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    span = of_event("e1", traceloop__entity__name="pay")
    started = {"startTimeUnixNano": str(int(at.timestamp()) * 10**9)}
    failed = otlp_span(span, spanId="0a" * 8, status={"code": 2, "message": "declined"}, **started)
    assert client.post("/v1/events/track", json=ai_event(timestamp=at.isoformat())).is_success
    assert client.post("/v1/traces", json=otlp(otlp_span(span, **started), failed)).is_success


@pytest.mark.usefixtures("called_twice")
def test_a_meter_is_as_long_as_its_rate(workshop: Running, browser: Chromium) -> None:
    """Of a tool whose every other call failed, half the meter is filled."""
    browser.open(workshop.url)
    width = "document.querySelector('.meter .{}').getBoundingClientRect().width"
    assert browser.ask(width.format("failed")) == pytest.approx(browser.ask(width.format("ground")) / 2, abs=1)


@pytest.mark.usefixtures("called_twice")
@pytest.mark.parametrize("width", [1280, 390])
def test_labels_of_charts_stand_apart(workshop: Running, browser: Chromium, width: int) -> None:
    """In each range, on a desktop and on a phone, no label of a chart covers another."""
    browser.narrow(width)
    for known in RANGES:
        browser.open(f"{workshop.url}/?range={known.name}")
        assert browser.ask("document.querySelectorAll('.charts svg text').length") > 8
        assert browser.ask(OVERLAPS) == 0, known.name
