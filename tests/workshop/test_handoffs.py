"""Detached sub-agents: linked with their launcher in the API and the stream, whatever arrives first."""

from __future__ import annotations

import json
import sqlite3
from itertools import permutations
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
import pytest

from raindrop_logging.workshop import open_store
from raindrop_logging.workshop.records import Batch, Event, Span
from raindrop_logging.workshop.sqlite.migrations import SCHEMA_VERSION
from raindrop_logging.workshop.sqlite.schema import LAUNCHED, LAUNCHER
from tests.workshop.wire_bodies import (
    CHILD_ROOT,
    CHILD_TRACE,
    SPAN,
    TRACE,
    ai_event,
    attributes,
    launch,
    of_event,
    otlp,
    otlp_span,
    subagent_span,
)

if TYPE_CHECKING:
    from pathlib import Path

    from raindrop_logging.workshop import Running

Body = tuple[str, Any]

ERROR: Final[dict[str, Any]] = {"status": {"code": 2, "message": "boom"}}
INNER: Final = {"spanId": "c0ffee0000000002", "parentSpanId": CHILD_ROOT}
ELSEWHERE: Final = {"parentSpanId": "dead00000000beef"}


def spans(*sent: dict[str, Any]) -> Body:
    """A request of spans."""
    return "/v1/traces", otlp(*sent)


def own(*extra: dict[str, Any], **changes: Any) -> Body:
    """A request of one span of the sub-agent `job`, launched by `turn`."""
    return spans(subagent_span("job", "turn", *extra, **changes))


def terminal(name: str = "raindrop.handoff.terminal") -> dict[str, Any]:
    """The attribute of a sub-agent that was cancelled."""
    return {"key": name, "value": {"stringValue": "cancelled"}}


TURN: Final[Body] = ("/v1/events/track", ai_event("turn", event="support_turn"))
LAUNCH: Final = spans(launch("turn", "job"))
WORK: Final = spans(otlp_span(of_event("turn"), spanId="00000000000000f1"))
OPEN: Final[Body] = ("/v1/events/track_partial", {"event_id": "job", "user_id": "u", "event": "research"})
FINAL: Final[Body] = ("/v1/events/track", ai_event("job", event="research"))
NEVER_BEGAN: Final = attributes(ai__operationId="ai.subagent.failed", traceloop__entity__name="researcher")

REPORTS: Final[dict[str, tuple[str, list[Body]]]] = {
    "nothing": ("queued", []),
    "a partial": ("running", [OPEN]),
    "a span": ("running", [own()]),
    "a failed inner span before its parent": ("running", [own(**INNER, **ERROR)]),
    "a failed inner span": ("running", [own(**INNER, **ERROR), own()]),
    "all of a success": ("finished", [OPEN, own(**INNER, **ERROR), own(), FINAL]),
    "a final event alone": ("finished", [FINAL]),
    "a failed root": ("failed", [own(**ERROR)]),
    "a failed root in the launcher's trace": ("failed", [own(traceId=TRACE, parentSpanId=SPAN, **ERROR)]),
    "a failed root under another span of the launcher": (
        "failed",
        [own(traceId=TRACE, parentSpanId="00000000000000f1", **ERROR), WORK],
    ),
    "a failed root under a span from elsewhere": ("failed", [own(**ELSEWHERE, **ERROR), FINAL]),
    "a failure before any span": ("failed", [own(name="ai.subagent.failed", **ELSEWHERE, **ERROR)]),
    "a failure before any span, by its operation": ("failed", [own(*NEVER_BEGAN, **ELSEWHERE, **ERROR)]),
    "a failure and a final event": ("failed", [own(**ERROR), FINAL]),
    "cancelled": ("cancelled", [own(terminal())]),
    "cancelled, by its other name": ("cancelled", [own(terminal("ai.telemetry.metadata.raindrop.handoff.terminal"))]),
    "cancelled with an error and a final event": ("cancelled", [own(terminal(), **ERROR), FINAL]),
}


def post(client: httpx.Client, *bodies: Body) -> None:
    """Send bodies that must be accepted, in this order."""
    for path, body in bodies:
        assert client.post(path, json=body).status_code == 204


