"""Every ingest route, in every encoding the official clients use."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from google.protobuf.json_format import MessageToJson  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from raindrop_logging.workshop import Running, running
from tests.workshop.wire_bodies import SPAN, START, TRACE, ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    from pathlib import Path


def post(client: httpx.Client, path: str, body: Any) -> None:
    """Send a body that must be accepted, as the documentation says: with a 204."""
    answer = client.post(path, json=body)
    assert (answer.status_code, answer.content) == (204, b"")


def told(client: httpx.Client, event_id: str) -> dict[str, Any]:
    """An event as the API tells it."""
    answer = client.get(f"/api/events/{event_id}")
    assert answer.status_code == 200, answer.text
    event: dict[str, Any] = answer.json()
    return event


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_probe(shared: httpx.Client, method: str) -> None:
    """Clients that look for a Workshop at `/v1/` find it."""
    assert shared.request(method, "/v1/").status_code == 204


@pytest.mark.parametrize("body", [ai_event(), [ai_event()]], ids=["object", "array"])
def test_complete_event(client: httpx.Client, body: Any) -> None:
    """An event sent to events/track comes back with every field, alone or in an array."""
    post(client, "/v1/events/track", body)
    assert told(client, "e1") == {
        "event_id": "e1",
        "user_id": "u1",
        "event": "chat",
        "model": "m1",
        "input": "question",
        "output": "answer",
        "convo_id": "c1",
        "properties": {"region": "eu", "nested": {"a": [1, None]}},
        "attachments": [{"type": "code", "value": "x = 1", "role": "output", "language": "python"}],
        "feature_flags": {"fast": "on"},
        "timestamp": "2026-05-07T19:00:00.000000Z",
        "is_pending": False,
        "project_id": None,
        "signals": [],
        "spans": [],
        "subagents": [],
        "launched_by": None,
        "rule_signals": [],
    }


def test_event_without_id_gets_one(client: httpx.Client) -> None:
    """The contract lets a client leave the event id out."""
    post(client, "/v1/events/track", {"user_id": "u", "event": "e"})
    (event,) = client.get("/api/events").json()["events"]
    assert len(event["event_id"]) == 36


def test_partials_become_one_event(client: httpx.Client) -> None:
    """An interaction opens pending, changes, and closes; the later value of each field is shown."""
    path = "/v1/events/track_partial"
    post(client, path, {"event_id": "i1", "user_id": "u", "event": "run", "ai_data": {"input": "q", "model": "m1"}})
    assert told(client, "i1")["is_pending"] is True
    post(client, path, {"event_id": "i1", "properties": {"b": 2}, "ai_data": {"model": "m2"}})
    post(client, path, {"event_id": "i1", "ai_data": {"output": "a"}, "is_pending": False})
    event = told(client, "i1")
    assert [event[key] for key in ("input", "output", "model", "properties", "is_pending")] == [
        "q", "a", "m2", {"b": 2}, False,
    ]  # fmt: skip


def test_aliases_and_top_level_texts(shared: httpx.Client) -> None:
    """Names that some clients use instead of the documented ones are understood."""
    body = {
        "eventId": "a1", "userId": "u9", "convoId": "c9", "event_name": "named",
        "input": "in", "output": "out", "model": "m", "is_pending": False,
    }  # fmt: skip
    post(shared, "/v1/events/track_partial", body)
    event = told(shared, "a1")
    assert [event[key] for key in ("user_id", "convo_id", "event", "input", "output", "model", "is_pending")] == [
        "u9", "c9", "named", "in", "out", "m", False,
    ]  # fmt: skip


@pytest.mark.parametrize("order", [[0, 1], [1, 0]], ids=["event first", "trace first"])
def test_partial_known_only_by_its_trace(client: httpx.Client, order: list[int]) -> None:
    """A body without event id joins the event that owns its trace, whichever arrives first."""
    bodies = [
        {"event_id": "owner", "user_id": "u", "event": "e", "properties": {"trace_id": TRACE}},
        {"properties": {"trace_id": TRACE}, "ai_data": {"output": "by trace"}, "is_pending": False},
    ]
    for number in order:
        post(client, "/v1/events/track_partial", bodies[number])
    event = told(client, "owner")
    assert (event["output"], event["user_id"], event["is_pending"]) == ("by trace", "u", False)
    assert told(client, TRACE)["event_id"] == "owner"
    assert client.get("/api/health").json()["events"] == 1


def test_partial_of_a_trace_joins_through_a_span(client: httpx.Client) -> None:
    """The span that names both the trace and the event brings a trace-only body to its event."""
    post(client, "/v1/events/track_partial", {"properties": {"trace_id": TRACE}, "ai_data": {"output": "o"}})
    post(client, "/v1/signals/track", {"event_id": TRACE, "signal_name": "copied"})
    assert told(client, TRACE)["event_id"] == TRACE
    post(client, "/v1/traces", otlp(otlp_span(of_event("late"))))
    event = told(client, "late")
    assert (event["output"], [signal["name"] for signal in event["signals"]]) == ("o", ["copied"])
    assert client.get("/api/health").json()["events"] == 1


@pytest.mark.parametrize("many", [True, False], ids=["array", "object"])
def test_signals_wait_for_their_event(client: httpx.Client, *, many: bool) -> None:
    """A signal that overtakes its event is shown with it, with all it said."""
    signal = {
        "event_id": "e1", "signal_name": "thumbs_down", "signal_type": "feedback", "sentiment": "NEGATIVE",
        "timestamp": "2026-05-07T19:00:03.5+02:00", "properties": {"comment": "bad"}, "attachment_id": "att-1",
    }  # fmt: skip
    post(client, "/v1/signals/track", [signal] if many else signal)
    assert client.get("/api/health").json()["signals_without_event"] == 1
    post(client, "/v1/events/track", ai_event())
    assert told(client, "e1")["signals"] == [
        {
            "name": "thumbs_down",
            "signal_type": "feedback",
            "sentiment": "NEGATIVE",
            "properties": {"comment": "bad"},
            "attachment_id": "att-1",
            "comment": "bad",
            "timestamp": "2026-05-07T17:00:03.500000Z",
        }
    ]


def test_nulls_of_the_official_sdk(client: httpx.Client) -> None:
    """What the official SDK sends as null counts as not sent; an event without attachments has none."""
    post(client, "/v1/events/track", [{"event_id": "n", "user_id": "u", "event": "e", "attachments": None}])
    nulls: dict[str, Any] = {
        "timestamp": None,
        "sentiment": None,
        "attachment_id": None,
        "properties": {},
        "signal_type": "default",
    }
    post(client, "/v1/signals/track", [{"event_id": "n", "signal_name": "x", **nulls}])
    event = told(client, "n")
    assert event["attachments"] == []
    assert event["signals"][0]["sentiment"] is None


@pytest.mark.parametrize("many", [True, False], ids=["array", "object"])
def test_identify_merges_traits(client: httpx.Client, *, many: bool) -> None:
    """A user's traits merge by key over all identify calls."""
    for traits in ({"plan": "free", "age": 3}, {"plan": "paid"}):
        body = {"user_id": "u/1 ?", "traits": traits}
        post(client, "/v1/users/identify", [body] if many else body)
    answer = client.get("/api/users/u%2F1%20%3F").json()
    assert (answer["user_id"], answer["traits"], answer["event_count"]) == ("u/1 ?", {"plan": "paid", "age": 3}, 0)


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/otel/v1/traces", "/otel/v1/traces"])
def test_trace_routes(client: httpx.Client, path: str) -> None:
    """Spans are taken at every path the clients know."""
    post(client, path, otlp(otlp_span()))
    assert [span["name"] for span in client.get(f"/api/traces/{TRACE}").json()["spans"]] == ["search"]


