"""`raindrop_logging.testing`: what the code under test logs, whole and at once, and nothing of it sent."""

from __future__ import annotations

import asyncio
import logging
import logging.config
import os
import re
import threading
from logging.handlers import QueueHandler, QueueListener
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pytest

import raindrop_logging
from raindrop_logging import RaindropHandler, extra, testing
from raindrop_logging.testing import Capture, capture
from raindrop_logging.workshop.receiving import payloads
from tests.wire.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("shop.agent")

TOO_LARGE = {f"{number:01000}": number for number in range(2_000)}
"""Properties that no shortening of texts makes small enough: it is the keys that are long."""


def reply(user_id: str = "u1", plan: str = "pro", **fields: Any) -> None:
    """Code under test: one complete event."""
    properties = {"plan": plan, **fields.pop("properties", {})}
    told: dict[str, Any] = {"user_id": user_id, "event": "support_reply", "input": "Where?", "output": "In Lyon."}
    log.info("ai", extra=extra.ai(**{**told, **fields}, properties=properties))


def users_of(captured: Capture) -> list[str | None]:
    """Whose events there are."""
    return [event.user_id for event in captured.events]


@pytest.fixture
def threads() -> Iterator[None]:
    """No thread is started by what is tested."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


# ---- what is there


@pytest.mark.usefixtures("threads")
def test_everything_is_there_when_its_call_returns() -> None:
    """Each record type, as what arrives at Raindrop, without a thread."""
    with capture() as captured:
        reply(event_id="e1", model="gpt-4o", convo_id="c9", attachments=[{"value": "a map", "role": "context"}])
        (event,) = captured.events
        assert (event.event_id, event.user_id, event.event, event.input, event.output) == (
            "e1", "u1", "support_reply", "Where?", "In Lyon.",
        )  # fmt: skip
        assert (event.model, event.convo_id, event.properties["plan"], event.is_pending) == (
            "gpt-4o",
            "c9",
            "pro",
            False,
        )
        assert event.attachments == ({"type": "text", "value": "a map", "role": "context"},)

        log.info("s", extra=extra.signal(event_id="e1", name="thumbs", signal_type="feedback", comment="slow"))
        (signal,) = captured.signals
        assert (signal.event_id, signal.name, signal.signal_type) == ("e1", "thumbs", "feedback")
        assert (signal.sentiment, signal.properties) == (None, {"comment": "slow"})

        log.info("i", extra=extra.identify(user_id="u1", traits={"plan": "pro"}))
        log.info("i", extra=extra.identify(user_id="u1", traits={"age": 7}))
        assert [(user.user_id, user.traits) for user in captured.users] == [("u1", {"plan": "pro", "age": 7})]

        log.info("t", extra=extra.span(kind="tool", name="search", event_id="e1", input={"q": 1}, error="gone"))
        (span,) = captured.spans
        assert (span.kind, span.name, span.input, span.error, span.event_id) == (
            "tool",
            "search",
            '{"q":1}',
            "gone",
            "e1",
        )
        assert captured.invalid == []
        assert captured.dropped == {}
    assert captured.events == [event]  # it can be asked when it has ended


def test_an_interaction_is_one_event_that_grows() -> None:
    """Pending as soon as it has begun, whole when it has ended, whoever looks in between."""
    with capture() as captured:
        turn = raindrop_logging.begin(user_id="u1", event="run", input="Find me a teapot", logger=log)
        assert [(event.event_id, event.is_pending, event.output) for event in captured.events] == [
            (turn.id, True, None)
        ]
        with turn.tool_span("search") as span:
            span.record_output(["green"])
        turn.set_property("found", 1)
        turn.finish(output="Here.")
        (event,) = captured.events
        assert (event.input, event.output, event.properties["found"], event.is_pending) == (
            "Find me a teapot", "Here.", 1, False,
        )  # fmt: skip
        assert [(span.output, span.event_id) for span in captured.spans] == [('["green"]', turn.id)]
        turn.finish(output="Here are two.")  # a revision says what is new
        assert [(event.input, event.output) for event in captured.events] == [("Find me a teapot", "Here are two.")]


def test_it_is_what_would_be_sent(recorder: Recorder) -> None:
    """The same records, sent to a server and captured, say the same to one who reads the requests."""
    settings: dict[str, Any] = {"redact": True, "defaults": {"properties": {"region": "eu"}}}

    def say() -> None:
        reply(event_id="e1", timestamp=1_700_000_000, properties={"mail": "ada@example.org", "n": float("nan")})

    handler = RaindropHandler(write_key="k", endpoint=recorder.endpoint, mode="sync", **settings)
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    say()
    with capture(**settings) as captured:
        say()
    (body,) = recorder.bodies("events/track")
    assert captured.events == list(payloads.read_events(body).events)
    assert captured.events[0].properties["mail"] != "ada@example.org"
    assert captured.events[0].properties["region"] == "eu"


def test_threads_and_tasks_are_heard() -> None:
    """Whatever thread or task logs, it is there when the call has returned."""
    with capture() as captured:
        workers = [threading.Thread(target=reply, args=(f"t{number}",)) for number in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

        async def task(number: int) -> None:
            await asyncio.sleep(0)
            reply(f"a{number}")
            assert f"a{number}" in users_of(captured)

        async def tasks() -> None:
            await asyncio.gather(*(task(number) for number in range(8)))

        asyncio.run(tasks())
        assert sorted(filter(None, users_of(captured))) == sorted(
            f"{kind}{number}" for kind in "at" for number in range(8)
        )


def test_a_broken_block_is_named_with_its_place() -> None:
    """Nothing raises; the reason, the logger, the file and the line are there."""
    with capture() as captured:
        reply(user_id="")
        (invalid,) = captured.invalid
    assert invalid.reason.startswith("'user_id' is an empty text")
    assert (invalid.logger, invalid.path) == ("shop.agent", __file__)
    assert str(invalid).endswith(f"(logger 'shop.agent', {__file__}:{invalid.line})")
    assert captured.dropped == {}


def test_what_is_dropped_is_counted() -> None:
    """An event that no receiver would take is no event, and no broken block."""
    with capture() as captured:
        reply(properties=TOO_LARGE)
    assert (captured.events, captured.invalid, captured.dropped) == ([], [], {"too_large": 1})


def test_clear_forgets_what_has_arrived() -> None:
    """What comes after it is all there is; an interaction that was open is whole at its end."""
    with capture() as captured:
        reply()
        reply(user_id="")
        reply(properties=TOO_LARGE)
        turn = raindrop_logging.begin(user_id="u2", event="run", input="q", logger=log)
        captured.clear()
        assert (captured.events, captured.invalid, captured.dropped) == ([], [], {})
        turn.finish(output="a")
        assert [(event.input, event.output) for event in captured.events] == [("q", "a")]


# ---- what is heard


def test_nothing_has_to_be_configured() -> None:
    """The root logger lets INFO through meanwhile, and is afterwards as it was."""
    assert (logging.root.level, raindrop_logging.stats().accepted) == (logging.WARNING, 0)
    before = list(logging.root.handlers)
    with capture() as captured:
        reply()
    assert (users_of(captured), logging.root.level, logging.root.handlers) == (["u1"], logging.WARNING, before)


def test_a_level_is_heard_from_there_on() -> None:
    """As asked; a logger that says otherwise itself is left alone."""
    log.setLevel(logging.NOTSET)
    quiet = logging.getLogger("shop.quiet")
    quiet.setLevel(logging.ERROR)
    with capture(level="DEBUG") as captured:
        log.debug("ai", extra=extra.ai(user_id="debug", event="e", input="q"))
        quiet.warning("ai", extra=extra.ai(user_id="quiet", event="e", input="q"))
    assert users_of(captured) == ["debug"]


def test_a_logger_that_does_not_propagate_is_heard() -> None:
    """One handler on it, while the capture lasts."""
    log.propagate = False
    with capture() as captured:
        log.setLevel(logging.INFO)
        reply()
    assert users_of(captured) == ["u1"]
    assert log.handlers == []


def test_a_queue_of_the_application_makes_nothing_twice() -> None:
    """A record that a QueueListener brings to a RaindropHandler later is the one that was heard at its logger."""
    queue: SimpleQueue[Any] = SimpleQueue()
    log.addHandler(QueueHandler(queue))
    listener = QueueListener(queue, RaindropHandler(write_key="k", endpoint="http://127.0.0.1:9"))
    with capture() as captured:
        listener.start()
        reply()
        listener.stop()
        assert users_of(captured) == ["u1"]


def test_none_hears_what_the_application_does(recorder: Recorder) -> None:
    """Without a handler of the capture's own, levels and handlers decide as in production."""
    handler = RaindropHandler("ERROR", write_key="k", endpoint=recorder.endpoint)
    logging.root.addHandler(handler)
    with capture(level=None) as captured:
        log.warning("ai", extra=extra.ai(user_id="below", event="e", input="q"))
        log.error("ai", extra=extra.ai(user_id="heard", event="e", input="q"))
    assert users_of(captured) == ["heard"]
    assert logging.root.level == logging.WARNING


