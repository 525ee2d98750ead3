"""The verbs: begin, resume, update, finish, track, signal, identify; what each becomes, whatever it is given."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging
from raindrop_logging import (
    Interaction,
    begin,
    bind,
    extra,
    identify,
    resume_interaction,
    resume_subagent,
    track,
    track_ai,
    track_event,
    track_signal,
)
from raindrop_logging._pipeline.sender import MAX_CONNECTIONS
from tests.arrivals import by_name, complete, event_of, partials, the_event, the_span
from tests.wire.expect import BATCHED
from tests.wire.harness import PATIENCE, Heard, attach, diagnostics
from tests.wire.matching import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raindrop_logging import RaindropHandler
    from raindrop_logging.vocabulary import AttachmentDict
    from tests.wire.recorder import Recorder

NOTE: AttachmentDict = {"type": "text", "value": "a note", "role": "input"}


@pytest.fixture
def handler(recorder: Recorder) -> RaindropHandler:
    """A handler on the root logger; only a flush sends."""
    return attach(recorder.endpoint, **BATCHED)


# ---- from begin to finish ----------------------------------------------------------------------------------------


def test_every_step_is_a_record_and_together_they_are_one_event(recorder: Recorder, handler: RaindropHandler) -> None:
    """begin, each setter and finish add up to one complete event with all that they said."""
    interaction = begin(user_id="u", event="chat", input="q", convo_id="c")
    interaction.set_input("question")
    interaction.set_model("gpt-x")
    interaction.set_property("a", 1)
    interaction.set_properties({"b": [2], "a": 3})
    interaction.add_attachments([{"type": "text", "value": "one"}])
    interaction.add_attachments([{"type": "code", "value": "two", "language": "python"}])
    interaction.update(feature_flags={"flag": "on"}, properties={"c": True})
    interaction.finish("answer")
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["event_id"], event["user_id"], event["event"]) == (interaction.id, "u", "chat")
    assert event["ai_data"] == {"input": "question", "output": "answer", "model": "gpt-x", "convo_id": "c"}
    assert {key: event["properties"][key] for key in "abc"} == {"a": 3, "b": [2], "c": True}
    assert [one["value"] for one in event["attachments"]] == ["one", "two"]
    assert event["feature_flags"] == {"flag": "on"}
    assert handler.stats().accepted == handler.stats().delivered == 9


@pytest.mark.usefixtures("handler")
def test_a_handle_tells_its_ids_and_whether_it_is_finished() -> None:
    """id and event_id are the same text, trace_id is 32 hex digits, finished turns true once and for every handle."""
    interaction = begin(user_id="u", event="chat", event_id="e-1")
    other = resume_interaction("e-1")
    assert (interaction.id, interaction.event_id, interaction.finished) == ("e-1", "e-1", False)
    assert len(interaction.trace_id) == 32
    assert int(interaction.trace_id, 16)
    interaction.finish()
    assert (interaction.finished, other.finished) == (True, True)
    assert repr(interaction) == "<Interaction e-1 finished>"


@pytest.mark.usefixtures("handler")
def test_an_id_is_made_where_none_is_given() -> None:
    """Two interactions without an id are two events, each with a UUID."""
    first, second = begin(user_id="u", event="a"), begin(user_id="u", event="b")
    assert first.id == UUID
    assert second.id == UUID
    assert first.id != second.id


def test_begin_takes_its_arguments_in_the_official_order(recorder: Recorder, handler: RaindropHandler) -> None:
    """user_id, event, event_id, properties, input, attachments, convo_id, then model."""
    begin("u", "chat", "e-1", {"p": 1}, "q", [NOTE], "c", "m").finish()
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["user_id"], event["event"], event["event_id"]) == ("u", "chat", "e-1")
    assert event["ai_data"] == {"input": "q", "convo_id": "c", "model": "m"}
    assert (event["properties"]["p"], event["attachments"]) == (1, [NOTE])


def test_finish_takes_every_top_level_field(recorder: Recorder, handler: RaindropHandler) -> None:
    """What finish says replaces what was said before: user, event, conversation, texts, time, properties and more."""
    interaction = begin(user_id="u", event="chat", input="q", properties={"a": 1, "b": 1})
    interaction.finish(
        output="answer",
        input="question",
        model="m",
        convo_id="c2",
        user_id="u2",
        event="chat2",
        properties={"b": 2},
        attachments=[NOTE],
        timestamp="2026-01-02T03:04:05Z",
        feature_flags={"flag": "on"},
    )
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["user_id"], event["event"], event["event_id"]) == ("u2", "chat2", interaction.id)
    assert event["ai_data"] == {"input": "question", "output": "answer", "model": "m", "convo_id": "c2"}
    assert {key: event["properties"][key] for key in "ab"} == {"a": 1, "b": 2}
    assert (event["attachments"], event["feature_flags"]) == ([NOTE], {"flag": "on"})


def test_whom_a_later_step_names_is_whose_the_spans_are(recorder: Recorder, handler: RaindropHandler) -> None:
    """A user, event or conversation that update says is repeated by every record and span after it."""
    interaction = begin(user_id="u", event="chat")
    interaction.update(user_id="u2", convo_id="c2")
    with interaction.tool_span("search"):
        pass
    interaction.finish("answer")
    assert handler.flush(PATIENCE)
    attributes = the_span(recorder)["attributes"]
    assert attributes["traceloop.association.properties.user_id"] == "u2"
    assert attributes["traceloop.association.properties.convo_id"] == "c2"
    assert (the_event(recorder)["user_id"], the_event(recorder)["ai_data"]["convo_id"]) == ("u2", "c2")


def test_an_update_cannot_move_to_another_event(recorder: Recorder, handler: RaindropHandler) -> None:
    """A handle speaks of its own event, whatever id or type a call sneaks in."""
    interaction = begin(user_id="u", event="chat", event_id="mine", input="q")
    interaction.update(event_id="other", type="ai", model="m")
    interaction.finish("answer")
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["event_id"], event["ai_data"]["model"]) == ("mine", "m")


def test_every_record_names_the_line_that_made_it() -> None:
    """File and function of a record are the caller's, as with a log call written by hand."""
    heard = Heard("raindrop")

    async def in_a_task() -> None:
        async with raindrop_logging.task_span("async"), begin(user_id="u", event="async"):
            pass

    with begin(user_id="u", event="chat") as interaction:
        interaction.set_input("q")
        interaction.set_model("m")
        interaction.set_property("a", 1)
        interaction.set_properties({"b": 1})
        interaction.add_attachments([NOTE])
        interaction.update(convo_id="c")
        interaction.track_tool("told", output="x")
        interaction.subagent("researcher")
        with raindrop_logging.task_span("block"):
            raindrop_logging.start_span("llm", "by hand").end()
            raindrop_logging.start_span("llm", "told").end_at(1_790_000_000)
        interaction.with_tool("called", lambda: None)
    interaction.finish("answer")
    resume_subagent().finish("done")
    asyncio.run(in_a_task())
    track_ai("u", "chat", input="q")
    track("u", "view")
    track_signal("e", "s")
    identify("u", {"plan": "paid"})
    own = {(record.pathname, record.funcName) for record in heard.records}
    assert {Path(path).name for path, _ in own} == {Path(__file__).name}, own
    assert {name for _, name in own} == {test_every_record_names_the_line_that_made_it.__name__, "in_a_task"}
    assert len(heard.records) == 25


