"""`--strict`: whatever the wire contract does not allow is answered 400 with the rule; what it allows is stored."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging.workshop import running
from raindrop_logging.workshop.receiving.contract import breach, kind
from raindrop_logging.workshop.receiving.contract_rules import RULES
from raindrop_logging.workshop.receiving.payloads import READERS
from tests.workshop.wire_bodies import ATTRIBUTES_OF_NOTHING, SPAN, TRACE, ai_event, otlp, otlp_span

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS = "/v1/events/track"
PARTIALS = "/v1/events/track_partial"
SIGNALS = "/v1/signals/track"
USERS = "/v1/users/identify"
TRACES = "/v1/traces"
LIVE = "/v1/live"
AT_SPAN = "resourceSpans[0].scopeSpans[0].spans[0]"
SIGNAL = {"event_id": "e", "signal_name": "s"}
STEP = {"traceId": TRACE, "type": "status"}


def _attachment(**fields: Any) -> dict[str, Any]:
    return ai_event(attachments=[{"type": "text", "value": "x"}, {"type": "text", "value": "y", **fields}])


def _without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


BROKEN: list[tuple[str, Any, str, str]] = [
    (EVENTS, 5, "object", "body"),
    (EVENTS, [ai_event(), None], "object", "[1]"),
    (EVENTS, [ai_event(), ai_event(surprise=1)], "known_key", "[1].surprise"),
    (EVENTS, _without(ai_event(), "user_id") | {"userId": "u"}, "spelling", "userId"),
    (EVENTS, ai_event(event_name="chat"), "spelling", "event_name"),
    (EVENTS, ai_event(input="beside ai_data"), "known_key", "input"),
    (EVENTS, _without(ai_event(), "user_id"), "required", "user_id"),
    (EVENTS, ai_event(event=None), "required", "event"),
    (EVENTS, ai_event(event=" "), "filled_text", "event"),
    (EVENTS, ai_event(event_id=""), "filled_text", "event_id"),
    (EVENTS, ai_event(timestamp="2026-05-07T19:00:00"), "time", "timestamp"),
    (EVENTS, ai_event(timestamp="1767323045"), "time", "timestamp"),
    (EVENTS, ai_event(properties=[]), "json_object", "properties"),
    (EVENTS, ai_event(properties={"trace_id": "abc"}), "trace_property", "properties.trace_id"),
    (EVENTS, ai_event(properties={"workspace": {"id": "w"}}), "workspace", "properties.workspace.name"),
    (EVENTS, ai_event(is_pending="no"), "boolean", "is_pending"),
    (EVENTS, ai_event(feature_flags={"a": True}), "flags", "feature_flags"),
    (EVENTS, ai_event(attachments={}), "attachments", "attachments"),
    (EVENTS, _attachment(type="video"), "attachment_type", "attachments[1].type"),
    (EVENTS, _attachment(value=""), "filled_text", "attachments[1].value"),
    (EVENTS, _attachment(role="user"), "attachment_role", "attachments[1].role"),
    (EVENTS, _attachment(attachment_id="7"), "uuid", "attachments[1].attachment_id"),
    (EVENTS, _attachment(url="x"), "known_key", "attachments[1].url"),
    (EVENTS, ai_event(ai_data={"model": "m"}), "ai_text", "ai_data"),
    (EVENTS, ai_event(ai_data={"input": "q", "convoId": "c"}), "spelling", "ai_data.convoId"),
    (EVENTS, ai_event(ai_data={"input": 5}), "text", "ai_data.input"),
    (EVENTS, [ai_event(ai_data={"output": "x" * 1_000_001})], "long_text", "[0].ai_data.output"),
    (EVENTS, ai_event(properties={"big": "é" * 524_288}), "event_size", "body"),
    (PARTIALS, [ai_event()], "object", "body"),
    (PARTIALS, {"properties": {"trace_id": TRACE}}, "required", "event_id"),
    (PARTIALS, {"event_id": "e", "isPending": False}, "spelling", "isPending"),
    (SIGNALS, [SIGNAL, {"event_id": "e"}], "required", "[1].signal_name"),
    (SIGNALS, "s", "object", "body"),
    (SIGNALS, {**SIGNAL, "sentiment": "positive"}, "sentiment", "sentiment"),
    (SIGNALS, {**SIGNAL, "signal_type": "mood"}, "signal_type", "signal_type"),
    (SIGNALS, {**SIGNAL, "signal_type": "feedback"}, "comment", "properties.comment"),
    (SIGNALS, [{**SIGNAL, "signal_type": "edit", "properties": {"after": " "}}], "after", "[0].properties.after"),
    (USERS, [{"user_id": "u", "traits": []}], "json_object", "[0].traits"),
    (USERS, 5, "object", "body"),
    (TRACES, otlp(otlp_span(name="")), "filled_text", f"{AT_SPAN}.name"),
    (TRACES, otlp(otlp_span(status={"code": "STATUS_CODE_ERROR"})), "status", f"{AT_SPAN}.status.code"),
    (TRACES, otlp(otlp_span(endTimeUnixNano="5")), "span_time", f"{AT_SPAN}.endTimeUnixNano"),
    (TRACES, otlp(_without(otlp_span(), "startTimeUnixNano")), "span_time", f"{AT_SPAN}.startTimeUnixNano"),
    (TRACES, otlp(otlp_span(ATTRIBUTES_OF_NOTHING)), "operation", f"{AT_SPAN}.attributes"),
    (TRACES, otlp(otlp_span(parentSpanId="ab")), "span_id", f"{AT_SPAN}.parentSpanId"),
    (TRACES, otlp(otlp_span(spanId="0" * 16)), "span_id", f"{AT_SPAN}.spanId"),
    (LIVE, [], "object", "body"),
    (LIVE, {**STEP, "timestamp": 1.5}, "milliseconds", "timestamp"),
    (LIVE, {**STEP, "trace_id": TRACE}, "spelling", "trace_id"),
    (LIVE, {**STEP, "type": "tool_start"}, "live_span", "spanId"),
    (LIVE, {**STEP, "traceId": "not-hex"}, "span_id", "traceId"),
]

KEPT: list[tuple[str, Any]] = [
    (EVENTS, ai_event()),
    (EVENTS, [ai_event(None), ai_event("n", attachments=None, timestamp=1_767_323_045_500)]),
    (EVENTS, {"user_id": "u", "event": "plain"}),
    (PARTIALS, {"event_id": "e", "properties": {"b": 2}, "is_pending": True}),
    (PARTIALS, {"event_id": "e", "input": "beside ai_data"}),
    (SIGNALS, [{**SIGNAL, "sentiment": None, "attachment_id": None, "timestamp": "2026-05-07T19:00:00Z"}]),
    (SIGNALS, {**SIGNAL, "signal_type": "feedback", "properties": {"comment": "good"}}),
    (USERS, {"user_id": "u", "traits": {"a": 1}}),
    (USERS, [{"user_id": "u"}]),
    (TRACES, otlp(otlp_span())),
    (LIVE, {**STEP, "type": "tool_start", "spanId": SPAN, "timestamp": 1_767_323_045_500}),
]


@pytest.fixture(scope="module")
def strict() -> Iterator[httpx.Client]:
    """A client of a strict Workshop."""
    with running(strict=True) as up, httpx.Client(base_url=up.url, trust_env=False, timeout=20) as client:
        yield client


def _broken_id(case: Any) -> str | None:
    return case if isinstance(case, str) else None


@pytest.mark.parametrize(("path", "body", "rule", "field"), BROKEN, ids=_broken_id)
def test_a_breach_names_its_rule(strict: httpx.Client, path: str, body: Any, rule: str, field: str) -> None:
    """The answer holds the rule's name, section and sentence, the field, and what stood there."""
    answer = strict.post(path, json=body)
    told = answer.json()
    assert (answer.status_code, told["error"], told["rule"]["name"], told["field"]) == (400, "contract", rule, field)
    assert told["rule"] == {"name": rule, "section": RULES[rule].section, "says": RULES[rule].says}
    assert told["got"] in told["message"]