def test_a_configuration_that_is_loaded_inside_is_heard(recorder: Recorder, tmp_path: Path) -> None:
    """dictConfig takes all handlers away; those that it brings are captured too, and use no disk before the end."""
    spool = tmp_path / "spool"
    keys = {"write_key": "k", "endpoint": recorder.endpoint, "durability": "journal", "spool_dir": str(spool)}
    with capture() as captured:
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "handlers": {"raindrop": {"class": "raindrop_logging.RaindropHandler", **keys}},
                "root": {"level": "DEBUG", "handlers": ["raindrop"]},
            }
        )
        reply()
        assert users_of(captured) == ["u1"]
        assert not spool.exists()
    assert (recorder.requests, logging.root.level) == ([], logging.DEBUG)
    reply("after")
    assert raindrop_logging.flush(5.0)
    assert [item["user_id"] for item in recorder.items("events/track")] == ["after"]
    assert spool.exists()


def test_a_bad_directory_of_a_handler_made_inside_costs_no_record(recorder: Recorder, tmp_path: Path) -> None:
    """It gets its receiver at the end, when nobody is there to hear of a refusal: its records wait in memory."""
    (tmp_path / "file").write_text("")
    log.setLevel(logging.INFO)
    with capture():
        log.addHandler(
            RaindropHandler(write_key="k", endpoint=recorder.endpoint, spool_dir=str(tmp_path / "file" / "no"))
        )
    reply("after")
    raindrop_logging.flush(5.0)
    assert [item["user_id"] for item in recorder.items("events/track")] == ["after"]