# ---- after the end ----------------------------------------------------------------------------------------------


def test_finishing_twice_revises_and_a_late_change_never_reopens(recorder: Recorder, handler: RaindropHandler) -> None:
    """After the first final nothing of the interaction is pending again, whatever is called on it and by whom."""
    interaction = begin(user_id="u", event="chat", event_id="e-1", input="q", convo_id="c")
    assert handler.flush(PATIENCE)
    interaction.finish("first")
    interaction.finish("second")
    interaction.set_property("late", 1)
    resume_interaction("e-1").set_property("later", 2)
    assert handler.flush(PATIENCE)
    interaction.set_input("afterwards")
    assert handler.flush(PATIENCE)
    said = partials(recorder)
    assert [partial["is_pending"] for partial in said] == [True, False, False, False, False, False]
    assert {partial["event_id"] for partial in said} == {"e-1"}
    assert {(partial["user_id"], partial["event"], partial["ai_data"]["convo_id"]) for partial in said} == {
        ("u", "chat", "c")
    }
    assert [partial["ai_data"].get("output") for partial in said[1:3]] == ["first", "second"]
    assert complete(recorder) == []


def test_a_short_interaction_that_is_changed_later_is_revised(recorder: Recorder, handler: RaindropHandler) -> None:
    """One that went out as a complete event is never pending afterwards."""
    interaction = begin(user_id="u", event="chat", input="q")
    interaction.finish("answer")
    interaction.set_property("late", 1)
    assert handler.flush(PATIENCE)
    assert the_event(recorder)["ai_data"]["output"] == "answer"
    (revision,) = partials(recorder)
    assert (revision["is_pending"], revision["properties"]["late"]) == (False, 1)


# ---- as a context manager -----------------------------------------------------------------------------------------


def test_it_finishes_itself(recorder: Recorder, handler: RaindropHandler) -> None:
    """The end of the block is the end of the interaction, unless the block has finished it."""
    with begin(user_id="u", event="by itself", input="q") as interaction:
        interaction.set_model("m")
    with begin(user_id="u", event="by hand", input="q") as by_hand:
        by_hand.finish("answer")
    assert interaction.finished
    assert handler.flush(PATIENCE)
    first, second = complete(recorder)
    assert (first["event"], first["ai_data"]["model"]) == ("by itself", "m")
    assert (second["event"], second["ai_data"]["output"]) == ("by hand", "answer")
    assert partials(recorder) == []


def test_what_was_raised_inside_is_its_error(recorder: Recorder, handler: RaindropHandler) -> None:
    """The exception becomes properties.error and goes on unchanged; in async code as well."""
    error = ValueError("no such order")

    async def fails() -> None:
        async with begin(user_id="u", event="async", input="q"):
            raise error

    with pytest.raises(ValueError, match="no such order") as caught, begin(user_id="u", event="sync", input="q"):
        raise error
    assert caught.value is error
    with pytest.raises(ValueError, match="no such order"):
        asyncio.run(fails())
    assert handler.flush(PATIENCE)
    for event, name in zip(complete(recorder), ("sync", "async"), strict=True):
        said = event["properties"]["error"]
        assert (event["event"], said["type"], said["message"]) == (name, "ValueError", "no such order")
        assert "raise error" in said["stack"]


def test_a_generator_that_is_closed_early_is_no_error(recorder: Recorder, handler: RaindropHandler) -> None:
    """A consumer that stops reading a stream has not failed."""

    def stream() -> Iterator[str]:
        with begin(user_id="u", event="chat", input="q"):
            yield "first"
            yield "second"

    chunks = stream()
    assert next(chunks) == "first"
    chunks.close()  # type: ignore[attr-defined]
    assert handler.flush(PATIENCE)
    assert "error" not in the_event(recorder)["properties"]


# ---- resume ------------------------------------------------------------------------------------------------------


def test_an_interaction_of_this_process_is_resumed_by_its_id(recorder: Recorder, handler: RaindropHandler) -> None:
    """Any thread finds it, with its user, its trace and its logger; an id that is a number finds it too."""
    log = logging.getLogger("shop.resumed")
    heard = Heard(log.name)
    interaction = begin(user_id="u", event="chat", event_id=7, input="q", logger=log)  # type: ignore[arg-type]

    def elsewhere() -> str:
        resumed = resume_interaction(7)  # type: ignore[arg-type]
        resumed.set_property("a", 1)
        with resumed.tool_span("search"):
            pass
        resumed.finish("answer")
        return resumed.trace_id

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(elsewhere).result() == interaction.trace_id
    assert interaction.finished
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["event_id"], event["user_id"], event["properties"]["a"]) == ("7", "u", 1)
    assert event["properties"]["trace_id"] == the_span(recorder)["trace_id"] == interaction.trace_id
    assert len(heard.records) == 4


def test_without_an_id_the_open_one_is_resumed(recorder: Recorder, handler: RaindropHandler) -> None:
    """Code deep inside finishes what its caller began."""
    interaction = begin(user_id="u", event="chat", input="q")
    resume_interaction().finish("answer")
    assert interaction.finished
    assert handler.flush(PATIENCE)
    assert the_event(recorder)["ai_data"]["output"] == "answer"


def test_one_that_another_process_began_is_resumed_by_its_id(recorder: Recorder, handler: RaindropHandler) -> None:
    """The id alone is enough; its trace is the same in every process, and a bound user makes it whole."""
    with bind(user_id="u"):
        resumed = resume_interaction("elsewhere")
        resumed.finish("answer", event="chat")
    assert resumed.trace_id == resume_interaction("elsewhere").trace_id
    assert handler.flush(PATIENCE)
    (partial,) = partials(recorder)
    assert (partial["event_id"], partial["user_id"], partial["event"]) == ("elsewhere", "u", "chat")
    assert (partial["is_pending"], partial["ai_data"]["output"]) == (False, "answer")


@pytest.mark.usefixtures("handler")
def test_with_nothing_to_resume_there_is_a_new_one() -> None:
    """Each has an id and a trace of its own, so nothing of two callers is mixed."""
    first, second = resume_interaction(), resume_interaction("")
    assert first.id == UUID
    assert second.id == UUID
    assert first.id != second.id
    assert first.trace_id != second.trace_id


@pytest.mark.usefixtures("handler")
def test_a_resumed_one_may_be_given_another_logger() -> None:
    """From then on every handle of it says its records there."""
    here, there = Heard("raindrop"), Heard("shop.other")
    interaction = begin(user_id="u", event="chat")
    resume_interaction(interaction.id, logger=logging.getLogger("shop.other"))
    interaction.finish("answer")
    assert (len(here.records), len(there.records)) == (1, 1)


def test_begin_with_the_id_of_an_open_one_goes_on_with_it(recorder: Recorder, handler: RaindropHandler) -> None:
    """As in the official SDKs begin starts or resumes: there is one interaction, and finishing it is enough."""
    first = begin(user_id="u", event="chat", event_id="e-1", input="q")
    second = begin(user_id="u", event="chat", event_id="e-1", model="m")
    second.finish("answer")
    assert first.finished
    track_signal(name="late")
    with raindrop_logging.tool_span("late"):
        pass
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert event["ai_data"] == {"input": "q", "output": "answer", "model": "m"}
    assert event_of(the_span(recorder)) is None
    assert recorder.items("signals/track") == []


def test_an_interaction_begun_again_elsewhere_leaves_nothing_there(
    recorder: Recorder, handler: RaindropHandler
) -> None:
    """Once it is finished, a thread that went on with it is back where that thread was, not where it was begun."""
    begin(user_id="other", event="around", event_id="around")
    inner = begin(user_id="u", event="chat", event_id="inner", input="q")

    def elsewhere() -> None:
        begin(event_id="inner").finish("answer")
        with raindrop_logging.tool_span("elsewhere"):
            pass

    _in_a_thread(elsewhere)
    with raindrop_logging.tool_span("here"):
        pass
    assert inner.finished
    assert handler.flush(PATIENCE)
    spans = by_name(recorder)
    assert (event_of(spans["elsewhere"]), event_of(spans["here"])) == (None, "around")
    assert (the_event(recorder)["user_id"], the_event(recorder)["event"]) == ("u", "chat")


def _in_a_thread(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


# ---- single records -----------------------------------------------------------------------------------------------


def test_track_ai_takes_its_arguments_in_the_official_order(recorder: Recorder, handler: RaindropHandler) -> None:
    """user_id, event, event_id, model, input, output, convo_id, properties, timestamp, attachments."""
    time = "2026-01-02T03:04:05Z"
    assert track_ai("u", "chat", "e-1", "m", "q", "a", "c", {"p": 1}, time, [NOTE]) == "e-1"
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["user_id"], event["event"], event["event_id"]) == ("u", "chat", "e-1")
    assert event["ai_data"] == {"model": "m", "input": "q", "output": "a", "convo_id": "c"}
    assert (event["properties"]["p"], event["attachments"]) == (1, [NOTE])
    assert event["timestamp"] == "2026-01-02T03:04:05.000000Z"


@pytest.mark.parametrize("verb", [track, track_event], ids=["track", "track_event"])
def test_track_takes_its_arguments_in_the_official_order(
    recorder: Recorder, handler: RaindropHandler, verb: Any
) -> None:
    """user_id, event, event_id, timestamp, properties, attachments; under both names."""
    assert verb("u", "view", "e-1", "2026-01-02T03:04:05Z", {"p": 1}, [NOTE]) == "e-1"
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["user_id"], event["event"], event["event_id"]) == ("u", "view", "e-1")
    assert (event["properties"]["p"], event["attachments"]) == (1, [NOTE])
    assert event["timestamp"] == "2026-01-02T03:04:05.000000Z"
    assert "ai_data" not in event


def test_track_signal_takes_its_arguments_in_the_official_order(recorder: Recorder, handler: RaindropHandler) -> None:
    """event_id, name, signal_type, timestamp, properties, attachment_id; then as the official SDK has them."""
    time = "2026-01-02T03:04:05Z"
    track_signal("e-1", "wrong", "feedback", time, {"p": 1}, "a-1", "too slow", None, "NEGATIVE")
    track_signal("e-1", "edited", "edit", time, None, None, None, "better", "POSITIVE")
    assert handler.flush(PATIENCE)
    feedback, edit = recorder.items("signals/track")
    assert feedback == {
        "event_id": "e-1",
        "signal_name": "wrong",
        "signal_type": "feedback",
        "timestamp": "2026-01-02T03:04:05.000000Z",
        "properties": {"p": 1, "comment": "too slow"},
        "attachment_id": "a-1",
        "sentiment": "NEGATIVE",
    }
    assert (edit["properties"], edit["sentiment"]) == ({"after": "better"}, "POSITIVE")


def test_identify_takes_its_arguments_in_the_official_order(recorder: Recorder, handler: RaindropHandler) -> None:
    """user_id, traits."""
    identify("u", {"plan": "paid"})
    assert handler.flush(PATIENCE)
    assert recorder.bodies("users/identify") == [{"user_id": "u", "traits": {"plan": "paid"}}]


def test_inside_a_bind_nothing_has_to_be_repeated(recorder: Recorder, handler: RaindropHandler) -> None:
    """User, conversation, event and properties come from there, and the id that is bound is the one returned."""
    with bind(user_id="u", convo_id="c", event="chat", event_id="e-1", properties={"p": 1}):
        assert track_ai(input="q") == "e-1"
        track_signal(name="thumbs_up")
        identify(traits={"plan": "paid"})
    with bind(user_id="u", event="view"):
        plain = track()
    assert handler.flush(PATIENCE)
    ai, view = complete(recorder)
    assert (ai["event_id"], ai["user_id"], ai["event"], ai["properties"]["p"]) == ("e-1", "u", "chat", 1)
    assert ai["ai_data"] == {"input": "q", "convo_id": "c"}
    assert (view["event_id"], view["user_id"], view["event"]) == (plain, "u", "view")
    assert [signal["event_id"] for signal in recorder.items("signals/track")] == ["e-1"]
    assert recorder.bodies("users/identify")[0]["user_id"] == "u"


def test_inside_an_interaction_a_tracked_event_is_one_of_its_own(recorder: Recorder, handler: RaindropHandler) -> None:
    """It is of the same person and conversation; a signal is about the interaction."""
    interaction = begin(user_id="u", event="chat", input="q", convo_id="c")
    returned = track_ai(event="other", input="q2")
    track_signal(name="thumbs_up")
    interaction.finish("answer")
    assert handler.flush(PATIENCE)
    found = {event["event"]: event for event in complete(recorder)}
    assert (found["other"]["event_id"], found["other"]["user_id"]) == (returned, "u")
    assert returned != interaction.id
    assert found["other"]["ai_data"]["convo_id"] == "c"
    assert [signal["event_id"] for signal in recorder.items("signals/track")] == [interaction.id]


def test_ids_and_names_that_are_numbers_are_said_as_text(recorder: Recorder, handler: RaindropHandler) -> None:
    """A database key is what services have at hand; every verb takes it."""
    interaction = begin(user_id=1, event=2, event_id=3, convo_id=4, input="q")  # type: ignore[arg-type]
    interaction.finish("answer", convo_id=44)  # type: ignore[arg-type]
    assert track_ai(1, 2, 5, input="q", convo_id=4) == "5"  # type: ignore[arg-type]
    assert track(1, 2, 6) == "6"  # type: ignore[arg-type]
    track_signal(3, "s")  # type: ignore[arg-type]
    identify(1, {"plan": "paid"})  # type: ignore[arg-type]
    assert (interaction.id, handler.flush(PATIENCE).left) == ("3", 0)
    assert {(event["user_id"], event["event"]) for event in complete(recorder)} == {("1", "2")}
    assert {event["event_id"] for event in complete(recorder)} == {"3", "5", "6"}
    assert [event["ai_data"]["convo_id"] for event in complete(recorder) if "ai_data" in event] == ["44", "4"]
    assert recorder.items("signals/track")[0]["event_id"] == "3"
    assert recorder.bodies("users/identify")[0]["user_id"] == "1"


# ---- whatever it is given -----------------------------------------------------------------------------------------


