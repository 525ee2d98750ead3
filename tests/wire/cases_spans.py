"""Cases of spans: what each kind says, and how they come to a server in trouble."""

from __future__ import annotations

from typing import Any

from tests.wire.expect import (
    BATCHED,
    EAGER,
    QUICK,
    STACK,
    Arrived,
    Case,
    Sent,
    about,
    event,
    failed,
    span,
    span_ids,
    spoke,
)
from tests.wire.harness import log
from tests.wire.matching import Json
from tests.wire.recorder import Answer

_ABOUT_S = {"event_id": "evt-s", "user_id": "u1", "event": "chat", "convo_id": "c1"}
_S = {"event_id": "evt-s", "user_id": "u1", "name": "chat", "convo_id": "c1"}
_PROJECT = {"raindrop.project_id": "my-proj"}

SPANS_MANUAL = Case(
    name="spans_manual",
    says=[
        {**_ABOUT_S, "type": "begin", "input": "q"},
        {
            **_ABOUT_S,
            "kind": "task",
            "name": "plan",
            "version": 2,
            "input": {"x": 1},
            "output": {"y": 2},
            "properties": {"k": "v", "n": 1},
        },
        {
            **_ABOUT_S,
            "kind": "tool",
            "name": "search",
            "input": "in",
            "output": "out",
            "error": {"type": "ValueError", "message": "bad thing", "stack": "ValueError: bad thing\n"},
        },
        {**_ABOUT_S, "kind": "tool", "name": "loose", "input": "\u00e9"},
        {**_ABOUT_S, "kind": "task", "name": "noassoc"},
        {
            **_ABOUT_S,
            "kind": "tool",
            "name": "web",
            "version": 1,
            "input": {"q": 1},
            "output": [1, 2],
            "start_time": 1767323045.5,
            "duration_ms": 150.7,
            "properties": {"p": {"z": 1}},
        },
        {
            **_ABOUT_S,
            "kind": "tool",
            "name": "db",
            "input": "q",
            "error": "timeout",
            "start_time": "2026-01-02T03:04:05.500Z",
            "end_time": "2026-01-02T03:04:05.550Z",
        },
        {
            **_ABOUT_S,
            "kind": "tool",
            "name": "db2",
            "error": {"type": "RuntimeError", "message": "boom"},
            "start_time": 1767323045,
            "end_time": 1767323045,
        },
        {"type": "finish", "event_id": "evt-s", "output": "a"},
    ],
    sends=[
        Sent(
            "events/track",
            [event("u1", "chat", event_id="evt-s", ai_data={"input": "q", "output": "a", "convo_id": "c1"})],
        ),
        Sent(
            "traces",
            [
                span(
                    "plan",
                    "task",
                    _PROJECT
                    | about(**_S)
                    | spoke(given={"x": 1}, gave={"y": 2}, tool=False)
                    | {
                        "traceloop.entity.version": 2,
                        "traceloop.association.properties.k": "v",
                        "traceloop.association.properties.n": 1,
                    },
                ),
                span(
                    "search",
                    "tool",
                    _PROJECT | about(**_S) | spoke(given="in", gave="out"),
                    **failed("bad thing", type="ValueError", stacktrace="ValueError: bad thing\n"),
                ),
                span("loose", "tool", _PROJECT | about(**_S) | spoke(given="\u00e9")),
                span("noassoc", "task", _PROJECT | about(**_S)),
                span(
                    "web",
                    "tool",
                    _PROJECT
                    | about(**_S)
                    | spoke(given={"q": 1}, gave=[1, 2])
                    | {
                        "traceloop.entity.version": 1,
                        "traceloop.entity.duration_ms": 151,
                        "traceloop.association.properties.p": Json({"z": 1}),
                    },
                    start=1767323045_500000000,
                    end=1767323045_650700000,
                ),
                span(
                    "db",
                    "tool",
                    _PROJECT | about(**_S) | spoke(given="q") | {"traceloop.entity.duration_ms": 50},
                    start=1767323045_500000000,
                    end=1767323045_550000000,
                    **failed("timeout"),
                ),
                span(
                    "db2",
                    "tool",
                    _PROJECT | about(**_S),
                    start=1767323045_000000000,
                    end=1767323045_000000000,
                    **failed("boom", type="RuntimeError"),
                ),
            ],
        ),
    ],
    settings={**BATCHED, "project_id": "my-proj"},
)

_D = {"event_id": "evt-d", "user_id": "u1", "event": "chat", "convo_id": "c1"}
_E = {"event_id": "evt-e", "user_id": "u2", "event": "chat"}
_ABOUT_D = about("evt-d", "u1", "chat", "c1")
_ABOUT_E = about("evt-e", "u2", "chat")