def test_the_environment_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's variables change no test."""
    for name, value in {"ENABLED": "0", "TRACING": "0", "MODE": "off", "MAX_TEXT_CHARS": "30", "WORKSHOP": "1"}.items():
        monkeypatch.setenv(f"RAINDROP_{name}", value)
    for name in ("ID", "NAME", "ROOT"):
        monkeypatch.setenv(f"RAINDROP_WORKSPACE_{name}", "w")
    with capture() as captured:
        reply(output="x" * 100)
        log.info("t", extra=extra.span(kind="task", name="t"))
    assert [event.output for event in captured.events] == ["x" * 100]
    assert "workspace" not in captured.events[0].properties
    assert [span.name for span in captured.spans] == ["t"]


def test_keys_of_the_handler_can_be_chosen() -> None:
    """Redaction, defaults, tracing and the longest text, as a handler would have them."""
    with capture(redact=["emails"], defaults={"convo_id": "c1"}, tracing=False, max_text_chars=40) as captured:
        reply(input="I am ada@example.org", output="x" * 100)
        log.info("t", extra=extra.span(kind="task", name="t"))
    (event,) = captured.events
    assert "ada@example.org" not in str(event.input)
    assert (event.convo_id, len(str(event.output))) == ("c1", 40)
    assert (captured.spans, captured.dropped, captured.invalid) == ([], {}, [])
    with pytest.raises(raindrop_logging.SettingsError, match="did you mean 'emails'"), capture(redact=["email"]):
        pass


