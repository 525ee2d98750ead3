"""Cases of interactions: short ones, long ones, late records, and the order between them."""

from __future__ import annotations

from tests.wire.expect import (
    BATCHED,
    CONTEXT,
    EAGER,
    MINTED,
    QUICK,
    THREE_FOUR_FIVE,
    Arrived,
    Case,
    Sent,
    event,
    signal,
    slow,
)
from tests.wire.matching import HEX32, UUID
from tests.wire.recorder import Answer

# ---- interactions ---------------------------------------------------------------------------------------------------

BEGIN_FINISH = Case(
    name="begin_finish",
    says=[
        {
            "type": "begin",
            "event_id": "evt-i-1",
            "user_id": "u1",
            "event": "chat",
            "input": "q1",
            "model": "gpt-1",
            "convo_id": "c1",
            "properties": {"a": 1},
        },
        {"type": "update", "event_id": "evt-i-1", "input": "q2", "model": "gpt-2", "properties": {"b": 2}},
        {"type": "update", "event_id": "evt-i-1", "properties": {"c": {"d": 1}}},
        {"type": "update", "event_id": "evt-i-1", "attachments": [{"type": "text", "value": "A1"}]},
        {"type": "update", "event_id": "evt-i-1", "attachments": [{"type": "text", "value": "A2"}]},
        {"type": "finish", "event_id": "evt-i-1", "output": "ans", "properties": {"e": 5}},
    ],
    sends=[
        Sent(
            "events/track",
            [
                event(
                    "u1",
                    "chat",
                    event_id="evt-i-1",
                    ai_data={"model": "gpt-2", "input": "q2", "output": "ans", "convo_id": "c1"},
                    properties={"a": 1, "b": 2, "c": {"d": 1}, "e": 5},
                    attachments=[{"type": "text", "value": "A1"}, {"type": "text", "value": "A2"}],
                )
            ],
        )
    ],
)


BEGIN_SLOW_FINISH = Case(
    name="begin_slow_finish",
    says=[
        {
            "type": "begin",
            "event_id": "evt-slow",
            "user_id": "u1",
            "event": "chat",
            "input": "q",
            "model": "gpt",
            "convo_id": "c1",
            "properties": {"a": 1},
            "timestamp": "2026-01-02T03:04:05Z",
        },
        Arrived(1),
        {"type": "update", "event_id": "evt-slow", "properties": {"b": 2}},
        Arrived(2),
        {"type": "update", "event_id": "evt-slow", "attachments": [{"type": "text", "value": "A1"}]},
        Arrived(3),
        {"type": "finish", "event_id": "evt-slow", "output": "ans"},
        Arrived(4),
        {"type": "update", "event_id": "evt-slow", "properties": {"late": True}},
    ],
    sends=[
        Sent(
            "events/track_partial",
            slow(pending=True, ai_data={"model": "gpt", "input": "q", "convo_id": "c1"}, properties={"a": 1}),
        ),
        Sent("events/track_partial", slow(pending=True, ai_data={"convo_id": "c1"}, properties={"b": 2})),
        Sent(
            "events/track_partial",
            slow(
                pending=True,
                ai_data={"convo_id": "c1"},
                attachments=[{"type": "text", "value": "A1", "attachment_id": UUID}],
            ),
        ),
        Sent(
            "events/track_partial",
            slow(
                pending=False,
                ai_data={"model": "gpt", "input": "q", "output": "ans", "convo_id": "c1"},
                properties={"a": 1, "b": 2},
            ),
        ),
        Sent(
            "events/track_partial",
            slow(pending=False, ai_data={"convo_id": "c1"}, properties={"late": True}),
        ),
    ],
    settings=EAGER,
)

ATTACHMENTS_REPLACE = Case(
    name="attachments_replace",
    says=[
        {
            "type": "begin",
            "event_id": "att",
            "user_id": "u",
            "event": "e",
            "input": "q",
            "attachments": [{"type": "text", "value": "A0"}],
        },
        {"type": "update", "event_id": "att", "attachments": [{"type": "text", "value": "A1"}]},
        {"type": "update", "event_id": "att", "attachments": [{"type": "text", "value": "A2"}]},
        {"type": "finish", "event_id": "att", "output": "o"},
    ],
    sends=[
        Sent(
            "events/track",
            [
                event(
                    "u",
                    "e",
                    event_id="att",
                    ai_data={"input": "q", "output": "o"},
                    attachments=[{"type": "text", "value": f"A{i}"} for i in range(3)],
                )
            ],
        )
    ],
)