def told(client: httpx.Client, event_id: str) -> dict[str, Any]:
    """An event as the API tells it."""
    answer = client.get(f"/api/events/{event_id}")
    assert answer.status_code == 200, answer.text
    event: dict[str, Any] = answer.json()
    return event


@pytest.mark.parametrize("child_first", [False, True], ids=["launcher first", "child first"])
@pytest.mark.parametrize(("state", "report"), REPORTS.values(), ids=REPORTS)
def test_states(client: httpx.Client, state: str, report: list[Body], *, child_first: bool) -> None:
    """Each state follows from what has arrived, and the two events name each other, in either order of arrival."""
    launcher = [TURN, LAUNCH]
    post(client, *(report + launcher if child_first else launcher + report))
    link = {"name": "researcher", "span_id": SPAN}
    turn = told(client, "turn")
    assert turn["subagents"] == [{"event_id": "job", **link, "state": state}]
    assert turn["launched_by"] is None
    if report:
        job = told(client, "job")
        assert job["launched_by"] == {"event_id": "turn", **link}
        assert job["subagents"] == []
    else:
        assert client.get("/api/events/job").status_code == 404


def test_the_state_needs_no_order(client: httpx.Client) -> None:
    """A failure told in three requests is a failure in every order of them."""
    for number, order in enumerate(permutations(range(3))):
        job, trace = f"job{number}", f"{number + 1:032x}"
        sent: list[Body] = [
            spans(launch("turn", job, spanId=f"{number + 1:016x}")),
            spans(subagent_span(job, "turn", traceId=trace, **ERROR)),
            ("/v1/events/track", ai_event(job)),
        ]
        post(client, *(sent[place] for place in order))
    assert [subagent["state"] for subagent in told(client, "turn")["subagents"]] == ["failed"] * 6


def test_a_launcher_is_known_from_its_sub_agent_alone(client: httpx.Client) -> None:
    """While, or when ever, the dispatching span is missing, the sub-agent's own spans make the link."""
    post(client, own())
    assert told(client, "job")["launched_by"] == {"event_id": "turn", "name": "researcher", "span_id": SPAN}
    assert client.get("/api/events/turn").status_code == 404
    post(client, TURN)
    subagent = {"event_id": "job", "name": "researcher", "span_id": SPAN, "state": "running"}
    assert told(client, "turn")["subagents"] == [subagent]
    post(client, own(traceId=TRACE, parentSpanId=SPAN, **ERROR))
    assert told(client, "turn")["subagents"] == [{**subagent, "state": "failed"}]
    post(client, LAUNCH)
    assert told(client, "turn")["subagents"] == [{**subagent, "state": "failed"}]


