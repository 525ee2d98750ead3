"""What the receiver refuses, and that it says why; nothing of a refused request is stored."""

from __future__ import annotations

import gzip
import json
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from raindrop_logging.workshop import running
from raindrop_logging.workshop.limits import MAX_BODY_BYTES
from raindrop_logging.workshop.receiving.body import MAX_NESTING
from tests.workshop.wire_bodies import ai_event, of_event, otlp, otlp_span

if TYPE_CHECKING:
    from raindrop_logging.workshop import Running

EVENTS = "/v1/events/track"
PARTIALS = "/v1/events/track_partial"
SIGNALS = "/v1/signals/track"
USERS = "/v1/users/identify"
TRACES = "/v1/traces"
AT_SPAN = "resourceSpans[0].scopeSpans[0].spans[0]"


def _attachment(**fields: Any) -> dict[str, Any]:
    return ai_event(attachments=[{"type": "text", "value": "x"}, fields])


WRONG: list[tuple[str, Any, str]] = [
    (EVENTS, 5, "body"),
    (EVENTS, [None], "[0]"),
    (EVENTS, [ai_event(), "x"], "[1]"),
    (EVENTS, [ai_event(), ai_event(user_id=5)], "[1].user_id"),
    (EVENTS, ai_event(user_id=None), "user_id"),
    (EVENTS, ai_event(user_id=" "), "user_id"),
    (EVENTS, ai_event(event=""), "event"),
    (EVENTS, ai_event(None) | {"event_id": 7}, "event_id"),
    (EVENTS, ai_event(event_id=""), "event_id"),
    (EVENTS, ai_event(timestamp="yesterday"), "timestamp"),
    (EVENTS, ai_event(timestamp="9999-12-31T23:59:59-10:00"), "timestamp"),
    (EVENTS, ai_event(timestamp=10**30), "timestamp"),
    (EVENTS, ai_event(timestamp=True), "timestamp"),
    (EVENTS, ai_event(ai_data={"input": 3}), "ai_data.input"),
    (EVENTS, ai_event(ai_data=[]), "ai_data"),
    (EVENTS, ai_event(properties=[]), "properties"),
    (EVENTS, ai_event(feature_flags={"a": True}), "feature_flags[...]"),
    (EVENTS, ai_event(is_pending="no"), "is_pending"),
    (EVENTS, _attachment(value="x"), "attachments[1].type"),
    (EVENTS, _attachment(type="video", value="x"), "attachments[1].type"),
    (EVENTS, _attachment(type="text", value=""), "attachments[1].value"),
    (PARTIALS, [ai_event()], "body"),
    (PARTIALS, {"event": "no id"}, "event_id"),
    (PARTIALS, {"properties": {"trace_id": 5}}, "event_id"),
    (SIGNALS, [{"event_id": "e"}], "[0].signal_name"),
    (SIGNALS, {"signal_name": "s"}, "event_id"),
    (SIGNALS, [{"event_id": "e", "signal_name": " "}], "[0].signal_name"),
    (SIGNALS, {"event_id": "e", "signal_name": "s", "sentiment": "positive"}, "sentiment"),
    (USERS, {"traits": {}}, "user_id"),
    (USERS, {"user_id": ""}, "user_id"),
    (USERS, [{"user_id": "u", "traits": "x"}], "[0].traits"),
    (TRACES, {"resourceSpans": {}}, "resourceSpans"),
    (TRACES, otlp(otlp_span(traceId="xyz")), f"{AT_SPAN}.traceId"),
    (TRACES, otlp(otlp_span(spanId="")), f"{AT_SPAN}.spanId"),
    (TRACES, otlp(otlp_span(spanId="0" * 16)), f"{AT_SPAN}.spanId"),
    (TRACES, otlp(otlp_span(parentSpanId="é")), f"{AT_SPAN}.parentSpanId"),
    (TRACES, otlp(otlp_span(startTimeUnixNano="soon")), f"{AT_SPAN}.startTimeUnixNano"),
    (TRACES, otlp({"name": "x", "spanId": "94df3ca0dc0ae7da"}), f"{AT_SPAN}.traceId"),
    (
        TRACES,
        otlp(otlp_span([{"key": "k", "value": {"stringValue": 5}}])),
        f"{AT_SPAN}.attributes[0].value.stringValue",
    ),
]


