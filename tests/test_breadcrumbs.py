"""The key ``breadcrumbs``: a turn that ends arrives with the plain lines that were logged in it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging import RaindropHandler, begin, bind, carry, extra, resume_interaction
from raindrop_logging._pipeline.wrapped import WrappedBlock
from tests.arrivals import complete, partials, the_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.wire.recorder import Recorder

log = logging.getLogger("shop.agent")


@pytest.fixture
def listen(recorder: Recorder) -> Callable[..., RaindropHandler]:
    """Attaches a handler with these keys to the root logger."""

    def attach(**keys: Any) -> RaindropHandler:
        handler = RaindropHandler(write_key="rk_test", endpoint=recorder.endpoint, **{"breadcrumbs": True, **keys})
        logging.root.addHandler(handler)
        logging.root.setLevel(logging.DEBUG)
        return handler

    return attach


def lines_of(event: dict[str, Any]) -> list[str] | None:
    """The messages that came with an event; None where it came without."""
    log_lines = event["properties"].get("log")
    return None if log_lines is None else [line["message"] for line in log_lines]


def test_a_finish_takes_the_warnings_of_its_interaction_along(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """Each line says when, how grave, where and what; chatter below the level stays behind."""
    handler = listen()
    turn = begin(user_id="u1", event="chat", input="Where is it?")
    log.info("looking")
    log.warning("the shop's %s is slow", "index", exc_info=TimeoutError("no answer"))
    logging.getLogger("shop.stock").error("gave up")
    turn.finish(output="I do not know.")
    handler.flush()
    first, second = the_event(recorder)["properties"]["log"]
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "WARNING",
        "logger": "shop.agent",
        "message": "the shop's index is slow",
        "error": "TimeoutError: no answer",
    }
    assert (second["level"], second["logger"], second["message"]) == ("ERROR", "shop.stock", "gave up")
    assert handler.stats().accepted == 2


def test_each_interaction_takes_its_own(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """Lines of another thread's turn, and of no turn at all, are not mixed in; a carried thread's are."""
    handler = listen()
    log.warning("before")
    turn = begin(user_id="u1", event="chat", event_id="e1", input="1")

    def other() -> None:
        inner = begin(user_id="u2", event="chat", event_id="e2", input="2")
        log.warning("of the other")
        inner.finish(output="two")

    for work in (other, carry(lambda: log.warning("by a helper"))):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    turn.finish(output="one")
    log.warning("after")
    handler.flush()
    assert {event["event_id"]: lines_of(event) for event in complete(recorder)} == {
        "e1": ["by a helper"],
        "e2": ["of the other"],
    }


def test_a_bound_event_is_an_interaction_as_well(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """Where the steps are log calls of the application's own, the bound id says which lines belong to them."""
    handler = listen()
    with bind(event_id="e1", user_id="u1", event="chat"):
        log.info("begin", extra=extra.begin(event_id="e1", input="Hi"))
        log.warning("slow")
    log.info("finish", extra=extra.finish(event_id="e1", output="Hi!"))
    handler.flush()
    assert lines_of(the_event(recorder)) == ["slow"]


