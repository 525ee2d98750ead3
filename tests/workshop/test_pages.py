"""The pages as HTML: everything shown, nothing executed, nothing fetched from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pytest

from raindrop_logging.workshop.pages.attachments import FRAME_POLICY
from raindrop_logging.workshop.pages.text import duration, pretty
from tests.workshop.wire_bodies import TRACE, ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    import httpx

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>{{7*7}}</textarea></pre></title>"

OTHER_PAGES = (
    (f"/users/{quote(EVIL, safe='')}", 10),
    ("/users", 2),
    ("/conversations", 3),
    ("/facets?of=/events", 6),
    (f"/events?{urlencode([('event', EVIL), ('property.' + EVIL, EVIL)])}", 4),
    (f"/events?since={quote(EVIL)}", 2),
    (f"/traces/{TRACE}", 4),
)
"""Where else what `fill_with_evil` sent is shown, and how often at least."""


class Elements(HTMLParser):
    """Every element of a page, with its attributes, and all its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element."""
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Collect text."""
        self.text += data


def _page(client: httpx.Client, path: str) -> Elements:
    answer = client.get(path)
    assert answer.status_code in (200, 400)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Elements(answer.text)


def fill_with_evil(client: httpx.Client) -> None:
    """Send hostile text in every field of every kind of body."""
    attachments: list[dict[str, Any]] = [
        {"type": kind, "value": EVIL, "name": EVIL, "language": EVIL, "role": role, "attachment_id": f"{EVIL}{kind}"}
        for kind in ("code", "text", "image", "iframe")
        for role in ("input", EVIL)
    ]
    event = ai_event(
        EVIL,
        user_id=EVIL,
        event=EVIL,
        ai_data={"model": EVIL, "input": EVIL, "output": EVIL, "convo_id": EVIL},
        properties={EVIL: {EVIL: [EVIL]}, "$context": {EVIL: EVIL}},
        feature_flags={EVIL: EVIL},
        attachments=attachments,
    )
    signal = {"event_id": EVIL, "signal_name": EVIL, "signal_type": EVIL, "attachment_id": EVIL}
    texts = ["traceloop.span.kind", "traceloop.entity.name", "traceloop.entity.input", "traceloop.entity.output", EVIL]
    attrs = [{"key": key, "value": {"stringValue": EVIL}} for key in texts]
    span = otlp_span([*of_event(EVIL)[:1], *attrs], status={"code": 2, "message": EVIL}, name=EVIL)
    for path, body in {
        "/v1/events/track": event,
        "/v1/signals/track": {**signal, "properties": {EVIL: EVIL, "comment": EVIL}},
        "/v1/users/identify": {"user_id": EVIL, "traits": {EVIL: EVIL}},
        "/v1/traces": otlp(span),
    }.items():
        assert client.post(path, json=body, headers={"X-Raindrop-Project-Id": EVIL}).status_code == 204


def test_hostile_content_is_text(client: httpx.Client) -> None:
    """HTML and script in every field of every kind are shown as the text they are."""
    fill_with_evil(client)
    event_link = next(
        attrs["href"]
        for _, attrs in _page(client, "/events").found
        if (attrs.get("href") or "").startswith("/events/%")
    )
    for path, times in (("/events", 5), (str(event_link), 30), *OTHER_PAGES):
        page = _page(client, path)
        tags = {tag for tag, _ in page.found}
        assert not tags & {"object", "embed", "base", "style"}
        forms = [(attrs["method"], attrs["action"]) for tag, attrs in page.found if tag == "form"]
        assert forms in ([], [("get", path.partition("?")[0])])
        frames = [attrs for tag, attrs in page.found if tag == "iframe"]
        assert all(frame["sandbox"] == "" and "src" not in frame for frame in frames)
        assert all((frame["srcdoc"] or "").startswith(FRAME_POLICY) for frame in frames)
        scripts = [str(attrs.get("src")) for tag, attrs in page.found if tag == "script"]
        assert all(script.startswith("/static/") for script in scripts)
        assert not [attrs for _, attrs in page.found if any(name.startswith(("on", "style")) for name in attrs)]
        assert all(attrs.get("src") == "/static/drop.svg" for tag, attrs in page.found if tag == "img")
        assert page.text.count("<script>alert(1)</script>") >= times
        assert "49" not in re.sub(r"\d{3,}|[\w-]*\d-[\w-]*|\d\d:\d\d:\d\d", "", page.text)


