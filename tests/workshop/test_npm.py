"""The vendor's own npm packages pointed at the Workshop: all they send is stored and can be read.

They are installed into a temporary directory; where node or the registry is missing the tests are skipped and say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from raindrop_logging.workshop import running

PACKAGES: Final = ("raindrop-ai@^0.1.7", "@raindrop-ai/ai-sdk@^0.3.0", "ai@^6")
PROGRAMS: Final = Path(__file__).parent / "npm"
INSTALL_SECONDS: Final = 300
RUN_SECONDS: Final = 60

pytestmark = [pytest.mark.slow, pytest.mark.timeout(INSTALL_SECONDS + 2 * RUN_SECONDS)]

Told = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the packages in it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("node and npm are not installed")
    directory = tmp_path_factory.mktemp("npm")
    (directory / "package.json").write_text('{"private": true, "type": "module"}')
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", *PACKAGES]
    try:
        ended = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm did not install {', '.join(PACKAGES)} within {INSTALL_SECONDS} s")
    if ended.returncode:
        pytest.skip(f"npm cannot install {', '.join(PACKAGES)}: {ended.stderr.strip()[-300:]}")
    return directory


def _ran(installed: Path, program: str, *more: str) -> Told:
    """What the Workshop tells after one program has run: each event by its id, and a few other answers."""
    path = shutil.copy(PROGRAMS / program, installed)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAINDROP_")}
    with running() as workshop, httpx.Client(base_url=workshop.url, trust_env=False) as client:
        ended = subprocess.run(
            ["node", path, workshop.endpoint, *more],
            cwd=installed,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=RUN_SECONDS,
        )
        assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
        listed = client.get("/api/events").json()["events"]
        told: Told = {event["event_id"]: client.get(f"/api/events/{event['event_id']}").json() for event in listed}
        told["projects"] = {
            event_id: story.event.project_id for event_id in told if (story := workshop.store.event(event_id))
        }
        told["health"] = client.get("/api/health").json()
        told["user"] = client.get("/api/users/u1").json()
    return told


@pytest.fixture(scope="module", params=["direct", "otel"])
def raindrop_ai(request: pytest.FixtureRequest, installed: Path) -> Told:
    """All that `raindrop-ai` told, its tools sent directly or by OpenTelemetry (in protobuf, with live steps)."""
    return _ran(installed, "raindrop_ai.mjs", request.param)


@pytest.fixture(scope="module")
def ai_sdk(installed: Path) -> Told:
    """All that `@raindrop-ai/ai-sdk` told."""
    return _ran(installed, "ai_sdk.mjs")


def _chosen(value: dict[str, Any], *keys: str) -> list[Any]:
    return [value[key] for key in keys]


def test_raindrop_ai_each_once(raindrop_ai: Told) -> None:
    """Sent to the endpoint and mirrored to the same Workshop, each event is there once and nothing was overlooked."""
    assert raindrop_ai.keys() - {"projects", "health", "user"} == {"ai-1", "ai-2", "ai-3", "i-1", "i-2"}
    assert _chosen(raindrop_ai["health"], "signals", "signals_without_event", "users", "ignored_keys") == [4, 0, 1, {}]
    assert set(raindrop_ai["projects"].values()) == {"npm-shop"}


def test_raindrop_ai_event(raindrop_ai: Told) -> None:
    """A complete event keeps every field, and all four types of attachment."""
    event = raindrop_ai["ai-1"]
    assert _chosen(event, "user_id", "event", "model", "input", "output", "convo_id", "timestamp", "is_pending") == [
        "u1", "chat", "gpt-4o", "question 漢字", "answer", "c1", "2026-05-07T17:00:00.000000Z", False,
    ]  # fmt: skip
    assert _chosen(event["properties"], "plan", "nested") == ["pro", {"a": [1, True]}]
    assert event["attachments"] == [
        {"type": "code", "value": "x = 1", "role": "output", "language": "python", "name": "x.py"},
        {
            "type": "text", "value": "a note", "role": "input",
            "attachment_id": "3f2b8f0e-8d5c-4c6a-9f57-0a1b2c3d4e5f",
        },
        {"type": "image", "value": "https://example.com/x.png", "role": "output"},
        {"type": "iframe", "value": "https://example.com/", "role": "output"},
    ]  # fmt: skip


def test_raindrop_ai_signals_and_user(raindrop_ai: Told) -> None:
    """Signals of every type are on their event, self-diagnostics among them; traits are kept."""
    told = [
        _chosen(signal, "name", "signal_type", "sentiment", "properties") for signal in raindrop_ai["ai-1"]["signals"]
    ]
    assert sorted(told) == [
        ["edited", "edit", None, {"after": "better"}],
        ["feedback", "feedback", "NEGATIVE", {"comment": "good"}],
        ["thumbs_up", "default", "POSITIVE", {}],
    ]
    (diagnosis,) = raindrop_ai["ai-2"]["signals"]
    assert (diagnosis["signal_type"], diagnosis["properties"]["detail"]) == ("agent", "no such tool")
    assert raindrop_ai["user"]["traits"] == {"name": "Jane", "age": 3}


def test_raindrop_ai_interaction(raindrop_ai: Told) -> None:
    """Begin, property, attachment and finish are one closed event; one left open is pending."""
    event = raindrop_ai["i-1"]
    assert _chosen(event, "user_id", "event", "model", "input", "output", "convo_id", "is_pending") == [
        "u2", "agent", "m", "go", "done", "c2", False,
    ]  # fmt: skip
    assert (event["properties"]["region"], event["attachments"][0]["value"]) == ("eu", "context")
    assert _chosen(raindrop_ai["i-2"], "input", "is_pending") == ["never finished", True]


def test_raindrop_ai_spans(raindrop_ai: Told) -> None:
    """Tools have input, output and error, and a tool inside a span is nested in it."""
    spans = {span["name"]: span for span in raindrop_ai["i-1"]["spans"]}
    assert {name: _chosen(span, "kind", "status", "error") for name, span in spans.items()} == {
        "manual_tool": ["tool", "ok", None],
        "tracked_tool": ["tool", "ok", None],
        "broken_tool": ["tool", "error", "no route"],
        "outer": ["task", "ok", None],
        "inner": ["tool", "ok", None],
    }
    assert len(spans) == len(raindrop_ai["i-1"]["spans"])
    assert _chosen(spans["manual_tool"], "input", "output") == ['{"q":1}', '{"hits":2}']
    assert spans["inner"]["parent_id"] == spans["outer"]["span_id"]


def test_ai_sdk_turns(ai_sdk: Told) -> None:
    """Each generation is one closed event with its texts, model, conversation and tokens."""
    keys = ("user_id", "event", "model", "input", "output", "convo_id", "is_pending")
    assert {name: _chosen(ai_sdk[name], *keys) for name in ("g-1", "g-2", "s-1")} == {
        "g-1": ["u1", "chat", "m-1", "find cats", "found cats", "c1", False],
        "g-2": ["u1", "chat", "m-1", "find nothing", "could not", "c1", False],
        "s-1": ["u1", "chat", "m-2", "greet", "Hello, world", "c1", False],
    }
    tokens = ("ai.usage.prompt_tokens", "ai.usage.completion_tokens")
    assert _chosen(ai_sdk["s-1"]["properties"], *tokens) == [3, 5]
    assert set(ai_sdk["projects"].values()) == {"npm-shop"}


def test_ai_sdk_spans(ai_sdk: Told) -> None:
    """A turn's model calls and its tool are nested in it; a tool that fails says why."""
    spans = ai_sdk["g-1"]["spans"]
    (turn,) = (span for span in spans if span["name"] == "ai.generateText")
    (tool,) = (span for span in spans if span["name"] == "search")
    assert _chosen(tool, "kind", "status", "input", "output", "parent_id") == [
        "tool", "ok", '{"q":"cats"}', '{"hits":["cats"]}', turn["span_id"],
    ]  # fmt: skip
    calls = [span for span in spans if span["name"] == "ai.generateText.doGenerate"]
    assert [_chosen(span, "kind", "parent_id") for span in calls] == [["llm", turn["span_id"]]] * 2
    (broken,) = (span for span in ai_sdk["g-2"]["spans"] if span["name"] == "search")
    assert (broken["status"], broken["error"]) == ("error", "no route")


def test_ai_sdk_manual_spans(ai_sdk: Told) -> None:
    """Spans made by hand are nested, and one that ended with an error shows it."""
    spans = {span["name"]: span for span in ai_sdk["g-1"]["spans"]}
    assert _chosen(spans["agent_turn"], "status", "error") == ["error", "gave up"]
    assert _chosen(spans["grep"], "kind", "input", "output", "parent_id") == [
        "tool", '{"pattern":"x"}', '{"matches":12}', spans["agent_turn"]["span_id"],
    ]  # fmt: skip


def test_ai_sdk_signal_and_user(ai_sdk: Told) -> None:
    """A signal and traits sent by hand are kept."""
    (signal,) = ai_sdk["g-1"]["signals"]
    assert (signal["name"], signal["sentiment"], ai_sdk["user"]["traits"]) == ("thumbs_up", "POSITIVE", {"plan": "pro"})
