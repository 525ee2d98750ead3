"""Cases of complete events, signals and users, and of values that JSON or a careless caller makes hard."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from tests.wire.expect import BATCHED, MARKER, MINTED, THREE_FOUR_FIVE, Case, Said, Sent, event, signal
from tests.wire.harness import say
from tests.wire.matching import Like, Long

# ---- complete events ------------------------------------------------------------------------------------------------

TRACK_MIN = Case(
    name="track_min",
    says=[{"type": "event", "user_id": "u1", "event": "page_view"}],
    sends=[Sent("events/track", [event("u1", "page_view")])],
)

TRACK_FULL = Case(
    name="track_full",
    says=[
        {
            "type": "event",
            "event_id": "evt-fixed",
            "user_id": "u1",
            "event": "page_view",
            "properties": {
                "n": 1,
                "f": 1.5,
                "b": True,
                "nil": None,
                "nested": {"a": [1, "x"]},
                "when": datetime(2026, 1, 2),  # noqa: DTZ001 - a value without a zone is the point
            },
            "timestamp": "2026-01-02T03:04:05.678901+05:30",
            "attachments": [
                {"type": "code", "value": "print(1)", "name": "n", "role": "input", "language": "python"},
                {"type": "image", "value": "http://x/y.png"},
            ],
        },
        {"type": "event", "user_id": "u1", "event": "e2", "timestamp": "2026-01-02T03:04:05"},
        {"type": "event", "user_id": "u1", "event": "e3", "timestamp": "2026-01-02T03:04:05Z"},
        {"type": "event", "user_id": "u1", "event": "e4", "timestamp": 1767323045},
        {
            "type": "event",
            "user_id": "u1",
            "event": "e5",
            "timestamp": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        },
    ],
    sends=[
        Sent(
            "events/track",
            [
                event(
                    "u1",
                    "page_view",
                    event_id="evt-fixed",
                    properties={
                        "n": 1,
                        "f": 1.5,
                        "b": True,
                        "nil": None,
                        "nested": {"a": [1, "x"]},
                        "when": "2026-01-02T00:00:00",
                    },
                    timestamp="2026-01-01T21:34:05.678901Z",
                    attachments=[
                        {"type": "code", "value": "print(1)", "name": "n", "role": "input", "language": "python"},
                        {"type": "image", "value": "http://x/y.png"},
                    ],
                ),
                event("u1", "e2", timestamp=THREE_FOUR_FIVE),
                event("u1", "e3", timestamp=THREE_FOUR_FIVE),
                event("u1", "e4", timestamp=THREE_FOUR_FIVE),
                event("u1", "e5", timestamp="2026-01-02T03:04:05.678901Z"),
            ],
        )
    ],
)

TRACK_AI_FULL = Case(
    name="track_ai_full",
    says=[
        {
            "type": "ai",
            "event_id": "evt-ai-1",
            "user_id": "u1",
            "event": "chat",
            "model": "gpt-4o",
            "input": "hi",
            "output": "hello",
            "convo_id": "c1",
            "properties": {"ai.usage.prompt_tokens": 3, "k": "v"},
            "timestamp": "2026-01-02T03:04:05Z",
            "attachments": [
                {"type": "text", "value": "ctx", "role": "context"},
                {"type": "iframe", "value": "http://x", "role": "output"},
            ],
        },
        Said("ai", {"user_id": "u1", "event": "chat", "input": "only in"}),
        {"user_id": "u1", "event": "chat", "output": "only out"},
    ],
    sends=[
        Sent(
            "events/track",
            [
                event(
                    "u1",
                    "chat",
                    event_id="evt-ai-1",
                    ai_data={"model": "gpt-4o", "input": "hi", "output": "hello", "convo_id": "c1"},
                    properties={"ai.usage.prompt_tokens": 3, "k": "v", "raindrop.wizardSession": "wiz-1"},
                    timestamp=THREE_FOUR_FIVE,
                    attachments=[
                        {"type": "text", "value": "ctx", "role": "context"},
                        {"type": "iframe", "value": "http://x", "role": "output"},
                    ],
                ),
                event("u1", "chat", ai_data={"input": "only in"}, properties={"raindrop.wizardSession": "wiz-1"}),
                event("u1", "chat", ai_data={"output": "only out"}, properties={"raindrop.wizardSession": "wiz-1"}),
            ],
        )
    ],
    settings={**BATCHED, "project_id": "my-proj", "wizard_session": "wiz-1"},
)

FEATURE_FLAGS = Case(
    name="feature_flags",
    says=[
        {"type": "event", "user_id": "u", "event": "e", "feature_flags": {"new_prompt": "b"}},
        {"type": "event", "user_id": "u", "event": "e", "feature_flags": {}},
    ],
    sends=[Sent("events/track", [event("u", "e", feature_flags={"new_prompt": "b"}), event("u", "e")])],
    compared=False,
)

ATTACHMENT_ID = Case(
    name="attachment_id",
    says=[
        {
            "user_id": "u",
            "event": "e",
            "input": "x",
            "attachments": [
                {"type": "text", "value": "v", "attachment_id": "11111111-2222-4333-8444-555555555555"},
            ],
        }
    ],
    sends=[
        Sent(
            "events/track",
            [
                event(
                    "u",
                    "e",
                    ai_data={"input": "x"},
                    attachments=[
                        {"type": "text", "value": "v", "attachment_id": "11111111-2222-4333-8444-555555555555"}
                    ],
                )
            ],
        )
    ],
)

BATCHING = Case(
    name="batching",
    says=[
        *({"user_id": "u", "event": "e", "input": str(i)} for i in range(23)),
        *({"type": "event", "user_id": "u", "event": "plain"} for _ in range(2)),
        *({"type": "signal", "event_id": "e", "name": "s"} for _ in range(3)),
        {"user_id": "u", "traits": {}},
    ],
    sends=[
        Sent(
            "events/track",
            [
                *(event("u", "e", ai_data={"input": str(i)}) for i in range(23)),
                *(event("u", "plain") for _ in range(2)),
            ],
        ),
        Sent("signals/track", [signal("s", event_id="e")] * 3),
        Sent("users/identify", {"user_id": "u", "traits": {}}),
    ],
)


# ---- signals and users ----------------------------------------------------------------------------------------------

SIGNALS = Case(
    name="signals",
    says=[
        {"type": "signal", "event_id": "evt1", "name": "thumbs_up"},
        {
            "type": "signal",
            "event_id": "evt1",
            "name": "thumbs_up",
            "sentiment": "POSITIVE",
            "timestamp": "2026-01-02T03:04:05.5Z",
            "properties": {"x": 1},
            "attachment_id": "att-1",
        },
        {
            "type": "signal",
            "event_id": "evt1",
            "name": "thumbs_down",
            "signal_type": "feedback",
            "comment": "bad",
            "sentiment": "NEGATIVE",
        },
        {
            "type": "signal",
            "event_id": "evt1",
            "name": "thumbs_down",
            "signal_type": "feedback",
            "comment": "arg",
            "properties": {"comment": "property"},
        },
        {"type": "signal", "event_id": "evt1", "name": "edited", "signal_type": "edit", "after": "new text"},
        {"type": "signal", "event_id": "evt1", "name": "x"},
    ],
    sends=[
        Sent(
            "signals/track",
            [
                signal("thumbs_up"),
                signal(
                    "thumbs_up",
                    sentiment="POSITIVE",
                    timestamp="2026-01-02T03:04:05.500000Z",
                    properties={"x": 1},
                    attachment_id="att-1",
                ),
                signal("thumbs_down", signal_type="feedback", sentiment="NEGATIVE", properties={"comment": "bad"}),
                signal("thumbs_down", signal_type="feedback", properties={"comment": "arg"}),
                signal("edited", signal_type="edit", properties={"after": "new text"}),
                signal("x"),
            ],
        )
    ],
)

SIGNAL_TYPES = Case(
    name="signal_types",
    says=[
        {"type": "signal", "event_id": "evt1", "name": "s", "signal_type": kind}
        for kind in ("default", "standard", "agent", "agent_internal")
    ],
    sends=[
        Sent(
            "signals/track",
            [signal("s", signal_type=kind) for kind in ("default", "standard", "agent", "agent_internal")],
        )
    ],
    compared=False,
)

IDENTIFY = Case(
    name="identify",
    says=[
        {"user_id": "u1", "traits": {"name": "Jane", "age": 3, "paid": True, "r": 1.5}},
        {"user_id": "u2", "traits": {}},
    ],
    sends=[
        Sent("users/identify", {"user_id": "u1", "traits": {"name": "Jane", "age": 3, "paid": True, "r": 1.5}}),
        Sent("users/identify", {"user_id": "u2", "traits": {}}),
    ],
    unordered=True,
)


# ---- values that JSON or a careless caller makes hard ---------------------------------------------------------------


def _mutate_after() -> None:
    properties: dict[str, Any] = {"a": 1, "n": {"x": 1}}
    say({"type": "event", "user_id": "u", "event": "e", "properties": properties})
    say({"type": "begin", "event_id": "mut", "user_id": "u", "event": "e", "input": "q", "properties": properties})
    properties["a"] = 2
    properties["n"]["x"] = 2
    say({"type": "finish", "event_id": "mut", "output": "o"})


MUTATE_AFTER = Case(
    name="mutate_after",
    says=[_mutate_after],
    sends=[
        Sent(
            "events/track",
            [
                event("u", "e", properties={"a": 1, "n": {"x": 1}}),
                event(
                    "u",
                    "e",
                    event_id="mut",
                    ai_data={"input": "q", "output": "o"},
                    properties={"a": 1, "n": {"x": 1}},
                ),
            ],
        )
    ],
)


def _race() -> None:
    say({"type": "begin", "event_id": "race", "user_id": "u", "event": "e", "input": "q"})
    threads = [threading.Thread(target=_set_fifty, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say({"type": "finish", "event_id": "race", "output": "o"})


def _set_fifty(thread: int) -> None:
    for i in range(50):
        say({"type": "update", "event_id": "race", "properties": {f"k{thread}_{i}": i}})


RACE_PROPS = Case(
    name="race_props",
    says=[_race],
    sends=[
        Sent(
            "events/track",
            [
                event(
                    "u",
                    "e",
                    event_id="race",
                    ai_data={"input": "q", "output": "o"},
                    properties={f"k{thread}_{i}": i for thread in range(8) for i in range(50)},
                )
            ],
        )
    ],
)

TRACK_INVALID = Case(
    name="track_invalid",
    says=[
        {
            "type": "event",
            "user_id": "u",
            "event": "e-nan",
            "properties": {"x": float("nan"), "i": float("inf")},
        },
        {"type": "event", "user_id": "u", "event": "e-bytes", "properties": {"x": b"ab"}},
        {"type": "event", "user_id": "u", "event": "e-surr", "properties": {"x": "\ud800"}},
    ],
    sends=[
        Sent(
            "events/track",
            [
                event("u", "e-nan", properties={"x": None, "i": None}),
                event("u", "e-bytes", properties={"x": "ab"}),
                event("u", "e-surr", properties={"x": Like("\ufffd+")}),
            ],
        )
    ],
)

POISON_IDENTIFY = Case(
    name="poison_identify",
    says=[
        {"type": "event", "user_id": "u", "event": "warm"},
        {"user_id": "u", "event": "ai-behind", "input": "x"},
        {"user_id": "u", "traits": {"bad": object()}},
    ],
    sends=[
        Sent("events/track", [event("u", "warm"), event("u", "ai-behind", ai_data={"input": "x"})]),
        Sent("users/identify", {"user_id": "u", "traits": {"bad": Like("<object object at 0x[0-9a-f]+>")}}),
    ],
    pairs=[(0, 0), (1, 1), (None, 2)],
)

BIG_EVENT = Case(
    name="big_event",
    says=[
        {"event_id": "in1.2M", "user_id": "u", "event": "e", "input": "x" * 1_200_000},
        {"event_id": "in+out", "user_id": "u", "event": "e", "input": "x" * 1_000_000, "output": "y" * 100_000},
        {"event_id": "in0.9M", "user_id": "u", "event": "e", "input": "x" * 900_000},
        {"event_id": "cjk", "user_id": "u", "event": "e", "input": "\u4e2d" * 400_000},
        {"event_id": "emoji", "user_id": "u", "event": "e", "input": "\U0001f60a" * 200_000},
        {"type": "event", "event_id": "prop", "user_id": "u", "event": "e", "properties": {"p": "x" * 1_100_000}},
        {"type": "begin", "event_id": "okpartial", "user_id": "u", "event": "e", "input": "x" * 1_200_000},
        {"type": "finish", "event_id": "okpartial"},
        {"type": "signal", "event_id": "evt1", "name": "s", "signal_type": "feedback", "comment": "x" * 1_100_000},
        {"user_id": "u", "traits": {"p": "x" * 3_000_000}},
    ],
    sends=[
        *(
            Sent("events/track", [event("u", "e", event_id=event_id, ai_data=ai_data)])
            for event_id, ai_data in (
                ("in1.2M", {"input": Long(1_000_000, "xxx", f"xxx{MARKER}")}),
                ("in+out", {"input": Like(rf"x{{900000,}}{Like.quoted(MARKER)}"), "output": "y" * 100_000}),
                ("in0.9M", {"input": "x" * 900_000}),
                ("cjk", {"input": Like(rf"\u4e2d{{330000,}}{Like.quoted(MARKER)}")}),
                ("emoji", {"input": "\U0001f60a" * 200_000}),
            )
        ),
        Sent("events/track", [event("u", "e", event_id="prop", properties={"p": Long(1_000_000, "xxx", MARKER)})]),
        Sent(
            "events/track",
            [event("u", "e", event_id="okpartial", ai_data={"input": Long(1_000_000, "xxx", f"xxx{MARKER}")})],
        ),
        Sent(
            "signals/track",
            [signal("s", signal_type="feedback", properties={"comment": Long(1_000_000, "xxx", MARKER)})],
        ),
        Sent("users/identify", {"user_id": "u", "traits": {"p": Long(1_000_000, "xxx", MARKER)}}),
    ],
    pairs=[(0, 0), (None, 1), (1, 2), (None, 3), (None, 4), (None, 5), (3, 6), (None, 7), (2, 8)],
    unordered=True,
)

BATCH_TOTAL = Case(
    name="batch_total",
    says=[{"event_id": MINTED[i], "user_id": "u", "event": "e", "input": "x" * 900_000} for i in range(10)],
    sends=[
        Sent("events/track", [event("u", "e", event_id=MINTED[i], ai_data={"input": "x" * 900_000})]) for i in range(10)
    ],
    unordered=True,
)

CASES = (
    TRACK_MIN,
    TRACK_FULL,
    TRACK_AI_FULL,
    FEATURE_FLAGS,
    ATTACHMENT_ID,
    BATCHING,
    SIGNALS,
    SIGNAL_TYPES,
    IDENTIFY,
    MUTATE_AFTER,
    RACE_PROPS,
    TRACK_INVALID,
    POISON_IDENTIFY,
    BIG_EVENT,
    BATCH_TOTAL,
)
