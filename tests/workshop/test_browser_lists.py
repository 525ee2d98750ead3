"""The first page and the lists in a real browser: filters, facets, saved filters, keyboard, live counts."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.workshop.chromium import EXECUTABLE, LIVE, Chromium, open_live
from tests.workshop.test_pages import EVIL, fill_with_evil
from tests.workshop.wire_bodies import ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    import httpx

    from raindrop_logging.workshop import Running

pytestmark = pytest.mark.skipif(EXECUTABLE is None, reason="no Chromium on this machine")

IDS = "[...document.querySelectorAll('[data-rows] > li')].map((row) => row.dataset.id)"
HERE = "location.pathname + location.search"
FIELD = "document.querySelector('[data-search]')"
PAGES = ("/", "/events", "/conversations", "/users", "/tool-errors", "/traces")


def _send(client: httpx.Client, count: int) -> None:
    """Events of the last minutes, every other one a plan; the first failed."""
    now = datetime.now(UTC)
    events = [
        ai_event(
            f"e{number}",
            event=("chat", "plan")[number % 2],
            timestamp=(now - timedelta(minutes=number + 1)).isoformat(),
        )
        for number in range(count)
    ]
    assert client.post("/v1/events/track", json=events).is_success
    failed = otlp_span(of_event("e0", traceloop__entity__name="pay"), status={"code": 2, "message": "declined"})
    assert client.post("/v1/traces", json=otlp(failed)).is_success


def test_home_fills_while_it_is_open(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """An empty first page names this address, and turns into figures and charts with the first event."""
    open_live(browser, workshop, "/")
    assert browser.ask("document.querySelector('[data-endpoint]').textContent") == f"{workshop.url}/v1/"
    _send(client, 4)
    browser.wait("document.querySelector('[data-tile=Events]')?.textContent === '4'")
    browser.wait("document.querySelector('[data-tile=Failed]').textContent === '1'")
    assert browser.ask("document.querySelectorAll('.charts svg').length") == 4
    browser.wait("document.querySelector('[data-total=events]').textContent === '4'")
    browser.follow("document.querySelector('nav.switch a:last-child')")
    assert browser.ask(HERE) == "/?range=30d"
    assert browser.ask("document.querySelector('[data-tile=Events]').textContent") == "4"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_command_of_an_empty_page_works(workshop: Running, browser: Chromium) -> None:
    """Each way to begin names the Workshop that the page came from, and the command sends the first event to it."""
    open_live(browser, workshop, "/events")
    ways = browser.ask("[...document.querySelectorAll('[data-endpoint]')].map((way) => way.textContent)")
    assert all(f"{workshop.url}/v1/" in way for way in ways)
    subprocess.run(["sh", "-c", ways[-1]], check=True, timeout=60)
    browser.wait(f"{IDS}.length === 1 && document.querySelector('[data-rows]').innerText.includes('Hello?')")


def test_filter_by_keyboard(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """`/` leads to the filter, Enter applies what was written, a chip takes it away again, j and Enter open a row."""
    _send(client, 4)
    open_live(browser, workshop, "/events")
    browser.press("/")
    assert browser.ask(f"document.activeElement === {FIELD}")
    browser.open_by_keys(*"event=plan since=24h", "Enter")
    assert browser.ask(HERE) == "/events?event=plan&since=24h"
    assert browser.ask(IDS) == ["e1", "e3"]
    browser.follow("document.querySelector('[data-filters] .filter')")
    assert browser.ask(HERE) == "/events?since=24h"
    browser.wait(LIVE)
    browser.press("j", "j")
    browser.open_by_keys("Enter")
    assert browser.ask("document.body.dataset.event") == "e1"


def test_filter_by_fields(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """The form's fields show what is set and are kept in the address, a property among them."""
    _send(client, 4)
    open_live(browser, workshop, "/events?event=chat")
    browser.ask("document.querySelector('#fields').open = true")
    assert browser.ask("document.querySelector('input[name=event]').value") == "chat"
    browser.ask("document.querySelector('input[name=property]').value = 'region=eu'")
    browser.ask("document.querySelector('select[name=error]').value = 'true'")
    browser.follow("document.querySelector('.buttons button')")
    assert browser.ask(HERE) == "/events?event=chat&error=true&property.region=eu"
    assert browser.ask(IDS) == ["e0"]