@pytest.mark.parametrize("encode", [bytes.hex, lambda raw: base64.b64encode(raw).decode()], ids=["hex", "base64"])
def test_json_span_ids(client: httpx.Client, encode: Any) -> None:
    """Ids in JSON may be hex or base64; the API always tells hex."""
    ids = {"traceId": encode(bytes.fromhex(TRACE)), "spanId": encode(bytes.fromhex(SPAN))}
    post(client, "/v1/traces", otlp(otlp_span(parentSpanId=encode(bytes(range(8))), **ids)))
    (span,) = client.get(f"/api/traces/{TRACE.upper()}").json()["spans"]
    assert (span["trace_id"], span["span_id"], span["parent_id"]) == (TRACE, SPAN, "0001020304050607")


@pytest.mark.parametrize("order", [[0, 1], [1, 0]], ids=["in order", "start comes late"])
def test_a_span_that_is_sent_twice(client: httpx.Client, order: list[int]) -> None:
    """The one that ended later is shown: a span sent at its start, as if it had ended there, never replaces it."""
    started = otlp_span(of_event("e1"), endTimeUnixNano=str(START), status={"code": 0})
    ended = otlp_span(of_event("e1", traceloop__entity__output="out"), status={"code": 2, "message": "boom"})
    for number in order:
        post(client, "/v1/traces", otlp((started, ended)[number]))
    (span,) = told(client, "e1")["spans"]
    assert (span["output"], span["error"], span["end_time"]) == ("out", "boom", "2026-05-07T19:12:46.000000Z")