def _call(*args: Any) -> dict[str, Any]:
    return {"args": list(args), "kwargs": {}}


def _fail(name: str, kind: str, error: Exception, **more: Any) -> None:
    try:
        raise error
    except type(error):
        log.exception("failed", extra={"raindrop": {**_D, "kind": kind, "name": name, **more}})


SPANS_CTX = Case(
    name="spans_ctx",
    says=[
        {**_D, "type": "begin", "input": "hello"},
        {**_D, "kind": "tool", "name": "mytool", "input": _call(1), "output": {"sum": 3}, **span_ids("a3", "a2")},
        {**_D, "kind": "task", "name": "mytask", "input": _call(1), "output": {"sum": 3}, **span_ids("a2", "a1")},
        {**_D, "kind": "tool", "name": "atool", "version": 4, "input": _call(3), "output": [3], **span_ids("a4", "a1")},
        lambda: _fail("badtool", "tool", KeyError("nope"), input=_call(), **span_ids("a5", "a1")),
        {
            **_D,
            "kind": "tool",
            "name": "ctxtool",
            "input": {"i": 1},
            "output": "o",
            "properties": {"late": "v"},
            **span_ids("a6", "a1"),
        },
        {
            **_D,
            "kind": "task",
            "name": "ctxtask",
            "version": 9,
            "input": "i",
            "properties": {"ssp": 1},
            **span_ids("a7", "a1"),
        },
        lambda: _fail("ctxfail", "task", RuntimeError("ctx boom"), **span_ids("a8", "a1")),
        {
            **_D,
            "kind": "workflow",
            "name": "myinteraction",
            "input": _call("hello"),
            "output": "done",
            **span_ids("a1"),
        },
        {"type": "finish", "event_id": "evt-d", "output": "a"},
        {**_E, "type": "begin", "input": "q"},
        {**_E, "kind": "tool", "name": "atool", "version": 4, "input": _call(5), "output": [5], **span_ids("e2", "e1")},
        {**_E, "kind": "workflow", "name": "ainteraction", "input": _call(), "output": 1, **span_ids("e1")},
        {"kind": "tool", "name": "gen", "input": _call()},
        {"kind": "task", "name": "outside"},
        {"type": "finish", "event_id": "evt-e", "output": "z"},
    ],
    sends=[
        Sent(
            "events/track",
            [
                event("u1", "chat", event_id="evt-d", ai_data={"input": "hello", "output": "a", "convo_id": "c1"}),
                event("u2", "chat", event_id="evt-e", ai_data={"input": "q", "output": "z"}),
            ],
        ),
        Sent(
            "traces",
            [
                span("mytool", "tool", _ABOUT_D | spoke(given=_call(1), gave={"sum": 3}), **span_ids("a3", "a2")),
                span(
                    "mytask",
                    "task",
                    _ABOUT_D | spoke(given=_call(1), gave={"sum": 3}, tool=False),
                    **span_ids("a2", "a1"),
                ),
                span(
                    "atool",
                    "tool",
                    _ABOUT_D | spoke(given=_call(3), gave=[3]) | {"traceloop.entity.version": 4},
                    **span_ids("a4", "a1"),
                ),
                span(
                    "badtool",
                    "tool",
                    _ABOUT_D | spoke(given=_call()),
                    **failed("'nope'", type="KeyError", stacktrace=STACK),
                    **span_ids("a5", "a1"),
                ),
                span(
                    "ctxtool",
                    "tool",
                    _ABOUT_D | spoke(given={"i": 1}, gave="o") | {"traceloop.association.properties.late": "v"},
                    **span_ids("a6", "a1"),
                ),
                span(
                    "ctxtask",
                    "task",
                    _ABOUT_D
                    | spoke(given="i", tool=False)
                    | {"traceloop.entity.version": 9, "traceloop.association.properties.ssp": 1},
                    **span_ids("a7", "a1"),
                ),
                span(
                    "ctxfail",
                    "task",
                    _ABOUT_D,
                    **failed("ctx boom", type="RuntimeError", stacktrace=STACK),
                    **span_ids("a8", "a1"),
                ),
                span(
                    "myinteraction",
                    "workflow",
                    _ABOUT_D | spoke(given=_call("hello"), gave="done", tool=False),
                    **span_ids("a1", ""),
                ),
                span(
                    "atool",
                    "tool",
                    _ABOUT_E | spoke(given=_call(5), gave=[5]) | {"traceloop.entity.version": 4},
                    **span_ids("e2", "e1"),
                ),
                span(
                    "ainteraction",
                    "workflow",
                    _ABOUT_E | spoke(given=_call(), gave=1, tool=False),
                    **span_ids("e1", ""),
                ),
                span("gen", "tool", spoke(given=_call())),
                span("outside", "task"),
            ],
        ),
    ],
    pairs=[(0, 0), *((i, i + 1) for i in range(1, 9)), (9, 1), *((i, i) for i in range(10, 14))],
)