def test_the_last_lines_are_kept(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """``max`` bounds the lines of an interaction, ``level`` is the least that counts, and a long message is cut."""
    handler = listen(breadcrumbs={"level": "info", "max": 2})
    turn = begin(user_id="u1", event="chat", input="Hi")
    for number in range(4):
        log.info("line %d", number)
    log.info("x" * 5_000)
    turn.finish(output="Hi!")
    handler.flush()
    said = lines_of(the_event(recorder))
    assert said is not None
    assert (said[0], len(said), len(said[1])) == ("line 3", 2, 1_003)


def test_what_the_finish_says_itself_wins(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """A property ``log`` of the application's own is not replaced, and its other properties are there too."""
    handler = listen()
    turn = begin(user_id="u1", event="chat", input="Hi", properties={"plan": "pro"})
    log.warning("slow")
    turn.finish(output="Hi!", properties={"log": "mine"})
    handler.flush()
    properties = the_event(recorder)["properties"]
    assert (properties["log"], properties["plan"]) == ("mine", "pro")


def test_a_longer_interaction_says_them_at_its_end(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """Pending partials go without, the final one has them."""
    handler = listen()
    turn = begin(user_id="u1", event="chat", input="Hi")
    log.warning("slow")
    handler.flush()
    resume_interaction(turn.id).finish(output="Hi!")
    handler.flush()
    first, last = partials(recorder)
    assert (lines_of(first), lines_of(last)) == (None, ["slow"])


def test_they_are_redacted_like_everything_else(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """With `redact` no secret of a plain line leaves."""
    handler = listen(redact=True)
    turn = begin(user_id="u1", event="chat", input="Hi")
    log.warning("login of %s failed", "ada@example.com")
    turn.finish(output="Hi!")
    handler.flush()
    assert lines_of(the_event(recorder)) == ["login of <REDACTED_EMAIL> failed"]


def test_one_line_is_kept_once_whatever_handlers_it_meets(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """Two handlers of equal settings share one pipeline, and a line that passes both is one line."""
    handler = listen()
    other = RaindropHandler(write_key="rk_test", endpoint=recorder.endpoint, breadcrumbs=True)
    log.addHandler(other)
    other.addFilter(lambda record: "secret" not in record.getMessage())
    handler.addFilter(lambda record: "secret" not in record.getMessage())
    turn = begin(user_id="u1", event="chat", input="Hi")
    log.warning("once")
    log.warning("a secret")
    turn.finish(output="Hi!")
    handler.flush()
    assert lines_of(the_event(recorder)) == ["once"]


def test_a_line_that_cannot_be_read_costs_nothing(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """The log call does not raise, and the turn arrives with what could be said."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    handler = listen()
    turn = begin(user_id="u1", event="chat", input="Hi")
    for broken in ({"name": "shop", "msg": "%s", "args": (Broken(),)}, {"name": None, "msg": "nameless"}):
        handler.handle(logging.makeLogRecord({"levelno": logging.ERROR, **broken}))
    turn.finish(output="Hi!")
    handler.flush()
    said = lines_of(the_event(recorder))
    assert said == ["<LogRecord, its getMessage raised RuntimeError>"]


def test_without_the_key_nothing_rides_along(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """It is off by default: plain lines are nobody's business but the application's."""
    handler = listen(breadcrumbs=None)
    turn = begin(user_id="u1", event="chat", input="Hi")
    log.warning("slow")
    turn.finish(output="Hi!")
    handler.flush()
    assert lines_of(the_event(recorder)) is None


def test_interactions_with_lines_are_bounded(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """Past `max_open_interactions` the lines of the first one go, as its state does."""
    handler = listen(max_open_interactions=2)
    for number in range(3):
        with bind(event_id=f"e{number}", user_id="u1", event="chat"):
            log.warning("line of %d", number)
    for number in range(3):
        finish = extra.finish(event_id=f"e{number}", user_id="u1", event="chat", output="done")
        log.info("finish", extra=finish)
        handler.flush()
    assert [lines_of(event) for event in partials(recorder)] == [None, ["line of 1"], ["line of 2"]]


def test_an_event_of_structlog_s_is_its_message(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """Where the record is the whole event dict, the line is what people read, without what is bound to it."""
    handler = listen()
    turn = begin(user_id="u1", event="chat", input="Hi")
    event = {"event": "the index is slow", "request": "a long one"}
    log.warning(event, extra={"_logger": log, "_name": "warning"})
    turn.finish(output="Hi!")
    handler.flush()
    assert lines_of(the_event(recorder)) == ["the index is slow"]


@pytest.mark.parametrize("wrapped", [False, True], ids=["a dict of its own kind", "by structlog"])
def test_the_event_that_a_finish_names_has_its_own_lines(
    recorder: Recorder, listen: Callable[..., Any], *, wrapped: bool
) -> None:
    """Whatever kind of block says it, and whatever other event is bound around it."""

    class Own(dict[str, Any]):
        pass

    handler = listen()
    for event_id in ("e2", "e3"):
        with bind(event_id=event_id, user_id="u1", event="chat"):
            log.warning("of %s", event_id)
    said = {"event_id": "e2", "user_id": "u1", "event": "chat", "output": "bye"}
    block = WrappedBlock(said, bound={"convo_id": "c1"}) if wrapped else Own(said)
    with bind(event_id="e3"):
        log.info("finish", extra={"raindrop": block})
    handler.flush()
    (event,) = (*partials(recorder), *complete(recorder))
    assert (event["event_id"], lines_of(event)) == ("e2", ["of e2"])
