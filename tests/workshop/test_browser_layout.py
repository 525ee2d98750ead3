"""How the pages are laid out in a real browser: nothing wider than a phone, nothing on top of another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from starlette.routing import Match, Route

from raindrop_logging.workshop.pages.frame import NAVIGATION
from raindrop_logging.workshop.pages.home_page import RANGES
from raindrop_logging.workshop.pages.pages import Pages
from tests.workshop.chromium import EXECUTABLE, Chromium
from tests.workshop.wire_bodies import CHILD_TRACE, TRACE, ai_event, attributes, launch, of_event, otlp, otlp_span

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from raindrop_logging.workshop import Running

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine")

WORD = "w" * 300
PAGES = (
    *("/", "/?range=30d", "/events", "/conversations", "/users", "/tool-errors", "/traces"),
    *(f"/events/{WORD}", f"/conversations/{WORD}", f"/users/{WORD}", f"/traces/{TRACE}", f"/traces/{CHILD_TRACE}"),
    *(f"/events?event={WORD}", "/events?since=never", "/events?user_id=nobody", "/facets?of=/events"),
    *("/search", f"/search?q={WORD}", "/search?q=(&mode=regex", "/search?q=nothing+of+this"),
    *("/signals", "/signals/new", "/signals/tool_error", f"/signals/instrumented:{WORD}", "/signals/SIGNAL"),
    *("/signals/SIGNAL/edit", f"/no/such/page/{WORD}"),
)
"""Every page in each of its states, most of them about one long word; SIGNAL stands for the id of a rule."""

REACHED = """[...new Map([...document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')]
  .filter((one) => one.checkVisibility({visibilityProperty: true}))
  .map((one) => [`${one.tagName} ${one.className} ${one.parentElement.className}`, one])).values()]"""
"""What the keyboard comes to, one of each kind."""

OVERLAPS = """[...document.querySelectorAll('.chart svg')].flatMap((chart) => {
  const labels = [...chart.querySelectorAll('text')];
  const boxes = labels.map((text) => text.getBoundingClientRect()).filter((box) => box.width);
  return boxes.flatMap((one, at) => boxes.slice(at + 1).filter((other) => one.left < other.right
    && other.left < one.right && one.top + 1 < other.bottom && other.top + 1 < one.bottom));
}).length"""
"""How many pairs of labels of a chart lie on top of each other."""


def _asking(path: str) -> dict[str, str]:
    return {"type": "http", "method": "GET", "path": path.partition("?")[0]}


@pytest.fixture
def called_twice(client: httpx.Client) -> None:
    """An event of a minute ago, one of whose two tool calls failed."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    span = of_event("e1", traceloop__entity__name="pay")
    started = {"startTimeUnixNano": str(int(at.timestamp()) * 10**9)}
    failed = otlp_span(span, spanId="0a" * 8, status={"code": 2, "message": "declined"}, **started)
    assert client.post("/v1/events/track", json=ai_event(timestamp=at.isoformat())).is_success
    assert client.post("/v1/traces", json=otlp(otlp_span(span, **started), failed)).is_success


@pytest.fixture
def rule(client: httpx.Client) -> str:
    """The id of a rule, in a Workshop where every text is one long word."""
    event = ai_event(
        WORD,
        event=WORD,
        user_id=WORD,
        timestamp=datetime.now(UTC).isoformat(),
        ai_data={
            "model": WORD,
            "input": WORD,
            "output": f"# {WORD}\n\n|{WORD}|b|\n|-|-|\n|c|`{WORD}`|",
            "convo_id": WORD,
        },
        properties={WORD: WORD, "short": {WORD: [WORD]}},
        feature_flags={WORD: WORD},
        attachments=[{"type": kind, "value": WORD, "name": WORD} for kind in ("code", "text", "image", "iframe")],
    )
    edit = {"event_id": WORD, "signal_name": "e" + WORD, "signal_type": "edit", "properties": {"after": WORD, WORD: 1}}
    failed = {"status": {"code": 2, "message": WORD}, "name": WORD}
    of_it = [*of_event(WORD, traceloop__entity__name=WORD), *attributes(traceloop__entity__input=WORD)]
    alone = otlp_span(attributes(traceloop__span__kind="tool"), traceId=CHILD_TRACE, **failed)
    signal = {"name": "r" + "s" * 99, "description": WORD, "definition": {"on": "input", "patterns": ["w+"]}}
    for path, body in (
        ("/v1/events/track", event),
        ("/v1/signals/track", [{"event_id": WORD, "signal_name": WORD, "properties": {"comment": WORD}}, edit]),
        ("/v1/users/identify", {"user_id": WORD, "traits": {"name": WORD, WORD: WORD}}),
        ("/v1/traces", otlp(otlp_span(of_it, **failed), launch(WORD, "job", WORD, spanId="0b" * 8), alone)),
    ):
        assert client.post(path, json=body).is_success, path
    return str(client.post("/api/signals", json=signal).json()["id"])


def test_nothing_is_wider_than_a_phone(workshop: Running, rule: str) -> None:
    """No page has to be moved sideways, whatever it shows and all that can be opened open; and no page is left out."""
    paths = [path.replace("SIGNAL", rule) for path in PAGES]
    for route in Pages(workshop.store, "1").routes():
        if isinstance(route, Route):
            assert any(route.matches(_asking(path))[0] is Match.FULL for path in paths), route.path
    with Chromium() as browser:
        browser.narrow()
        for path in paths:
            browser.open(workshop.url + path)
            if browser.ask("Boolean(document.querySelector('[data-facets]'))"):
                browser.wait("document.querySelector('[data-facets-found]')")
            if browser.ask("Boolean(document.querySelector('[data-busy]'))"):
                browser.wait("document.querySelector('[data-busy]').hidden")
            browser.ask("document.querySelectorAll('details').forEach((part) => { part.open = true })")
            assert browser.ask("document.documentElement.scrollWidth") <= 390, path


def test_the_navigation_shows_where_one_is(workshop: Running, browser: Chromium) -> None:
    """On a phone, where not all its entries find room, the one of the open page is in sight."""
    browser.narrow()
    box = "document.querySelector('.pages{}').getBoundingClientRect().{}"
    for place in NAVIGATION:
        browser.open(workshop.url + place.path)
        assert browser.ask("document.querySelector('.pages [aria-current]').textContent") == place.label
        assert browser.ask(box.format("", "left")) <= browser.ask(box.format(" [aria-current]", "left")) + 1
        assert browser.ask(box.format(" [aria-current]", "right")) <= browser.ask(box.format("", "right")) + 1


@pytest.mark.usefixtures("called_twice")
@pytest.mark.parametrize("path", ["/", "/events/e1"])
def test_the_focus_can_be_seen(workshop: Running, browser: Chromium, tmp_path: Path, path: str) -> None:
    """Whatever the keyboard reaches looks different while it has the focus; of each kind one is tried."""
    browser.open(workshop.url + path)
    browser.wait("document.querySelector('[data-live].on')")
    kinds = browser.ask(f"(window.reached = {REACHED}).map((one) => one.outerHTML.slice(0, 200))")
    assert len(kinds) > 8

    def seen(state: str) -> bytes:
        browser.ask(state)
        browser.picture(tmp_path / "page.png")
        return (tmp_path / "page.png").read_bytes()

    for at, kind in enumerate(kinds):
        without = seen("document.activeElement.blur()")
        assert seen(f"window.reached[{at}].focus({{focusVisible: true, preventScroll: true}})") != without, kind


@pytest.mark.usefixtures("called_twice")
def test_a_meter_is_as_long_as_its_rate(workshop: Running, browser: Chromium) -> None:
    """Of a tool whose every other call failed, half the meter is filled."""
    browser.open(workshop.url)
    width = "document.querySelector('.meter .{}').getBoundingClientRect().width"
    assert browser.ask(width.format("failed")) == pytest.approx(browser.ask(width.format("ground")) / 2, abs=1)


@pytest.mark.usefixtures("called_twice")
@pytest.mark.parametrize("width", [1280, 390])
def test_labels_of_charts_stand_apart(workshop: Running, browser: Chromium, width: int) -> None:
    """In each range and of a signal, on a desktop and on a phone, no label of a chart covers another."""
    browser.narrow(width)
    for path in (*(f"/?range={known.name}" for known in RANGES), "/signals/tool_error"):
        browser.open(workshop.url + path)
        assert browser.ask("document.querySelectorAll('.chart svg text').length") > 7
        assert browser.ask(OVERLAPS) == 0, path
