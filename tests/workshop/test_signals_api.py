"""Signals over HTTP: define, try, mark, count, and refusals that name the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.workshop.wire_bodies import ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    import httpx

    from raindrop_logging.workshop import Running

APPLES: dict[str, Any] = {"name": "apples", "definition": {"on": "input", "keywords": ["apple"]}}


def said(client: httpx.Client, event_id: str, text: str, **changes: Any) -> None:
    """Send a turn whose input is this."""
    body = ai_event(event_id, ai_data={"input": text, "output": "fine", "model": "m1"}, **changes)
    assert client.post("/v1/events/track", json=body).status_code == 204


def test_a_signal_from_its_preview_to_its_end(client: httpx.Client) -> None:
    """Try it, save it, see it applied to what was there and to what comes, change it, delete it."""
    said(client, "a", "an apple")
    tried = client.post("/api/signals/preview", json={"definition": APPLES["definition"]}).json()
    (sample,) = tried.pop("samples")
    assert tried == {"count": 1, "scanned": 1, "events": 1, "complete": True, "problem": None}
    assert (sample["event"]["event_id"], sample["event"]["input"], sample["matched"]) == ("a", "an apple", "apple")

    made = client.post("/api/signals", json=APPLES)
    assert made.status_code == 201
    signal = made.json()
    path = f"/api/signals/{signal['id']}"
    said(client, "b", "apples or an apple")
    while client.get(path).json()["state"] == "backfilling":
        said(client, "b", "apples or an apple")
    hits = client.get(f"{path}/hits").json()
    assert (sorted(hit["event"]["event_id"] for hit in hits["hits"]), hits["next_cursor"]) == (["a", "b"], None)
    assert client.get("/api/events/b").json()["rule_signals"] == [
        {"signal_id": signal["id"], "name": "apples", "origin": "user", "sentiment": None, "place": "input",
         "matched": "apple", "wrong": None},
    ]  # fmt: skip

    changed = client.patch(path, json={"enabled": False, "sentiment": "NEGATIVE"}).json()
    assert (changed["enabled"], changed["sentiment"], changed["definition"]["keywords"]) == (
        False,
        "NEGATIVE",
        ["apple"],
    )
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_the_list_has_default_user_and_sdk_signals(client: httpx.Client) -> None:
    """Each with its kind, state and figures; heuristics are labelled as such."""
    said(client, "a", "thanks, that worked")
    client.post("/v1/signals/track", json={"event_id": "a", "signal_name": "thumbs_up", "sentiment": "POSITIVE"})
    client.post("/v1/traces", json=otlp(otlp_span(of_event("a"), status={"code": 2, "message": "no"})))
    listed = {signal["name"]: signal for signal in client.get("/api/signals").json()["signals"]}
    assert {"laziness", "frustration", "wins", "nsfw", "jailbreaking", "refusal", "tool_error"} <= listed.keys()
    wins = listed["wins"]
    assert (wins["hits"], wins["label"], wins["origin"], wins["marks"], wins["precision"]) == (
        1, "heuristic", "default", {"right": 0, "wrong": 0}, None,
    )  # fmt: skip
    assert (listed["tool_error"]["hits"], listed["tool_error"]["label"]) == (1, None)
    assert (listed["thumbs_up"]["id"], listed["thumbs_up"]["kind"]) == ("instrumented:thumbs_up", "instrumented")


def test_marks_and_rates(client: httpx.Client) -> None:
    """A wrong mark lowers precision and rate; taking it back restores them."""
    for name in ("a/b", "c"):
        said(client, name, "thanks, that worked")
    mark = f"/api/signals/wins/marks/{quote('a/b', safe='')}"
    assert client.post(mark, json={"wrong": True}).status_code == 204
    rates = client.get("/api/signals/wins/rates", params={"by": "property.region"}).json()
    assert rates == {"by": "property.region", "rates": [{"value": "eu", "hits": 1, "events": 2, "rate": 0.5}]}
    assert client.get("/api/signals/wins").json()["precision"] == 0.0
    assert client.delete(mark).status_code == 204
    day = client.get("/api/signals/wins/rates", params={"since": "2026-05-07", "until": "2026-05-08"}).json()
    assert day["rates"] == [{"value": "2026-05-07", "hits": 2, "events": 2, "rate": 1.0}]


def test_an_sdk_signal_of_any_name(client: httpx.Client) -> None:
    """Slashes and the API's own words included; it has marks as a rule has, but nothing to change."""
    said(client, "a", "q")
    client.post("/v1/signals/track", json={"event_id": "a", "signal_name": "up/hits ü"})
    path = f"/api/signals/{quote('instrumented:up/hits ü', safe='')}"
    assert client.get(path).json()["name"] == "up/hits ü"
    assert [hit["event"]["event_id"] for hit in client.get(f"{path}/hits").json()["hits"]] == ["a"]
    assert client.post(f"{path}/marks/a", json={"wrong": False}).status_code == 204
    assert client.get(path).json()["precision"] == 1.0
    assert client.patch(path, json={"enabled": False}).status_code == 409


