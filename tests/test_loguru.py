"""loguru: its records hold blocks as well, and whatever is between it and logging, each is sent once."""

from __future__ import annotations

import io
import logging
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import loguru
import pytest

import raindrop_logging
from raindrop_logging import RaindropHandler, SettingsError, bind
from raindrop_logging.contrib.loguru import RaindropSink
from tests.hostile import failing
from tests.structlog.roads import fail
from tests.wire.harness import Heard, attach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.wire.recorder import Recorder

CHAT = {"event": "chat", "user_id": "u1", "input": "q", "output": "a"}


class UnpicklableError(Exception):
    """Does not get through a queue between processes."""

    def __reduce__(self) -> str:
        raise pickle.PicklingError("not this one")


@pytest.fixture(autouse=True)
def logger() -> Iterator[Any]:
    """loguru's one logger, without any sink before and after."""
    loguru.logger.remove()
    yield loguru.logger
    loguru.logger.remove()
    loguru.logger.configure(extra={}, patcher=lambda _: None)


def sent(recorder: Recorder, handler: RaindropHandler) -> list[dict[str, Any]]:
    """All complete events that have arrived; everything that was accepted was also delivered."""
    assert handler.flush(10)
    stats = handler.stats()
    assert (stats.accepted, stats.dropped, stats.refused) == (stats.delivered, {}, 0)
    return recorder.items("events/track")


@pytest.mark.parametrize("enqueue", [False, True], ids=["at once", "enqueue"])
def test_a_block_is_sent(logger: Any, enqueue: bool, recorder: Recorder) -> None:
    """By `bind`, by a keyword or by `contextualize`, by the root logger's handler, and people see their lines."""
    handler, output = attach(recorder.endpoint), io.StringIO()
    logger.add(output, format="{message}")
    logger.add(RaindropSink(), enqueue=enqueue)
    logger.bind(raindrop=CHAT).info("ai")
    logger.info("answered {}", 4711, raindrop={**CHAT, "type": "ai"})  # noqa: PLE1205 -- loguru's braces
    with logger.contextualize(raindrop={"event_id": "e1", "name": "thumbs_up"}):
        logger.success("signal")
    logger.info("a line for people")
    logger.complete()
    events = sent(recorder, handler)
    assert [(event["event"], event["ai_data"]) for event in events] == [("chat", {"input": "q", "output": "a"})] * 2
    assert recorder.items("signals/track")[0]["event_id"] == "e1"
    assert output.getvalue().splitlines() == ["ai", "answered 4711", "signal", "a line for people"]


def test_keys(logger: Any, recorder: Recorder) -> None:
    """The block wins over loguru's context, that over `raindrop_logging.bind`; other keys stay here."""
    handler = attach(recorder.endpoint)
    logger.add(RaindropSink(keys={"user": "user_id", "event": "event", "tenant": "properties.tenant"}))
    with logger.contextualize(user="context", tenant="acme", secret="private"), bind(user_id="bind", convo_id="bind"):
        logger.bind(event="bound", raindrop={"input": "q"}).info("ai")
        logger.bind(event="bound", raindrop={"input": "q", "event": "own", "user_id": "own"}).info("ai")
    first, second = sent(recorder, handler)
    assert (first["user_id"], first["event"], first["properties"]["tenant"]) == ("context", "bound", "acme")
    assert first["ai_data"]["convo_id"] == "bind"
    assert (second["user_id"], second["event"]) == ("own", "own")
    assert b"private" not in b"".join(request.body for request in recorder.requests)


@pytest.mark.parametrize("enqueue", [False, True], ids=["at once", "enqueue"])
def test_what_was_raised_goes_along(logger: Any, enqueue: bool, recorder: Recorder) -> None:
    """Type and message of the exception; its stack, too, where loguru does not pickle the record first."""
    handler = attach(recorder.endpoint)
    logger.add(RaindropSink(), enqueue=enqueue)
    try:
        fail(LookupError("no such order"))
    except LookupError:
        logger.bind(raindrop=CHAT).exception("ai")
    logger.complete()
    (event,) = sent(recorder, handler)
    error = event["properties"]["error"]
    assert (error["type"], error["message"]) == ("LookupError", "no such order")
    assert ("test_what_was_raised_goes_along" in error["stack"]) is not enqueue


def test_an_exception_that_cannot_be_pickled(logger: Any, recorder: Recorder) -> None:
    """Of an exception that does not get through loguru's queue the type is left."""

    handler = attach(recorder.endpoint)
    logger.add(RaindropSink(), enqueue=True)
    logger.opt(exception=UnpicklableError("no such order")).bind(raindrop=CHAT).error("ai")
    logger.complete()
    (event,) = sent(recorder, handler)
    assert event["properties"]["error"] == {"type": "UnpicklableError", "message": "", "stack": ""}


def test_the_record_is_as_loguru_made_it(logger: Any, recorder: Recorder) -> None:
    """Name, place, level, thread and time are those of the call, not of the sink, for filters and diagnostics."""
    handler = attach(recorder.endpoint)
    records: list[logging.LogRecord] = []
    handler.addFilter(lambda record: not records.append(record))  # type: ignore[func-returns-value]
    logger.add(RaindropSink(), enqueue=True)
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    logger.patch(lambda record: record.update(time=moment)).bind(raindrop=CHAT).success("ai")
    logger.complete()
    (event,) = sent(recorder, handler)
    (record,) = records
    assert (record.name, record.pathname, record.levelname) == (__name__, __file__, "SUCCESS")
    assert (record.funcName, record.thread) == ("test_the_record_is_as_loguru_made_it", threading.get_ident())
    assert event["timestamp"].startswith("2026-01-02T03:04:05")


