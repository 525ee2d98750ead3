"""The lists as HTML: the first page, filters and facets, users, tool errors, traces without an event."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette

from raindrop_logging.workshop.pages.frame import Frame
from raindrop_logging.workshop.pages.home_page import RANGES, HomePage
from tests.workshop.test_pages import EVIL, Elements
from tests.workshop.wire_bodies import CHILD_TRACE, TRACE, ai_event, attributes, of_event, otlp, otlp_span

if TYPE_CHECKING:
    from raindrop_logging.workshop import Running

LISTS = ("/events", "/conversations", "/users", "/tool-errors", "/traces")
NOW = datetime.now(UTC)


def _at(**ago: float) -> str:
    return (NOW - timedelta(**ago)).isoformat()


def _nanoseconds(**ago: float) -> dict[str, Any]:
    start = int((NOW - timedelta(**ago)).timestamp() * 1e9)
    return {"startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 1_000_000_000)}


@pytest.fixture
def filled(client: httpx.Client) -> httpx.Client:
    """Ten events of an hour ago, two of them failed, one of last week, signals, a user and a trace of nobody."""
    events = [
        ai_event(
            f"e{number}",
            event=("chat", "plan")[number % 2],
            user_id=f"u/{number % 3}",
            timestamp=_at(hours=1, seconds=number),
            ai_data={"model": "m1", "input": f"question {number}", "output": "answer", "convo_id": f"c{number % 4}"},
            properties={"region": ("eu", "us")[number % 2]},
        )
        for number in range(10)
    ]
    old = ai_event("old", event="old", user_id="u/old", timestamp=_at(days=5))
    failed: dict[str, Any] = {"status": {"code": 2, "message": "card declined"}, **_nanoseconds(hours=1)}
    spans = [
        otlp_span(
            of_event(f"e{number}", traceloop__entity__name="pay"),
            spanId=f"{number + 1:016x}",
            traceId=f"{number + 1:032x}",
            **more,
        )
        for number, more in enumerate([failed, failed, _nanoseconds(hours=1), _nanoseconds(hours=1)])
    ]
    alone = otlp_span(traceId=CHILD_TRACE, name="nightly", **_nanoseconds(hours=2))
    for path, body in (
        ("/v1/events/track", [*events, old]),
        ("/v1/traces", otlp(*spans, alone)),
        ("/v1/signals/track", {"event_id": "e3", "signal_name": "thumbs_down", "sentiment": "NEGATIVE"}),
        ("/v1/users/identify", {"user_id": "u/0", "traits": {"name": "Ada", "plan": "pro"}}),
    ):
        assert client.post(path, json=body).is_success
    return client


def _page(client: httpx.Client, path: str, status: int = 200) -> Elements:
    answer = client.get(path)
    assert answer.status_code == status, path
    return Elements(answer.text)


def _ids(page: Elements) -> list[str | None]:
    return [attrs["data-id"] for tag, attrs in page.found if tag == "li" and attrs.get("data-id")]


def _links(page: Elements) -> list[str]:
    return [attrs.get("href") or "" for tag, attrs in page.found if tag == "a"]


def _tiles(client: httpx.Client, path: str) -> dict[str, str]:
    """The figures of the first page by name."""
    return _figures(client.get(path).text)


def _figures(html: str) -> dict[str, str]:
    return dict(re.findall(r'data-tile="([^"]*)"[^>]*>([^<]*)<', html))


async def _asked(app: Starlette, path: str) -> str:
    """The page of an application that nobody serves."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get(path)
    assert answer.is_success
    return answer.text


@pytest.mark.parametrize("path", ["/", "/events"])
def test_empty_says_how_to_begin(shared: httpx.Client, path: str) -> None:
    """Without any event the address, the variable, a command and the demo are named."""
    text = _page(shared, path).text
    for said in ("/v1/", "RAINDROP_WORKSHOP=", "curl", "raindrop-logging demo --serve"):
        assert said in text


def test_home_counts_what_its_range_holds(filled: httpx.Client) -> None:
    """Events, users, failures and signals of the last day, and of the last week; each leads to what it counted."""
    assert _tiles(filled, "/") == {"Events": "10", "Users": "3", "Failed": "2", "With a signal": "3"}
    assert _tiles(filled, "/?range=7d") == {"Events": "11", "Users": "4", "Failed": "2", "With a signal": "3"}
    page = _page(filled, "/")
    failures = next(link for link in _links(page) if link == "/events?since=24h&error=true")
    assert _ids(_page(filled, failures)) == ["e0", "e1"]
    assert _ids(page) == ["e0", "e1"]
    assert "card declined" in page.text


