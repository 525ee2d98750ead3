"""The vendor's golden payloads, each accepted and shown as it should be.

They lie beside the repository and are not part of it; without them these tests are skipped.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from raindrop_logging.workshop import running

PAYLOADS: Final = Path(__file__).parents[3] / "shared" / "wire" / "fixtures" / "v1"
PATHS: Final = {
    "track": "/v1/events/track",
    "track-partial": "/v1/events/track_partial",
    "traces": "/v1/traces",
    "live": "/v1/live",
}
TRACE: Final = "8351249bb0a5be11bd049b4a17a2bb64"
QUESTION: Final = "Review account risk for tenant 42."
ANSWER: Final = "Risk is HIGH until compliance gates close."
GUIDE: Final = '[{"id":1,"title":"Compliance Guide"}]'
MODEL: Final = "claude-sonnet-4-6"
AT: Final = "2026-05-07T19:00:00.000000Z"

pytestmark = pytest.mark.skipif(not PAYLOADS.is_dir(), reason="the golden payloads are not beside this repository")

TOOL: Final = {
    "name": "search_docs",
    "kind": "tool",
    "status": "ok",
    "error": None,
    "input": '{"query":"compliance"}',
    "output": GUIDE,
    "start_time": "2026-05-07T19:12:45.000000Z",
    "end_time": "2026-05-07T19:12:46.000000Z",
    "trace_id": TRACE,
    "span_id": "94df3ca0dc0ae7da",
    "parent_id": None,
}
LLM: Final = {
    "name": "ai.streamText.doStream",
    "kind": "llm",
    "status": "ok",
    "start_time": "2026-05-07T19:12:40.000000Z",
    "end_time": "2026-05-07T19:12:44.000000Z",
    "span_id": "b5e012f33a8d11cc",
    "input": '{"messages":[{"role":"user","content":"Review account risk for tenant 42."}]}',
    "output": ANSWER,
}

EVENTS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "track/single-event": {
        "evt_abc123": {
            "user_id": "user_456", "event": "anthropic_chat", "model": MODEL, "input": QUESTION, "output": ANSWER,
            "convo_id": "conv_789", "timestamp": AT, "is_pending": False, "properties": {},
        },
    },
    "track/array-batch": {
        "evt_track_a": {"user_id": "user_a", "input": "in_a", "output": "out_a", "timestamp": AT[:18] + "1.000000Z"},
        "evt_track_b": {"user_id": "user_b", "input": "in_b", "output": "out_b", "timestamp": AT[:18] + "2.000000Z"},
    },
    "track/with-replay-runid": {"evt_replay_1": {"properties": {"replayRunId": "replay_xyz_001"}}},
    "track/with-workspace-properties": {
        "evt_workspace_1": {"properties": {"workspace": {"id": "ws_dawn", "name": "dawn", "root": "/Users/dev/dawn"}}},
    },
    "track-partial/begin": {
        "evt_abc123": {"is_pending": True, "input": QUESTION, "output": None, "convo_id": "conv_789", "model": MODEL},
    },
    "track-partial/finish": {
        "evt_abc123": {
            "is_pending": False, "output": "The rollout is high risk until compliance gates close.",
            "user_id": None, "properties": {"trace_id": TRACE},
        },
    },
    "track-partial/top-level-input": {
        "evt_top_level_input": {
            "input": "Top-level input that some SDKs send instead of ai_data.input.", "is_pending": True,
        },
    },
    "track-partial/with-trace-id-only": {
        TRACE: {
            "event": "trace_id_only", "is_pending": False,
            "output": "Trace-only output (no event_id, just attach by trace_id).",
        },
    },
    "track-partial/with-context-block": {
        "evt_context_1": {
            "properties": {
                "$context": {"page": "/dashboard/risk", "feature_flags": ["risk_v2"], "release": "2026.05.07"},
            },
        },
    },
}  # fmt: skip

_KNOWN: Final = {"user_id": "user_456", "event": "anthropic_chat"}
SPANS: Final[dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]] = {
    "traces/single-tool-span": ({**_KNOWN, "convo_id": "conv_789"}, [TOOL]),
    "traces/single-llm-span": ({"user_id": None}, [LLM]),
    "traces/multi-span-batch": (
        _KNOWN,
        [
            {"name": "ai.streamText", "kind": "workflow", "parent_id": None, "end_time": "2026-05-07T19:12:50.000000Z"},
            {**LLM, "parent_id": "0102030405060708", "output": "Looking up...",
             "start_time": "2026-05-07T19:12:41.000000Z",
             "input": '{"messages":[{"role":"user","content":"Search for compliance docs."}]}'},
            {**TOOL, "parent_id": "0102030405060708"},
        ],
    ),
    "traces/ai-sdk-and-traceloop-only": (_KNOWN, [TOOL]),
    "traces/dual-emission": ({**_KNOWN, "convo_id": "conv_789"}, [TOOL]),
}  # fmt: skip

STEPS: Final[dict[str, list[dict[str, Any]]]] = {
    "live/tool-start": [{"name": "search_docs", "kind": "tool", "span_id": "94df3ca0dc0ae7da", "end_time": None}],
    "live/tool-start-with-workspace-meta": [{"name": "search_docs", "output": None}],
    "live/tool-start-with-event-correlation": [{"name": "search_docs", "start_time": "2026-05-07T19:12:45.922000Z"}],
    "live/tool-result": [{"output": "found 3 matching docs", "end_time": "2026-05-07T19:12:46.842000Z"}],
    "live/text-delta": [],
    "live/reasoning-delta": [],
    "live/status": [],
}
REFUSED: Final = {"live/tool-start-missing-spanid": "spanId", "live/bad-tracehex": "traceId"}

NOT_FOR_A_RECEIVER: Final = "replay"
"""Payloads between the vendor's Workshop and a program that replays: none is posted to a receiver."""

