"""The reading side of the API: health, the list, its cursor, users, and the stream."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from raindrop_logging.workshop import open_store
from raindrop_logging.workshop.app import build
from raindrop_logging.workshop.live import LiveFeed
from tests.workshop.test_store import FULL
from tests.workshop.wire_bodies import START, TRACE, ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping

    from raindrop_logging.workshop import Running


def test_health(client: httpx.Client) -> None:
    """Health names the program and counts what it holds."""
    client.post("/v1/events/track", json=[ai_event("a"), ai_event("b")])
    health = client.get("/api/health").json()
    assert health.pop("version").count(".") >= 1
    assert health.pop("started_at").endswith("Z")
    assert health.pop("database_bytes") > 4096
    assert health.pop("unindexed") <= 2
    assert health == {
        "name": "raindrop-logging workshop",
        "database": ":memory:",
        "strict": False,
        "events": 2,
        "signals": 0,
        "signals_without_event": 0,
        "spans": 0,
        "users": 0,
        "received_bodies": 1,
        "ignored_keys": {},
    }


def test_list(client: httpx.Client) -> None:
    """The list tells each event whole, with counts of what hangs on it, and walks page by page.

    What rules found counts as what was sent: here one failed tool.
    """
    events = [ai_event(str(day), timestamp=f"2026-01-0{day}T00:00:00Z") for day in (1, 2, 3)]
    client.post("/v1/events/track", json=events)
    moods = ["POSITIVE", "NEGATIVE", "NEGATIVE", None]
    signals = [{"event_id": "2", "signal_name": str(n), "sentiment": mood} for n, mood in enumerate(moods)]
    client.post("/v1/signals/track", json=signals)
    failed = {"status": {"code": 2}, "spanId": "0102030405060708"}
    client.post("/v1/traces", json=otlp(otlp_span(of_event("2")), otlp_span(of_event("2"), **failed)))

    first = client.get("/api/events", params={"limit": 2}).json()
    assert [event["event_id"] for event in first["events"]] == ["3", "2"]
    told = first["events"][1]
    assert told["input"] == "question"
    names = ("signal_count", "positive_count", "negative_count", "span_count", "error_count")
    assert [told[name] for name in names] == [5, 1, 3, 2, 1]
    rest = client.get("/api/events", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert ([event["event_id"] for event in rest["events"]], rest["next_cursor"]) == (["1"], None)


def test_list_names_tools_and_time(client: httpx.Client) -> None:
    """An event of a list says which tools ran, each once, and how long all its spans took together."""
    client.post("/v1/events/track", json=[ai_event("a"), ai_event("b")])
    begun, ended = str(START + 2_000_000_000), str(START + 2_500_000_000)
    later = {"startTimeUnixNano": begun, "endTimeUnixNano": ended}
    spans = [
        otlp_span(of_event("a"), name="write", spanId="01" * 8),
        otlp_span(of_event("a"), name="search", spanId="02" * 8),
        otlp_span(of_event("a"), name="search", spanId="03" * 8, **later),
    ]
    client.post("/v1/traces", json=otlp(*spans))
    told = {event["event_id"]: event for event in client.get("/api/events").json()["events"]}
    assert {name: (one["tools"], one["seconds"]) for name, one in told.items()} == {
        "a": (["search", "write"], 2.5),
        "b": ([], None),
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [("limit=0", "limit"), ("limit=501", "limit"), ("limit=-1", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
     ("limit=٣", "limit"), ("cursor=x", "cursor"), ("cursor=é", "cursor"), ("cursor=YSBi", "cursor")],
)  # fmt: skip
def test_list_refuses(shared: httpx.Client, query: str, field: str) -> None:
    """A limit or cursor that cannot be is named."""
    answer = shared.get(f"/api/events?{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_user(client: httpx.Client) -> None:
    """A user is known from identify or from events alone, and when they were seen."""
    client.post("/v1/events/track", json=[ai_event("a"), ai_event("b", timestamp="2026-05-08T00:00:00Z")])
    assert client.get("/api/users/u1").json() == {
        "user_id": "u1",
        "traits": {},
        "first_seen": "2026-05-07T19:00:00.000000Z",
        "last_seen": "2026-05-08T00:00:00.000000Z",
        "event_count": 2,
    }


@pytest.mark.parametrize("event_id", ["a/b", "a?b#c", "ü %20", "e\u0000", "..."])
def test_odd_ids(shared: httpx.Client, event_id: str) -> None:
    """An event is found by whatever id it was given."""
    shared.post("/v1/events/track", json=ai_event(event_id))
    quoted = quote(event_id, safe="")
    assert shared.get(f"/api/events/{quoted}").json()["event_id"] == event_id
    assert shared.get(f"/events/{quoted}").status_code == 200


def test_trace(client: httpx.Client) -> None:
    """Spans that no event owns are found by their trace."""
    client.post("/v1/traces", json=otlp(otlp_span(), otlp_span(spanId="0102030405060708")))
    trace = client.get(f"/api/traces/{TRACE}").json()
    assert (trace["trace_id"], len(trace["spans"])) == (TRACE, 2)
    assert client.get("/api/health").json()["events"] == 0


def _changes(lines: Iterator[str]) -> Iterator[dict[str, object]]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_stream(workshop: Running, client: httpx.Client) -> None:
    """Whoever listens hears of each change, with long texts cut, and the stream ends with the server."""
    with client.stream("GET", "/api/stream") as stream:
        lines = stream.iter_lines()
        assert (stream.headers["content-type"], next(lines)) == ("text/event-stream; charset=utf-8", ": still here")
        changes = _changes(lines)
        with httpx.Client(base_url=workshop.url, trust_env=False) as sender:
            sender.post("/v1/events/track", json=ai_event("live", ai_data={"input": "x" * 5000}))
            told = next(changes)
            assert (told["event_id"], told["input"], "properties" in told) == ("live", "x" * 300, False)
            sender.post("/v1/signals/track", json={"event_id": "live", "signal_name": "s"})
            assert next(changes)["signal_count"] == 1
            sender.post("/v1/traces", json=otlp(otlp_span(of_event("live"))))
            assert next(changes)["span_count"] == 1


def test_who_sees_the_stream_begin_misses_nothing_after_it() -> None:
    """What changes while the head of the answer is still on its way is told as well."""
    store, feed = open_store(":memory:"), LiveFeed()
    store.append(FULL).result()
    pieces: list[bytes] = []

    async def listen() -> None:
        enough = asyncio.Event()

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                feed.publish(["e"])
                return
            pieces.append(message["body"])
            if len(pieces) == 2:
                enough.set()

        async def receive() -> MutableMapping[str, Any]:
            await enough.wait()
            return {"type": "http.disconnect"}

        headers = [(b"host", b"127.0.0.1")]
        scope = {"type": "http", "method": "GET", "path": "/api/stream", "query_string": b"", "headers": headers}
        await build(store, feed)(scope, receive, send)

    asyncio.run(listen())
    store.close()
    assert pieces[0] == b": still here\n\n"
    assert json.loads(pieces[1].partition(b"data: ")[2])["event_id"] == "e"