class _Hostile:
    """An object that fails at whatever is done with it."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

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


HOSTILE: dict[str, Callable[[Interaction, Any], object]] = {
    "set_input": lambda i, odd: i.set_input(odd),
    "set_model": lambda i, odd: i.set_model(odd),
    "set_properties": lambda i, odd: i.set_properties(odd),
    "add_attachments": lambda i, odd: i.add_attachments(odd),
    "an attachment": lambda i, odd: i.add_attachments([odd]),
    "update": lambda i, odd: i.update(feature_flags=odd),
}


@pytest.mark.parametrize("odd", [5, "x", 1.5, _Hostile(), object()], ids=lambda odd: type(odd).__name__)
@pytest.mark.parametrize("call", HOSTILE.values(), ids=HOSTILE)
def test_a_wrong_value_costs_its_own_record_only(
    recorder: Recorder, handler: RaindropHandler, call: Callable[[Interaction, Any], object], odd: Any
) -> None:
    """Nothing is raised; the record is counted and named once, or it could be said; its neighbours arrive whole."""
    heard = diagnostics()
    interaction = begin(user_id="u", event="chat", input="q", properties={"before": 1})
    call(interaction, odd)
    interaction.set_property("after", 1)
    interaction.finish("answer")
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["properties"]["before"], event["properties"]["after"]) == (1, 1)
    assert event["ai_data"]["output"] == "answer"
    invalid = handler.stats().dropped.get("invalid", 0)
    assert handler.stats().dropped == ({"invalid": invalid} if invalid else {})
    assert len([line for line in heard.lines if "invalid (1 record)" in line]) == invalid <= 1
    assert handler.stats().delivered + invalid == handler.stats().accepted == 4


def test_wrong_types_are_counted_and_named(recorder: Recorder, handler: RaindropHandler) -> None:
    """A number as input and a text as properties are refused by their names, in one line."""
    heard = diagnostics()
    interaction = begin(user_id="u", event="chat", input="q")
    interaction.set_input(5)  # type: ignore[arg-type]
    interaction.set_properties("x")  # type: ignore[arg-type]
    interaction.finish("answer")
    assert handler.flush(PATIENCE)
    assert handler.stats().dropped == {"invalid": 2}
    told = [line for line in heard.lines if "invalid" in line]
    assert sum(int("'input' is int 5" in line) for line in told) == 1
    assert the_event(recorder)["ai_data"] == {"input": "q", "output": "answer"}


UNSAYABLE: dict[str, Any] = {
    "hostile": _Hostile(),
    "lock": threading.Lock(),
    "bytes": b"\xff\x00",
    "huge": 10**400,
    "nan": float("nan"),
    "surrogate": "\ud800",
    "odd keys": {(1, 2): "pair", None: 1},
    "lambda": lambda: None,
}


@pytest.mark.parametrize("value", UNSAYABLE.values(), ids=UNSAYABLE)
def test_any_value_can_be_a_property(recorder: Recorder, handler: RaindropHandler, value: Any) -> None:
    """What JSON has no word for becomes a marked text, in every verb, and nothing is lost."""
    interaction = begin(user_id="u", event="chat", input="q", properties={"v": value})
    interaction.set_property("w", value)
    interaction.finish("answer", properties={"x": value, "y": {"nested": [value]}})
    track("u", "view", properties={"v": value})
    assert handler.flush(PATIENCE)
    assert handler.stats().dropped == {}
    assert {"v", "w", "x", "y"} <= set(complete(recorder)[0]["properties"])


def test_a_property_with_an_odd_name_is_said_under_its_text(recorder: Recorder, handler: RaindropHandler) -> None:
    """A key that is no text, even one that no dict can hold, does not raise."""
    with begin(user_id="u", event="chat", input="q") as interaction:
        interaction.set_property(5, "number")  # type: ignore[arg-type]
        interaction.set_property(["a"], "list")  # type: ignore[arg-type]
    assert handler.flush(PATIENCE)
    properties = the_event(recorder)["properties"]
    assert (properties["5"], properties["['a']"]) == ("number", "list")


def test_an_ending_that_says_something_wrong_is_an_ending(recorder: Recorder, handler: RaindropHandler) -> None:
    """A finish whose fields are refused, and named, still closes: nothing stays pending because of a typo."""
    begin(user_id="u", event="output", input="q").finish({"text": "answer"})  # type: ignore[arg-type]
    begin(user_id="u", event="typo", input="q").finish("answer", modle="m")  # type: ignore[call-arg]
    begin(user_id="u", event="time", input="q").finish("answer", timestamp="yesterday")
    assert handler.flush(PATIENCE)
    assert {event["event"] for event in complete(recorder)} == {"output", "typo", "time"}
    assert partials(recorder) == []
    assert (handler.stats().dropped, handler.stats().open_interactions) == ({"invalid": 3}, 0)


@pytest.mark.parametrize("odd", [5, "x", _Hostile(), None, [object()]], ids=lambda odd: type(odd).__name__)
def test_the_first_and_the_single_verbs_take_anything(handler: RaindropHandler, odd: Any) -> None:
    """begin, resume, track, signal and identify never raise, and every record is accounted for."""
    interaction = begin(odd, odd, odd, odd, odd, odd, odd, odd, timestamp=odd, feature_flags=odd, tools=odd)
    interaction.set_tools(odd)
    interaction.set_property("p", odd)
    interaction.finish(odd)
    resume_interaction(odd).finish(odd, properties=odd)
    track_ai(odd, odd, odd, odd, odd, odd, odd, odd, odd, odd, feature_flags=odd)
    track(odd, odd, odd, odd, odd, odd, feature_flags=odd)
    track_signal(odd, odd, odd, odd, odd, odd, odd, odd, odd)
    identify(odd, odd)
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert stats.accepted >= 8
    assert stats.accepted == stats.delivered + sum(stats.dropped.values())
    assert set(stats.dropped) <= {"invalid"}


# ---- many at once -------------------------------------------------------------------------------------------------


def test_five_hundred_open_interactions_cost_no_more_threads_than_one(recorder: Recorder) -> None:
    """There is no timer or thread per interaction, and what the process keeps of them is bounded."""
    handler = attach(recorder.endpoint, **{**BATCHED, "max_open_interactions": 100})
    before = begin(user_id="u", event="first", input="q")
    most = threading.active_count() + MAX_CONNECTIONS  # what is more than may be open at once is sent meanwhile
    opened = [begin(user_id="u", event="chat", input=f"q{number}") for number in range(500)]
    assert threading.active_count() <= most
    assert handler.flush(PATIENCE)
    assert handler.stats().open_interactions <= 100
    for interaction in [before, *opened]:
        interaction.finish("answer")
    assert handler.flush(PATIENCE)
    assert handler.stats().open_interactions == 0
    assert {partial["event_id"] for partial in partials(recorder)} >= {one.id for one in opened}
    assert handler.stats().dropped == {}


@pytest.mark.usefixtures("handler")
def test_interactions_that_are_never_finished_do_not_pile_up() -> None:
    """What is remembered for resume, and the chain that one context holds, are both bounded."""
    from raindrop_logging.context import MAX_RESUMABLE, here

    logging.getLogger("raindrop").setLevel(logging.ERROR)  # only what begin itself keeps is looked at
    first = begin(user_id="u", event="chat", event_id="first")
    for _ in range(MAX_RESUMABLE + 10):
        begin(user_id="u", event="chat")
    resume_interaction("first").finish()
    assert not first.finished
    links, scope = 0, here()
    while scope.outer is not None:
        links, scope = links + 1, scope.outer
    assert links <= 32


def test_one_that_is_touched_all_the_time_still_sends_its_partials(recorder: Recorder) -> None:
    """A change does not put off what is due: partials leave while the changes go on."""
    attach(recorder.endpoint, **{**BATCHED, "partial_flush_interval": 0.02})
    interaction = begin(user_id="u", event="chat", input="q")
    stop = threading.Event()

    def touch() -> None:
        number = 0
        while not stop.is_set():
            interaction.set_property("touched", number := number + 1)

    toucher = threading.Thread(target=touch)
    toucher.start()
    try:
        arrived = recorder.wait_for(3, route="events/track_partial")
    finally:
        stop.set()
        toucher.join()
    touched = [request.json["properties"].get("touched", 0) for request in arrived]
    assert touched == sorted(touched)
    assert all(request.json["is_pending"] for request in arrived)


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("switching")
def test_threads_that_share_an_interaction_lose_nothing(recorder: Recorder, handler: RaindropHandler) -> None:
    """8 threads, each 50 properties and 20 attachments: all of them are in the event, each once."""
    interaction = begin(user_id="u", event="chat", input="q")
    start = threading.Barrier(8)

    def work(worker: int) -> None:
        start.wait()
        for number in range(50):
            interaction.set_property(f"{worker}.{number}", number)
            if number < 20:
                interaction.add_attachments([{"type": "text", "value": f"{worker}.{number}"}])

    _at_once(work)
    interaction.finish("answer")
    assert handler.flush(PATIENCE)
    _assert_all_there(the_event(recorder))


def test_tasks_that_share_an_interaction_lose_nothing(recorder: Recorder, handler: RaindropHandler) -> None:
    """The same from asyncio tasks that take turns after every step."""

    async def work(interaction: Interaction, worker: int) -> None:
        for number in range(50):
            interaction.set_property(f"{worker}.{number}", number)
            await asyncio.sleep(0)
            if number < 20:
                interaction.add_attachments([{"type": "text", "value": f"{worker}.{number}"}])

    async def serve() -> None:
        async with begin(user_id="u", event="chat", input="q") as interaction:
            await asyncio.gather(*(work(interaction, worker) for worker in range(8)))

    asyncio.run(serve())
    assert handler.flush(PATIENCE)
    _assert_all_there(the_event(recorder))


def _at_once(work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _assert_all_there(event: dict[str, Any]) -> None:
    properties = {key: value for key, value in event["properties"].items() if "." in key}
    assert properties == {f"{worker}.{number}": number for worker in range(8) for number in range(50)}
    attached = sorted(one["value"] for one in event["attachments"])
    assert attached == sorted(f"{worker}.{number}" for worker in range(8) for number in range(20))


# ---- beside the verbs ---------------------------------------------------------------------------------------------


def test_a_hand_written_record_joins_the_open_interaction(recorder: Recorder, handler: RaindropHandler) -> None:
    """extra.update and extra.finish without an id mean the interaction that is open around them."""
    log = logging.getLogger("shop.by_hand")
    interaction = begin(user_id="u", event="chat", input="q")
    log.info("step", extra=extra.update(properties={"a": 1}))
    log.info("done", extra=extra.finish(output="answer"))
    assert handler.flush(PATIENCE)
    event = the_event(recorder)
    assert (event["event_id"], event["properties"]["a"]) == (interaction.id, 1)
    assert event["ai_data"]["output"] == "answer"