def test_wrong_fields_are_named(client: httpx.Client) -> None:
    """Each wrong body is answered 400 with the place of the fault, and stores nothing of itself."""
    for path, body, field in WRONG:
        answer = client.post(path, json=body)
        assert (answer.status_code, answer.json()["field"]) == (400, field), (body, answer.text)
        assert answer.json()["message"]
    counts = client.get("/api/health").json()
    assert [counts[name] for name in ("events", "signals", "spans", "users")] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b'{"a": "\\ud800", "b": NaN}', "invalid_json"),
        (b'"\\ud800', "invalid_json"),
        (b"[" * 200_000, "invalid_json"),
        (b'{"a":' * 100_000, "invalid_json"),
    ],
    ids=["empty", "cut", "no utf-8", "nan", "nan and a surrogate", "cut surrogate", "deep array", "deep object"],
)
def test_what_is_no_json(shared: httpx.Client, body: bytes, error: str) -> None:
    """A body that is no JSON is answered 400, and the server stays up."""
    answer = shared.post(EVENTS, content=body)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert shared.head("/v1/").status_code == 204


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"not gzip", 400),
        ("gzip", gzip.compress(json.dumps(ai_event()).encode())[:-4], 400),
        ("deflate", b"\x00", 400),
        ("br", b"{}", 415),
        ("gzip", gzip.compress(b" " * (MAX_BODY_BYTES + 1)), 413),
    ],
    ids=["no gzip", "cut gzip", "no deflate", "unknown", "gzip bomb"],
)
def test_damaged_encodings(shared: httpx.Client, encoding: str, body: bytes, status: int) -> None:
    """What cannot be inflated, or inflates beyond the limit, is refused."""
    assert shared.post(EVENTS, content=body, headers={"Content-Encoding": encoding}).status_code == status


def test_no_protobuf(shared: httpx.Client) -> None:
    """Bytes that are no protobuf message are refused."""
    headers = {"Content-Type": "application/x-protobuf"}
    answer = shared.post(TRACES, content=b"\xff\xff\xff", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_protobuf")


@pytest.mark.parametrize(
    ("ids", "field"),
    [
        ({}, "trace_id"),
        ({"trace_id": b"\x01" * 16, "span_id": b"\0" * 8}, "span_id"),
        ({"trace_id": b"\x01" * 16, "span_id": b"\x01" * 8, "parent_span_id": b"\x01" * 4}, "parent_span_id"),
    ],
    ids=["none", "zeros", "a short parent"],
)
def test_wrong_ids_in_protobuf(shared: httpx.Client, ids: dict[str, Any], field: str) -> None:
    """An id that is missing, all zeros or of another length is refused by its name, as in JSON."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.append(Span(name="x", **ids))
    headers = {"Content-Type": "application/x-protobuf"}
    answer = shared.post(TRACES, content=request.SerializeToString(), headers=headers)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_too_large(shared: httpx.Client) -> None:
    """One byte above the limit is answered 413; the limit itself is taken."""
    frame = json.dumps(ai_event(ai_data={"input": ""})).encode()
    at_limit = frame.replace(b'"input": "', b'"input": "' + b"a" * (MAX_BODY_BYTES - len(frame)))
    assert len(at_limit) == MAX_BODY_BYTES
    answer = shared.post(EVENTS, content=at_limit + b" ")
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert shared.post(EVENTS, content=at_limit).status_code == 204


def test_a_limit_that_is_set() -> None:
    """`max_body` bounds a body as it is sent and as it inflates, on every route; the message says the limit."""
    with running(max_body=2000) as up, httpx.Client(base_url=up.url, trust_env=False) as client:
        large = json.dumps(ai_event(properties={"pad": "x" * 2000})).encode()
        for path in (EVENTS, PARTIALS, SIGNALS, USERS, TRACES, "/v1/live"):
            for content, headers in ((large, {}), (gzip.compress(large), {"Content-Encoding": "gzip"})):
                answer = client.post(path, content=content, headers=headers)
                assert (answer.status_code, answer.json()["message"]) == (413, "The body is larger than 2000 bytes")
        assert client.post(EVENTS, json=ai_event()).status_code == 204


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:99999999", "", "192.168.0.1"])
@pytest.mark.parametrize("path", ["/", "/api/events", "/static/workshop.js"])
def test_foreign_host(shared: httpx.Client, host: str, path: str) -> None:
    """A name that is not this machine's is refused everywhere: DNS rebinding ends here."""
    answer = shared.get(path, headers={"Host": host})
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:5899", "127.0.0.1:1", "[::1]:5899"])
def test_local_hosts(shared: httpx.Client, host: str) -> None:
    """Every name of this machine is taken, with any port."""
    assert shared.get("/api/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost.evil.example"]
)
def test_foreign_origin(client: httpx.Client, origin: str) -> None:
    """A web page from elsewhere may neither write nor read."""
    for method, path in (("POST", EVENTS), ("GET", "/api/events")):
        answer = client.request(method, path, json=ai_event(), headers={"Origin": origin})
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
    assert client.get("/api/health").json()["events"] == 0


