"""Whose work is done in a run: all of it is the sub-agent's, nothing of it the work's around or after it."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

from raindrop_logging import (
    Carrier,
    Tracer,
    begin,
    bind,
    carry,
    current_span,
    llm_span,
    resume_interaction,
    resume_subagent,
    start_span,
    task_span,
    tool,
    tool_span,
)
from raindrop_logging.context import here
from tests.arrivals import by_name, complete, event_of, the_event, the_span, whose
from tests.subagents.test_carrier import CARRIER, IDS, OWN
from tests.subagents.test_runs import OF_THE_RUN, TERMINAL
from tests.wire.expect import BATCHED
from tests.wire.harness import PATIENCE, Heard, attach, log
from tests.wire.matching import UUID

if TYPE_CHECKING:
    from raindrop_logging import RaindropHandler
    from tests.wire.recorder import Recorder

AROUND: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def handler(recorder: Recorder) -> RaindropHandler:
    """A handler on the root logger; only a flush sends."""
    return attach(recorder.endpoint, **BATCHED)


def handed_on(span: dict[str, Any]) -> dict[str, Any]:
    """What a span says of hand-offs."""
    return {key: value for key, value in span["attributes"].items() if "handoff" in key or key.endswith("agent.role")}


# ---- what is the run's ----------------------------------------------------------------------------------------------


@tool("decorated")
def _decorated() -> str:
    return "x"


def _in_a_thread() -> None:
    with task_span("in a thread"):
        pass


async def _in_a_task() -> None:
    async with task_span("in a task"):
        await asyncio.sleep(0)


def _run_in_a_task() -> None:
    async def main() -> None:
        await asyncio.create_task(_in_a_task())

    asyncio.run(main())


def test_every_span_of_the_run_names_the_launcher(recorder: Recorder, handler: RaindropHandler) -> None:
    """However it was opened, and in whichever thread or task, it says both events, the launching span and the role."""
    with resume_subagent(CARRIER.headers) as run:
        with tool_span("tool"), llm_span("llm", model="m"):
            pass
        run.interaction.track_tool("told", output="x")
        run.interaction.start_span("task", "by hand").end()
        start_span("task", "by hand too").end()
        _decorated()
        _run_in_a_task()
        thread = threading.Thread(target=carry(_in_a_thread))
        thread.start()
        thread.join(PATIENCE)
        run.finish("found")
    assert handler.flush(PATIENCE)
    spans = by_name(recorder)
    assert len(spans) == 9
    assert [name for name, span in spans.items() if not OF_THE_RUN.items() <= span["attributes"].items()] == []
    assert {span["trace_id"] for span in spans.values()} == {run.interaction.trace_id}
    root = spans["researcher"]["span_id"]
    assert {name: span["parent_id"] for name, span in spans.items() if span["parent_id"] != root} == {
        "researcher": "",
        "llm": spans["tool"]["span_id"],
    }


def test_spans_without_a_block_name_the_launcher_too(recorder: Recorder, handler: RaindropHandler) -> None:
    """A run that nobody entered is the run of the spans that are opened on its interaction, and of no others."""
    run = resume_subagent(CARRIER.headers)
    with run.interaction.tool_span("its own"), task_span("inside"):
        pass
    with task_span("nobody's"):
        pass
    run.finish("found")
    assert handler.flush(PATIENCE)
    spans = by_name(recorder)
    for name in ("its own", "inside", "researcher"):
        assert OF_THE_RUN.items() <= spans[name]["attributes"].items()
    assert whose(spans["nobody's"]) == handed_on(spans["nobody's"]) == {}


def test_what_ends_after_a_cancellation_says_that(recorder: Recorder, handler: RaindropHandler) -> None:
    """Spans that were open when the run was cancelled are marked as its root is."""
    with resume_subagent(CARRIER.headers) as run:
        with tool_span("before"):
            pass
        with tool_span("during"):
            run.cancel()
    assert handler.flush(PATIENCE)
    marked = {name for name, span in by_name(recorder).items() if TERMINAL.items() <= span["attributes"].items()}
    assert marked == {"during", "researcher"}


def test_the_run_is_the_interaction_inside_its_block(recorder: Recorder, handler: RaindropHandler) -> None:
    """What a record or a handle inside is about without saying so is the sub-agent's event."""
    with resume_subagent(CARRIER.headers) as run:
        assert resume_interaction().id == run.event_id == "job-1"
        resume_interaction().set_property("found", 3)
        log.info("update", extra={"raindrop": {"model": "m", "type": "update"}})
        run.finish("done")
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["event_id"], event["properties"]["found"], event["ai_data"]["model"]) == ("job-1", 3, "m")


def test_records_of_a_run_go_to_the_logger_it_was_given() -> None:
    """Its begin, its finish and its spans are logged there, in a block and without one."""
    attach(None, enabled=False)
    heard = Heard("shop.jobs")
    logger = logging.getLogger("shop.jobs")
    with resume_subagent(CARRIER.headers, logger=logger) as run:
        with tool_span("search"):
            pass
        run.finish("found")
    resume_subagent(user_id="ada", logger=logger).fail("no")
    types = [record.__dict__["raindrop"]["type"] for record in heard.records]
    assert types == ["begin", "span", "finish", "span", "begin", "span", "finish"]


# ---- what it is told ------------------------------------------------------------------------------------------------


def test_a_carrier_wins_over_what_the_program_says(recorder: Recorder, handler: RaindropHandler) -> None:
    """Ids, user, conversation and name are the launcher's; the name of the event is the program's."""
    run = resume_subagent(
        CARRIER.headers, user_id="eve", convo_id="other", event_id="other", name="other", event="research"
    )
    run.finish("found")
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["event_id"], event["user_id"], event["event"]) == ("job-1", "ada", "research")
    assert (event["ai_data"]["convo_id"], run.name, the_span(recorder)["name"]) == (
        "convo-1",
        "researcher",
        "researcher",
    )


def test_a_carrier_may_be_given_itself(recorder: Recorder, handler: RaindropHandler) -> None:
    """Where a queue brought it whole it takes no headers, and headers that say otherwise do not matter."""
    with resume_subagent({OWN: IDS}, parent=CARRIER, model="m", properties={"attempt": 2}) as run:
        run.finish("found")
    assert run.parent == CARRIER
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["event_id"], event["ai_data"]["model"], event["properties"]["attempt"]) == ("job-1", "m", 2)
    assert OF_THE_RUN.items() <= the_span(recorder)["attributes"].items()


def test_the_program_fills_what_the_carrier_does_not_say(recorder: Recorder, handler: RaindropHandler) -> None:
    """Two ids alone make the link; who it is for may be said here, or be bound around."""
    resume_subagent({OWN: IDS}, user_id="bob", convo_id="c").finish("found")
    with bind(user_id="eve", convo_id="c2"):
        resume_subagent({OWN: IDS.replace("job-1", "job-2")}).finish("found")
    assert handler.flush(PATIENCE)
    told = [(event["user_id"], event["ai_data"]["convo_id"], event["event"]) for event in complete(recorder)]
    assert told == [("bob", "c", "subagent"), ("eve", "c2", "subagent")]


UNLINKED: Final[dict[str, Any]] = {
    "no headers": None,
    "none of ours": {"host": "worker", "baggage": "tenant=acme"},
    "half a carrier": {OWN: "raindrop-event-id=turn-1"},
    "a contradiction": [
        *CARRIER.headers.items(),
        ("baggage", "raindrop-event-id=elsewhere"),
        (OWN, "raindrop-event-id=elsewhere"),
    ],
}


@pytest.mark.parametrize("headers", UNLINKED.values(), ids=UNLINKED)
def test_without_a_carrier_it_is_an_event_of_its_own(
    recorder: Recorder, handler: RaindropHandler, headers: Any
) -> None:
    """It reports under what the program says, and claims no launcher; one that is contradicted is none."""
    with resume_subagent(headers, user_id="bob", convo_id="c", name="worker", event_id="own-1") as run:
        with tool_span("search"):
            pass
        run.finish("found")
    assert (run.parent, run.is_linked, run.event_id, run.name) == (None, False, "own-1", "worker")
    assert repr(run) == "<SubagentRun 'worker' own-1 not linked>"
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["event_id"], event["user_id"], event["event"]) == ("own-1", "bob", "worker")
    spans = by_name(recorder)
    assert {event_of(span) for span in spans.values()} == {"own-1"}
    assert [handed_on(span) for span in spans.values()] == [{}, {}]


@pytest.mark.usefixtures("handler")
def test_a_carrier_that_is_none_is_as_if_it_were_not_given() -> None:
    """A parent that names no event, or is of other types, leaves it to the headers."""
    odd: Any = [
        CARRIER.headers,
        Carrier(event_id=" ", child_event_id="x"),
        Carrier(event_id="x", child_event_id=""),
        Carrier(event_id=5, child_event_id="x"),  # type: ignore[arg-type]
    ]
    for parent in odd:
        assert resume_subagent(parent=parent, user_id="bob").parent is None
        assert resume_subagent(CARRIER.headers, parent=parent).parent == CARRIER


@pytest.mark.usefixtures("handler")
def test_an_id_and_a_name_are_made_where_none_are_given() -> None:
    """Each such run has an event of its own."""
    first, second = resume_subagent(user_id="ada"), resume_subagent(user_id="ada")
    assert first.event_id == UUID
    assert second.event_id == UUID
    assert first.event_id != second.event_id
    assert (first.name, repr(first)) == ("subagent", f"<SubagentRun 'subagent' {first.event_id} not linked>")


# ---- what is around it ----------------------------------------------------------------------------------------------


def test_nothing_of_the_interaction_around_is_the_run_s(recorder: Recorder, handler: RaindropHandler) -> None:
    """Begun in the middle of another's work, it keeps its own ids, trace and parent, tools and attributes."""
    outer = begin(
        user_id="bob", event="chat", event_id="outer", convo_id="c", tools=[{"type": "function", "name": "t"}]
    )
    outer.allow_tool_events()
    with outer.tool_span("outer tool"):
        with resume_subagent(CARRIER.headers) as run:
            with llm_span("ask", model="m"):
                pass
            run.finish("found")
        with tool_span("outer again"):
            pass
    assert handler.flush(PATIENCE)
    spans = by_name(recorder)
    for name in ("researcher", "ask"):
        assert whose(spans[name]) == {key: OF_THE_RUN[key] for key in whose(spans[name])}
        assert spans[name]["trace_id"] == run.interaction.trace_id != outer.trace_id
        assert not [key for key in spans[name]["attributes"] if key.endswith("toolEvents") or key == "ai.prompt.tools"]
    assert spans["researcher"]["parent_id"] == ""
    assert spans["outer again"]["parent_id"] == spans["outer tool"]["span_id"]
    assert {event_of(spans[name]) for name in ("outer tool", "outer again")} == {"outer"}
    assert handed_on(spans["outer tool"]) == handed_on(spans["outer again"]) == {}


def test_nothing_that_is_bound_around_says_whose_it_is(recorder: Recorder, handler: RaindropHandler) -> None:
    """A bound event, user, conversation and trace are those of the request around; bound properties are kept."""
    bound = {"user_id": "bob", "convo_id": "c", "event_id": "other", "event": "other", "traceparent": AROUND}
    with bind(**bound, properties={"region": "eu"}):
        with resume_subagent(CARRIER.headers) as run:
            with tool_span("search"):
                log.info("looked", extra={"raindrop": {"type": "event", "event": "looked"}})
            run.finish("found")
        held = resume_subagent(CARRIER.headers)
        held.fail("again")
    assert handler.flush(PATIENCE)
    looked, event = sorted(complete(recorder), key=lambda one: one["event"])
    assert (event["event_id"], event["user_id"], event["ai_data"]["convo_id"]) == ("job-1", "ada", "convo-1")
    assert event["properties"]["region"] == looked["properties"]["region"] == "eu"
    assert (looked["user_id"], looked["event_id"] == "other") == ("ada", False)
    for span in recorder.spans():
        assert OF_THE_RUN.items() <= span["attributes"].items()
        assert span["trace_id"] == run.interaction.trace_id
    assert {name: span["parent_id"] for name, span in by_name(recorder).items() if name != "search"} == {
        "researcher": "",
        "ai.subagent.failed": "",
    }


def test_a_muted_or_nobody_s_span_around_does_not_matter(recorder: Recorder, handler: RaindropHandler) -> None:
    """Neither a span that is left out nor a tracer's own work makes the run less than it is."""
    with task_span("muted", suppress_tracing=True), resume_subagent(CARRIER.headers) as run:
        run.finish("found")
    with Tracer({"job": 1}).task_span("batch"), resume_subagent(CARRIER.headers) as run:
        run.finish("found")
    assert handler.flush(PATIENCE)
    names = [span["name"] for span in recorder.spans()]
    assert sorted(names) == ["batch", "researcher", "researcher"]
    for span in recorder.spans():
        if span["name"] == "researcher":
            assert OF_THE_RUN.items() <= span["attributes"].items()
            assert (span["parent_id"], "traceloop.association.properties.job" in span["attributes"]) == ("", False)


# ---- after it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("around", [False, True], ids=["on its own", "inside of another"])
def test_nothing_of_it_is_left_behind(recorder: Recorder, handler: RaindropHandler, *, around: bool) -> None:
    """After its block the code is about what it was before: here, in new threads and in new tasks."""
    outer = begin(user_id="bob", event="chat", event_id="outer") if around else None
    before, span_before = here(), current_span()
    with resume_subagent(CARRIER.headers) as run:
        run.finish("found")
    assert here() is before
    assert (current_span() is span_before, current_span().event_id) == (False, None)
    with task_span("after"):
        pass
    _run_in_a_task()
    thread = threading.Thread(target=carry(_in_a_thread))
    thread.start()
    thread.join(PATIENCE)
    assert handler.flush(PATIENCE)
    spans = by_name(recorder)
    del spans["researcher"]
    assert {event_of(span) for span in spans.values()} == {None if outer is None else "outer"}
    assert run.interaction.trace_id not in {span["trace_id"] for span in spans.values()}
    assert [handed_on(span) for span in spans.values()] == [{}] * 3


def test_nothing_of_it_is_said_after_its_end_in_its_block(recorder: Recorder, handler: RaindropHandler) -> None:
    """What is done between the end and the end of the block is in its trace, but in no event."""
    with begin(user_id="bob", event="chat", event_id="outer"), resume_subagent(CARRIER.headers) as run:
        run.finish("found")
        with tool_span("tidy up"):
            pass
    assert handler.flush(PATIENCE)
    late = by_name(recorder)["tidy up"]
    assert (event_of(late), handed_on(late)) == (None, {})
    assert late["trace_id"] == run.interaction.trace_id


def test_two_runs_at_once_keep_apart(recorder: Recorder, handler: RaindropHandler) -> None:
    """Tasks of one loop, each a run of its own, never say each other's ids."""

    async def work(number: int, everyone: asyncio.Barrier) -> None:
        carrier = Carrier(event_id=f"turn-{number}", child_event_id=f"job-{number}", name="n", user_id="u")
        async with resume_subagent(parent=carrier) as run:
            await everyone.wait()
            async with tool_span(f"work {number}"):
                await everyone.wait()
            run.finish(f"found {number}")

    async def main() -> None:
        everyone = asyncio.Barrier(5)
        await asyncio.wait_for(asyncio.gather(*(work(number, everyone) for number in range(5))), PATIENCE)

    asyncio.run(main())
    assert handler.flush(PATIENCE)
    for number in range(5):
        (span,) = (one for one in recorder.spans() if one["name"] == f"work {number}")
        assert event_of(span) == f"job-{number}"
        assert handed_on(span)["raindrop.handoff.parentEventId"] == f"turn-{number}"
    assert {one["event_id"]: one["ai_data"]["output"] for one in complete(recorder)} == {
        f"job-{number}": f"found {number}" for number in range(5)
    }
