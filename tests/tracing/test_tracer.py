"""Tracer: the spans of batch jobs and other work that is nobody's, wherever it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raindrop_logging import Tracer, begin, bind, resume_interaction, task_span, tool_span, track_ai, track_signal
from tests.arrivals import complete, event_of, is_kept, whose
from tests.published_docs.arrived import told, tree

if TYPE_CHECKING:
    from raindrop_logging import RaindropHandler
    from tests.arrivals import Spans
    from tests.wire.recorder import Recorder


def test_its_spans_carry_its_properties_and_their_own(spans: Spans) -> None:
    """Merged key by key, their own win; those of one span are not those of the next, and the job's are as they were."""
    shared = {"job_id": 7, "step": "none"}
    tracer = Tracer(shared)
    shared["job_id"] = 8
    with tracer.task_span("first", properties={"step": "load", "rows": 3}) as span:
        span.set_property("rows", 4)
    tracer.start_span("tool", "second").end()
    tracer.track_tool("third", properties={"step": "save"})
    found = spans()
    assert {name: told(span)["properties"] for name, span in found.items()} == {
        "first": {"job_id": 7, "step": "load", "rows": 4},
        "second": {"job_id": 7, "step": "none"},
        "third": {"job_id": 7, "step": "save"},
    }
    assert all(is_kept(span) for span in found.values())


def test_its_spans_nest_and_those_of_others_nest_in_them(spans: Spans) -> None:
    """One trace for a job, whoever makes the spans inside; two jobs one after the other are two traces."""
    tracer = Tracer({"job": 1})
    with tracer.task_span("job"):
        with tracer.tool_span("own"), task_span("another's"):
            tracer.track_tool("deep")
        with tool_span("another's below the job"):
            pass
    with tracer.task_span("next job"):
        pass
    found = spans()
    other = found.pop("next job")
    assert tree(found) == {
        "job": None,
        "own": "job",
        "another's": "own",
        "deep": "another's",
        "another's below the job": "job",
    }
    assert other["trace_id"] != found["job"]["trace_id"]
    assert "job" not in told(found["another's"]).get("properties", {})


def test_without_an_interaction_it_is_part_of_the_work_around(spans: Spans) -> None:
    """Where nobody's span is open, its spans are children of that."""
    with task_span("around"):
        Tracer({"job": 1}).track_tool("told")
    assert tree(spans()) == {"around": None, "told": "around"}


def test_inside_an_interaction_it_is_nobodys(spans: Spans, recorder: Recorder) -> None:
    """Neither ids nor trace of the interaction are on its spans, or on what is made inside them."""
    tracer = Tracer({"job": 1})
    turn = begin(user_id="u", event="chat", event_id="e-1", convo_id="c", input="q")
    with turn.task_span("around"):
        with tracer.task_span("job"), tool_span("inside the job"):
            tracer.track_tool("told")
            track_signal(name="of no event")
        with tool_span("after the job"):
            pass
    turn.finish("answer")
    found = spans()
    apart = {name: found.pop(name) for name in ("job", "inside the job", "told")}
    assert tree(apart) == {"job": None, "inside the job": "job", "told": "inside the job"}
    assert [whose(span) for span in apart.values()] == [{}, {}, {}]
    assert {event_of(span) for span in found.values()} == {"e-1"}
    assert apart["job"]["trace_id"] != turn.trace_id
    assert recorder.items("signals/track") == []


def test_what_is_bound_is_not_its_either(spans: Spans) -> None:
    """A request's middleware may have bound whose it is; its properties are no ids, and are said."""
    bound = bind(user_id="u", convo_id="c", event_id="e-1", event="chat", properties={"region": "eu"})
    with bound, Tracer({"job": 1}).task_span("job"):
        pass
    span = spans()["job"]
    assert whose(span) == {}
    assert told(span)["properties"] == {"job": 1, "region": "eu"}


def test_an_interaction_begun_inside_is_one_of_its_own(spans: Spans, recorder: Recorder) -> None:
    """Its trace and its spans are its own, and when it is finished the job goes on."""
    with Tracer({"job": 1}).task_span("job"):
        turn = begin(user_id="u", event="chat", event_id="e-1", input="q")
        with tool_span("of the interaction"):
            pass
        turn.finish("answer")
        with tool_span("of the job"):
            pass
    found = spans()
    assert {name: event_of(span) for name, span in found.items()} == {
        "of the interaction": "e-1",
        "of the job": None,
        "job": None,
    }
    assert found["of the job"]["parent_id"] == found["job"]["span_id"]
    assert found["of the interaction"]["trace_id"] == complete(recorder)[0]["properties"]["trace_id"]
    assert found["of the interaction"]["trace_id"] != found["job"]["trace_id"]


def test_inside_a_job_there_is_nothing_to_resume(recorder: Recorder, handler: RaindropHandler) -> None:
    """Code that resumes, or tracks an event, makes one of its own there."""
    turn = begin(user_id="u", event="chat", event_id="e-1", input="q")
    with Tracer().task_span("job"):
        assert resume_interaction().id != "e-1"
        with bind(user_id="other"):
            assert track_ai(event="label", input="x") != "e-1"
    assert resume_interaction().id == "e-1"
    turn.finish("answer")
    assert handler.flush(10)
    assert {event["event"]: event["user_id"] for event in complete(recorder)} == {"chat": "u", "label": "other"}