def test_facets_come_after_the_list(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """Values with counts appear beside the list, and a click adds one to the filter."""
    _send(client, 5)
    open_live(browser, workshop, "/events")
    browser.wait("document.querySelector('[data-facets-found]')")
    value = "[...document.querySelectorAll('.facet a')].find((link) => link.href.endsWith('event=plan'))"
    assert browser.ask(f"{value}.innerText.split(/\\s+/).slice(0, 2)") == ["plan", "2"]
    browser.follow(value)
    assert browser.ask(HERE) == "/events?event=plan"
    browser.wait("document.querySelector('.facet .set')?.innerText.includes('plan')")


def test_a_filtered_list_follows_and_keeps_what_is_written(
    workshop: Running, client: httpx.Client, browser: Chromium
) -> None:
    """An event that passes appears in a filtered list, one that does not stays out, and the field keeps its text."""
    _send(client, 2)
    open_live(browser, workshop, "/events?event=plan")
    browser.press("/", *"model=")
    client.post("/v1/events/track", json=[ai_event("new", event="plan"), ai_event("other", event="chat")])
    browser.wait(f"{IDS}.includes('new')")
    assert browser.ask(IDS) == ["e1", "new"]
    assert browser.ask(f"{FIELD}.value") == "model="
    assert browser.ask(f"document.activeElement === {FIELD}")


def test_saved_filter(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """The present filter is kept under a name, offered on another list, and forgotten; a bad name is told."""
    _send(client, 2)
    open_live(browser, workshop, "/events?event=plan")
    browser.ask("document.querySelector('#saved').open = true")
    browser.ask("document.querySelector('[data-keep-name]').value = 'my plans'")
    browser.follow("document.querySelector('[data-keep-save]')")
    assert client.get("/api/filters").json()["filters"][0]["query"] == "event=plan"
    open_live(browser, workshop, "/conversations")
    browser.follow("document.querySelector('[data-saved] li a')")
    assert browser.ask(HERE) == "/conversations?event=plan"
    browser.wait("document.querySelector('[data-forget]:not([hidden])')")
    browser.follow("document.querySelector('[data-forget]')")
    assert client.get("/api/filters").json()["filters"] == []


def test_lists_lead_to_each_other(workshop: Running, client: httpx.Client, browser: Chromium) -> None:
    """From the users to one, to an event, to its trace; from a tool error to its span, which is open."""
    _send(client, 2)
    client.post("/v1/users/identify", json={"user_id": "u1", "traits": {"name": "Ada"}})
    open_live(browser, workshop, "/")
    browser.open_by_keys("g", "u")
    browser.press("j")
    browser.open_by_keys("Enter")
    assert browser.ask("document.querySelector('h1').innerText") == "Ada"
    browser.follow("document.querySelector('[data-rows] a')")
    browser.follow("[...document.querySelectorAll('.facts a')].find((link) => link.pathname.startsWith('/traces/'))")
    assert browser.ask("document.querySelectorAll('[data-span=pay]').length") == 1
    open_live(browser, workshop, "/tool-errors")
    browser.follow("document.querySelector('[data-rows] a')")
    browser.wait("document.querySelector('[data-span=pay]').open")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_lists_on_a_phone(workshop: Running, client: httpx.Client, browser: Chromium, *, dark: bool) -> None:
    """Nothing hostile runs, nothing is wider than the screen, whatever is opened."""
    fill_with_evil(client)
    client.post("/v1/events/track", json=ai_event("long", event="x" * 300, user_id="y" * 300, model="z" * 300))
    client.post("/v1/users/identify", json={"user_id": "y" * 300, "traits": {"name": "n" * 300, "t" * 200: "v" * 300}})
    failed = {"status": {"code": 2, "message": "m" * 400}}
    for name in (EVIL, "w" * 300):
        client.post("/v1/traces", json=otlp(otlp_span(of_event("long", traceloop__entity__name=name), **failed)))
    client.put("/api/filters/" + "s" * 100, json={"query": "event=" + "q" * 300})
    browser.narrow()
    if dark:
        browser.dark()
    for path in (*PAGES, "/users/" + "y" * 300, "/events?model=" + "z" * 300):
        open_live(browser, workshop, path)
        if browser.ask("Boolean(document.querySelector('[data-facets]'))"):
            browser.wait("document.querySelector('[data-facets-found]')")
        browser.ask("document.querySelectorAll('details').forEach((part) => { part.open = true })")
        assert browser.ask("document.documentElement.scrollWidth") <= 390, path
        assert browser.ask("document.querySelectorAll('main img, main script').length") == 0