# ---- what is left alone


def test_handlers_of_the_application_send_before_and_after_it(recorder: Recorder) -> None:
    """Those that were there, and those that were made inside: nothing of a capture reaches their receivers."""
    log.setLevel(logging.INFO)
    log.addHandler(RaindropHandler(write_key="k", endpoint=recorder.endpoint))
    reply("before")
    with capture() as captured:
        log.addHandler(RaindropHandler(write_key="other", endpoint=recorder.endpoint))
        reply("inside")
        assert users_of(captured) == ["inside"]
        assert (raindrop_logging.stats().accepted, raindrop_logging.stats().delivered) == (1, 1)
    reply("after")
    assert raindrop_logging.flush(5.0)
    assert sorted(item["user_id"] for item in recorder.items("events/track")) == ["after", "after", "before"]
    assert raindrop_logging.stats().accepted == 3
    assert users_of(captured) == ["inside"]


def test_flush_and_shutdown_of_the_code_under_test_reach_no_server(recorder: Recorder) -> None:
    """They are about the capture alone; what was logged before it waits for its own flush, and logging goes on."""
    log.setLevel(logging.INFO)
    handler = RaindropHandler(write_key="k", endpoint=recorder.endpoint, upload_interval=0)
    log.addHandler(handler)
    reply("before")
    with capture() as captured:
        reply("inside")
        assert raindrop_logging.flush()
        assert raindrop_logging.shutdown()
        assert handler.flush()
        handler.close()
        reply("again")
        assert (users_of(captured), recorder.requests) == (["inside", "again"], [])
    assert handler.flush(5.0)
    assert [item["user_id"] for item in recorder.items("events/track")] == ["before"]


def test_figures_are_the_captures_alone(recorder: Recorder) -> None:
    """What earlier handlers have done is no part of them inside, and is there again afterwards."""
    log.setLevel(logging.INFO)
    for number in range(2):
        handler = RaindropHandler(write_key=f"k{number}", endpoint=recorder.endpoint, mode="sync")
        log.addHandler(handler)
        reply()
        log.removeHandler(handler)
        del handler
    with capture():
        reply()
        assert raindrop_logging.stats().accepted == 1
    assert raindrop_logging.stats().accepted == 2


def test_the_innermost_gets_everything() -> None:
    """Captures inside one another, and two that overlap, however they end."""
    with capture() as outer:
        reply("outer")
        with capture() as inner:
            reply("inner")
        reply("outer again")
    assert (users_of(outer), users_of(inner)) == (["outer", "outer again"], ["inner"])
    log.setLevel(logging.INFO)
    first, second = capture(), capture()
    captured_first, captured_second = first.__enter__(), second.__enter__()
    first.__exit__(None, None, None)
    reply("second")
    second.__exit__(None, None, None)
    assert (users_of(captured_first), users_of(captured_second)) == ([], ["second"])


def test_an_exception_restores_everything(recorder: Recorder) -> None:
    """A test that fails inside leaves nothing behind."""
    log.setLevel(logging.INFO)
    log.addHandler(RaindropHandler(write_key="k", endpoint=recorder.endpoint))
    with pytest.raises(ZeroDivisionError), capture():
        1 / 0  # noqa: B018 -- it is the failing line
    reply("after")
    assert raindrop_logging.flush(5.0)
    assert (len(recorder.items("events/track")), logging.root.level) == (1, logging.WARNING)


def test_an_interaction_left_open_is_not_the_next_tests() -> None:
    """What is bound around a capture holds inside; what was begun inside does not hold after it."""
    with raindrop_logging.bind(user_id="bound"):
        with capture() as captured:
            log.info("ai", extra=extra.ai(event="e", input="q"))
            raindrop_logging.begin(user_id="u1", event="left_open", input="q")
        with capture() as following:
            log.info("s", extra=extra.signal(name="thumbs_up"))
    assert users_of(captured) == ["bound", "u1"]
    assert [invalid.reason[:10] for invalid in following.invalid] == ["'event_id'"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_child_of_fork_captures_for_itself() -> None:
    """It starts empty, sends nothing, and the parent sees nothing of it."""
    with capture() as captured:
        reply("parent")
        child = os.fork()
        if child == 0:
            reply("child")
            seen = users_of(captured)
            os._exit(0 if "child" in seen else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert users_of(captured) == ["parent"]


# ---- expectations


@pytest.fixture
def captured() -> Iterator[Capture]:
    """Two events, a signal, a span and a user."""
    with capture() as captured:
        reply("u1", "free", attachments=[{"value": "a map"}, {"value": "a plan"}])
        reply("u2", "pro", event_id="e2", properties={"tags": ["a", "b"], "deep": {"one": 1, "two": 2}})
        log.info("s", extra=extra.signal(event_id="e2", name="thumbs_up", sentiment="POSITIVE"))
        log.info("t", extra=extra.span(kind="tool", name="search", event_id="e2", input={"q": "x", "n": 1}, output=[1]))
        log.info("i", extra=extra.identify(user_id="u1", traits={"plan": "pro", "age": 7}))
        yield captured


def test_an_expectation_gives_what_it_found(captured: Capture) -> None:
    """Of dicts the keys given count, patterns are looked for, and a span's values are read from their JSON."""
    assert captured.assert_event().user_id == "u1"
    assert captured.assert_event("support_reply", user_id="u2", properties={"plan": "pro"}).event_id == "e2"
    assert captured.assert_event(properties={"deep": {"two": 2}, "tags": ["a", ANY]}).user_id == "u2"
    assert captured.assert_event(output=re.compile("Lyon"), attachments=[{"value": "a map"}, {}]).user_id == "u1"
    assert captured.assert_signal("thumbs_up", sentiment="POSITIVE").event_id == "e2"
    assert captured.assert_span("search", kind="tool", input={"q": "x"}, output=[1], event_id="e2").name == "search"
    assert captured.assert_span(input='{"q":"x","n":1}', error=None).name == "search"
    assert captured.assert_user("u1", {"plan": "pro"}).traits["age"] == 7
    captured.assert_clean()


REFUSED: list[tuple[str, dict[str, Any], list[str]]] = [
    (
        "event",
        {"event_id": "e2", "user_id": "u2", "properties": {"plan": "free"}, "output": re.compile("^Paris")},
        [
            "no event is as expected: event='support_reply', is_pending=False, event_id='e2', user_id='u2', "
            "properties={'plan': 'free'}, output=/^Paris/",
            "the nearest is",
            "    properties['plan'] is 'pro', expected 'free'",
            "    output is 'In Lyon.', expected /^Paris/",
            "beside it there are",
        ],
    ),
    ("event", {"properties": {"plam": "pro"}}, ["    properties has no 'plam'; did you mean 'plan'?"]),
    (
        "event",
        {"properties": {"tags": ["a"]}, "user_id": "u2"},
        ["    properties['tags'] is ['a', 'b'], expected ['a']"],
    ),
    ("event", {"is_pending": True}, ["    is_pending is False, expected True"]),
    ("signal", {"sentiment": "NEGATIVE"}, ["    sentiment is 'POSITIVE', expected 'NEGATIVE'"]),
    ("span", {"input": {"q": "y"}}, ["    input['q'] is 'x', expected 'y'"]),
    ("span", {"output": "[2]"}, ["    output is '[1]', expected '[2]'"]),
]
NAMES = {"event": "support_reply", "signal": "thumbs_up", "span": "search"}


@pytest.mark.parametrize(("kind", "expected", "lines"), REFUSED)
def test_a_failure_shows_the_nearest(captured: Capture, kind: str, expected: dict[str, Any], lines: list[str]) -> None:
    """What was expected, what comes nearest, and each difference, by its place in it."""
    with pytest.raises(AssertionError) as failure:
        getattr(captured, f"assert_{kind}")(NAMES[kind], **expected)
    said = str(failure.value).splitlines()
    assert [line for line in lines if line not in said] == []


def test_a_failure_names_what_was_refused() -> None:
    """The usual reason why an event is not there is in the message: a broken block, none at all, another kind."""
    with capture() as captured:
        with pytest.raises(AssertionError, match="no record with a block was heard"):
            captured.assert_event("support_reply")
        reply(user_id="")
        with pytest.raises(AssertionError, match=r"refused:\n  'user_id' is an empty text"):
            captured.assert_event("support_reply")
        log.info("s", extra=extra.signal(event_id="e", name="s"))
        with pytest.raises(AssertionError, match="no event arrived at all"):
            captured.assert_event("support_reply")


def test_an_interaction_that_was_not_finished_is_no_event_yet() -> None:
    """Who expects an event expects it to be final; who does not says so."""
    with capture() as captured:
        raindrop_logging.begin(user_id="u1", event="run", input="q")
        with pytest.raises(AssertionError, match="is_pending is True, expected False"):
            captured.assert_event("run")
        captured.assert_event("run", is_pending=True)


def test_a_field_that_is_none_is_refused(captured: Capture) -> None:
    """A typing error is none of the code under test."""
    with pytest.raises(TypeError, match=r"no event has a field 'userid'; did you mean 'user_id'\?"):
        captured.assert_event("support_reply", userid="u1")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"no span has a field 'colour'; it has .*parent_id"):
        captured.assert_span("search", colour="red")  # type: ignore[call-arg]


def test_nothing_means_nothing() -> None:
    """Neither whole nor broken; what there was instead is named."""
    with capture() as captured:
        log.info("a line without a block")
        captured.assert_nothing()
        reply()
        with pytest.raises(AssertionError, match=r"nothing was to be logged .*\n  event 'support_reply' .*'u1'"):
            captured.assert_nothing()
        captured.clear()
        reply(user_id="")
        with pytest.raises(AssertionError, match="refused:"):
            captured.assert_nothing()


def test_clean_means_that_all_of_it_would_have_been_sent() -> None:
    """A broken block and a dropped record are each named."""
    with capture() as captured:
        captured.assert_clean()
        reply(user_id="")
        with pytest.raises(AssertionError, match=r"not all .*\nrefused:\n  'user_id' .*test_testing.py:\d+"):
            captured.assert_clean()
        captured.clear()
        reply(properties=TOO_LARGE)
        with pytest.raises(AssertionError, match="dropped:\n  1 as too_large"):
            captured.assert_clean()


def test_long_values_and_lists_are_cut_in_messages() -> None:
    """A message fits a screen."""
    with capture() as captured:
        for number in range(20):
            reply(f"u{number}", output="x" * 10_000)
        with pytest.raises(AssertionError) as failure:
            captured.assert_event("support_reply", user_id="u1", output="y")
    assert "  and 9 more" in str(failure.value).splitlines()
    assert len(str(failure.value)) < 4_000


@pytest.mark.parametrize(
    ("fields", "kind"),
    [(testing.EventFields, testing.Event), (testing.SignalFields, testing.Signal), (testing.SpanFields, testing.Span)],
)
def test_what_can_be_expected_is_what_there_is(fields: Any, kind: Any) -> None:
    """Type checkers know no field that the thing has not."""
    assert [key for key in fields.__annotations__ if not hasattr(kind, key)] == []
