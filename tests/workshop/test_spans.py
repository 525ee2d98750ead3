"""What is read from a span's attributes, fact by fact."""

from __future__ import annotations

from typing import Any

import pytest

from raindrop_logging.workshop.receiving.otlp import OtlpSpan
from raindrop_logging.workshop.receiving.spans import read
from raindrop_logging.workshop.records import Span
from raindrop_logging.workshop.span_tree import MAX_DEPTH, grow


def _read(name: str = "n", **changes: Any) -> Span:
    plain: dict[str, Any] = {
        "trace_id": "t", "span_id": "s", "parent_id": None, "start": 0, "end": 0, "status_code": 0,
        "status_message": "", "attributes": {}, "events": (), "resource": {},
    }  # fmt: skip
    return read(OtlpSpan(name=name, **{**plain, **changes}))


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"traceloop.span.kind": "task"}, "task"),
        ({"raindrop.span.kind": "agent_root"}, "workflow"),
        ({"raindrop.span.kind": "llm_call"}, "llm"),
        ({"raindrop.span.kind": "tool_call"}, "tool"),
        ({"raindrop.span.kind": "trace"}, "trace"),
        ({"traceloop.span.kind": "tool", "raindrop.span.kind": "llm_call"}, "tool"),
        ({"ai.operationId": "ai.toolCall"}, "tool"),
        ({"ai.operationId": "ai.generateText"}, "llm"),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "x"}, "tool"),
        ({"gen_ai.request.model": "gpt"}, "llm"),
        ({"http.method": "GET"}, "span"),
    ],
)
def test_kind(attributes: dict[str, Any], kind: str) -> None:
    """The kind that is stated, else the one the attributes imply."""
    assert _read(attributes=attributes).kind == kind


@pytest.mark.parametrize(
    ("name", "attributes", "shown"),
    [
        ("a.tool", {}, "a"),
        ("a.task", {}, "a"),
        ("a.workflow", {}, "a"),
        ("ai.streamText", {}, "ai.streamText"),
        ("a.tool", {"traceloop.entity.name": "b.tool"}, "b.tool"),
        ("ai.toolCall", {"ai.toolCall.name": "search"}, "search"),
    ],
)
def test_name(name: str, attributes: dict[str, Any], shown: str) -> None:
    """The entity's own name, else the span's without its kind."""
    assert _read(name, attributes=attributes).name == shown


@pytest.mark.parametrize(
    ("attributes", "given", "made"),
    [
        ({"traceloop.entity.input": "i", "traceloop.entity.output": "o", "ai.prompt": "x"}, "i", "o"),
        ({"ai.toolCall.args": "{}", "ai.toolCall.result": "[]"}, "{}", "[]"),
        ({"ai.prompt": "p", "ai.prompt.messages": "m", "ai.response.text": "r"}, "m", "r"),
        ({"ai.prompt": "p", "ai.result.text": "r"}, "p", "r"),
        ({"gen_ai.input.messages": [{"role": "user"}], "gen_ai.output.messages": "o"}, '[{"role":"user"}]', "o"),
        (
            {
                "gen_ai.prompt.1.content": "hi", "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "be",
                "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "yo",
            },
            '[{"role":"system","content":"be"},{"content":"hi"}]',
            "yo",
        ),
        ({"gen_ai.completion.0.tool_calls.0.name": "f"}, None, '[{"tool_calls.0.name":"f"}]'),
        ({}, None, None),
    ],
)  # fmt: skip
def test_input_and_output(attributes: dict[str, Any], given: str | None, made: str | None) -> None:
    """Each spelling of what went in and what came out."""
    span = _read(attributes=attributes)
    assert (span.input, span.output) == (given, made)


@pytest.mark.parametrize(
    ("code", "message", "events", "status", "error"),
    [
        (2, "boom", (), "error", "boom"),
        (2, "", ({"name": "exception", "attributes": {"exception.message": "inner"}},), "error", "inner"),
        (2, "", ({"name": "exception", "attributes": {"exception.type": "KeyError"}},), "error", "KeyError"),
        (2, "", ({"name": "note", "attributes": {}},), "error", None),
        (1, "", ({"name": "exception", "attributes": {"exception.message": "handled"}},), "ok", None),
        (0, "", (), "ok", None),
    ],
)
def test_status(code: int, message: str, events: tuple[Any, ...], status: str, error: str | None) -> None:
    """Only status code 2 is an error; its reason is the message, else the exception's."""
    span = _read(status_code=code, status_message=message, events=events)
    assert (span.status, span.error) == (status, error)


@pytest.mark.parametrize(
    "name",
    [
        "traceloop.association.properties.event_id",
        "raindrop.event.id",
        "ai.telemetry.metadata.raindrop.eventId",
    ],
)
def test_the_event_it_belongs_to(name: str) -> None:
    """Any of the three names links a span to its event."""
    span = _read(attributes={name: "e", "traceloop.association.properties.event": "chat", "raindrop.user.id": "u"})
    assert span.about is not None
    assert (span.about.event_id, span.about.event, span.about.user_id) == ("e", "chat", "u")


@pytest.mark.parametrize("moment", [0, -1, 2**63, 2**200], ids=["unknown", "before 1970", "far", "beyond"])
def test_odd_times(moment: int) -> None:
    """A time no calendar holds is shown as none, and never fails."""
    shown = _read(start=moment).start_time
    assert shown is None or shown.endswith("Z")


def _span(span_id: str, parent: str | None = None, start: int = 0, end: int = 0) -> Span:
    def time(second: int) -> str:
        return f"2026-01-01T00:00:{second:02d}.000000Z"

    return Span(
        trace_id="t", span_id=span_id, name=span_id, parent_id=parent, start_time=time(start), end_time=time(end)
    )


def test_tree() -> None:
    """Children follow their parent in order of start, and bars lie on one axis."""
    spans = [_span("c", "a", 6, 10), _span("b", "a", 2, 4), _span("a", None, 0, 10), _span("d", "b", 3, 3)]
    assert [(branch.span.span_id, branch.depth, branch.left, branch.width) for branch in grow(spans)] == [
        ("a", 0, 0.0, 100.0),
        ("b", 1, 20.0, 20.0),
        ("d", 2, 30.0, 0.6),
        ("c", 1, 60.0, 40.0),
    ]


def test_odd_trees() -> None:
    """Orphans are roots, circles are cut, a very deep tree stays within the page, nothing is lost."""
    assert [branch.depth for branch in grow([_span("a", "gone"), _span("b", "a")])] == [0, 1]
    assert [branch.span.span_id for branch in grow([_span("a", "b"), _span("b", "a"), _span("c", "c")])] == [
        "a",
        "b",
        "c",
    ]
    chain = [_span("0"), *(_span(str(number), str(number - 1)) for number in range(1, 2000))]
    depths = [branch.depth for branch in grow(chain)]
    assert (len(depths), max(depths)) == (2000, MAX_DEPTH)
    assert grow([]) == ()
    assert grow([Span(trace_id="t", span_id="s", name="n")])[0].seconds is None
