"""The vendor's own Python SDK pointed at the Workshop: all it sends is stored and can be read.

It runs in a process of its own, as it patches logging and starts threads when it is imported.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Final

import httpx
import pytest

from raindrop_logging.workshop import running

pytest.importorskip("raindrop", reason="the dependency group official-sdk is not installed")

KEY: Final = "canary-official-key"
SECONDS: Final = 50

PROGRAM: Final = """
import sys
import raindrop.analytics as raindrop

raindrop.init(
    sys.argv[2], endpoint=sys.argv[1], local_workshop_url=False, tracing_enabled=True, auto_instrument=False,
    app_git=False,
)
raindrop.track_ai(
    user_id="u1", event="chat", event_id="ai-1", model="gpt-4o", input="question 漢字", output="answer", convo_id="c1",
    properties={"plan": "pro"}, timestamp="2026-05-07T19:00:00+02:00",
    attachments=[
        {"type": "code", "value": "x = 1", "role": "output", "language": "python"},
        {"type": "text", "value": "a note", "role": "input", "name": "note"},
        {"type": "image", "value": "https://example.com/x.png", "role": "output"},
        {"type": "iframe", "value": "https://example.com/", "role": "output"},
    ],
)
raindrop.track(user_id="u1", event="page_view", event_id="plain-1", properties={"path": "/"})
raindrop.track_signal(event_id="ai-1", name="thumbs_up", sentiment="POSITIVE")
raindrop.track_signal(event_id="ai-1", name="feedback", signal_type="feedback", comment="good", sentiment="NEGATIVE")
raindrop.track_signal(event_id="ai-1", name="edited", signal_type="edit", after="better")
raindrop.identify("u1", {"name": "Jane", "age": 3})

interaction = raindrop.begin(user_id="u2", event="agent", event_id="i-1", input="go", convo_id="c2", model="m")
span = interaction.start_span("tool", "manual_tool")
span.record_input({"q": 1})
span.record_output({"hits": 2})
span.end()
interaction.track_tool(name="tracked_tool", input={"a": 1}, output="text", duration_ms=12)
interaction.track_tool(name="broken_tool", input={}, error="no route")
interaction.set_property("region", "eu")
interaction.add_attachments([{"type": "text", "value": "context", "role": "input"}])
interaction.finish(output="done")


@raindrop.task("plan")
def plan():
    with raindrop.tool_span("search") as span:
        span.record_input("query")
        span.record_output(["hit"])
    try:
        with raindrop.tool_span("fetch"):
            raise ValueError("unreachable")
    except ValueError:
        pass


@raindrop.interaction("decorated")
def decorated():
    inner = raindrop.begin(user_id="u3", event="traced", event_id="i-2", input="in")
    plan()
    inner.finish(output="out")