def test_every_rule_has_a_case() -> None:
    """No rule of the table is without a body that breaks it here, but those of headers, which the next test breaks."""
    assert {rule for _, _, rule, _ in BROKEN} | {"project", "content_type"} == RULES.keys()


@pytest.mark.parametrize(
    ("headers", "rule", "field"),
    [
        ({"X-Raindrop-Project-Id": "My Shop"}, "project", "X-Raindrop-Project-Id"),
        ({"Content-Type": "text/plain"}, "content_type", "Content-Type"),
        ({"Content-Type": "application/x-protobuf"}, "content_type", "Content-Type"),
    ],
)
def test_headers_are_held_to_the_contract(strict: httpx.Client, headers: dict[str, str], rule: str, field: str) -> None:
    """A project that is no slug, and a content type of no JSON, are refused by name."""
    answer = strict.post(EVENTS, json=ai_event(), headers=headers)
    assert (answer.status_code, answer.json()["rule"]["name"], answer.json()["field"]) == (400, rule, field)


def test_what_the_contract_allows_is_stored() -> None:
    """Every allowed form, those of the official clients among them, is taken and kept."""
    with running(strict=True) as up, httpx.Client(base_url=up.url, trust_env=False) as client:
        for path, body in KEPT:
            answer = client.post(path, json=body)
            assert answer.status_code == 204, (body, answer.text)
        health = client.get("/api/health").json()
    assert [health[name] for name in ("strict", "events", "signals", "spans", "users")] == [True, 5, 2, 1, 1]