@pytest.mark.parametrize(
    ("media", "encode"),
    [
        ("application/x-protobuf", ExportTraceServiceRequest.SerializeToString),
        ("application/json", partial(MessageToJson, use_integers_for_enums=True)),
    ],
    ids=["protobuf", "json"],
)
def test_spans_in_either_encoding(client: httpx.Client, media: str, encode: Any) -> None:
    """A request in protobuf or in JSON keeps every kind of attribute, the error and the event it belongs to."""
    values = {
        "traceloop.association.properties.event_id": AnyValue(string_value="p1"),
        "text": AnyValue(string_value="ü"),
        "int": AnyValue(int_value=2**53),
        "float": AnyValue(double_value=1.5),
        "flag": AnyValue(bool_value=True),
        "raw": AnyValue(bytes_value=b"\0\xff"),
        "list": AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="a")])),
        "map": AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(bool_value=False))])),
        "nothing": AnyValue(),
    }
    request = ExportTraceServiceRequest()
    span = Span(
        trace_id=bytes.fromhex(TRACE),
        span_id=bytes.fromhex(SPAN),
        name="fetch.task",
        start_time_unix_nano=START,
        end_time_unix_nano=START + 1_500_000,
        attributes=[KeyValue(key=key, value=value) for key, value in values.items()],
        status=Status(code=Status.STATUS_CODE_ERROR),
        events=[
            Span.Event(name="exception", attributes=[
                KeyValue(key="exception.message", value=AnyValue(string_value="boom")),
            ]),
        ],
    )  # fmt: skip
    request.resource_spans.add().scope_spans.add().spans.append(span)
    answer = client.post("/v1/traces", content=encode(request), headers={"Content-Type": media})
    assert answer.status_code == 204
    assert told(client, "p1")["spans"] == [
        {
            "name": "fetch",
            "kind": "span",
            "status": "error",
            "error": "boom",
            "input": None,
            "output": None,
            "start_time": "2026-05-07T19:12:45.000000Z",
            "end_time": "2026-05-07T19:12:45.001500Z",
            "trace_id": TRACE,
            "span_id": SPAN,
            "parent_id": None,
            "attributes": {
                "traceloop.association.properties.event_id": "p1",
                "text": "ü",
                "int": 2**53,
                "float": 1.5,
                "flag": True,
                "raw": "AP8=",
                "list": [1, "a"],
                "map": {"k": False},
                "nothing": None,
            },
        }
    ]


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", _raw_deflate), ("identity", bytes)],
)
def test_content_encodings(client: httpx.Client, encoding: str, pack: Any) -> None:
    """Compressed bodies are inflated, deflate with and without its zlib header."""
    body = pack(json.dumps(ai_event()).encode())
    headers = {"Content-Encoding": encoding, "Content-Type": "application/json"}
    assert client.post("/v1/events/track", content=body, headers=headers).status_code == 204
    assert told(client, "e1")["output"] == "answer"