decorated()
raindrop.begin(user_id="u4", event="left_open", event_id="i-3", input="never finished")
raindrop.flush()
raindrop.shutdown()
"""

Events = dict[str, dict[str, Any]]


@pytest.fixture(scope="module", params=[False, True], ids=["lenient", "strict"])
def events(request: pytest.FixtureRequest) -> Events:
    """Every event the Workshop tells of after the SDK has said one of each; a strict one refuses nothing of it."""
    with running(strict=request.param) as workshop, httpx.Client(base_url=workshop.url, trust_env=False) as client:
        arguments = [sys.executable, "-c", PROGRAM, workshop.endpoint, KEY]
        ended = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=SECONDS)
        assert ended.returncode == 0, ended.stderr
        health = client.get("/api/health").json()
        assert health["ignored_keys"] == {}
        assert health["signals_without_event"] == 0
        listed = client.get("/api/events").json()["events"]
        told = {event["event_id"]: client.get(f"/api/events/{event['event_id']}").json() for event in listed}
        told["user"] = client.get("/api/users/u1").json()
        told["pages"] = {event_id: client.get(f"/events/{event_id}").status_code for event_id in told}
    return told


def _chosen(value: dict[str, Any], *keys: str) -> list[Any]:
    return [value[key] for key in keys]


def test_each_is_there_once(events: Events) -> None:
    """All five events arrived, none twice, and each has a page."""
    assert events.keys() == {"ai-1", "plain-1", "i-1", "i-2", "i-3", "user", "pages"}
    assert [status for name, status in events["pages"].items() if name != "user"] == [200] * 5


def test_track_ai(events: Events) -> None:
    """`track_ai` keeps texts, model, conversation, properties, time and attachments."""
    event = events["ai-1"]
    assert _chosen(event, "user_id", "event", "model", "input", "output", "convo_id", "timestamp", "is_pending") == [
        "u1", "chat", "gpt-4o", "question 漢字", "answer", "c1", "2026-05-07T17:00:00.000000Z", False,
    ]  # fmt: skip
    assert event["properties"]["plan"] == "pro"
    assert event["attachments"] == [
        {"type": "code", "value": "x = 1", "role": "output", "language": "python"},
        {"type": "text", "value": "a note", "role": "input", "name": "note"},
        {"type": "image", "value": "https://example.com/x.png", "role": "output"},
        {"type": "iframe", "value": "https://example.com/", "role": "output"},
    ]


def test_track(events: Events) -> None:
    """A plain event has its properties and no AI fields."""
    event = events["plain-1"]
    assert _chosen(event, "event", "input", "output", "model") == ["page_view", None, None, None]
    assert event["properties"]["path"] == "/"


def test_signals(events: Events) -> None:
    """Each signal is on its event, with type, sentiment and words."""
    told = [_chosen(signal, "name", "signal_type", "sentiment", "properties") for signal in events["ai-1"]["signals"]]
    assert sorted(told) == [
        ["edited", "edit", None, {"after": "better"}],
        ["feedback", "feedback", "NEGATIVE", {"comment": "good"}],
        ["thumbs_up", "default", "POSITIVE", {}],
    ]


def test_identify(events: Events) -> None:
    """The user's traits are kept, and their events counted."""
    assert _chosen(events["user"], "traits", "event_count") == [{"name": "Jane", "age": 3}, 2]


def test_interaction(events: Events) -> None:
    """Begin, properties and finish are one event, closed."""
    event = events["i-1"]
    assert _chosen(event, "user_id", "event", "input", "output", "model", "convo_id", "is_pending") == [
        "u2", "agent", "go", "done", "m", "c2", False,
    ]  # fmt: skip
    assert event["properties"]["region"] == "eu"
    assert event["attachments"] == [{"type": "text", "value": "context", "role": "input"}]


def test_tool_spans(events: Events) -> None:
    """Manual and tracked tools hang on their interaction, with input, output and error."""
    spans = {span["name"]: span for span in events["i-1"]["spans"]}
    assert {name: _chosen(span, "kind", "status", "error") for name, span in spans.items()} == {
        "manual_tool": ["tool", "ok", None],
        "tracked_tool": ["tool", "ok", None],
        "broken_tool": ["tool", "error", "no route"],
    }
    assert _chosen(spans["manual_tool"], "input", "output") == ['{"args": [{"q": 1}]}', '{"hits": 2}']


def test_decorated_spans(events: Events) -> None:
    """Spans made by decorators are nested under their interaction, and a failing one says why."""
    spans = {span["name"]: span for span in events["i-2"]["spans"]}
    assert {"plan", "search", "fetch"} <= spans.keys()
    assert spans["search"]["parent_id"] == spans["fetch"]["parent_id"] == spans["plan"]["span_id"]
    assert spans["fetch"]["status"] == "error"
    assert "unreachable" in spans["fetch"]["error"]
    assert events["i-2"]["properties"]["trace_id"] == spans["plan"]["trace_id"]


def test_left_open(events: Events) -> None:
    """An interaction that never finished is shown, pending."""
    assert _chosen(events["i-3"], "input", "is_pending") == ["never finished", True]
