"""A block that breaks a rule costs its own record, one count and one line; never the log call, never a neighbour."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.wire.harness import PATIENCE, attach, diagnostics, log, say

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

GOOD: dict[str, dict[str, Any]] = {
    "ai": {"user_id": "u", "event": "chat", "input": "q", "output": "a"},
    "event": {"user_id": "u", "event": "click"},
    "begin": {"event_id": "i1", "user_id": "u", "event": "chat", "input": "q"},
    "update": {"event_id": "i1", "user_id": "u", "event": "chat", "input": "q"},
    "finish": {"event_id": "i1", "user_id": "u", "event": "chat", "output": "a"},
    "signal": {"event_id": "i1", "name": "thumbs_up"},
    "identify": {"user_id": "u", "traits": {"plan": "free"}},
    "span": {"kind": "tool", "name": "search", "event_id": "i1", "input": "q"},
}
"""One valid block a type; each row of the table breaks one thing in one of them."""

GONE = object()


@dataclass(frozen=True)
class Broken:
    """A good block with one thing wrong, and what the line must say of it.

    Args:
        change: keys to set; GONE takes the key away.
        key: the key that the line must name.
        given: a pattern of how the line shows what was there.
        allowed: a pattern of how the line says what would be right.
    """

    type: str
    change: dict[str, Any]
    key: str
    given: str
    allowed: str

    @property
    def block(self) -> dict[str, Any]:
        """The broken block."""
        changed = {"type": self.type, **GOOD[self.type], **self.change}
        return {key: value for key, value in changed.items() if value is not GONE}

    @property
    def title(self) -> str:
        """The name of the test."""
        what = ",".join(
            f"{key} {'missing' if value is GONE else repr(value)[:30]}" for key, value in self.change.items()
        )
        return f"{self.type}: {what}"


MISSING, BLANK, TEXT = "missing", "(blank|empty)", "(str|text)"
DICT, LIST, NUMBER = "(dict|object|table)", "(list|array)", "(int|float|number)"
TIME = "(ISO 8601|datetime|seconds)"
_NAMED = {"ai": ("user_id", "event"), "event": ("user_id", "event"), "begin": ("user_id", "event")}
_TOLD = ("ai", "event", "begin", "update", "finish")
_ASKED = ("ai", "begin", "update", "finish")


def _required() -> list[Broken]:
    needed = {
        **_NAMED,
        "update": ("event_id",),
        "finish": ("event_id",),
        "signal": ("event_id", "name"),
        "identify": ("user_id",),
        "span": ("name",),
    }
    rows = [
        Broken(kind, {key: wrong}, key, given, "need|at least|text|length")
        for kind, keys in needed.items()
        for key in keys
        for wrong, given in ((GONE, MISSING), (None, MISSING), ("", BLANK), ("  ", BLANK))
    ]
    return [
        *rows,
        Broken("identify", {"traits": GONE}, "traits", MISSING, "identify needs it"),
        Broken("span", {"kind": GONE}, "kind", MISSING, "span needs it"),
        Broken("ai", {"input": GONE, "output": GONE}, "input", MISSING, "at least one"),
        Broken("ai", {"input": "", "output": ""}, "input", MISSING, "at least one"),
    ]


def _wrong_types() -> list[Broken]:
    def each(kinds: tuple[str, ...], key: str, wrong: Any, given: str, allowed: str) -> list[Broken]:
        return [Broken(kind, {key: wrong}, key, given, allowed) for kind in kinds]

    return [
        *each((*_TOLD, "signal", "span"), "event_id", 5, "5", TEXT),
        *each((*_TOLD, "identify", "span"), "user_id", 5, "5", TEXT),
        *each((*_TOLD, "span"), "event", ["chat"], LIST, TEXT),
        *each((*_TOLD, "signal", "span"), "properties", "notadict", "text", DICT),
        *each(_TOLD, "attachments", {"value": "v"}, "dict", LIST),
        *each((*_TOLD, "signal"), "timestamp", [2026], "list", TIME),
        *each(_TOLD, "feature_flags", {"flag": True}, "True|bool", TEXT),
        *each(_TOLD, "feature_flags", ["flag"], "list", DICT),
        *each(_ASKED, "input", 5, "5", TEXT),
        *each(_ASKED, "model", {"name": "gpt"}, "dict", TEXT),
        *each((*_ASKED, "span"), "convo_id", 7, "7", TEXT),
        *each(("ai", "finish"), "output", {"text": "a"}, "dict", TEXT),
        Broken("signal", {"name": 5}, "name", "5", TEXT),
        Broken("signal", {"comment": 5, "signal_type": "feedback"}, "comment", "5", TEXT),
        Broken("signal", {"after": ["x"], "signal_type": "edit"}, "after", "list", TEXT),
        Broken("signal", {"attachment_id": 5}, "attachment_id", "5", TEXT),
        Broken("identify", {"traits": "pro"}, "traits", "text", DICT),
        Broken("identify", {"traits": [1]}, "traits", "list", DICT),
        Broken("span", {"name": 5}, "name", "5", TEXT),
        Broken("span", {"version": "two"}, "version", "text", NUMBER),
        Broken("span", {"duration_ms": "fast"}, "duration_ms", "text", NUMBER),
        Broken("span", {"attributes": [1]}, "attributes", "list", DICT),
        Broken("span", {"kind": "llm", "model": 4}, "model", "4", TEXT),
        Broken("span", {"kind": "llm", "provider": 4}, "provider", "4", TEXT),
        Broken("span", {"kind": "llm", "messages": "hi"}, "messages", "text", LIST),
        Broken("span", {"kind": "llm", "messages": ["hi"]}, "messages", "text", DICT),
        Broken("span", {"kind": "llm", "tools": "f"}, "tools", "text", LIST),
        Broken("span", {"kind": "llm", "input_tokens": "3"}, "input_tokens", "text", NUMBER),
        Broken("span", {"kind": "llm", "output_tokens": 1.5}, "output_tokens", "1.5", NUMBER),
    ]


def _wrong_values() -> list[Broken]:
    kinds = "workflow.*task.*tool.*llm.*trace"
    kinds_of_signal = "default.*standard.*feedback.*edit.*agent.*agent_internal"
    hexes = "(hex|pattern|regex)"
    return [
        *(Broken(kind, {"timestamp": "yesterday"}, "timestamp", "yesterday", TIME) for kind in (*_TOLD, "signal")),
        Broken("event", {"timestamp": ""}, "timestamp", "0 characters", TIME),
        Broken("event", {"timestamp": True}, "timestamp", "bool", TIME),
        Broken("event", {"timestamp": 1767323045000}, "timestamp", "1767323045000", "seconds"),
        Broken("event", {"timestamp": float("nan")}, "timestamp", "nan", "seconds"),
        Broken("event", {"timestamp": -1}, "timestamp", "-1", "seconds"),
        Broken("span", {"start_time": "soon"}, "start_time", "soon", TIME),
        Broken("span", {"end_time": "late"}, "end_time", "late", TIME),
        Broken("span", {"kind": "tol"}, "kind", "tol", kinds),
        Broken("span", {"kind": 5}, "kind", "5", kinds),
        Broken("span", {"duration_ms": -1}, "duration_ms", "-1", "0"),
        Broken("span", {"kind": "llm", "input_tokens": -3}, "input_tokens", "-3", "0"),
        Broken("span", {"kind": "llm", "output_tokens": -3}, "output_tokens", "-3", "0"),
        Broken("span", {"trace_id": "xyz"}, "trace_id", "text", hexes),
        Broken("span", {"span_id": "A" * 16}, "span_id", "text", hexes),
        Broken("span", {"parent_id": "12"}, "parent_id", "text", hexes),
        Broken("signal", {"signal_type": "thumb"}, "signal_type", "thumb", kinds_of_signal),
        Broken("signal", {"sentiment": "positive"}, "sentiment", "positive", "POSITIVE.*NEGATIVE"),
        Broken("signal", {"sentiment": 1}, "sentiment", "1", "POSITIVE.*NEGATIVE"),
        *(
            Broken("event", {"attachments": [attachment]}, key, given, allowed)
            for attachment, key, given, allowed in (
                ("a picture", "attachments", "text", DICT),
                ({"type": "text"}, "value", MISSING, "value"),
                ({"type": "text", "value": ""}, "value", BLANK, "(length|at least|text)"),
                ({"type": "text", "value": 5}, "value", "5", TEXT),
                ({"type": "video", "value": "v"}, "type", "video", "code.*text.*image.*iframe"),
                ({"value": "v", "role": "system"}, "role", "system", "input.*output.*context"),
                ({"value": "v", "name": 5}, "name", "5", TEXT),
                ({"value": "v", "language": 5}, "language", "5", TEXT),
                ({"value": "v", "attachment_id": 5}, "attachment_id", "5", TEXT),
                ({"value": "v", "valeu": "v"}, "valeu", "unknown", "did you mean 'value'"),
            )
        ),
    ]


def _wrong_together() -> list[Broken]:
    near = {
        "ai": ("outptu", "output"),
        "event": ("propertes", "properties"),
        "begin": ("convoid", "convo_id"),
        "update": ("modle", "model"),
        "finish": ("outputs", "output"),
        "signal": ("sentimant", "sentiment"),
        "identify": ("trait", "traits"),
        "span": ("duration", "duration_ms"),
    }
    return [
        *(
            Broken(kind, {typo: "x"}, typo, "unknown", f"did you mean '{right}'")
            for kind, (typo, right) in near.items()
        ),
        *(Broken(kind, {"zebra": 1}, "zebra", "unknown", f"{kind} knows .*") for kind in GOOD),
        Broken("event", {"input": "q"}, "input", "unknown", "ai"),
        Broken("begin", {"output": "a"}, "output", "unknown", "finish"),
        Broken("signal", {"user_id": "u"}, "user_id", "unknown", "identify"),
        Broken("signal", {"signal_type": "feedback"}, "comment", MISSING, "text"),
        Broken("signal", {"signal_type": "feedback", "comment": " "}, "comment", f"{MISSING}|{BLANK}", "text"),
        Broken("signal", {"signal_type": "feedback", "after": "x"}, "comment", MISSING, "text"),
        Broken("signal", {"signal_type": "edit"}, "after", MISSING, "text"),
        Broken("signal", {"signal_type": "edit", "after": ""}, "after", f"{MISSING}|{BLANK}", "text"),
        *(
            Broken("span", {key: value}, key, "tool", "llm")
            for key, value in (
                ("provider", "openai"),
                ("messages", [{"role": "user", "content": "hi"}]),
                ("input_tokens", 1),
                ("output_tokens", 1),
                ("tools", []),
            )
        ),
    ]


TABLE = [*_required(), *_wrong_types(), *_wrong_values(), *_wrong_together()]


@pytest.mark.parametrize("broken", TABLE, ids=[row.title for row in TABLE])
def test_a_broken_block_is_counted_and_named_once(broken: Broken, recorder: Recorder) -> None:
    """Whatever is wrong in a block, the neighbours arrive, one record is counted, and one line names the key."""
    handler = attach(recorder.endpoint)
    heard = diagnostics()

    say({"type": "event", "user_id": "before", "event": "good"})
    say(broken.block)
    say({"type": "event", "user_id": "after", "event": "good"})

    assert handler.flush(PATIENCE)
    stats = handler.stats()
    handler.shutdown(PATIENCE)
    assert [item["user_id"] for item in recorder.items("events/track")] == ["before", "after"]
    assert stats.dropped == {"invalid": 1}
    assert (stats.accepted, stats.delivered, stats.refused, stats.waiting) == (3, 2, 0, 0)
    [line] = [line for line in heard.lines if "invalid" in line]
    assert broken.key in line
    assert re.search(broken.given, line)
    assert re.search(broken.allowed, line, re.DOTALL)


UNDECIDED: dict[str, tuple[Any, str, str]] = {
    "an empty block": ({}, "type", "ai.*event.*begin.*update.*finish.*signal.*identify.*span"),
    "no key decides": ({"user_id": "u", "event": "chat"}, "type", "ai.*event"),
    "kind and traits disagree": ({"kind": "tool", "name": "t", "user_id": "u", "traits": {}}, "type", "kind.*traits"),
    "traits and input disagree": ({"user_id": "u", "traits": {}, "input": "q"}, "type", "traits.*input|input.*traits"),
    "an unknown type": ({"type": "evnt", "user_id": "u", "event": "e"}, "type", "evnt.*ai.*event"),
    "a type that is no text": ({"type": 5, "user_id": "u", "event": "e"}, "type", "5.*ai.*event"),
    "a blank type": ({"type": "", "user_id": "u", "event": "e"}, "type", "ai.*event"),
    "a type in capitals": ({"type": "AI", "user_id": "u", "event": "e", "input": "q"}, "type", "AI.*ai.*event"),
    "a text": ("user u1 clicked", "str", "dict"),
    "a list": ([{"type": "event"}], "list", "dict"),
    "a number": (7, "int", "dict"),
    "a truth value": (True, "bool", "dict"),
    "keys that are no text": ({1: "one", "type": "event", "user_id": "u", "event": "e"}, "key", "unknown key '1'"),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_a_block_of_no_kind_is_counted_and_named_once(name: str, recorder: Recorder) -> None:
    """A block whose type nothing decides, or that is no dict, is one invalid record, and the line says the way out."""
    block, key, allowed = UNDECIDED[name]
    handler = attach(recorder.endpoint)
    heard = diagnostics()

    say(block)
    say({"type": "event", "user_id": "after", "event": "good"})

    assert handler.flush(PATIENCE)
    stats = handler.stats()
    handler.shutdown(PATIENCE)
    assert [item["user_id"] for item in recorder.items("events/track")] == ["after"]
    assert stats.dropped == {"invalid": 1}
    [line] = [line for line in heard.lines if "invalid" in line]
    assert key in line
    assert re.search(allowed, line, re.DOTALL)


@pytest.mark.parametrize("debug", [False, True])
def test_debug_says_where_the_record_was_logged(debug: bool, recorder: Recorder) -> None:
    """With `debug: true` the line ends the search: it says the file and line of the log call."""
    handler = attach(recorder.endpoint, debug=debug)
    heard = diagnostics()

    log.info("ai", extra={"raindrop": {"user_id": "u", "event": "chat", "inptu": "q"}})
    here = _line_of_caller() - 1

    handler.flush(PATIENCE)
    handler.shutdown(PATIENCE)
    [line] = [line for line in heard.lines if "invalid" in line]
    assert (f"{__file__}:{here}" in line) is debug


def test_many_broken_blocks_make_one_line_with_a_count(recorder: Recorder) -> None:
    """A service that says the same nonsense a hundred times is told at most twice: at once, and in sum at the end."""
    handler = attach(recorder.endpoint)
    heard = diagnostics()

    for _ in range(100):
        say({"type": "event", "user_id": "u"})

    handler.flush(PATIENCE)
    assert handler.stats().dropped == {"invalid": 100}
    handler.shutdown(PATIENCE)
    lines = [line for line in heard.lines if "invalid" in line]
    assert 1 <= len(lines) <= 2
    assert sum(int(match[1]) for line in lines if (match := re.search(r"(\d+) records?", line))) == 100


def test_the_line_does_not_repeat_what_users_said(recorder: Recorder) -> None:
    """A refused block may hold private words; the line says their kind and length, never the words."""
    handler = attach(recorder.endpoint, debug=True)
    heard = diagnostics()

    say(
        {
            "type": "ai",
            "user_id": "jane@example.com",
            "event": "chat",
            "input": "my pin is 4711",
            "properties": "secret",
        }
    )

    handler.flush(PATIENCE)
    handler.shutdown(PATIENCE)
    told = "\n".join(heard.lines)
    assert "properties" in told
    assert not re.search("jane@example.com|4711|secret", told)


def test_the_packages_own_line_is_never_captured(recorder: Recorder) -> None:
    """A diagnostic that carried a block would feed itself; the package's own records never become events."""
    handler = attach(recorder.endpoint)

    logging.getLogger("raindrop_logging").warning("ai", extra={"raindrop": GOOD["ai"]})
    logging.getLogger("raindrop_logging.inner").warning("ai", extra={"raindrop": GOOD["ai"]})
    logging.getLogger("httpx").warning("ai", extra={"raindrop": GOOD["ai"]})
    logging.getLogger("httpcore.connection").warning("ai", extra={"raindrop": GOOD["ai"]})
    say({"type": "event", "user_id": "u", "event": "good"})

    assert handler.flush(PATIENCE)
    assert [item["event"] for item in recorder.items("events/track")] == ["good"]
    assert handler.stats().accepted == 1


def _line_of_caller() -> int:
    import inspect

    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno
