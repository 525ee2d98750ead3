"""What a launch says of itself: one tool span of the turn, and a carrier that names both ends of it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging import Carrier, begin, bind, current_span, resume_subagent, task_span
from raindrop_logging.carrier import read_carrier
from tests.arrivals import by_name, complete, event_of, partials, the_span
from tests.wire.expect import BATCHED, about, span, spoke
from tests.wire.harness import PATIENCE, Heard, attach, diagnostics
from tests.wire.matching import ANYTHING, UUID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raindrop_logging import RaindropHandler
    from tests.wire.recorder import Recorder

TOOL_EVENTS = {"ai.telemetry.metadata.raindrop.toolEvents": "allow"}


def dispatch(child_id: str, name: str) -> dict[str, str]:
    """What the span of a launch says of the sub-agent."""
    said = {"mode": "detached", "childEventId": child_id, "name": name}
    return {f"raindrop.handoff.{key}": value for key, value in said.items()}


@pytest.fixture
def handler(recorder: Recorder) -> RaindropHandler:
    """A handler on the root logger; only a flush sends."""
    return attach(recorder.endpoint, **BATCHED)


# ---- the span -------------------------------------------------------------------------------------------------------


def test_a_launch_is_one_tool_span(recorder: Recorder, handler: RaindropHandler) -> None:
    """It is over at once, says what was asked of whom and that it was accepted, and carries the turn's ids."""
    turn = begin(user_id="ada", event="chat", event_id="turn-1", convo_id="c")
    carrier = turn.subagent("researcher", input={"q": "teapots"}, child_event_id="job-1")
    assert handler.flush(PATIENCE)
    assert the_span(recorder) == span(
        "launch_subagent",
        "tool",
        {
            **about("turn-1", "ada", "chat", "c"),
            **spoke(given={"q": "teapots"}, gave={"jobId": "job-1", "status": "accepted"}),
            **dispatch("job-1", "researcher"),
            **TOOL_EVENTS,
            "traceloop.entity.duration_ms": ANYTHING,
        },
        trace_id=turn.trace_id,
        span_id=carrier.span_id,
    )


def test_the_span_may_have_a_name_and_properties_of_its_own(recorder: Recorder, handler: RaindropHandler) -> None:
    """tool_name names it everywhere, and properties are beside what the launch says by itself."""
    begin(user_id="ada", event="chat").subagent(tool_name="hand_over", properties={"queue": "slow"})
    assert handler.flush(PATIENCE)
    launched = the_span(recorder)
    assert launched["name"] == launched["attributes"]["gen_ai.tool.name"] == "hand_over"
    assert launched["attributes"]["traceloop.association.properties.queue"] == "slow"
    assert launched["attributes"]["raindrop.handoff.mode"] == "detached"


def test_the_span_lies_where_the_launch_was(recorder: Recorder, handler: RaindropHandler) -> None:
    """It nests in the span around, and is not around what follows."""
    turn = begin(user_id="ada", event="chat")
    with turn.task_span("plan") as plan:
        turn.subagent()
        assert current_span() is plan
        with task_span("go on"):
            pass
    assert handler.flush(PATIENCE)
    spans = by_name(recorder)
    assert spans["launch_subagent"]["parent_id"] == spans["go on"]["parent_id"] == plan.span_id
    assert {one["trace_id"] for one in spans.values()} == {turn.trace_id}


def test_a_launch_sends_nothing_and_opens_nothing(recorder: Recorder, handler: RaindropHandler) -> None:
    """Until the sub-agent reports, no event of its id exists, and the turn goes on as it was."""
    turn = begin(user_id="ada", event="chat", event_id="turn-1", input="q")
    turn.subagent(child_event_id="job-1")
    assert handler.flush(PATIENCE)
    turn.finish("answer")
    assert handler.flush(PATIENCE)
    assert {item["event_id"] for item in partials(recorder)} == {"turn-1"}
    assert complete(recorder) == []
    assert handler.stats().dropped == {}


@pytest.mark.usefixtures("handler")
def test_a_launch_is_logged_where_the_turn_is() -> None:
    """It is one record on the logger that the interaction was given."""
    heard = Heard("shop.jobs")
    turn = begin(user_id="ada", event="chat", logger=logging.getLogger("shop.jobs"))
    turn.subagent("researcher")
    said = [record.__dict__["raindrop"] for record in heard.records]
    assert [(block["type"], block.get("name")) for block in said] == [("begin", None), ("span", "launch_subagent")]


# ---- the turn's other spans -----------------------------------------------------------------------------------------


def test_a_turn_of_tool_calls_alone_becomes_an_event(recorder: Recorder, handler: RaindropHandler) -> None:
    """Every span of the turn that ends after its first launch says so; those of other turns never do."""
    turn, other = begin(user_id="ada", event="chat"), begin(user_id="bob", event="chat")
    turn.track_tool("before", output="x")
    with turn.task_span("around"):
        turn.subagent()
    turn.track_tool("after", output="x")
    with other.tool_span("elsewhere"):
        pass
    assert handler.flush(PATIENCE)
    said = {name for name, one in by_name(recorder).items() if TOOL_EVENTS.items() <= one["attributes"].items()}
    assert said == {"around", "launch_subagent", "after"}


def test_a_turn_may_allow_tool_events_without_a_launch(recorder: Recorder, handler: RaindropHandler) -> None:
    """allow_tool_events says the same, and no hand-off with it."""
    turn = begin(user_id="ada", event="chat")
    turn.allow_tool_events()
    turn.track_tool("search", output="x")
    assert handler.flush(PATIENCE)
    attributes = the_span(recorder)["attributes"]
    assert attributes["ai.telemetry.metadata.raindrop.toolEvents"] == "allow"
    assert not [key for key in attributes if "handoff" in key]