BEGIN_LONG_NO_FLUSH = Case(
    name="begin_long_no_flush",
    says=[
        {"type": "begin", "event_id": "evt-busy", "user_id": "u1", "event": "chat", "input": "q"},
        Arrived(1),
        {"type": "update", "event_id": "evt-busy", "properties": {"i": 6}},
        Arrived(2),
        {"type": "update", "event_id": "evt-busy", "properties": {"i": 7}},
        Arrived(3),
        {"type": "finish", "event_id": "evt-busy", "output": "x"},
    ],
    sends=[
        Sent("events/track_partial", event("u1", "chat", event_id="evt-busy", ai_data={"input": "q"}, is_pending=True)),
        Sent(
            "events/track_partial",
            event("u1", "chat", event_id="evt-busy", traced=True, properties={"i": 6}, is_pending=True),
        ),
        Sent(
            "events/track_partial",
            event("u1", "chat", event_id="evt-busy", traced=True, properties={"i": 7}, is_pending=True),
        ),
        Sent(
            "events/track_partial",
            event(
                "u1",
                "chat",
                event_id="evt-busy",
                ai_data={"input": "q", "output": "x"},
                properties={"i": 7},
                is_pending=False,
            ),
        ),
    ],
    settings=EAGER,
    pairs=[(0, 0), (None, 1), (None, 2), (1, 3)],
)

FINISH_SLOW_NO_OUTPUT = Case(
    name="finish_slow_no_output",
    says=[
        {"type": "begin", "event_id": "evt-noout", "user_id": "u1", "event": "chat", "input": "q"},
        Arrived(1),
        {"type": "finish", "event_id": "evt-noout", "properties": {"closed": "by timeout"}},
    ],
    sends=[
        Sent(
            "events/track_partial",
            event("u1", "chat", event_id="evt-noout", ai_data={"input": "q"}, is_pending=True),
        ),
        Sent(
            "events/track_partial",
            event(
                "u1",
                "chat",
                event_id="evt-noout",
                ai_data={"input": "q"},
                properties={"closed": "by timeout"},
                is_pending=False,
            ),
        ),
    ],
    settings=EAGER,
    pairs=[(0, 0), (None, 1)],
)

FINISH_VARIANTS = Case(
    name="finish_variants",
    says=[
        {"type": "begin", "event_id": "dbl", "user_id": "u", "event": "e", "input": "q"},
        {"type": "finish", "event_id": "dbl", "output": "1"},
        {
            "type": "finish",
            "event_id": "unk",
            "user_id": "u",
            "event": "e",
            "model": "m",
            "input": "q",
            "output": "o",
            "convo_id": "c",
            "timestamp": "2026-01-02T03:04:05Z",
        },
        {
            "type": "begin",
            "event_id": "attonly",
            "user_id": "u",
            "event": "e",
            "attachments": [{"type": "text", "value": "A"}],
        },
        {"type": "finish", "event_id": "attonly"},
        {"type": "begin", "event_id": "user-late", "user_id": "u1", "event": "e1", "input": "q"},
        {"type": "update", "event_id": "user-late", "user_id": "u2", "event": "e2"},
        {"type": "finish", "event_id": "user-late", "output": "o"},
        {"type": "begin", "event_id": "dupe", "user_id": "u1", "event": "e1", "input": "first"},
        {"type": "begin", "event_id": "dupe", "user_id": "u2", "event": "e2"},
        {"type": "finish", "event_id": "dupe", "output": "second"},
        {"type": "finish", "event_id": "dbl", "output": "2"},
        {"type": "begin", "event_id": "bp2", "user_id": "u", "event": "e", "input": "q"},
        {"type": "update", "event_id": "bp2", "properties": "notadict"},
        {"type": "begin", "event_id": "bp3", "user_id": "u", "event": "e", "input": "q"},
        {"type": "update", "event_id": "bp3", "input": 5},
        {"type": "begin", "event_id": "noneprop", "user_id": "u", "event": "e", "input": "q"},
        {"type": "update", "event_id": "noneprop", "properties": {"k": None}},
    ],
    sends=[
        Sent(
            "events/track",
            [
                event("u", "e", event_id="dbl", ai_data={"input": "q", "output": "1"}),
                event("u2", "e2", event_id="user-late", ai_data={"input": "q", "output": "o"}),
                event("u2", "e2", event_id="dupe", ai_data={"input": "first", "output": "second"}),
            ],
        ),
        Sent(
            "events/track_partial",
            event(
                "u",
                "e",
                event_id="unk",
                ai_data={"model": "m", "input": "q", "output": "o", "convo_id": "c"},
                timestamp=THREE_FOUR_FIVE,
                is_pending=False,
            ),
        ),
        Sent(
            "events/track_partial",
            event(
                "u",
                "e",
                event_id="attonly",
                traced=True,
                attachments=[{"type": "text", "value": "A", "attachment_id": UUID}],
                is_pending=False,
            ),
        ),
        Sent("events/track_partial", event("u", "e", event_id="dbl", ai_data={"output": "2"}, is_pending=False)),
        Sent("events/track_partial", event("u", "e", event_id="bp2", ai_data={"input": "q"}, is_pending=True)),
        Sent("events/track_partial", event("u", "e", event_id="bp3", ai_data={"input": "q"}, is_pending=True)),
        Sent(
            "events/track_partial",
            event("u", "e", event_id="noneprop", ai_data={"input": "q"}, properties={"k": None}, is_pending=True),
        ),
    ],
    pairs=[(0, 0), (1, 5), (2, 3), (3, None), (4, 4), (5, 1), (6, 2), (7, 6), (8, 7), (9, 8)],
    unordered=True,
)

