"""The pages in a real browser: a live list, one event, no error and no request off the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.workshop.chromium import EXECUTABLE, LIVE, Chromium, open_live
from tests.workshop.test_pages import EVIL, fill_with_evil
from tests.workshop.wire_bodies import START, ai_event, launch, of_event, otlp, otlp_span, subagent_span

if TYPE_CHECKING:
    import httpx

    from raindrop_logging.workshop import Running

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine")

ROOT = "0102030405060708"
LINES = "[...document.querySelectorAll('[data-rows] > li')]"


def test_live_event_opens(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """An event appears while the list is open, fills as it is finished, and opens with signals and span tree."""
    open_live(browser, workshop, "/events")
    assert browser.ask("!document.querySelector('[data-empty]').hidden")

    begin = {"event_id": "e/1", "user_id": "u1", "event": "refund_agent", "ai_data": {"input": "I want a refund"}}
    client.post("/v1/events/track_partial", json=begin)
    browser.wait(f"{LINES}.length === 1 && {LINES}[0].classList.contains('pending')")
    assert "I want a refund" in browser.ask(f"{LINES}[0].innerText")
    assert browser.ask("document.querySelector('[data-empty]').hidden")

    finish = {"event_id": "e/1", "ai_data": {"output": "Done", "model": "m1"}, "is_pending": False}
    client.post("/v1/events/track_partial", json=finish)
    browser.wait(f"{LINES}.length === 1 && !{LINES}[0].classList.contains('pending')")
    client.post("/v1/events/track", json=ai_event("old", timestamp="2020-01-01T00:00:00Z"))
    browser.wait(f"{LINES}.length === 2")
    assert browser.ask(f"{LINES}.map((line) => line.dataset.id)") == ["e/1", "old"]


@pytest.mark.parametrize("seconds", ["0.0004", "0.25", "1.5", "119.75"])
def test_live_row_is_the_row_of_the_next_page(
    workshop: Running, client: httpx.Client, browser: Chromium, seconds: str
) -> None:
    """What a script makes of an event that arrives reads as what the server makes of it: tools and time included."""
    open_live(browser, workshop, "/events")
    client.post(
        "/v1/events/track", json=ai_event("a", ai_data={"model": "m1", "input": "question", "output": "answer"})
    )
    ended = str(START + round(float(seconds) * 10**9))
    client.post("/v1/traces", json=otlp(otlp_span(of_event("a"), name="refund", endTimeUnixNano=ended)))
    browser.wait(f"{LINES}.length === 1 && {LINES}[0].innerText.includes('refund')")
    live = browser.ask(f"{LINES}[0].innerText")
    browser.open(f"{workshop.url}/events")
    assert browser.ask(f"{LINES}[0].innerText") == live


def test_event_page_follows_its_event(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """Opened from the list, the page shows signals and the span tree as they come, and keeps open what was open."""
    client.post("/v1/events/track_partial", json={"event_id": "e/1", "user_id": "u1", "event": "refund_agent"})
    browser.open(f"{workshop.url}/events")
    browser.follow(f"{LINES}[0].querySelector('a')")
    browser.wait(f"document.body.dataset.event === 'e/1' && {LIVE}")
    signal = {"event_id": "e/1", "signal_name": "thumbs_down", "sentiment": "NEGATIVE"}
    client.post("/v1/signals/track", json=signal)
    browser.wait("document.querySelector('[data-signal=thumbs_down].bad')")

    failed = {"parentSpanId": ROOT, "status": {"code": 2, "message": "no answer"}}
    root = otlp_span(of_event("e/1", traceloop__entity__name="agent"), spanId=ROOT)
    child = otlp_span(of_event("e/1", traceloop__entity__name="pay", traceloop__entity__input='{"sum":5}'), **failed)
    client.post("/v1/traces", json=otlp(root, child))
    browser.wait("document.querySelectorAll('.span').length === 2")
    depths = (
        "[...document.querySelectorAll('.span')].map((s) => [s.dataset.span, s.dataset.depth, s.classList[2] || ''])"
    )
    assert browser.ask(depths) == [["agent", "0", ""], ["pay", "1", "failed"]]

    browser.ask("document.querySelector('.steps [data-call=pay] a').click()")
    browser.wait("document.querySelector('[data-span=pay]').open")
    opened = browser.ask("document.querySelector('[data-span=pay]').innerText")
    assert "no answer" in opened
    assert '"sum": 5' in opened
    client.post("/v1/signals/track", json={**signal, "signal_name": "copied"})
    browser.wait("document.querySelector('[data-signal=copied]')")
    assert browser.ask("document.querySelector('[data-span=pay]').open")


def test_hand_off_is_followed(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """A launcher's page follows its sub-agent from launch to end; each page leads to the other."""
    client.post("/v1/events/track", json=ai_event("turn", event="support_turn"))
    open_live(browser, workshop, "/events/turn")
    state = "(document.querySelector('.subagent[data-linked=job] [data-state]') || {}).innerText"
    partial = {"event_id": "job", "user_id": "u1", "event": "research"}
    for expected, path, body in (
        ("queued", "traces", otlp(launch("turn", "job"))),
        ("running", "events/track_partial", partial),
        ("finished", "events/track_partial", {**partial, "is_pending": False}),
        ("failed", "traces", otlp(subagent_span("job", "turn", status={"code": 2, "message": "no answer"}))),
    ):
        client.post(f"/v1/{path}", json=body)
        browser.wait(f"{state} === '{expected}'")

    browser.follow("document.querySelector('.subagent a')")
    assert browser.ask("document.body.dataset.event") == "job"
    assert browser.ask("document.querySelector('.launched').innerText").startswith("failed")
    browser.follow("document.querySelector('.launched a')")
    assert browser.ask("document.body.dataset.event") == "turn"