def test_many_sub_agents(client: httpx.Client) -> None:
    """A turn lists its sub-agents in the order it launched them, each once, and none of another turn."""
    sent = [launch("turn", f"job{number}", spanId=f"{9 - number:016x}", agent=str(number)) for number in range(3)]
    late = {"startTimeUnixNano": "1878181165000000000", "endTimeUnixNano": "1878181166000000000"}
    again = launch("turn", "job1", spanId="00000000000000aa", **late)
    for number, span in enumerate(sent):
        span["startTimeUnixNano"] = str(1_778_181_165_000_000_000 + number * 1000)
    post(client, spans(again, *reversed(sent)), spans(launch("other", "job9", traceId=CHILD_TRACE)))
    subagents = told(client, "turn")["subagents"]
    assert [(one["event_id"], one["span_id"]) for one in subagents] == [
        (f"job{number}", f"{9 - number:016x}") for number in range(3)
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_sub_agent_launches_another(client: httpx.Client, order: tuple[int, ...]) -> None:
    """In a chain, the one in the middle has a launcher and a sub-agent, each under its own name."""
    inner = {**INNER, "spanId": "a000000000000002"}
    dispatch = {"raindrop.handoff.childEventId": "leaf", "raindrop.handoff.mode": "detached"}
    extra = [{"key": key, "value": {"stringValue": text}} for key, text in dispatch.items()]
    bodies = [
        LAUNCH,
        spans(subagent_span("job", "turn", *extra, agent="leaf agent", **inner), subagent_span("job", "turn")),
        spans(subagent_span("leaf", "job", agent="leaf agent", spanId="c0ffee0000000003", traceId="1" * 32)),
    ]
    post(client, *(bodies[place] for place in order))
    job = told(client, "job")
    assert job["launched_by"] == {"event_id": "turn", "name": "researcher", "span_id": SPAN}
    (leaf,) = job["subagents"]
    assert (leaf["event_id"], leaf["name"], leaf["span_id"]) == ("leaf", "leaf agent", inner["spanId"])
    assert [subagent["event_id"] for subagent in told(client, "turn")["subagents"]] == ["job"]


def test_attributes_that_are_no_text(client: httpx.Client) -> None:
    """A hand-off of numbers, lists or empty texts is no hand-off, and harms nobody."""
    values: list[dict[str, Any]] = [
        {"intValue": "5"},
        {"stringValue": ""},
        {"arrayValue": {"values": [{"stringValue": "turn"}]}},
        {"boolValue": True},
        {},
    ]
    names = ("childEventId", "parentEventId", "parentSpanId", "name", "terminal")
    for number, value in enumerate(values):
        odd = [{"key": f"raindrop.handoff.{name}", "value": value} for name in names]
        post(client, spans(otlp_span(of_event("turn") + odd, spanId=f"{number + 1:016x}")))
    post(client, ("/v1/events/track", [ai_event("5"), ai_event('["turn"]')]))
    for event_id in ("turn", "5", '["turn"]'):
        event = told(client, event_id)
        assert (event["subagents"], event["launched_by"]) == ([], None)


def test_a_hand_off_to_itself(client: httpx.Client) -> None:
    """An event that claims to have launched itself is told as it claims, and the page stands."""
    post(client, spans(launch("turn", "turn")), spans(subagent_span("turn", "turn")))
    event = told(client, "turn")
    assert (event["subagents"][0]["event_id"], event["launched_by"]["event_id"]) == ("turn", "turn")
    assert client.get("/events/turn").status_code == 200


def test_hostile_names(client: httpx.Client) -> None:
    """Ids and names of markup and control characters come back as they were sent."""
    parent, child, name = "turn/?#%", "\u202e../job", "<script>\"'\x1b[2J"
    post(client, spans(launch(parent, child, name)), spans(subagent_span(child, parent, agent=name)))
    (subagent,) = told(client, quote(parent, safe=""))["subagents"]
    assert subagent == {"event_id": child, "name": name, "span_id": SPAN, "state": "running"}
    assert told(client, quote(child, safe=""))["launched_by"] == {"event_id": parent, "name": name, "span_id": SPAN}


def test_stream_names_both(workshop: Running, client: httpx.Client) -> None:
    """Whoever listens hears of a launcher when its sub-agent reports, and of a sub-agent when it is launched."""
    post(client, TURN, FINAL)
    with client.stream("GET", "/api/stream") as stream:
        lines = stream.iter_lines()
        assert next(lines) == ": still here"
        changes = (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))
        with httpx.Client(base_url=workshop.url, trust_env=False) as sender:
            post(sender, LAUNCH)
            assert {next(changes)["event_id"] for _ in range(2)} == {"turn", "job"}
            post(sender, own())
            assert {next(changes)["event_id"] for _ in range(2)} == {"turn", "job"}


def test_a_file_from_before_gets_its_indexes(tmp_path: Path) -> None:
    """A file that was filled before hand-offs were understood shows those it holds, and stays at its version."""
    path = tmp_path / "w.db"
    store = open_store(path)
    claim = {"raindrop.handoff.parentEventId": "turn"}
    span = Span(trace_id="t", span_id="s", name="n", attributes=claim, about=Event(event_id="job", is_pending=True))
    store.append(Batch(events=(Event(event_id="turn"),), spans=(span,))).result()
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP INDEX spans_by_launched")
        db.execute("DROP INDEX spans_by_launcher")
    db.close()
    store = open_store(path)
    story = store.event("turn")
    store.close()
    assert story is not None
    assert [(subagent.link.event_id, subagent.state) for subagent in story.subagents] == [("job", "running")]
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone() == (str(SCHEMA_VERSION),)
        for expression, index in ((LAUNCHED, "spans_by_launched"), (LAUNCHER, "spans_by_launcher")):
            plan = db.execute(f"EXPLAIN QUERY PLAN SELECT * FROM spans WHERE {expression} = 'x'").fetchall()  # noqa: S608
            assert index in plan[0][-1]
    db.close()