def test_levels(logger: Any, recorder: Recorder) -> None:
    """The level given to `add` holds, then those of the logger ``raindrop`` and of the handler."""
    handler = attach(recorder.endpoint, level="WARNING")
    logger.add(RaindropSink(), level="INFO")
    logger.add(RaindropSink(handler), level="ERROR")
    for level in ("debug", "info", "warning", "error"):
        getattr(logger.bind(raindrop={**CHAT, "event": level}), level)("ai")
    assert [event["event"] for event in sent(recorder, handler)] == ["warning", "error"]


def test_one_handler_of_several(logger: Any, recorder: Recorder) -> None:
    """A sink that was given a handler gives records to no other one."""
    other, own = attach(recorder.endpoint), RaindropHandler("WARNING", write_key="rk_own", endpoint=recorder.endpoint)
    logger.add(RaindropSink(own))
    logger.bind(raindrop=CHAT).info("ai")
    logger.bind(raindrop={**CHAT, "event": "warned"}).warning("ai")
    assert [event["event"] for event in sent(recorder, own)] == ["warned"]
    assert other.stats().accepted == 0


def test_init_is_enough(logger: Any, recorder: Recorder) -> None:
    """A handler attached by `init` is found without any configuration of logging."""
    handler = raindrop_logging.init("rk_test", endpoint=recorder.endpoint)
    logger.add(RaindropSink())
    logger.bind(raindrop=CHAT).info("ai")
    assert len(sent(recorder, handler)) == 1


class InterceptHandler(logging.Handler):
    """loguru's recipe: the records of logging go to loguru; with ``extra``, all that is on them."""

    def __init__(self, *, extra: bool) -> None:
        super().__init__()
        self.extra = extra

    def emit(self, record: logging.LogRecord) -> None:
        """Log it again."""
        again = loguru.logger.bind(**vars(record)) if self.extra else loguru.logger
        again.opt(depth=6, exception=record.exc_info).log(record.levelname, record.getMessage())


class PropagateHandler(logging.Handler):
    """loguru's recipe: the records of loguru go to logging."""

    def emit(self, record: logging.LogRecord) -> None:
        """Handle it as if logging had made it."""
        logging.getLogger(record.name).handle(record)


@pytest.mark.parametrize("extra", [False, True], ids=["the recipe", "with all attributes"])
def test_intercepted_records_are_sent_once(logger: Any, extra: bool, recorder: Recorder) -> None:
    """A record of logging that is logged again by loguru was its handler's already."""
    handler = attach(recorder.endpoint)
    logging.root.addHandler(InterceptHandler(extra=extra))
    logger.add(RaindropSink())
    logging.getLogger("shop").info("ai", extra={"raindrop": CHAT})
    logger.bind(raindrop={**CHAT, "event": "by loguru"}).info("ai")
    assert [event["event"] for event in sent(recorder, handler)] == ["chat", "by loguru"]


def test_propagated_records_are_sent_once(logger: Any, recorder: Recorder) -> None:
    """A record of loguru's that goes on to logging was the sink's already, and consoles of logging's hear it."""
    handler, console = attach(recorder.endpoint), Heard(__name__)
    logger.add(RaindropSink())
    logger.add(PropagateHandler(), format="{message}")
    logger.bind(raindrop=CHAT).info("ai")
    assert len(sent(recorder, handler)) == 1
    assert console.lines == ["ai"]


def test_threads(logger: Any, recorder: Recorder) -> None:
    """Records of many threads are each sent once, with their own context."""
    handler = attach(recorder.endpoint)
    logger.add(RaindropSink(keys=("user_id", "event_id")))

    def work(number: int) -> None:
        with logger.contextualize(user_id=f"u{number}", event_id=f"e{number}"):
            logger.bind(raindrop={"event": "chat", "input": f"q{number}"}).info("ai")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(100)))
    said = [(event["event_id"], event["user_id"], event["ai_data"]["input"]) for event in sent(recorder, handler)]
    assert sorted(said) == sorted((f"e{number}", f"u{number}", f"q{number}") for number in range(100))


def test_odd_values_cost_no_more_than_their_record(logger: Any, recorder: Recorder) -> None:
    """With ``catch=False`` loguru lets what a sink raises through to the caller: nothing is."""
    handler = attach(recorder.endpoint)
    logger.add(RaindropSink(keys=("user_id",)), catch=False)
    logger.bind(raindrop={"event": "chat", "input": "q"}, user_id=failing("__str__")).info("ai")
    logger.bind(raindrop="no block", user_id="u1").info("ai")
    logger.bind(raindrop=failing("__iter__")).info("ai")
    assert handler.flush(10)
    assert len(recorder.items("events/track")) == 1
    assert handler.stats().dropped == {"invalid": 2}


def test_trouble_is_told_without_loguru_waiting_for_itself(logger: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """That no handler hears the sink is told, through loguru's own recipe, though the sink holds loguru's lock."""
    output = io.StringIO()
    logger.add(output, format="{message}")
    logging.root.addHandler(InterceptHandler(extra=False))
    logger.add(RaindropSink(), catch=False)
    for _ in range(2):
        logger.bind(raindrop=CHAT).info("ai")
    for thread in threading.enumerate():
        if thread.name == "raindrop-warning":
            thread.join(10)
    told = [line for line in output.getvalue().splitlines() if line != "ai"]
    assert len(told) == 1
    assert told[0].startswith("no RaindropHandler is attached to the logger 'raindrop' or above: ")
    assert capsys.readouterr().err == ""  # the last resort for what no handler could be told


def test_a_wrong_key_is_named() -> None:
    """What cannot work is refused when the sink is made."""
    with pytest.raises(SettingsError, match="did you mean 'user_id'"):
        RaindropSink(keys=("userid",))