def test_chunked_body(shared: httpx.Client) -> None:
    """A body without a length is read to its end."""
    pieces = iter([b'{"event_id": "k", "user_id"', b': "u", "event": "e"}'])
    assert shared.post("/v1/events/track", content=pieces).status_code == 204
    assert told(shared, "k")["user_id"] == "u"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("2026-01-02T03:04:05.678901+05:30", "2026-01-01T21:34:05.678901Z"),
        ("2026-01-02T03:04:05", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02T03:04:05.123456789Z", "2026-01-02T03:04:05.123456Z"),
        (1_767_323_045_500, "2026-01-02T03:04:05.500000Z"),
    ],
    ids=["offset", "no zone", "nanoseconds", "epoch milliseconds"],
)
def test_timestamps(shared: httpx.Client, sent: Any, shown: str) -> None:
    """Every form of time in the contract is shown in UTC with microseconds."""
    post(shared, "/v1/events/track", ai_event(timestamp=sent))
    assert told(shared, "e1")["timestamp"] == shown


@pytest.mark.parametrize("text", ["漢字 🎉 \u0000 \u2028", "a" * 1_000_000], ids=["unicode", "a million"])
def test_texts_survive(shared: httpx.Client, text: str) -> None:
    """Any text comes back as it was sent."""
    post(shared, "/v1/events/track", ai_event(ai_data={"input": text, "output": text}))
    assert told(shared, "e1")["input"] == text


def test_half_a_surrogate_pair(shared: httpx.Client) -> None:
    """JSON can spell a character that no UTF-8 holds: it is replaced, and costs nothing else."""
    body = rb'{"event_id": "s", "user_id": "u", "event": "e", "ai_data": {"input": "a\ud800b"}}'
    assert shared.post("/v1/events/track", content=body).status_code == 204
    assert told(shared, "s")["input"] == "a?b"


def test_unknown_keys_are_counted(client: httpx.Client) -> None:
    """A key the contract does not know is left out and counted by name."""
    post(client, "/v1/events/track", [ai_event("a", extra=1, other=2), ai_event("b", extra=3)])
    assert client.get("/api/health").json()["ignored_keys"] == {"extra": 2, "other": 1}
    assert "extra" not in told(client, "a")


def test_project_header(workshop: Running, client: httpx.Client) -> None:
    """The project an event was sent for is kept with it."""
    headers = {"X-Raindrop-Project-Id": "my-shop"}
    assert client.post("/v1/events/track", json=ai_event(), headers=headers).status_code == 204
    story = workshop.store.event("e1")
    assert story is not None
    assert story.event.project_id == "my-shop"


def test_projects_by_header(workshop: Running, client: httpx.Client) -> None:
    """Events, partials and spans of several projects are kept apart by their header; a span's own attribute wins."""
    named = [{"key": "raindrop.project_id", "value": {"stringValue": "named"}}]
    for project, path, body in (
        ("shop-a", "/v1/events/track", [ai_event("a1"), ai_event("a2")]),
        ("shop-b", "/v1/events/track_partial", {"event_id": "b1", "user_id": "u", "event": "e"}),
        ("shop-c", "/v1/traces", otlp(otlp_span(of_event("c1")))),
        ("shop-d", "/v1/traces", otlp(otlp_span([*of_event("d1"), *named], traceId="ab" * 16))),
        ("shop-e", "/v1/live", {"traceId": "cd" * 16, "type": "status", "metadata": {"eventId": "e1"}}),
    ):
        assert client.post(path, json=body, headers={"X-Raindrop-Project-Id": project}).status_code == 204
    stories = [workshop.store.event(name) for name in ("a1", "a2", "b1", "c1", "d1", "e1")]
    assert [story.event.project_id for story in stories if story] == [
        "shop-a", "shop-a", "shop-b", "shop-c", "named", "shop-e",
    ]  # fmt: skip


def test_the_key_is_not_kept(tmp_path: Path) -> None:
    """The Authorization header is in nothing that is stored or answered."""
    key = "canary-7f3a"
    with running(tmp_path / "kept.db") as workshop, httpx.Client(base_url=workshop.url, trust_env=False) as client:
        headers = {"Authorization": f"Bearer {key}"}
        for path, body in {"/v1/events/track": ai_event(), "/v1/traces": otlp(otlp_span(of_event("e1")))}.items():
            assert client.post(path, json=body, headers=headers).status_code == 204
        assert client.post("/v1/events/track", content=b"{", headers=headers).text.count(key) == 0
        assert key not in client.get("/api/events/e1").text + client.get("/events/e1").text
    assert all(key.encode() not in file.read_bytes() for file in tmp_path.iterdir())