def test_a_sub_agent_hears_of_its_launcher(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """A page opened before anything named its launcher gains the link, and the launcher's name when that arrives."""
    client.post("/v1/events/track_partial", json={"event_id": "job", "user_id": "u1", "event": "research"})
    open_live(browser, workshop, "/events/job")
    client.post("/v1/traces", json=otlp(subagent_span("job", "turn")))
    browser.wait("document.querySelector('.launched')?.innerText.includes('has not arrived')")
    client.post("/v1/events/track", json=ai_event("turn", event="support_turn"))
    assert browser.wait("document.querySelector('.launched a')?.innerText === 'support_turn'")


def test_hostile_content_in_a_browser(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """Script in every field stays text when it comes with the page and when it comes live."""
    fill_with_evil(client)
    browser.open(f"{workshop.url}/events")
    browser.ask("window.alert = () => { throw new Error('script ran') }")
    browser.wait(LIVE)
    client.post("/v1/events/track", json=ai_event(EVIL + "2", event=EVIL, user_id=EVIL, ai_data={"input": EVIL}))
    browser.wait(f"{LINES}.length === 2")
    assert EVIL in browser.ask(f"{LINES}[0].innerText")
    assert browser.ask("document.querySelectorAll('main img, [data-rows] svg, main script').length") == 0
    browser.open(workshop.url + browser.ask(f"{LINES}[1].querySelector('a').getAttribute('href')"))
    assert (
        browser.ask("document.querySelectorAll('main img, main script, main iframe:not([sandbox=\"\"])').length") == 0
    )
    assert browser.ask("document.querySelector('h1').innerText") == EVIL


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_readable(workshop: Running, client: httpx.Client, browser: Chromium, *, dark: bool) -> None:
    """Text stands out from its ground in both colour schemes, and nothing is wider than a phone."""
    client.post("/v1/events/track", json=ai_event(ai_data={"input": "x" * 500, "output": "word " * 200}))
    client.post("/v1/traces", json=otlp(otlp_span(of_event("e1", long="y" * 500))))
    client.post("/v1/traces", json=otlp(launch("e1", "z" * 400, "w" * 300), subagent_span("e1", "v" * 400)))
    browser.narrow()
    if dark:
        browser.dark()
    for path in ("/", "/events", "/events/e1"):
        browser.open(workshop.url + path)
        browser.ask("document.querySelectorAll('details').forEach((part) => { part.open = true })")
        assert browser.ask("document.documentElement.scrollWidth") <= 390
        light = "(name) => getComputedStyle(document.body)[name].match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
        ink, ground = browser.ask(f"['color', 'backgroundColor'].map({light})")
        assert (ink - ground > 500) if dark else (ground - ink > 500)