def test_own_origin(workshop: Running, client: httpx.Client) -> None:
    """The Workshop's own page may ask."""
    assert client.get("/api/health", headers={"Origin": workshop.url}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/", 404),
        ("GET", "/v1/events/track", 405),
        ("DELETE", "/api/events/e", 405),
        ("GET", "/api/events/none", 404),
        ("GET", "/api/users/none", 404),
        ("GET", "/api/traces/none", 404),
        ("GET", "/static/../store.py", 404),
        ("GET", "/static/%2e%2e/store.py", 404),
        ("GET", "/static/..%2fstore.py", 404),
        ("GET", "/static//etc/passwd", 404),
    ],
)
def test_what_is_not_there(shared: httpx.Client, method: str, path: str, status: int) -> None:
    """Unknown paths, wrong methods and path tricks are answered as JSON."""
    answer = shared.request(method, path)
    assert (answer.status_code, set(answer.json())) == (status, {"error", "message", "field"})


@pytest.mark.parametrize("padding", [0, 100_000], ids=["small", "large"])
def test_nesting(shared: httpx.Client, padding: int) -> None:
    """As deep as the limit is stored and shown, one deeper is refused, on whatever thread it is read."""
    for depth, status in ((MAX_NESTING - 2, 204), (MAX_NESTING - 1, 400)):
        properties = b'{"pad": "%s", "deep": %s}' % (b" " * padding, b"[" * depth + b"]" * depth)
        body = b'{"event_id": "deep", "user_id": "u", "event": "e", "properties": %s}' % properties
        assert shared.post(EVENTS, content=body).status_code == status
    for path in ("/api/events/deep", "/events/deep", "/api/events", "/"):
        assert shared.get(path).status_code == 200


def test_deep_spans(shared: httpx.Client) -> None:
    """An attribute that is nested as deep as can be is stored and shown."""
    value: dict[str, Any] = {"stringValue": "deep"}
    for _ in range(60):
        value = {"arrayValue": {"values": [value]}}
    attrs = [*of_event("e"), {"key": "k", "value": value}]
    assert shared.post(TRACES, json=otlp(otlp_span(attrs))).status_code == 204
    for path in ("/api/events/e", "/events/e"):
        assert "deep" in shared.get(path).text


def test_unfinished_connections(workshop: Running, client: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    """Fifty connections that never finish their request neither keep others waiting nor fill the log."""
    started = b"POST /v1/events/track HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n["
    hanging = [socket.create_connection(("127.0.0.1", workshop.port)) for _ in range(50)]
    try:
        for connection in hanging:
            connection.sendall(started)
        assert client.post(EVENTS, json=ai_event()).status_code == 204
    finally:
        for connection in hanging:
            connection.close()
    assert client.get("/api/health").json()["events"] == 1
    workshop.store.close()
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


def test_loopback_only(workshop: Running) -> None:
    """The server listens on 127.0.0.1 and on no other address of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.settimeout(2)
        assert other.connect_ex(("127.0.0.2", workshop.port)) != 0
