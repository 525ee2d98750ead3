"""How a sub-agent's run ends: whatever its program says, or leaves its block by, is told as an event and a span."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from raindrop_logging import begin, bind, resume_interaction, resume_subagent, tool_span
from raindrop_logging.workshop import running
from tests.arrivals import by_name, complete, partials, the_event, the_span
from tests.subagents.test_carrier import CARRIER, SPAN
from tests.subagents.test_launch import ODD, Hostile
from tests.wire.expect import BATCHED, STACK, about
from tests.wire.harness import PATIENCE, attach
from tests.wire.matching import Like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from raindrop_logging import RaindropHandler
    from raindrop_logging.subagents import SubagentRun
    from raindrop_logging.workshop import Running
    from tests.wire.recorder import Recorder

OF_THE_RUN: Final = {
    **about("job-1", "ada", "researcher", "convo-1"),
    "raindrop.handoff.parentEventId": "turn-1",
    "raindrop.handoff.parentSpanId": SPAN,
    "raindrop.handoff.name": "researcher",
    "raindrop.agent.role": "subagent",
}
"""What every span of a run with `CARRIER` says of itself and of its launcher."""

TERMINAL: Final = {
    "raindrop.handoff.terminal": "cancelled",
    "ai.telemetry.metadata.raindrop.handoff.terminal": "cancelled",
}


@pytest.fixture
def handler(recorder: Recorder) -> RaindropHandler:
    """A handler on the root logger; only a flush sends."""
    return attach(recorder.endpoint, **BATCHED)


@pytest.fixture(scope="module")
def workshop() -> Iterator[Running]:
    """A Workshop that the tests of this module share."""
    with running() as up:
        yield up


# ---- what the program says ------------------------------------------------------------------------------------------

Says = tuple["Callable[[SubagentRun], object]", ...]


@dataclass(frozen=True)
class Ending:
    """What a run's program says at its end, call by call, and what must be known of it afterwards.

    Args:
        says: the calls.
        output: of the event.
        state: as the receiver has it.
        failure: message of the span, if that is a failed one.
    """

    says: Says
    output: str
    state: str = "finished"
    failure: str | None = None


def _finished(*says: Callable[[SubagentRun], object], output: str = "a green teapot") -> Ending:
    return Ending(says, output)


def _failed(*says: Callable[[SubagentRun], object], reason: str, message: str | None = None) -> Ending:
    return Ending(says, f"Aborted: {reason}", "failed", reason if message is None else message)


def _cancelled(*says: Callable[[SubagentRun], object], reason: str = "cancelled by its caller") -> Ending:
    return Ending(says, f"Cancelled: {reason}", "cancelled")


def _finish(run: SubagentRun) -> None:
    run.finish("a green teapot")


def _fail(run: SubagentRun) -> None:
    run.fail("out of reach")


def _cancel(run: SubagentRun) -> None:
    run.cancel()


SILENT: Final = "the sub-agent ended without an output"
NO_TEXT: Final[Any] = False

ENDINGS: Final[dict[str, Ending]] = {
    "finished": _finished(_finish),
    "finished with a value": _finished(lambda run: run.finish({"a": [1, None]}), output='{"a":[1,null]}'),
    "finished with no": _finished(lambda run: run.finish(output=False), output="false"),
    "finished with an empty list": _finished(lambda run: run.finish([]), output="[]"),
    "finished with odd keys": _finished(
        lambda run: run.finish({None: 1, (1, 2): 3}), output=Like(r'\{"None":1,.*:3\}')
    ),
    "finished, then without output": _finished(_finish, lambda run: run.finish()),
    "finished, then failed": _finished(_finish, _fail),
    "finished, then cancelled": _finished(_finish, _cancel),
    "without output": _failed(lambda run: run.finish(), reason=SILENT),
    "with a blank output": _failed(lambda run: run.finish(" \n"), reason=SILENT),
    "failed": _failed(_fail, reason="out of reach"),
    "failed by an exception": _failed(
        lambda run: run.fail(LookupError("no teapot")), reason="LookupError: no teapot", message="no teapot"
    ),
    "failed by a bare exception": _failed(lambda run: run.fail(LookupError()), reason="LookupError", message=""),
    "failed by no text": _failed(lambda run: run.fail(NO_TEXT), reason="False"),
    "failed twice": _failed(_fail, lambda run: run.fail("again"), reason="out of reach"),
    "failed, then finished": _failed(_fail, _finish, reason="out of reach"),
    "failed, then cancelled": _failed(_fail, _cancel, reason="out of reach"),
    "cancelled": _cancelled(_cancel),
    "cancelled for a reason": _cancelled(lambda run: run.cancel("too late"), reason="too late"),
    "cancelled by an exception": _cancelled(lambda run: run.cancel(TimeoutError("slow")), reason="TimeoutError: slow"),
    "failed by a task's cancellation": _cancelled(
        lambda run: run.fail(asyncio.CancelledError()), reason="CancelledError"
    ),
    "failed by a future's cancellation": _cancelled(
        lambda run: run.fail(concurrent.futures.CancelledError("no")), reason="CancelledError: no"
    ),
    "cancelled, then finished": _cancelled(_cancel, _finish),
    "cancelled, then failed": _cancelled(_cancel, _fail),
    "cancelled twice": _cancelled(_cancel, lambda run: run.cancel("again")),
}
REVISED: Final = {"finished twice": _finished(lambda run: run.finish("a blue one"), _finish)}
"""An ending that is told in two steps, so that it arrives whole only with the first of them."""


def _entered(says: Says, headers: Mapping[str, str]) -> None:
    with resume_subagent(headers, input="find a teapot") as run:
        for say in says:
            say(run)


def _held(says: Says, headers: Mapping[str, str]) -> None:
    run = resume_subagent(headers, input="find a teapot")
    for say in says:
        say(run)


def _check_event(event: Mapping[str, Any], ending: Ending) -> None:
    """The event says what it is an answer to, and what became of it."""
    assert (event["event_id"], event["user_id"], event["event"]) == ("job-1", "ada", "researcher")
    assert event["ai_data"] == {"input": "find a teapot", "output": ending.output, "convo_id": "convo-1"}
    told = {key: value for key, value in event["properties"].items() if "handoff" in key}
    assert told == ({"raindrop.handoff.terminal": "cancelled"} if ending.state == "cancelled" else {})


def _check_span(span: Mapping[str, Any], ending: Ending) -> None:
    """The span is the root of the run's own trace, names the launcher, and is marked as the run ended."""
    assert OF_THE_RUN.items() <= span["attributes"].items()
    assert span["parent_id"] == ""
    assert span["trace_id"] != CARRIER.trace_id
    told = {key: value for key, value in span["attributes"].items() if "terminal" in key}
    assert told == (TERMINAL if ending.state == "cancelled" else {})
    if ending.failure is None:
        assert (span["status"]["code"], span["events"]) == ("OK", [])
    else:
        assert span["status"] == {"code": "ERROR", "message": ending.failure}
        assert len(span["events"]) == 1


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_block_is_an_event_and_a_span(recorder: Recorder, handler: RaindropHandler, ending: Ending) -> None:
    """One whole event with the output, and one span around the block, which bears the sub-agent's name."""
    _entered(ending.says, CARRIER.headers)
    assert handler.flush(PATIENCE)
    assert handler.stats().dropped == {}
    _check_event(the_event(recorder), ending)
    span = the_span(recorder)
    _check_span(span, ending)
    assert (span["name"], span["attributes"]["traceloop.span.kind"]) == ("researcher", "workflow")


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_without_a_block_it_is_the_same(recorder: Recorder, handler: RaindropHandler, ending: Ending) -> None:
    """A run that nobody entered sends one span as well; after a failure, that of a sub-agent that never began."""
    _held(ending.says, CARRIER.headers)
    assert handler.flush(PATIENCE)
    assert handler.stats().dropped == {}
    _check_event(the_event(recorder), ending)
    span = the_span(recorder)
    _check_span(span, ending)
    if ending.state == "failed":
        assert span["name"] == span["attributes"]["ai.operationId"] == "ai.subagent.failed"
    else:
        assert (span["name"], span["attributes"]["traceloop.span.kind"]) == ("researcher", "workflow")


@pytest.mark.parametrize("runs", [_entered, _held], ids=["in a block", "without a block"])
@pytest.mark.parametrize("ending", {**ENDINGS, **REVISED}.values(), ids=[*ENDINGS, *REVISED])
def test_the_receiver_knows_how_it_ended(
    workshop: Running, ending: Ending, runs: Callable[[Says, Mapping[str, str]], None]
) -> None:
    """There both events name each other, and the state is the one that the program told."""
    handler = attach(workshop.endpoint, **BATCHED)
    turn = begin(user_id="ada", event="chat")
    carrier = turn.subagent("researcher")
    runs(ending.says, carrier.headers)
    turn.finish("one is on its way")
    assert handler.flush(PATIENCE)
    with httpx.Client(base_url=workshop.url, trust_env=False, timeout=PATIENCE) as client:
        launcher, child = (client.get(f"/api/events/{one}").json() for one in (turn.id, carrier.child_event_id))
    link = {"name": "researcher", "span_id": carrier.span_id}
    assert launcher["subagents"] == [{"event_id": carrier.child_event_id, "state": ending.state, **link}]
    assert child["launched_by"] == {"event_id": turn.id, **link}
    assert (child["output"], child["is_pending"]) == (ending.output, False)


def test_finish_takes_every_field_of_the_event(recorder: Recorder, handler: RaindropHandler) -> None:
    """What it says beside the output is the event's, and is kept where there is no output."""
    with resume_subagent(CARRIER.headers, model="small", properties={"a": 1}) as run:
        run.finish("found", model="large", properties={"b": 2}, feature_flags={"fast": "on"})
    with resume_subagent(event_id="job-2", user_id="ada") as run:
        run.finish(properties={"b": 2})
    assert handler.flush(PATIENCE)
    first, second = complete(recorder)
    assert (first["ai_data"]["model"], first["feature_flags"]) == ("large", {"fast": "on"})
    assert (first["properties"]["a"], first["properties"]["b"]) == (1, 2)
    assert (second["ai_data"]["output"], second["properties"]["b"]) == (f"Aborted: {SILENT}", 2)


def test_its_interaction_may_end_it(recorder: Recorder, handler: RaindropHandler) -> None:
    """An answer that is given through the interaction counts as the run's own."""
    with resume_subagent(CARRIER.headers) as run:
        assert resume_interaction("job-1").id == run.event_id
        run.interaction.finish("a green teapot")
    assert handler.flush(PATIENCE)
    assert the_event(recorder)["ai_data"]["output"] == "a green teapot"
    assert the_span(recorder)["status"]["code"] == "OK"


def test_a_failure_inside_is_no_failure_of_the_run(recorder: Recorder, handler: RaindropHandler) -> None:
    """A tool that failed is marked, and what was made of it is the answer."""
    with resume_subagent(CARRIER.headers) as run:
        with pytest.raises(LookupError), tool_span("search"):
            raise LookupError("no teapot")
        run.finish("there is none")
    assert handler.flush(PATIENCE)
    codes = {name: span["status"]["code"] for name, span in by_name(recorder).items()}
    assert codes == {"search": "ERROR", "researcher": "OK"}
    assert the_event(recorder)["ai_data"]["output"] == "there is none"


@pytest.mark.parametrize("runs", [_entered, _held], ids=["in a block", "without a block"])
def test_finishing_again_revises(
    recorder: Recorder, handler: RaindropHandler, runs: Callable[[Says, Mapping[str, str]], None]
) -> None:
    """The last answer is the one that stands, nothing is pending again, and there is one span."""
    runs(REVISED["finished twice"].says, CARRIER.headers)
    assert handler.flush(PATIENCE)
    assert the_event(recorder)["ai_data"]["output"] == "a blue one"
    (revision,) = partials(recorder)
    assert (revision["event_id"], revision["is_pending"]) == ("job-1", False)
    assert revision["ai_data"]["output"] == "a green teapot"
    assert the_span(recorder)["status"]["code"] == "OK"


def test_many_threads_may_end_it(recorder: Recorder, handler: RaindropHandler) -> None:
    """Ends that are told at the same time are one event, which is never pending again, and one span."""
    start = threading.Barrier(8)

    def end(number: int) -> None:
        start.wait(PATIENCE)
        run.finish(f"by {number}")

    with resume_subagent(CARRIER.headers) as run, ThreadPoolExecutor(8) as pool:
        list(pool.map(end, range(8)))
    assert handler.flush(PATIENCE)
    assert the_event(recorder)["ai_data"]["output"] == Like("by [0-7]")
    assert {(one["event_id"], one["is_pending"]) for one in partials(recorder)} <= {("job-1", False)}
    assert the_span(recorder)["status"]["code"] == "OK"


# ---- what leaves its block ------------------------------------------------------------------------------------------

LEFT_BY: Final[dict[str, tuple[BaseException, Ending]]] = {
    "an exception": (
        LookupError("no teapot"),
        _failed(reason="LookupError: no teapot", message="no teapot"),
    ),
    "a timeout": (TimeoutError(), _failed(reason="TimeoutError", message="")),
    "an interrupt": (KeyboardInterrupt(), _failed(reason="KeyboardInterrupt", message="")),
    "a task's cancellation": (asyncio.CancelledError("no"), _cancelled(reason="CancelledError: no")),
    "a future's cancellation": (concurrent.futures.CancelledError(), _cancelled(reason="CancelledError")),
}


@pytest.mark.parametrize(("error", "ending"), LEFT_BY.values(), ids=LEFT_BY)
def test_what_leaves_a_block_is_told_and_goes_on(
    recorder: Recorder, handler: RaindropHandler, error: BaseException, ending: Ending
) -> None:
    """The caller gets the very exception, and the event and its span say which it was."""
    with (
        pytest.raises(type(error)) as raised,
        resume_subagent(CARRIER.headers, input="find a teapot"),
    ):
        raise error
    assert raised.value is error
    assert handler.flush(PATIENCE)
    _check_event(the_event(recorder), ending)
    _check_span(the_span(recorder), ending)


@pytest.mark.parametrize(("error", "ending"), LEFT_BY.values(), ids=LEFT_BY)
def test_an_asynchronous_block_tells_the_same(
    recorder: Recorder, handler: RaindropHandler, error: BaseException, ending: Ending
) -> None:
    """``async with`` ends as ``with`` does, whatever it is left by."""

    async def leave() -> None:
        with pytest.raises(type(error)):
            async with resume_subagent(CARRIER.headers, input="find a teapot"):
                raise error

    asyncio.run(leave())
    assert handler.flush(PATIENCE)
    _check_event(the_event(recorder), ending)
    _check_span(the_span(recorder), ending)


def test_the_exception_is_recorded_with_its_stack(recorder: Recorder, handler: RaindropHandler) -> None:
    """Type, message and stack of what left the block are on its span, once."""
    with pytest.raises(LookupError), resume_subagent(CARRIER.headers):
        raise LookupError("no teapot")
    assert handler.flush(PATIENCE)
    (recorded,) = the_span(recorder)["events"]
    assert recorded["attributes"] == {
        "exception.type": "LookupError",
        "exception.message": "no teapot",
        "exception.stacktrace": STACK,
    }


def test_a_block_that_says_nothing_has_failed(recorder: Recorder, handler: RaindropHandler) -> None:
    """Else its launch would look queued for ever."""

    async def say_nothing() -> None:
        async with resume_subagent(event_id="job-2", user_id="ada", name="waiter"):
            pass

    with resume_subagent(CARRIER.headers):
        pass
    asyncio.run(say_nothing())
    assert handler.flush(PATIENCE)
    assert [event["ai_data"]["output"] for event in complete(recorder)] == [f"Aborted: {SILENT}"] * 2
    assert [span["status"] for span in recorder.spans()] == [{"code": "ERROR", "message": SILENT}] * 2


def test_a_cancelled_task_is_a_cancelled_run(recorder: Recorder, handler: RaindropHandler) -> None:
    """A task that is really cancelled in the middle of its work leaves the run cancelled, and is cancelled itself."""

    async def work(began: asyncio.Event) -> None:
        async with resume_subagent(CARRIER.headers, input="find a teapot"):
            began.set()
            await asyncio.Event().wait()

    async def main() -> None:
        began = asyncio.Event()
        task = asyncio.create_task(work(began))
        await asyncio.wait_for(began.wait(), PATIENCE)
        task.cancel()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.cancelled()

    asyncio.run(main())
    assert handler.flush(PATIENCE)
    _check_event(the_event(recorder), _cancelled(reason="CancelledError"))
    _check_span(the_span(recorder), _cancelled(reason="CancelledError"))