def test_rates_that_take_too_long(workshop: Running, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks about more time than there is an answer for is told so."""

    def late(*asked: object, **limits: object) -> None:
        del asked, limits
        raise TimeoutError("ask for less time")

    monkeypatch.setattr(type(workshop.store.signals), "rates", late)
    answer = client.get("/api/signals/wins/rates")
    assert (answer.status_code, answer.json()["error"]) == (503, "too_slow")
    assert answer.json()["message"] == "ask for less time"


def test_a_comment_and_an_edit_are_told_in_parts(client: httpx.Client) -> None:
    """What a user wrote, and what they made of the output."""
    said(client, "a", "q")
    sent = [
        {"event_id": "a", "signal_name": "f", "signal_type": "feedback", "properties": {"comment": "<b>bad</b>"}},
        {"event_id": "a", "signal_name": "e", "signal_type": "edit", "properties": {"after": "fine now"}},
    ]
    client.post("/v1/signals/track", json=sent)
    signals = {signal["name"]: signal for signal in client.get("/api/events/a").json()["signals"]}
    assert signals["f"]["comment"] == "<b>bad</b>"
    assert signals["e"]["edit"] == [{"change": "same", "text": "fine"}, {"change": "added", "text": " now"}]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "", {**APPLES, "name": ""}, 400, "name"),
        ("POST", "", {"name": "x"}, 400, "definition"),
        ("POST", "", {**APPLES, "colour": "red"}, 400, "colour"),
        ("POST", "", {"name": "x", "definition": {"on": "nowhere"}}, 400, "definition.on"),
        ("POST", "", {"name": "x", "definition": {"on": "input", "regex": "a"}}, 400, "definition.regex"),
        ("POST", "", {"name": "x", "definition": {"on": "input", "keywords": [1]}}, 400, "definition.keywords[0]"),
        (
            "POST",
            "",
            {"name": "x", "definition": {"on": "input", "patterns": ["a", "("]}},
            400,
            "definition.patterns[1]",
        ),
        ("POST", "", [], 400, "body"),
        ("POST", "", {**APPLES, "name": "wins"}, 409, None),
        ("POST", "/preview", {"definition": {"on": "input"}}, 400, "definition.keywords"),
        ("PATCH", "/wins", {"name": "other"}, 409, None),
        ("PATCH", "/wins", {"enabled": "yes"}, 400, "enabled"),
        ("PATCH", "/wins", [], 400, "body"),
        ("PATCH", "/nobody", {"enabled": True}, 404, None),
        ("DELETE", "/wins", None, 409, None),
        ("POST", "/wins/marks/nobody", {"wrong": True}, 404, None),
        ("POST", "/wins/marks/nobody", {"wrong": 1}, 400, "wrong"),
        ("GET", "/wins/rates?by=weather", None, 400, "by"),
        ("GET", "/wins/rates?since=soon", None, 400, "since"),
        ("GET", "/wins/rates?sicne=24h", None, 400, "sicne"),
        ("GET", "/wins/rates?top=0", None, 400, "top"),
        ("GET", "/wins/rates?top=501", None, 400, "top"),
        ("GET", "/wins/hits?limit=x", None, 400, "limit"),
        ("GET", "/wins/hits?limt=5", None, 400, "limt"),
        ("GET", "/wins/hits?cursor=x", None, 400, "cursor"),
        ("GET", "/nobody/hits", None, 404, None),
        ("GET", "/nobody/rates", None, 404, None),
    ],
)
def test_refusals(shared: httpx.Client, method: str, path: str, body: Any, status: int, field: str | None) -> None:
    """What cannot be is refused, and the field is named."""
    answer = shared.request(method, f"/api/signals{path}", json=body)
    assert (answer.status_code, answer.json()["field"]) == (status, field)


def test_only_json_from_our_own_pages_changes_anything(shared: httpx.Client) -> None:
    """A form of another site could send text or fields, but neither JSON nor our Origin."""
    plain = shared.post("/api/signals", content=b"{}", headers={"Content-Type": "text/plain"})
    assert (plain.status_code, plain.json()["error"]) == (415, "unsupported_type")
    for method, path in (("POST", "/api/signals"), ("PATCH", "/api/signals/wins"), ("DELETE", "/api/signals/wins")):
        assert shared.request(method, path, json={}, headers={"Origin": "https://evil.example"}).status_code == 403
    own = shared.patch("/api/signals/wins", json={}, headers={"Origin": str(shared.base_url).rstrip("/")})
    assert own.status_code == 200
