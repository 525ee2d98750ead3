"""The API's lists, facets and charts: the same filters everywhere, errors that name the parameter, saved filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from raindrop_logging.workshop import running
from tests.workshop.wire_bodies import ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED: dict[str, Any] = {"status": {"code": 2, "message": "boom"}, "spanId": "0102030405060708"}


@pytest.fixture(scope="module")
def told() -> Iterator[httpx.Client]:
    """A client of a Workshop with five events: two conversations, two users, one failed tool call."""
    with running() as up, httpx.Client(base_url=up.url, trust_env=False, timeout=20) as client:
        for number in range(5):
            body = ai_event(
                f"e{number}",
                user_id=f"u{number % 2}",
                timestamp=f"2026-05-0{number + 1}T12:00:00Z",
                ai_data={"model": "m", "input": f"q{number}", "output": "a", "convo_id": f"c/{number // 3}"},
                properties={"region": "eu" if number else "us"},
                attachments=[],
            )
            client.post("/v1/events/track", json=body)
        client.post("/v1/events/track", json=[ai_event("p", event="draft")], headers={"X-Raindrop-Project-Id": "shop"})
        kind: dict[str, Any] = {
            "attributes": [*of_event("e4"), {"key": "traceloop.span.kind", "value": {"stringValue": "tool"}}]
        }
        client.post("/v1/traces", json=otlp(otlp_span(**kind, **FAILED)))
        client.post("/v1/traces", json=otlp(otlp_span(traceId="ab" * 16)))
        client.post("/v1/signals/track", json={"event_id": "e1", "signal_name": "win"})
        yield client


def get(client: httpx.Client, path: str, **params: Any) -> Any:
    """A good answer."""
    answer = client.get(path, params=params or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("event=chat&until=2026-05-04", ["e2", "e1", "e0"]),
        ("user_id=u1&user_id=u0&property.region=us", ["e0"]),
        ("convo_id=c/1", ["e4", "e3"]),
        ("project_id=shop", ["p"]),
        ("tool=search&error=true", ["e4"]),
        ("signal=win", ["e1"]),
        ("attachment=true", ["p"]),
        ("since=2026-05-05&model=m&pending=false", ["e4"]),
        ("event=", ["p", "e4", "e3", "e2", "e1", "e0"]),
    ],
)
def test_events_under_every_filter(told: httpx.Client, query: str, ids: list[str]) -> None:
    """The address of the list says which events are meant."""
    events = get(told, f"/api/events?{query}")["events"]
    assert [event["event_id"] for event in events] == ids


def test_conversations(told: httpx.Client) -> None:
    """The list, page by page; and one, whatever its id holds, with its turns in order."""
    first = get(told, "/api/conversations", limit=1, event="chat")
    rest = get(told, "/api/conversations", limit=1, event="chat", cursor=first["next_cursor"])
    assert [found["convo_id"] for found in (*first["conversations"], *rest["conversations"])] == ["c/1", "c/0"]
    assert first["conversations"][0]["latest"]["event_id"] == "e4"
    assert rest["next_cursor"] is None
    one = get(told, "/api/conversations/c%2F0", limit=2)
    assert (one["turn_count"], one["opening"]) == (3, "q0")
    assert [turn["event_id"] for turn in one["turns"]] == ["e0", "e1"]
    more = get(told, "/api/conversations/c%2F0", limit=2, cursor=one["next_cursor"])
    assert [turn["event_id"] for turn in more["turns"]] == ["e2"]
    assert told.get("/api/conversations/none").status_code == 404


def test_users_traces_and_tools(told: httpx.Client) -> None:
    """The other lists, with their filters."""
    assert [user["user_id"] for user in get(told, "/api/users", event="chat")["users"]] == ["u0", "u1"]
    [trace] = get(told, "/api/traces")["traces"]
    assert (trace["trace_id"], trace["span_count"]) == ("ab" * 16, 1)
    [error] = get(told, "/api/tools/errors", convo_id="c/1")["errors"]
    assert (error["span"]["error"], error["event"]["event_id"]) == ("boom", "e4")
    [tool] = get(told, "/api/tools/failing")["tools"]
    assert (tool["tool"], tool["errors"], tool["calls"]) == ("search", 1, 2)
    assert get(told, "/api/tools/errors", user_id="u1")["errors"] == []


def test_facets(told: httpx.Client) -> None:
    """All, or those that are named."""
    names = [facet["name"] for facet in get(told, "/api/facets")["facets"]]
    assert {"event", "user_id", "convo_id", "model", "project_id", "tool", "signal", "property.region"} <= set(names)
    [facet] = get(told, "/api/facets?facet=property.region&event=chat")["facets"]
    assert facet["values"] == [{"value": "eu", "events": 4}, {"value": "us", "events": 1}]
    assert (facet["distinct"], facet["partial"]) == (2, False)


def test_lines_over_time(told: httpx.Client) -> None:
    """Buckets, counts, and rates."""
    where = {"since": "2026-05-04", "until": "2026-05-07", "event": "chat"}
    timeline = get(told, "/api/timeseries", measure="failures", split="model", **where)
    assert [start[:10] for start in timeline["starts"]] == ["2026-05-04", "2026-05-05", "2026-05-06"]
    assert timeline["lines"] == [{"name": "m", "counts": [0, 1, 0], "of": [1, 1, 0], "rates": [0.0, 1.0, None]}]
    named = {"measure": "signals", "by": "all", "signal_name": "win", "event": "chat"}
    assert get(told, "/api/timeseries", **named)["lines"][0]["rates"] == [0.2]


@pytest.mark.parametrize(
    ("path", "field", "said"),
    [
        ("/api/events?modle=x", "modle", "did you mean 'model'?"),
        ("/api/events?limt=5", "limt", "did you mean 'limit'?"),
        ("/api/events?error=maybe", "error", "error is true or false"),
        ("/api/events?since=yesterday", "since", "how long ago (24h, 7d)"),
        ("/api/users?cursor=x", "cursor", "not a cursor"),
        ("/api/conversations?limit=0", "limit", "from 1 to 500"),
        ("/api/traces?user_id=u", "user_id", "a trace without an event has no user_id"),
        ("/api/facets?facet=modles", "facet", "no facet 'modles'"),
        ("/api/facets?top=1000", "top", "from 1 to 200"),
        ("/api/timeseries?by=year", "by", "by is one of minute"),
        ("/api/timeseries?measure=money", "measure", "measure is one of events"),
        ("/api/timeseries?split=input", "split", "split is one of event"),
        ("/api/tools/failing?cursor=x", "cursor", "no filter 'cursor'"),
    ],
)
def test_what_cannot_be_asked_is_named(told: httpx.Client, path: str, field: str, said: str) -> None:
    """A wrong parameter is a 400 that names it and says what would do."""
    answer = told.get(path)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert said in answer.json()["message"]


def test_saved_filters(client: httpx.Client) -> None:
    """Saved under a name, listed, replaced, and deleted."""
    assert client.put("/api/filters/my%2Ffirst", json={"query": "since=24h&error=true"}).status_code == 200
    client.put("/api/filters/all", json={"query": ""})
    client.put("/api/filters/my%2Ffirst", json={"query": "since=7d"})
    found = client.get("/api/filters").json()["filters"]
    assert [(saved["name"], saved["query"]) for saved in found] == [("all", ""), ("my/first", "since=7d")]
    assert client.delete("/api/filters/my%2Ffirst").status_code == 204
    assert client.delete("/api/filters/my%2Ffirst").status_code == 404
    assert [saved["name"] for saved in client.get("/api/filters").json()["filters"]] == ["all"]


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("x", {"query": "modle=a"}, "query"),
        ("x", {"query": "since"}, "query"),
        ("x", {"query": 5}, "query"),
        ("x", {"query": "event=" + "x" * 5000}, "query"),
        ("x", {}, "query"),
        ("x", {"query": "", "more": 1}, "more"),
        ("n" * 101, {"query": ""}, "name"),
    ],
)
def test_filters_that_are_not_saved(shared: httpx.Client, name: str, body: Any, field: str) -> None:
    """A filter that would find nothing ever after is refused at once."""
    answer = shared.put(f"/api/filters/{name}", json=body)
    assert (answer.status_code, answer.json()["field"]) == (400, field), answer.text