@pytest.mark.parametrize(("query", "leads_on"), [("", False), ("?range=30d", True)])
@pytest.mark.usefixtures("filled")
def test_home_says_what_it_could_not_count(workshop: Running, query: str, *, leads_on: bool) -> None:
    """Without time to count, no figure is given for none: tiles and charts say why, and the lists below are there."""
    home = HomePage(workshop.store, Frame("1"), seconds=0.0)
    html = asyncio.run(_asked(Starlette(routes=home.routes()), f"/{query}"))
    page = Elements(html)
    assert set(_figures(html).values()) == {"?"}
    text = " ".join(page.text.split())
    assert text.count("There was not time to count this.") == 4
    assert "None in this time" not in text
    assert "Some figures are missing" in text
    assert ("A shorter range may have them" in text) == leads_on
    assert _ids(page) == ["e0", "e1"]


@pytest.mark.parametrize("known", RANGES, ids=lambda known: known.name)
def test_home_has_a_chart_of_each(filled: httpx.Client, known: Any) -> None:
    """Volume, users, failure rate and signal rates over the whole range, also where nothing happened."""
    page = _page(filled, f"/?range={known.name}")
    assert [attrs["data-chart"] for _, attrs in page.found if "data-chart" in attrs] == [
        "volume",
        "users",
        "failing",
        "signals",
    ]
    assert sum(tag == "rect" for tag, _ in page.found) >= 3
    assert [attrs["href"] for _, attrs in page.found if attrs.get("aria-current") == "true"] == [
        "/" if known == RANGES[0] else f"/?range={known.name}"
    ]


def test_home_without_anything_recent(client: httpx.Client) -> None:
    """When the range is empty and the store is not, the page says how old the newest event is."""
    client.post("/v1/events/track", json=ai_event("old", timestamp="2020-01-01T00:00:00Z"))
    page = _page(client, "/")
    assert "Nothing in the last 24 hours" in page.text
    assert "/events/old" in _links(page)


def test_home_of_no_such_range(shared: httpx.Client) -> None:
    """A range that does not exist is refused with those that do."""
    assert "24h, 7d, 30d" in _page(shared, "/?range=99y", 404).text


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/events?event=plan&property.region=us&signal=thumbs_down", ["e3"]),
        ("/events?error=true&since=24h", ["e0", "e1"]),
        ("/events?since=7d&until=24h", ["old"]),
        ("/conversations?user_id=u/old", ["c1"]),
        ("/users?signal=thumbs_down", ["u/0"]),
        ("/users?since=7d&until=24h", ["u/old"]),
        ("/tool-errors?event=chat", [f"/events/e0#span-{1:032x}-{1:016x}"]),
        ("/tool-errors?tool=other", []),
        ("/traces?since=24h", [CHILD_TRACE]),
        ("/traces?error=true", []),
    ],
)
def test_lists_are_filtered(filled: httpx.Client, path: str, ids: list[str]) -> None:
    """Every list shows what passes, and a chip for each condition that leads to the list without it."""
    page = _page(filled, path)
    assert _ids(page) == ids
    conditions = path.count("&") + 1
    assert sum("filter" in (attrs.get("class") or "").split() for _, attrs in page.found) == conditions
    if not ids:
        assert "passes this filter" in page.text


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "said"),
    [("since=yesterday", "24h"), ("moddel=x", "model"), ("error=perhaps", "true or false"), ("cursor=x", "cursor")],
)
def test_wrong_addresses_say_what_would_do(shared: httpx.Client, path: str, query: str, said: str) -> None:
    """A wrong condition is named in the page, which keeps its bar, with status 400."""
    page = _page(shared, f"{path}?{query}", 400)
    assert said in page.text
    assert any(attrs.get("role") == "alert" for _, attrs in page.found)
    assert any(tag == "form" for tag, _ in page.found)


def test_a_trace_has_no_model(shared: httpx.Client) -> None:
    """What a trace without an event cannot be asked for is said in its list."""
    assert "has no model" in _page(shared, "/traces?model=x", 400).text


@pytest.mark.parametrize("path", LISTS)
def test_a_form_works_without_script(shared: httpx.Client, path: str) -> None:
    """What the form sends leads to the address that is kept; it is a GET of the list itself."""
    form = next(attrs for tag, attrs in _page(shared, path).found if tag == "form")
    assert (form["method"], form["action"]) == ("get", path)
    answer = shared.get(path, params={"add": "error", "tool": "pay", "since": "", "until": ""})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?tool=pay&error=true")


