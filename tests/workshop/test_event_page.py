"""What an event's page tells beyond its texts: tokens, edits, log lines, tools that were offered, marks of time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging.workshop import markdown
from raindrop_logging.workshop.pages import usage
from raindrop_logging.workshop.pages.attachments import shown
from raindrop_logging.workshop.pages.event_page import told
from raindrop_logging.workshop.records import Event, Signal, Span
from raindrop_logging.workshop.span_tree import grow, ticks
from raindrop_logging.workshop.store import Story

TRACE = "t" * 32


def _span(span_id: str, parent_id: str | None = None, seconds: float = 1.0, **attributes: Any) -> Span:
    end = f"2026-05-07T19:00:{seconds:09.6f}Z"
    return Span(
        trace_id=TRACE,
        span_id=span_id,
        parent_id=parent_id,
        name=span_id,
        start_time="2026-05-07T19:00:00.000000Z",
        end_time=end,
        attributes={name.replace("__", "."): value for name, value in attributes.items()},
    )


def test_tokens_of_a_span_around_are_not_counted_twice() -> None:
    """A span that repeats the tokens of those inside it adds nothing."""
    spans = [
        _span("outer", ai__usage__inputTokens=30, ai__usage__outputTokens=7),
        _span("step", "outer"),
        _span("one", "step", gen_ai__usage__input_tokens=10, gen_ai__usage__output_tokens=3),
        _span("two", "step", gen_ai__usage__prompt_tokens="20", gen_ai__usage__completion_tokens=4),
    ]
    assert usage.total(spans, {}) == usage.Usage(input_tokens=30, output_tokens=7)


@pytest.mark.parametrize("value", [None, "many", -1, float("nan"), float("inf"), [], {}, 10**400])
def test_what_is_no_number_of_tokens(value: Any) -> None:
    """A value that cannot be counted counts as not said."""
    assert not usage.total([_span("a", gen_ai__usage__input_tokens=value)], {})


def test_spans_in_a_circle() -> None:
    """Parents that form a circle end, and count once."""
    spans = [_span("a", "b", gen_ai__usage__input_tokens=1), _span("b", "a")]
    assert usage.total(spans, {}).input_tokens == 1


def test_tokens_from_properties() -> None:
    """Where no span says anything the event's properties do."""
    assert usage.total([_span("a")], {"ai.usage.prompt_tokens": 5}).input_tokens == 5


@pytest.mark.parametrize("seconds", [0.000001, 0.02, 0.99, 3.42, 59.9])
def test_ticks(seconds: float) -> None:
    """A few marks at round times, from the beginning, none beyond the end."""
    marks = ticks(grow([_span("a", seconds=seconds)]))
    assert 2 <= len(marks) <= 7
    assert marks[0].left == 0
    assert all(mark.left <= 100 for mark in marks)


def test_no_time_no_ticks() -> None:
    """Spans that took no time have no axis."""
    assert ticks(grow([_span("a", seconds=0)])) == ticks(()) == ()


def test_log_and_commit_leave_the_properties() -> None:
    """Log lines and the application's version have their own places; what only looks like a log stays."""
    lines = [{"message": "slow", "level": "WARNING"}]
    sha = "3b48b62f9d0c1e2a4b5c6d7e8f90123456789abc"
    page = told(Story(event=Event(event_id="e", properties={"log": lines, "raindrop.app.commit_sha": sha, "a": 1})))
    assert page["properties"] == {"a": 1}
    assert page["log"][0]["message"] == "slow"
    assert page["log"][0]["error"] == ""
    assert page["commit"]["sha"] == sha
    for log in ("text", [], [1], [{"no": "message"}]):
        assert told(Story(event=Event(event_id="e", properties={"log": log})))["properties"] == {"log": log}


def test_edit_is_shown_as_changes() -> None:
    """A signal's edit is compared with the output; without an output it stays a property."""
    signal = Signal(event_id="e", name="edited", signal_type="edit", properties={"after": "new words", "by": "ada"})
    (judged,) = told(Story(event=Event(event_id="e", output="old words"), signals=(signal,)))["signals"]
    assert [part.text for part in judged["edit"] if part.change == "added"] == ["new"]
    assert judged["properties"] == {"by": "ada"}
    (bare,) = told(Story(event=Event(event_id="e"), signals=(signal,)))["signals"]
    assert bare["properties"] == signal.properties


@pytest.mark.parametrize("said", [['{"name":"f"}', "broken", 5], '[{"name":"f"}]', [{"name": "f"}, {"name": "f"}]])
def test_offered_tools(said: Any) -> None:
    """Each tool that was offered, once, in whichever form it was sent."""
    page = told(Story(event=Event(event_id="e"), spans=(_span("m", ai__prompt__tools=said),)))
    assert [(tool["name"], tool["called"]) for tool in page["offered"]] == [("f", 0)]


@pytest.mark.parametrize(
    ("kind", "value", "way"),
    [
        ("iframe", "<h1>x</h1>", "frame"),
        ("iframe", "https://x.example/", "link"),
        ("iframe", "javascript:alert(1)", "text"),
        ("image", "<svg>", "text"),
        ("code", "x = 1", "code"),
    ],
)
def test_ways(kind: str, value: str, way: str) -> None:
    """Only a frame's own HTML becomes a frame."""
    assert shown({"type": kind, "value": value}).way == way


@given(st.text())
def test_markdown_of_anything(text: str) -> None:
    """Whatever the text, no attribute that acts and no image comes of it."""
    html = str(markdown.rendered(text) or "")
    assert "<script" not in html
    assert "<img" not in html
    assert " style=" not in html


def test_markdown_that_is_too_long() -> None:
    """A text of megabytes is shown as it is."""
    assert markdown.rendered("x" * (markdown.MAX_CHARS + 1)) is None
    assert markdown.rendered("[" * 20_000) is not None