@pytest.mark.parametrize(
    ("attachment", "tag", "attribute"),
    [
        ({"type": "image", "value": "https://x.example/a.png"}, "a", "href"),
        ({"type": "iframe", "value": "http://x.example/b?c=1&d"}, "a", "href"),
        ({"type": "image", "value": "data:image/png;base64,iVBORw0KGgo="}, "img", "src"),
    ],
    ids=["picture elsewhere", "frame elsewhere", "picture inside"],
)
def test_attachments(shared: httpx.Client, attachment: dict[str, str], tag: str, attribute: str) -> None:
    """What lies elsewhere is a link that tells nothing of this page; only a picture in the data itself is shown."""
    shared.post("/v1/events/track", json=ai_event(attachments=[attachment]))
    found = [attrs for name, attrs in _page(shared, "/events/e1").found if name == tag]
    (shown,) = [attrs for attrs in found if attrs.get(attribute) == attachment["value"]]
    assert tag == "img" or shown["rel"] == "noopener noreferrer nofollow"


@pytest.mark.parametrize(
    "value",
    ["javascript:alert(1)", "data:text/html,<script>1</script>", "data:image/svg+xml;base64,AAAA", " https://x y"],
)
def test_values_that_are_no_links(client: httpx.Client, value: str) -> None:
    """Any other address is text."""
    attachments = [{"type": kind, "value": value} for kind in ("iframe", "image")]
    client.post("/v1/events/track", json=ai_event(attachments=attachments))
    page = _page(client, "/events/e1")
    assert not [attrs for _, attrs in page.found if value in (attrs.get("href"), attrs.get("src"))]
    assert page.text.count(value) == 2


def test_security_headers(shared: httpx.Client) -> None:
    """Every answer forbids foreign scripts, frames, sniffing and caching."""
    for path in ("/", "/api/health", "/static/workshop.js", "/nothing"):
        headers = shared.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


def test_nothing_comes_from_elsewhere(client: httpx.Client) -> None:
    """Pages, styles and scripts name no other machine."""
    client.post("/v1/events/track", json=ai_event())
    for path in ("/", "/events", "/events/e1", "/static/workshop.js", "/static/workshop.css"):
        assert not re.findall(r"(?:https?:)?//[a-z]+\.[a-z]+|@import|url\(", client.get(path).text)


def test_empty_list_and_missing_event(client: httpx.Client) -> None:
    """An empty Workshop says how to fill it; an event that is not there, and a false cursor, say so."""
    for path in ("/", "/events"):
        assert "Waiting for the first event" in _page(client, path).text
    for path, status, said in (("/events/none", 404, "none"), ("/events?cursor=x", 400, "cursor")):
        answer = client.get(path)
        assert answer.status_code == status
        assert said in answer.text


def test_an_event_without_a_turn(client: httpx.Client) -> None:
    """One that is no AI event says that it has neither input nor output; a pending one may still get them."""
    plain = {"event_id": "plain", "event": "page_viewed", "user_id": "u1"}
    client.post("/v1/events/track", json=[plain, ai_event()])
    client.post("/v1/events/track_partial", json={**plain, "event_id": "open"})
    said = {name: "Neither input nor output" in client.get(f"/events/{name}").text for name in ("plain", "e1", "open")}
    assert said == {"plain": True, "e1": False, "open": False}


def test_no_page_is_there(shared: httpx.Client) -> None:
    """A browser is told in a page that leads on, a program in JSON."""
    for accept, kind in (("text/html,*/*;q=0.8", "text/html"), ("*/*", "application/json")):
        answer = shared.get("/no/such<page>", headers={"Accept": accept})
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith(kind)
    page = Elements(shared.get("/no/such<page>", headers={"Accept": "text/html"}).text)
    assert "There is no page '/no/such<page>'." in page.text
    assert {"/", "/events", "/search"} <= {attrs.get("href") for tag, attrs in page.found if tag == "a"}


def test_older_pages(client: httpx.Client) -> None:
    """Beyond one page the list goes on behind a link."""
    client.post("/v1/events/track", json=[ai_event(f"e{number}") for number in range(60)])
    first = _page(client, "/events")
    (older,) = [attrs["href"] for _, attrs in first.found if attrs.get("rel") == "next"]
    second = _page(client, str(older))
    shown = [sum(tag == "li" for tag, _ in page.found) for page in (first, second)]
    assert shown == [51, 11]  # each with the empty line that live events are copied from


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        ('{"a":1}', '{\n  "a": 1\n}'),
        ("[broken", "[broken"),
        ("[" * 5000, "[" * 5000),
        (5, "5"),
        (None, "null"),
        ({"a": [1]}, '{\n  "a": [\n    1\n  ]\n}'),
    ],
)
def test_pretty(value: object, text: str) -> None:
    """JSON is indented, anything else left alone."""
    assert pretty(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.0, "<1 ms"), (0.0123, "12 ms"), (3.44, "3.4 s"), (125.0, "2 min 5 s")],
)
def test_duration(seconds: float | None, text: str) -> None:
    """Durations read at a glance."""
    assert duration(seconds) == text