def test_facets_add_and_remove(filled: httpx.Client) -> None:
    """Each value says how many events have it, and leads to the list with it, or without it where it is set."""
    page = _page(filled, "/events?event=chat")
    (facets,) = [attrs["data-facets"] or "" for _, attrs in page.found if "data-facets" in attrs]
    links = _links(_page(filled, facets))
    assert "/events" in links
    assert "/events?event=chat&model=m1" in links
    assert "/events?event=chat&property.region=eu" in links
    assert "/events?event=chat&user_id=u%2F0" in links
    text = " ".join(_page(filled, facets).text.split())
    assert "chat 5" in text


def test_facets_of_tool_errors_count_failures(filled: httpx.Client) -> None:
    """Beside the tool errors only events that failed are counted."""
    text = " ".join(_page(filled, "/facets?of=/tool-errors").text.split())
    assert "chat 1" in text
    assert "plan 1" in text


@pytest.mark.parametrize(("query", "status"), [("of=/nothing", 404), ("of=/events&since=soon", 400)])
def test_facets_of_nothing(shared: httpx.Client, query: str, status: int) -> None:
    """A list without facets, or a wrong filter, is refused in words."""
    _page(shared, f"/facets?{query}", status)


def test_saved_filters_are_offered(client: httpx.Client) -> None:
    """A saved filter is a link on every list; a filter that is set can be saved."""
    client.put("/api/filters/bad%20week", json={"query": "since=7d&error=true"})
    for path in LISTS:
        assert f"{path}?since=7d&error=true" in _links(_page(client, path))
    keep = [attrs["data-keep"] for _, attrs in _page(client, "/events?model=a+b").found if "data-keep" in attrs]
    assert keep == ["model=a+b"]


def test_one_user(filled: httpx.Client) -> None:
    """Traits, events and what was seen in them, each leading to the user's events that have it."""
    page = _page(filled, "/users/u%2F0")
    for said in ("Ada", "plan", "pro", "thumbs_down"):
        assert said in page.text
    assert _ids(page) == ["e0", "e3", "e6", "e9"]
    assert "/events?user_id=u%2F0&signal=thumbs_down" in _links(page)
    _page(filled, "/users/nobody", 404)


def test_tool_errors_say_how_often(filled: httpx.Client) -> None:
    """A failing tool with its failures of its calls, and each error with the event it belongs to."""
    page = _page(filled, "/tool-errors")
    text = " ".join(page.text.split())
    assert "pay 2 4 50 % card declined" in text
    assert "question 0" in text
    assert "/tool-errors?tool=pay" in _links(page)


def test_one_trace(filled: httpx.Client) -> None:
    """A trace shows its spans, and the events that own it or that there are none."""
    alone = _page(filled, f"/traces/{CHILD_TRACE}")
    assert "No event owns this trace" in alone.text
    assert sum("data-span" in attrs for _, attrs in alone.found) == 1
    assert "/events/e0" in _links(_page(filled, f"/traces/{1:032x}"))
    _page(filled, "/traces/none", 404)


def test_an_event_leads_to_its_user_and_trace(filled: httpx.Client) -> None:
    """From an event's page."""
    links = _links(_page(filled, "/events/e0"))
    assert "/users/u%2F0" in links
    assert f"/traces/{1:032x}" in links


def test_hostile_tool_is_text(client: httpx.Client) -> None:
    """Markup in a tool's name and its error is shown as text, in the list of errors and on the first page."""
    client.post("/v1/events/track", json=ai_event("e1", user_id=EVIL, timestamp=_at(hours=1)))
    failed: dict[str, Any] = {"status": {"code": 2, "message": EVIL}, **_nanoseconds(hours=1)}
    client.post("/v1/traces", json=otlp(otlp_span(of_event("e1", traceloop__entity__name=EVIL), **failed)))
    bare = attributes(traceloop__span__kind="tool", traceloop__entity__name=EVIL)
    client.post("/v1/traces", json=otlp(otlp_span(bare, traceId=CHILD_TRACE, **failed)))
    for path, times in (("/", 2), ("/tool-errors", 4), ("/traces", 1), (f"/traces/{TRACE}", 2)):
        page = _page(client, path)
        assert page.text.count("<script>alert(1)</script>") >= times, path
        assert sum(tag == "script" for tag, _ in page.found) == 2
        assert not [tag for tag, attrs in page.found if any(name.startswith("on") for name in attrs)]
    assert f"/tool-errors?tool={quote(EVIL, safe='')}".replace("%20", "+") in _links(_page(client, "/tool-errors"))
