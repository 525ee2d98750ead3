"""`/v1/live`: what a client says while a turn runs is passed on at once; its tools are kept until their spans come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.workshop.wire_bodies import SPAN, START, TRACE, ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    import httpx

LIVE = "/v1/live"
ABOUT = {"eventId": "e1", "eventName": "chat", "userId": "u1", "convoId": "c1"}


def _say(client: httpx.Client, kind: str, content: str | None = None, **more: Any) -> None:
    body = {"traceId": TRACE, "type": kind, "content": content, "timestamp": START // 10**6, **more}
    answer = client.post(LIVE, json=body)
    assert (answer.status_code, answer.content) == (204, b""), answer.text


def _spans(client: httpx.Client) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = client.get(f"/api/traces/{TRACE}").json()["spans"]
    return spans


def test_a_running_tool_is_a_span(client: httpx.Client) -> None:
    """The start of a tool shows it, its result closes it, and the event it names is known and pending."""
    _say(client, "tool_start", "search", spanId=SPAN, metadata={**ABOUT, "args": {"q": 1}})
    (running,) = client.get("/api/events/e1").json()["spans"]
    assert [running[key] for key in ("name", "kind", "input", "output", "end_time")] == [
        "search", "tool", '{"q":1}', None, None,
    ]  # fmt: skip
    _say(client, "tool_result", "3 hits", spanId=SPAN, timestamp=START // 10**6 + 500)
    event = client.get("/api/events/e1").json()
    assert [event[key] for key in ("event", "user_id", "convo_id", "is_pending")] == ["chat", "u1", "c1", True]
    (ended,) = event["spans"]
    assert [ended[key] for key in ("name", "input", "output", "start_time", "end_time")] == [
        "search", '{"q":1}', "3 hits", "2026-05-07T19:12:45.000000Z", "2026-05-07T19:12:45.500000Z",
    ]  # fmt: skip


@pytest.mark.parametrize("span_first", [True, False])
def test_the_real_span_wins(client: httpx.Client, *, span_first: bool) -> None:
    """The tool's own span replaces what was told live, and a step that comes late changes nothing of it."""

    def span() -> None:
        attrs = of_event("e1", traceloop__entity__name="real", traceloop__entity__output="whole")
        assert client.post("/v1/traces", json=otlp(otlp_span(attrs))).status_code == 204

    def steps() -> None:
        _say(client, "tool_start", "live", spanId=SPAN, metadata=ABOUT)
        _say(client, "tool_result", "cut", spanId=SPAN)

    for told in (span, steps) if span_first else (steps, span):
        told()
    (shown,) = _spans(client)
    assert (shown["name"], shown["output"], "raindrop.live" in shown["attributes"]) == ("real", "whole", False)


@pytest.mark.parametrize("span_first", [True, False])
def test_the_real_span_in_another_trace(client: httpx.Client, *, span_first: bool) -> None:
    """An official client tells a tool live in one trace and sends its span in another: it is shown once."""
    live: dict[str, Any] = {"spanId": SPAN, "traceId": "cd" * 16, "metadata": ABOUT}
    if not span_first:
        _say(client, "tool_start", "live", **live)
    assert client.post("/v1/traces", json=otlp(otlp_span(of_event("e1")))).status_code == 204
    if span_first:
        _say(client, "tool_result", "late", **live)
    (span,) = client.get("/api/events/e1").json()["spans"]
    assert (span["trace_id"], span["name"]) == (TRACE, "search")


def test_a_result_without_a_start(client: httpx.Client) -> None:
    """A result that overtakes its start waits for the name and the time."""
    _say(client, "tool_result", "out", spanId=SPAN)
    assert [(span["name"], span["output"]) for span in _spans(client)] == [("tool", "out")]
    _say(client, "tool_start", "search", spanId=SPAN)
    assert [(span["name"], span["output"]) for span in _spans(client)] == [("search", "out")]


def test_a_result_that_says_more(client: httpx.Client) -> None:
    """Where the metadata tell the outcome, as official clients do, the content is the tool's name; a failure is one."""
    _say(client, "tool_result", "search", spanId=SPAN, metadata={"input": {"q": 1}, "result": ["hit"]})
    _say(client, "tool_start", "fetch", spanId="ab" * 8)
    _say(client, "tool_result", "fetch", spanId="ab" * 8, metadata={"error": "no route"})
    told = {span["name"]: span for span in _spans(client)}
    keys = ("status", "error", "input", "output")
    assert {name: [span[key] for key in keys] for name, span in told.items()} == {
        "search": ["ok", None, '{"q":1}', '["hit"]'],
        "fetch": ["error", "no route", None, None],
    }


def test_what_is_known_of_the_event_stays(client: httpx.Client) -> None:
    """A step only fills gaps of its event, and never reopens it."""
    assert client.post("/v1/events/track", json=ai_event()).status_code == 204
    _say(client, "text_delta", "more", metadata={**ABOUT, "eventName": "other"})
    event = client.get("/api/events/e1").json()
    assert [event[key] for key in ("event", "output", "is_pending")] == ["chat", "answer", False]


def test_words_are_passed_on(client: httpx.Client) -> None:
    """Who listens hears every word in order, with the event it belongs to, and none of another event's."""
    with client.stream("GET", "/api/live?event_id=e1") as stream:
        lines = (line for line in stream.iter_lines() if line)
        assert next(lines) == ": still here"
        _say(client, "text_delta", "not this", metadata={"event_id": "other"})
        _say(client, "status", "of no event")
        for word in ("one ", "two"):
            _say(client, "text_delta", word, metadata=ABOUT)
        told = [next(lines) for _ in range(4)]
    assert told[0] == told[2] == "event: step"
    steps = [json.loads(line.removeprefix("data: ")) for line in told[1::2]]
    assert [step["content"] for step in steps] == ["one ", "two"]
    assert steps[0] == {
        "event_id": "e1", "trace_id": TRACE, "span_id": None, "type": "text_delta", "content": "one ",
        "timestamp": "2026-05-07T19:12:45.000000Z", "metadata": ABOUT,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"traceId": "not-hex"}, "traceId"),
        ({"traceId": None}, "traceId"),
        ({"type": " "}, "type"),
        ({"type": "tool_start"}, "spanId"),
        ({"type": "tool_result", "spanId": "ab"}, "spanId"),
        ({"timestamp": "now"}, "timestamp"),
        ({"timestamp": 1e30}, "timestamp"),
        ({"content": 5}, "content"),
        ({"metadata": []}, "metadata"),
    ],
)
def test_wrong_steps_are_refused(shared: httpx.Client, change: dict[str, Any], field: str) -> None:
    """A step that breaks the contract is answered 400 with the place of the fault."""
    answer = shared.post(LIVE, json={"traceId": TRACE, "type": "status", **change})
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_odd_metadata(client: httpx.Client) -> None:
    """Metadata may hold anything: only texts that are not blank name an event."""
    for odd in ({"eventId": 5}, {"eventId": ""}, {"eventId": None, "event_id": " "}, {"workspace": {"id": "w"}}):
        _say(client, "status", "s", metadata=odd)
    assert client.get("/api/health").json()["events"] == 0