_TOOL = {"type": "function", "name": "f", "description": "d", "inputSchema": {"type": "object"}}

_LLM = {"event_id": "evt-llm", "user_id": "u1", "event": "chat", "convo_id": "c1"}

SPANS_LLM_CONTENT = Case(
    name="spans_llm_content",
    says=[
        {**_LLM, "type": "begin", "input": "q"},
        {
            **_LLM,
            "kind": "llm",
            "name": "openai.chat",
            "provider": "openai",
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": "hi"}],
            "output": "yo",
            "input_tokens": 3,
            "output_tokens": 4,
            "tools": [_TOOL],
        },
        {"type": "finish", "event_id": "evt-llm", "output": "a"},
    ],
    sends=[
        Sent(
            "events/track",
            [event("u1", "chat", event_id="evt-llm", ai_data={"input": "q", "output": "a", "convo_id": "c1"})],
        ),
        Sent(
            "traces",
            [
                span(
                    "openai.chat",
                    "llm",
                    about("evt-llm", "u1", "chat", "c1")
                    | {
                        "traceloop.entity.output": "yo",
                        "ai.model.id": "gpt-4o",
                        "ai.model.provider": "openai",
                        "ai.prompt.messages": Json([{"role": "user", "content": "hi"}]),
                        "ai.prompt.tools": [Json(_TOOL)],
                        "ai.response.text": "yo",
                        "gen_ai.system": "openai",
                        "gen_ai.provider.name": "openai",
                        "gen_ai.request.model": "gpt-4o",
                        "gen_ai.response.model": "gpt-4o",
                        "gen_ai.prompt.0.role": "user",
                        "gen_ai.prompt.0.content": "hi",
                        "gen_ai.completion.0.role": "assistant",
                        "gen_ai.completion.0.content": "yo",
                        "gen_ai.usage.input_tokens": 3,
                        "gen_ai.usage.output_tokens": 4,
                    },
                )
            ],
        ),
    ],
    pairs=[(0, 1), (1, 0)],
)

SPANS_500 = Case(
    name="spans_500",
    says=[
        {"type": "begin", "event_id": "evt-500", "user_id": "u", "event": "e", "input": "q"},
        Arrived(1),
        {"kind": "tool", "name": "t", "event_id": "evt-500", "user_id": "u", "event": "e"},
    ],
    sends=[
        Sent("events/track_partial", event("u", "e", event_id="evt-500", ai_data={"input": "q"}, is_pending=True)),
        *[Sent("traces", [span("t", "tool", about("evt-500", "u", "e"))])] * 2,
    ],
    settings={**EAGER, **QUICK},
    answers=[Answer(500, route="traces")],
    pairs=[(0, 1), (1, 0), (None, 2)],
)

SPANS_503 = Case(
    name="spans_503",
    says=[
        {"type": "begin", "event_id": "evt-503", "user_id": "u", "event": "e", "input": "q"},
        Arrived(3),
        {"kind": "tool", "name": "t", "event_id": "evt-503", "user_id": "u", "event": "e"},
    ],
    sends=[
        *[Sent("events/track_partial", event("u", "e", event_id="evt-503", ai_data={"input": "q"}, is_pending=True))]
        * 3,
        *[Sent("traces", [span("t", "tool", about("evt-503", "u", "e"))])] * 4,
    ],
    settings={**EAGER, **QUICK},
    answers=[*[Answer(503, route="events/track_partial")] * 2, *[Answer(503, route="traces")] * 3],
    pairs=[(0, 3), (1, 4), (2, 0), (3, 1), (4, 5), (5, 2), (6, 6)],
)

SPANS_TRACING_OFF = Case(
    name="spans_tracing_off",
    says=[
        {"type": "begin", "event_id": "evt-off", "user_id": "u", "event": "e", "input": "q"},
        {"kind": "tool", "name": "t", "event_id": "evt-off"},
        {"type": "finish", "event_id": "evt-off", "output": "o"},
    ],
    sends=[
        Sent(
            "events/track",
            [event("u", "e", event_id="evt-off", traced=False, ai_data={"input": "q", "output": "o"})],
        )
    ],
    settings={**BATCHED, "tracing": False},
)

CASES = (
    SPANS_MANUAL,
    SPANS_CTX,
    SPANS_LLM_CONTENT,
    SPANS_500,
    SPANS_503,
    SPANS_TRACING_OFF,
)