PROJECT_OK = Case(
    name="project_ok",
    says=[
        {"type": "event", "user_id": "u", "event": "e"},
        {"user_id": "u", "event": "e", "input": "i"},
        {"type": "begin", "event_id": MINTED[0], "user_id": "u", "event": "e", "input": "q"},
        {"type": "finish", "event_id": MINTED[0], "output": "o"},
    ],
    sends=[
        Sent(
            "events/track",
            [
                event("u", "e"),
                event("u", "e", ai_data={"input": "i"}),
                event("u", "e", event_id=MINTED[0], ai_data={"input": "q", "output": "o"}),
            ],
        )
    ],
    settings={**BATCHED, "project_id": "my-proj"},
)


# ---- order and late records -----------------------------------------------------------------------------------------

ORDER_SIGNAL_BEFORE_EVENT = Case(
    name="order_signal_before_event",
    says=[
        {"type": "begin", "event_id": "evt-o", "user_id": "u", "event": "e", "input": "q"},
        {"type": "signal", "event_id": "evt-o", "name": "thumbs_up"},
        {"event_id": "x", "user_id": "u", "event": "e", "input": "x"},
        {"user_id": "u", "traits": {"a": 1}},
        {"type": "finish", "event_id": "evt-o", "output": "o"},
    ],
    sends=[
        Sent(
            "events/track",
            [
                event("u", "e", event_id="x", ai_data={"input": "x"}),
                event("u", "e", event_id="evt-o", ai_data={"input": "q", "output": "o"}),
            ],
        ),
        Sent("signals/track", [signal("thumbs_up", event_id="evt-o")]),
        Sent("users/identify", {"user_id": "u", "traits": {"a": 1}}),
    ],
    pairs=[(0, 2), (1, 0), (2, 3), (3, 1)],
)

OUT_OF_ORDER = Case(
    name="out_of_order",
    says=[
        {"type": "begin", "event_id": "evt-ooo", "user_id": "u", "event": "e", "input": "q"},
        Arrived(1),
        {"type": "finish", "event_id": "evt-ooo", "output": "o"},
    ],
    sends=[
        *[Sent("events/track_partial", event("u", "e", event_id="evt-ooo", ai_data={"input": "q"}, is_pending=True))]
        * 2,
        Sent(
            "events/track_partial",
            event("u", "e", event_id="evt-ooo", ai_data={"input": "q", "output": "o"}, is_pending=False),
        ),
    ],
    settings={**EAGER, **QUICK},
    answers=[Answer(500)],
    pairs=[(0, 0), (None, 1), (1, 2), (2, None)],
)

FLUSH_DOES_NOT_SEND_OPEN = Case(
    name="flush_does_not_send_open",
    says=[{"type": "begin", "event_id": "open", "user_id": "u", "event": "e", "input": "q"}],
    sends=[Sent("events/track_partial", event("u", "e", event_id="open", ai_data={"input": "q"}, is_pending=True))],
)

RESUME = Case(
    name="resume",
    says=[
        {"type": "begin", "event_id": "evt-r", "user_id": "u1", "event": "chat", "input": "q"},
        {"type": "finish", "event_id": "evt-r", "output": "a"},
        {"type": "finish", "event_id": "evt-unknown", "output": "orphan", "properties": {"x": 1}},
    ],
    sends=[
        Sent("events/track", [event("u1", "chat", event_id="evt-r", ai_data={"input": "q", "output": "a"})]),
        Sent(
            "events/track_partial",
            {
                "event_id": "evt-unknown",
                "ai_data": {"output": "orphan"},
                "properties": {"x": 1, "trace_id": HEX32, **CONTEXT},
                "is_pending": False,
            },
        ),
    ],
    pairs=[(0, 0), (1, 1), (2, None)],
)

PARTIAL_NOT_BATCHED = Case(
    name="partial_not_batched",
    says=[
        {"type": step, "event_id": f"p{i}", "user_id": "u", "event": "e", **more}
        for i in range(20)
        for step, more in (("begin", {"input": "q"}), ("finish", {"output": "o"}))
    ],
    sends=[
        Sent(
            "events/track",
            [event("u", "e", event_id=f"p{i}", ai_data={"input": "q", "output": "o"}) for i in range(20)],
        )
    ],
)

CASES = (
    BEGIN_FINISH,
    BEGIN_SLOW_FINISH,
    ATTACHMENTS_REPLACE,
    BEGIN_LONG_NO_FLUSH,
    FINISH_SLOW_NO_OUTPUT,
    FINISH_VARIANTS,
    PROJECT_OK,
    ORDER_SIGNAL_BEFORE_EVENT,
    OUT_OF_ORDER,
    FLUSH_DOES_NOT_SEND_OPEN,
    RESUME,
    PARTIAL_NOT_BATCHED,
)