def test_a_refused_batch_stores_nothing(strict: httpx.Client) -> None:
    """One breach refuses all of its request, and without --strict the same request is mended and stored."""
    body = [ai_event("whole"), ai_event("mended", surprise=1, timestamp="2026-05-07T19:00:00")]
    assert strict.post(EVENTS, json=body).status_code == 400
    assert strict.get("/api/events/whole").status_code == 404
    with running() as lenient:
        assert httpx.post(f"{lenient.url}{EVENTS}", json=body, trust_env=False).status_code == 204


def test_protobuf_is_held_to_the_same_rules(strict: httpx.Client) -> None:
    """A span in protobuf is looked at as its JSON would be."""
    from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    def send(**changes: Any) -> httpx.Response:
        ids: dict[str, Any] = {"traceId": base64.b64encode(bytes.fromhex(TRACE)).decode(), "spanId": "lN88oNwK59o="}
        request = ParseDict(otlp(otlp_span(**ids, **changes)), ExportTraceServiceRequest())
        headers = {"Content-Type": "application/x-protobuf"}
        return strict.post(TRACES, content=request.SerializeToString(), headers=headers)

    assert send().status_code == 204
    refused = send(endTimeUnixNano="5").json()
    assert (refused["rule"]["name"], refused["field"]) == ("span_time", f"{AT_SPAN}.endTimeUnixNano")


def test_got_never_repeats_the_value() -> None:
    """What stood there is told by its kind and size, so that no secret is echoed."""
    values = ("secret", " ", None, True, 5, [1], {"a": 1})
    assert [kind(value) for value in values] == [
        "a text of 6 characters", "a blank text", "null", "a boolean", "a number", "an array", "an object",
    ]  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*ai_event(), *SIGNAL, "traits", "ai_data", "signal_type", "sentiment", "input"])


@given(body=st.dictionaries(NAMES, JSON, max_size=6) | JSON, lane=st.sampled_from(sorted(READERS)))
def test_any_body_is_judged(body: Any, lane: Any) -> None:
    """Whatever JSON comes, it keeps the contract or breaks a rule of the table: never anything else."""
    for candidate in (body, [body]):
        found = breach(lane, candidate)
        assert found is None or (found.rule is RULES[found.name] and found.field)
