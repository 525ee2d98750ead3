"""Search and signals in a real browser: found, defined while typing, applied, marked, switched off."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.workshop.chromium import EXECUTABLE, LIVE, Chromium, open_live
from tests.workshop.test_pages import EVIL, fill_with_evil
from tests.workshop.wire_bodies import ai_event

if TYPE_CHECKING:
    import httpx

    from raindrop_logging.workshop import Running

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine")

PHONE = 375
NOW = datetime.now(UTC).isoformat()
MARKS = "[...document.querySelectorAll('mark')].map((mark) => mark.innerText)"
HITS = "[...document.querySelectorAll('[data-hit]')].map((hit) => hit.dataset.id)"
COUNT = "document.querySelector('[data-preview] [data-count]').innerText"


def _said(event_id: str, question: str, answer: str = "fine") -> dict[str, Any]:
    return ai_event(event_id, timestamp=NOW, ai_data={"input": question, "output": answer, "model": "m1"})


def _type(browser: Chromium, name: str, text: str) -> None:
    field = f"document.querySelector('[data-define]').elements.{name}"
    browser.ask(f"(({field}).focus(), ({field}).value = '', true)")
    browser.press(*text)


def test_search_by_keyboard(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """From a page without a box to the search, to the hits with what was typed marked, to the event that holds it."""
    client.post("/v1/events/track", json=[_said("a", "Where is my Refund?"), _said("b", "hello")])
    open_live(browser, workshop, "/events/b")
    browser.open_by_keys("/")
    browser.wait("document.activeElement.matches('[data-search]')")
    browser.open_by_keys(*"refund", "Enter")
    browser.wait(LIVE)
    assert browser.ask(MARKS) == ["Refund"]
    assert browser.ask("getComputedStyle(document.querySelector('mark')).backgroundColor") == "rgb(255, 229, 138)"
    browser.press("/")
    assert browser.ask("document.activeElement.value") == "refund"
    browser.press("Escape", "j")
    browser.open_by_keys("Enter")
    assert browser.ask("document.body.dataset.event") == "a"


def test_search_without_script_keeps_the_filter(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """The form is sent as it stands, with mode, side and the filter of the address."""
    client.post("/v1/events/track", json=[_said("a", "order 77"), _said("b", "order 78", "order 79")])
    open_live(browser, workshop, "/search?model=m1")
    browser.ask("document.querySelector('[data-search]').value = '\\\\d+$'")
    browser.ask("['regex', 'output'].forEach((value) => document.querySelector(`[value=${value}]`).click())")
    browser.follow("document.querySelector('.search button')")
    assert browser.ask(MARKS) == ["79"]
    asked = browser.ask("[...new URLSearchParams(location.search)]")
    assert sorted(asked) == [["in", "output"], ["mode", "regex"], ["model", "m1"], ["q", "\\d+$"]]


def test_define_a_pattern_and_see_it_applied(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """The preview follows the typing, mistakes are told beside the field, and once saved it finds old and new."""
    client.post("/v1/events/track", json=[_said("old", "my order #12345 is late"), _said("other", "hello")])
    open_live(browser, workshop, "/signals/new")
    _type(browser, "patterns", "order #(")
    problem = "document.querySelector('#patterns-problem')"
    # The preview answers 400, which a browser reports as a failed load: that one is meant.
    browser.wait(f"!{problem}.hidden && {problem}.innerText.startsWith('Line 1:')")
    browser.complaints[:] = [said for said in browser.complaints if "400 (Bad Request)" not in said]
    _type(browser, "patterns", "order #[0-9]+")
    browser.wait(f"{COUNT} === '1 hit (50.0 %) in all 2 stored events'")
    assert browser.ask(f"{problem}.hidden")
    assert browser.ask(MARKS) == ["order #12345"]
    _type(browser, "name", "order number")
    browser.follow("document.querySelector('[data-define] .primary')")
    browser.wait(f"{HITS}.length === 1 && document.querySelector('[data-state=active]')")
    assert browser.ask("document.querySelector('h1').innerText") == "order number"
    browser.wait(LIVE)
    client.post("/v1/events/track", json=_said("new", "and order #777?"))
    browser.wait(f"{HITS}.length === 2")
    assert sorted(browser.ask(MARKS)) == ["order #12345", "order #777"]
    open_live(browser, workshop, "/events/new")
    assert browser.ask("document.querySelector('[data-signal=\"order number\"] mark').innerText") == "order #777"


def test_what_cannot_be_saved_is_told(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """A name that is missing or taken is told beside the name, and the focus goes there."""
    client.post("/api/signals", json={"name": "taken", "definition": {"on": "input", "keywords": ["a"]}})
    open_live(browser, workshop, "/signals/new")
    _type(browser, "keywords", "apple")
    problem = "document.querySelector('#name-problem')"
    for name, told in (("", "printable"), ("taken", "taken")):
        _type(browser, "name", name)
        browser.press("Enter")
        browser.wait(f"!{problem}.hidden && {problem}.innerText.includes('{told}')")
        assert browser.ask("document.activeElement.id") == "name"
    assert browser.ask("location.pathname") == "/signals/new"
    meant = ("400 (Bad Request)", "409 (Conflict)")
    browser.complaints[:] = [said for said in browser.complaints if not any(status in said for status in meant)]


def test_mark_hits_by_keyboard(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """x says wrong, y says right, the same key again takes it back; precision follows, and so does the event's page."""
    answer = client.post("/api/signals", json={"name": "apples", "definition": {"on": "input", "keywords": ["apple"]}})
    signal_id = answer.json()["id"]
    client.post("/v1/events/track", json=[_said(event_id, "an apple") for event_id in ("a", "b")])
    open_live(browser, workshop, f"/signals/{signal_id}")
    precision = "document.querySelector('[data-precision]').innerText.trim()"
    focused = "document.activeElement.closest('[data-hit]')?.dataset.id"
    browser.press("j", "x")
    browser.wait("document.querySelectorAll('.hit.wrong').length === 1")
    assert browser.ask(precision) == "0 % n = 1"
    first = browser.wait(focused)
    browser.press("j", "y")
    browser.wait(f"{precision} === '50 % n = 2'")
    browser.wait(f"{focused} && {focused} !== '{first}'")
    browser.press("k", "x")
    browser.wait("document.querySelectorAll('.hit.wrong').length === 0")
    assert browser.ask(precision) == "100 % n = 1"
    open_live(browser, workshop, f"/events/{first}")
    browser.ask("document.querySelector('[data-mark=wrong]').click()")
    browser.wait("document.querySelector('[data-signal=apples].wrong')")
    marks = client.get(f"/api/signals/{signal_id}").json()["marks"]
    assert marks == {"right": 1, "wrong": 1}