ONLY_LENIENT: Final = frozenset({"track-partial/with-trace-id-only"})
"""What a Workshop understands and the cloud's schema does not: `meta.json` lists it as skipped by the schema."""


def _send(client: httpx.Client, name: str) -> None:
    body = (PAYLOADS / f"{name}.json").read_bytes()
    answer = client.post(PATHS[name.partition("/")[0]], content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 204, answer.text


def _chosen(event: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    return {key: event[key] for key in keys}


def test_none_is_missing() -> None:
    """Every payload that lies there for these routes has an expectation here."""
    found = {f"{file.parent.name}/{file.stem}" for file in PAYLOADS.glob("*/*.json")}
    posted = {name for name in found if not name.startswith(NOT_FOR_A_RECEIVER)}
    assert posted == EVENTS.keys() | SPANS.keys() | STEPS.keys() | REFUSED.keys()


def test_refused_as_meta_says(client: httpx.Client) -> None:
    """`meta.json` marks as invalid what is refused here, and nothing else; the schema skips what strict refuses."""
    meta = json.loads((PAYLOADS / "meta.json").read_bytes())
    assert {name for name, word in meta["validity"].items() if word == "invalid"} == REFUSED.keys()
    assert set(meta["schemaSkip"]) == ONLY_LENIENT
    for name, field in REFUSED.items():
        answer = client.post("/v1/live", content=(PAYLOADS / f"{name}.json").read_bytes())
        assert (answer.status_code, answer.json()["field"]) == (400, field)


@pytest.mark.parametrize("name", STEPS)
def test_live_payload(client: httpx.Client, name: str) -> None:
    """A tool's start and result are shown as a span; every step is taken."""
    _send(client, name)
    answer = client.get(f"/api/traces/{TRACE}")
    spans = answer.json()["spans"] if answer.status_code == 200 else []
    assert [_chosen(span, keys) for span, keys in zip(spans, STEPS[name], strict=True)] == STEPS[name]


def test_strict_takes_the_same() -> None:
    """A strict Workshop stores every valid payload but the one the schema skips, and refuses the invalid ones."""
    with running(strict=True) as up, httpx.Client(base_url=up.url, trust_env=False) as client:
        for name in sorted(EVENTS.keys() | SPANS.keys() | STEPS.keys() | REFUSED.keys()):
            body = (PAYLOADS / f"{name}.json").read_bytes()
            headers = {"Content-Type": "application/json"}
            answer = client.post(PATHS[name.partition("/")[0]], content=body, headers=headers)
            refused = name in ONLY_LENIENT or name in REFUSED
            assert answer.status_code == (400 if refused else 204), (name, answer.text)


@pytest.mark.parametrize("name", EVENTS)
def test_event_payload(client: httpx.Client, name: str) -> None:
    """The payload's events come back with the fields written down for them."""
    _send(client, name)
    assert client.get("/api/health").json()["events"] == len(EVENTS[name])
    for event_id, expected in EVENTS[name].items():
        assert _chosen(client.get(f"/api/events/{event_id}").json(), expected) == expected
        assert client.get(f"/events/{event_id}").status_code == 200


@pytest.mark.parametrize("name", SPANS)
def test_trace_payload(client: httpx.Client, name: str) -> None:
    """The payload's spans come back on the event they name, in order of start."""
    _send(client, name)
    about, spans = SPANS[name]
    event = client.get("/api/events/evt_abc123").json()
    assert _chosen(event, about) == about
    assert [_chosen(span, keys) for span, keys in zip(event["spans"], spans, strict=True)] == spans
    assert client.get("/events/evt_abc123").status_code == 200


def test_all_of_them_together(client: httpx.Client) -> None:
    """Sent in any mixture the payloads still tell one story: the event, its trace and its spans are joined."""
    for name in (*SPANS, *EVENTS):
        _send(client, name)
    event = client.get("/api/events/evt_abc123").json()
    assert {span["span_id"] for span in event["spans"]} == {
        "94df3ca0dc0ae7da",
        "b5e012f33a8d11cc",
        "0102030405060708",
    }
    assert event["output"] == "Trace-only output (no event_id, just attach by trace_id)."
    assert client.get("/api/health").json()["events"] == 7