# ---- the carrier ----------------------------------------------------------------------------------------------------


def test_the_carrier_names_both_events_and_the_span(recorder: Recorder, handler: RaindropHandler) -> None:
    """Given ids are taken as they are, and the span is the one that arrives."""
    turn = begin(user_id="ada", event="chat", event_id="turn-1", convo_id="c")
    carrier = turn.subagent("researcher", child_event_id="job-1")
    assert handler.flush(PATIENCE)
    assert carrier == Carrier(
        event_id="turn-1",
        child_event_id="job-1",
        name="researcher",
        trace_id=turn.trace_id,
        span_id=the_span(recorder)["span_id"],
        convo_id="c",
        user_id="ada",
    )
    assert read_carrier(carrier.headers) == carrier


@pytest.mark.usefixtures("handler")
def test_ids_and_name_are_made_where_none_are_given() -> None:
    """Each launch has a sub-agent's id of its own, which is a UUID, and the name `subagent`."""
    turn = begin(user_id="ada", event="chat")
    first, second = turn.subagent(), turn.subagent("", child_event_id="")
    assert first.child_event_id == UUID
    assert second.child_event_id == UUID
    assert len({turn.id, first.child_event_id, second.child_event_id}) == 3
    assert first.span_id != second.span_id
    assert (first.name, second.name) == ("subagent", "subagent")


@pytest.mark.usefixtures("handler")
def test_the_carrier_says_whose_the_turn_is_by_now() -> None:
    """Who was bound around the begin, or was said by a later update, is who the sub-agent is told."""
    with bind(user_id="ada", convo_id="c"):
        turn = begin(event="chat")
    bound = turn.subagent()
    turn.update(user_id="eve", convo_id="c2")
    updated = turn.subagent()
    assert (bound.user_id, bound.convo_id) == ("ada", "c")
    assert (updated.user_id, updated.convo_id) == ("eve", "c2")
    assert begin(user_id="ada", event="chat").subagent().convo_id is None


def test_a_sub_agent_launches_another(recorder: Recorder, handler: RaindropHandler) -> None:
    """The span in the middle names its own launcher and the event it launched, under the launched one's name."""
    turn = begin(user_id="ada", event="chat", event_id="turn-1")
    with resume_subagent(parent=turn.subagent("planner", child_event_id="job-1")) as run:
        carrier = run.interaction.subagent("finder", child_event_id="job-2", tool_name="delegate")
        run.finish("delegated")
    assert handler.flush(PATIENCE)
    attributes = by_name(recorder)["delegate"]["attributes"]
    assert dispatch("job-2", "finder").items() <= attributes.items()
    assert attributes["raindrop.handoff.parentEventId"] == "turn-1"
    assert event_of(by_name(recorder)["delegate"]) == carrier.event_id == "job-1"
    assert by_name(recorder)["planner"]["attributes"]["raindrop.handoff.name"] == "planner"


def test_many_launches_at_once(recorder: Recorder, handler: RaindropHandler) -> None:
    """Launches from many threads are as many spans, each under the id that its carrier names."""
    turn = begin(user_id="ada", event="chat")
    with ThreadPoolExecutor(8) as pool:
        carriers = list(pool.map(lambda number: turn.subagent(f"agent {number}"), range(160)))
    assert handler.flush(PATIENCE)
    arrived = {one["span_id"]: one["attributes"]["raindrop.handoff.childEventId"] for one in recorder.spans()}
    assert arrived == {carrier.span_id: carrier.child_event_id for carrier in carriers}
    assert len(arrived) == 160


# ---- whatever it is given -------------------------------------------------------------------------------------------


class Hostile:
    """Fails at whatever is done with it."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")

    __str__ = __repr__

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equality")

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("no entries")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no attributes")


ODD: dict[str, Any] = {
    "number": 5,
    "huge": 10**400,
    "bytes": b"x",
    "separators": "a,b\r\nc",
    "odd keys": {None: 1, (1, 2): 3},
    "object": object(),
    "hostile": Hostile(),
}


@pytest.mark.parametrize("argument", ["name", "input", "child_event_id"])
@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_any_value_is_said_as_its_text(recorder: Recorder, handler: RaindropHandler, argument: str, odd: Any) -> None:
    """Nothing is raised or lost, and what the carrier takes along is what the span says."""
    carrier = begin(user_id="ada", event="chat").subagent(**{argument: odd})
    assert handler.flush(PATIENCE)
    assert handler.stats().dropped == {}
    attributes = the_span(recorder)["attributes"]
    read = read_carrier(carrier.headers)
    assert read is not None
    for field, said in (("child_event_id", "childEventId"), ("name", "name")):
        assert getattr(read, field) == getattr(carrier, field) == attributes[f"raindrop.handoff.{said}"]


@pytest.mark.parametrize("odd", [5, "x", [1], object()], ids=lambda odd: type(odd).__name__)
def test_wrong_properties_cost_the_span_and_no_more(recorder: Recorder, handler: RaindropHandler, odd: Any) -> None:
    """What is no mapping is refused and named, and the sub-agent is told all the same."""
    heard = diagnostics()
    turn = begin(user_id="ada", event="chat", event_id="turn-1")
    carrier = turn.subagent("researcher", properties=odd)
    with turn.tool_span("search"):
        pass
    assert handler.flush(PATIENCE)
    assert the_span(recorder)["name"] == "search"
    assert [line for line in heard.lines if "'properties'" in line]
    read = read_carrier(carrier.headers)
    assert read is not None
    assert (read.event_id, read.name) == ("turn-1", "researcher")