def test_switch_a_built_in_signal_off(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """It finds nothing any more, says that it is off, and comes back; the switch keeps the focus."""
    client.post("/v1/events/track", json=_said("a", "That's not what I asked!"))
    open_live(browser, workshop, "/signals")
    row = "document.querySelector('[data-signal-row=frustration]')"
    hits = f"{row}.querySelector('[data-label=Hits]').innerText"
    browser.wait(f"{hits} === '1'")
    browser.ask(f"{row}.querySelector('[data-switch]').focus()")
    browser.press("Enter")
    browser.wait(f"{row}.querySelector('[data-state=off]')")
    browser.wait("document.activeElement.dataset.switch === 'frustration'")
    assert client.get("/api/events?signal=frustration").json()["events"] == []
    browser.press("Enter")
    browser.wait(f"{row}.querySelector('[data-state=active]') && {hits} === '1'")


def test_take_a_signal_away(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """Deleting asks once more, and leads back to all signals."""
    answer = client.post("/api/signals", json={"name": "apples", "definition": {"on": "input", "keywords": ["apple"]}})
    open_live(browser, workshop, f"/signals/{answer.json()['id']}")
    button = "document.querySelector('[data-delete]')"
    browser.ask(f"{button}.click()")
    assert "hits and marks" in browser.ask(f"{button}.innerText")
    browser.follow(button)
    assert browser.ask("location.pathname") == "/signals"
    assert client.get(f"/api/signals/{answer.json()['id']}").status_code == 404


def test_dark_mode_marks_are_readable(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """In the dark scheme a mark is dark with light text."""
    client.post("/v1/events/track", json=_said("a", "an apple"))
    browser.dark()
    open_live(browser, workshop, "/search?q=apple")
    style = "getComputedStyle(document.querySelector('mark'))"
    assert browser.ask(f"{style}.backgroundColor") == "rgb(107, 83, 16)"
    assert browser.ask(f"{style}.color") == "rgb(230, 233, 239)"


def test_hostile_content_and_a_phone(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """Nothing hostile runs or is asked for, and nothing is wider than a phone, whatever its words are like."""
    fill_with_evil(client)
    long = "w" * 190
    draft = {"name": long[:100], "description": long, "definition": {"on": "either", "keywords": [long, EVIL]}}
    signal_id = client.post("/api/signals", json=draft).json()["id"]
    client.post("/v1/events/track", json=_said(long, f"{long} {EVIL}", long))
    browser.narrow(PHONE)
    for path in (
        "/search?q=alert", f"/search?q={long}&model={long}", "/signals", f"/signals/{signal_id}?by=property.region",
        f"/signals/{quote('instrumented:' + EVIL, safe='')}", f"/signals/{signal_id}/edit", f"/events/{long}",
    ):  # fmt: skip
        open_live(browser, workshop, path)
        browser.ask("document.querySelectorAll('details').forEach((part) => { part.open = true })")
        assert browser.ask("document.documentElement.scrollWidth") <= PHONE, path
    browser.open(f"{workshop.url}/signals/{signal_id}/edit")
    browser.wait("document.querySelectorAll('[data-samples] mark').length > 1")
    assert browser.ask("document.querySelectorAll('[data-samples] img, [data-samples] script').length") == 0