def test_a_cancelled_future_is_a_cancelled_run(recorder: Recorder, handler: RaindropHandler) -> None:
    """A run that waits for a future that is cancelled, and lets that through, is cancelled."""
    future: concurrent.futures.Future[str] = concurrent.futures.Future()
    future.cancel()
    with pytest.raises(concurrent.futures.CancelledError), resume_subagent(CARRIER.headers) as run:
        run.finish(future.result(PATIENCE))
    assert handler.flush(PATIENCE)
    assert the_event(recorder)["ai_data"]["output"] == "Cancelled: CancelledError"
    assert TERMINAL.items() <= the_span(recorder)["attributes"].items()


@pytest.mark.parametrize("name", ["finished", "failed", "cancelled"])
def test_what_was_said_stands_whatever_leaves_the_block(
    recorder: Recorder, handler: RaindropHandler, name: str
) -> None:
    """An exception after the end goes on to the caller, and changes nothing of what the program said."""
    (say,) = ENDINGS[name].says
    run = resume_subagent(CARRIER.headers, input="find a teapot")

    def work() -> None:
        with run:
            say(run)
            raise LookupError("too late")

    with pytest.raises(LookupError):
        work()
    assert handler.flush(PATIENCE)
    _check_event(the_event(recorder), ENDINGS[name])
    _check_span(the_span(recorder), ENDINGS[name])


def test_a_block_that_is_entered_again_raises_nothing(recorder: Recorder, handler: RaindropHandler) -> None:
    """Inside itself or after its end, a run stays one event and one span."""
    with resume_subagent(CARRIER.headers) as run:
        with run:
            run.finish("a green teapot")
        with tool_span("tidy up"):
            pass
    with run:
        pass
    assert handler.flush(PATIENCE)
    assert the_event(recorder)["ai_data"]["output"] == "a green teapot"
    assert [span["name"] for span in recorder.spans() if span["name"] != "tidy up"] == ["researcher"]


# ---- before the end -------------------------------------------------------------------------------------------------


def test_a_run_is_known_from_its_first_moment(recorder: Recorder, handler: RaindropHandler) -> None:
    """It is pending as soon as it was resumed, and stays so if its process is never heard of again."""
    run = resume_subagent(CARRIER.headers, input="find a teapot")
    assert handler.flush(PATIENCE)
    (partial,) = partials(recorder)
    assert (partial["event_id"], partial["is_pending"]) == ("job-1", True)
    assert (run.interaction.finished, run.is_linked, run.parent) == (False, True, CARRIER)
    assert repr(run) == "<SubagentRun 'researcher' job-1>"


# ---- whatever it is given -------------------------------------------------------------------------------------------

ARGUMENTS: Final[dict[str, Callable[[Any], object]]] = {
    "headers": lambda odd: resume_subagent(odd, user_id="ada").finish("found"),
    "parent": lambda odd: resume_subagent(parent=odd, user_id="ada").finish("found"),
    "user_id": lambda odd: resume_subagent(user_id=odd).finish("found"),
    "event": lambda odd: resume_subagent(user_id="ada", event=odd).finish("found"),
    "name": lambda odd: resume_subagent(user_id="ada", name=odd).finish("found"),
    "convo_id": lambda odd: resume_subagent(user_id="ada", convo_id=odd).finish("found"),
    "event_id": lambda odd: resume_subagent(user_id="ada", event_id=odd).finish("found"),
    "an output": lambda odd: resume_subagent(user_id="ada").finish(odd),
    "a reason to fail": lambda odd: resume_subagent(user_id="ada").fail(odd),
    "a reason to cancel": lambda odd: resume_subagent(user_id="ada").cancel(odd),
}
ODDEST: Final = {**ODD, "surrogate": "\ud800", "blank": "  ", "list": [1], "hostile list": [Hostile()]}


@pytest.mark.parametrize("call", ARGUMENTS.values(), ids=ARGUMENTS)
@pytest.mark.parametrize("odd", ODDEST.values(), ids=ODDEST)
def test_any_value_is_taken(
    recorder: Recorder, handler: RaindropHandler, call: Callable[[Any], object], odd: Any
) -> None:
    """Nothing is raised, and the run arrives with its end."""
    with bind(user_id="bob"):
        call(odd)
    assert handler.flush(PATIENCE)
    assert handler.stats().dropped == {}
    assert the_event(recorder)["ai_data"]["output"].strip()
    assert the_span(recorder)["name"].strip()
