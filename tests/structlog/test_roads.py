"""Whatever ends the chain and whatever writes the line: a block is sent, once, with all that the event says of it."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import logging.handlers
import pickle
import queue
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.testing import capture_logs

import raindrop_logging
from raindrop_logging import CaptureFilter, RaindropHandler, bind
from raindrop_logging._pipeline.wrapped import WrappedBlock
from raindrop_logging.structlog import RaindropProcessor
from tests.structlog.roads import BY_ITSELF, EVERY, FORMATTER, LOG_KWARGS, PRINT, THROUGH_LOGGING, Road, fail
from tests.wire.harness import Heard, attach

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.wire.recorder import Recorder

CHAT = {"event": "chat", "user_id": "u1", "input": "q", "output": "a"}
KEYS = ("user_id", "convo_id", "event_id")
every_road = pytest.mark.parametrize("road", EVERY, ids=lambda road: road.name)
by_itself = pytest.mark.parametrize("road", BY_ITSELF, ids=lambda road: road.name)
through_logging = pytest.mark.parametrize("road", THROUGH_LOGGING, ids=lambda road: road.name)


def sent(recorder: Recorder, handler: RaindropHandler) -> list[dict[str, Any]]:
    """All complete events that have arrived; everything that was accepted was also delivered."""
    assert handler.flush(10)
    stats = handler.stats()
    assert (stats.accepted, stats.dropped, stats.refused) == (stats.delivered, {}, 0)
    return recorder.items("events/track")


@every_road
def test_an_event_is_sent_once(road: Road, recorder: Recorder) -> None:
    """By two processors in one chain and two handlers along the loggers, and people see one line."""
    handler = attach(recorder.endpoint)
    for name in ("shop", "raindrop"):
        logging.getLogger(name).addHandler(RaindropHandler(write_key="rk_test", endpoint=recorder.endpoint))
    log = road.configure(RaindropProcessor(), RaindropProcessor(keys=KEYS))
    log.info("ai", raindrop=CHAT)
    log.info("a line for people", order=4711)
    (event,) = sent(recorder, handler)
    assert (event["user_id"], event["event"], event["ai_data"]) == ("u1", "chat", {"input": "q", "output": "a"})
    assert len(road.lines) == 2


@every_road
def test_the_nearest_wins(road: Road, recorder: Recorder) -> None:
    """The block wins over the event's keys, they over `raindrop_logging.bind`, that over the handler's defaults."""
    handler = attach(recorder.endpoint, defaults={"user_id": "default", "properties": {"a": 1, "b": 1, "c": 1, "d": 1}})
    keys = {"user": "user_id", "convo": "convo_id", **{name: f"properties.{name}" for name in "bcd"}}
    log = road.configure(RaindropProcessor(keys=keys, event_key="feature")).bind(feature="chat", user="logger", c=3)
    with (
        structlog.contextvars.bound_contextvars(convo="contextvars", c=4),
        bind(user_id="bind", convo_id="bind", event_id="bind", properties={"b": 2, "c": 2}),
    ):
        log.info("ai", d=5, raindrop={"input": "q", "properties": {"d": 6}})
    log.info("ai", user="call", raindrop={"input": "q", "event": "block"})
    log.unbind("user").info("ai", raindrop={"input": "q"})
    first, second, third = sent(recorder, handler)
    assert (first["event_id"], first["user_id"], first["event"]) == ("bind", "logger", "chat")
    assert first["ai_data"]["convo_id"] == "contextvars"
    assert {name: first["properties"][name] for name in "abcd"} == {"a": 1, "b": 2, "c": 3, "d": 6}
    assert (second["user_id"], second["event"]) == ("call", "block")
    assert third["user_id"] == "default"


@every_road
def test_nothing_leaves_but_through_a_key(road: Road, recorder: Recorder) -> None:
    """What else an event holds stays here, and an event without a block is none of Raindrop's."""
    handler = attach(recorder.endpoint)
    log = road.configure(RaindropProcessor(keys=("user_id",))).bind(user_id="u1", convo_id="private", card="private")
    log.info("ai", raindrop={"event": "chat", "input": "q"}, secret="private")
    log.info("ai", user_id="u1", event_id="e")
    assert len(sent(recorder, handler)) == 1
    assert b"private" not in b"".join(request.body for request in recorder.requests)


@every_road
@pytest.mark.parametrize("way", ["exception()", "true", "exception", "triple"])
def test_what_was_raised_goes_along(road: Road, way: str, recorder: Recorder) -> None:
    """The exception of an event becomes the record's error, also where a later processor renders it away."""
    handler = attach(recorder.endpoint)
    log = road.configure(RaindropProcessor(), structlog.processors.format_exc_info)
    log.info("ai", raindrop={**CHAT, "event": "before"})
    try:
        fail(LookupError("no such order"))
    except LookupError as error:
        if way == "exception()":
            log.exception("ai", raindrop=CHAT)
        else:
            given = {"true": True, "exception": error, "triple": (type(error), error, error.__traceback__)}[way]
            log.error("ai", raindrop=CHAT, exc_info=given)  # noqa: TRY400 -- structlog's own ways are what is tried
    _, event = sent(recorder, handler)
    said = event["properties"]["error"]
    assert (said["type"], said["message"]) == ("LookupError", "no such order")
    assert "test_what_was_raised_goes_along" in said["stack"]


@every_road
def test_no_exception_is_none(road: Road, recorder: Recorder) -> None:
    """``exc_info`` that is false, or true where nothing was raised, is no error."""
    handler = attach(recorder.endpoint)
    log = road.configure(RaindropProcessor())
    log.info("ai", raindrop=CHAT, exc_info=False)
    log.info("ai", raindrop=CHAT, exc_info=True)  # noqa: LOG014 -- people do
    assert [event["properties"].get("error") for event in sent(recorder, handler)] == [None, None]


@every_road
def test_a_span_is_marked_failed(road: Road, recorder: Recorder) -> None:
    """An exception logged with a span is the span's, and the block's own keys decide what it is."""
    handler = attach(recorder.endpoint)
    log = road.configure(RaindropProcessor())
    try:
        fail(TimeoutError("search"))
    except TimeoutError:
        log.exception("searched %s", "tea", raindrop={"kind": "tool", "name": "search", "event_id": "e1"})
    assert handler.flush(10)
    (span,) = recorder.spans()
    assert (span["status"]["code"], span["status"]["message"]) == ("ERROR", "search")


@every_road
def test_an_open_interaction_keeps_its_own_records(road: Road, recorder: Recorder) -> None:
    """Keys are bound as by `bind`: a span inside an interaction belongs to it, unless the event names another."""
    handler = attach(recorder.endpoint)
    log = road.configure(RaindropProcessor(keys=KEYS)).bind(user_id="somebody", event_id="outer")
    turn = raindrop_logging.begin(user_id="u1", event="run", input="q", event_id="e1")
    log.unbind("event_id").info("span", raindrop={"kind": "tool", "name": "inside"})
    log.info("span", raindrop={"kind": "tool", "name": "named"})
    turn.finish(output="a")
    assert handler.flush(10)
    prefix = "traceloop.association.properties."
    whose = {span["name"]: span["attributes"][f"{prefix}event_id"] for span in recorder.spans()}
    assert whose == {"inside": "e1", "named": "outer"}


@every_road
def test_async_methods(road: Road, recorder: Recorder) -> None:
    """`ainfo` and `aexception` run on a thread of structlog's: what was bound and raised at the call goes along."""
    handler = attach(recorder.endpoint)
    log = road.configure(RaindropProcessor(keys=KEYS))

    async def request(user: str) -> None:
        structlog.contextvars.bind_contextvars(user_id=user)
        with bind(convo_id=f"of {user}"):
            await log.ainfo("ai", raindrop={"event": "chat", "input": "q"})
            try:
                fail(LookupError(user))
            except LookupError:
                await log.aexception("ai", raindrop={"event": "failed", "input": "q"})

    async def both() -> None:
        await asyncio.gather(request("u1"), request("u2"))

    asyncio.run(both())
    events = sent(recorder, handler)
    assert len(events) == 4
    assert all(event["ai_data"]["convo_id"] == f"of {event['user_id']}" for event in events)
    failed = [event for event in events if event["event"] == "failed"]
    assert [event["properties"]["error"]["message"] for event in failed] == [event["user_id"] for event in failed]


@every_road
def test_threads(road: Road, recorder: Recorder) -> None:
    """Events of many threads at once are each sent once, with their own thread's context."""
    handler = attach(recorder.endpoint)
    log = road.configure(RaindropProcessor(keys=KEYS))

    def work(number: int) -> None:
        with structlog.contextvars.bound_contextvars(user_id=f"u{number}", event_id=f"e{number}"):
            log.info("ai", raindrop={"event": "chat", "input": f"q{number}"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))
    events = sent(recorder, handler)
    said = {(event["event_id"], event["user_id"], event["ai_data"]["input"]) for event in events}
    assert said == {(f"e{number}", f"u{number}", f"q{number}") for number in range(200)}
    assert len(events) == 200


@through_logging
def test_levels_of_logging(road: Road, recorder: Recorder) -> None:
    """Through logging, the levels of its loggers and handlers hold, and a disabled logger says nothing."""
    handler = attach(recorder.endpoint, level="WARNING")
    logger = logging.getLogger("shop.desk")
    logger.setLevel("INFO")
    log = road.configure(RaindropProcessor(keys=KEYS))
    log.debug("ai", raindrop={**CHAT, "event": "below the logger"})
    log.info("ai", raindrop={**CHAT, "event": "below the handler"})
    log.warning("ai", raindrop={**CHAT, "event": "heard"})
    logger.disabled = True
    log.error("ai", raindrop={**CHAT, "event": "disabled"})
    assert [event["event"] for event in sent(recorder, handler)] == ["heard"]


@by_itself
def test_levels_of_an_event_that_structlog_writes(road: Road, recorder: Recorder) -> None:
    """By itself, structlog's methods have logging's levels, and those of ``raindrop``, or of ``logger=``, hold."""
    handler = attach(recorder.endpoint)
    logging.root.setLevel("WARNING")  # as it is where nobody configured it: ``raindrop`` has a level of its own
    log = road.configure(RaindropProcessor())
    for method in ("debug", "info", "msg", "warning", "error", "critical"):
        getattr(log, method)("ai", raindrop={**CHAT, "event": method})
    quiet = road.configure(RaindropProcessor(logger="shop.quiet"))
    logging.getLogger("shop.quiet").setLevel("ERROR")
    quiet.warning("ai", raindrop={**CHAT, "event": "too quiet"})
    quiet.error("ai", raindrop={**CHAT, "event": "loud"})
    events = [event["event"] for event in sent(recorder, handler)]
    assert events == ["info", "msg", "warning", "error", "critical", "loud"]


@by_itself
def test_no_other_handler_hears_what_structlog_writes(road: Road, recorder: Recorder) -> None:
    """The line is on structlog's own output, and on no console of logging's."""
    handler = attach(recorder.endpoint)
    console, inner = Heard(), Heard("raindrop")
    log = road.configure(RaindropProcessor())
    log.info("ai", raindrop=CHAT)
    assert len(sent(recorder, handler)) == 1
    assert [record for record in console.records if not record.name.startswith("httpcore")] == inner.records == []
    assert len(road.lines) == 1


@by_itself
def test_filters_hold_for_what_structlog_writes(road: Road, recorder: Recorder) -> None:
    """Filters of the logger and of the handler see a record with the message, the level and the place of the call."""
    handler = attach(recorder.endpoint)
    seen: list[logging.LogRecord] = []

    def judge(record: logging.LogRecord) -> bool:
        seen.append(record)
        return record.levelno < logging.ERROR

    handler.addFilter(judge)
    log = road.configure(RaindropProcessor())
    log.info("ai", raindrop=CHAT)
    log.error("ai", raindrop={**CHAT, "event": "filtered"})
    logging.getLogger("raindrop").addFilter(no_one := lambda _: False)
    log.info("ai", raindrop={**CHAT, "event": "filtered"})
    logging.getLogger("raindrop").removeFilter(no_one)
    assert [event["event"] for event in sent(recorder, handler)] == ["chat"]
    first, second = seen
    assert (first.getMessage(), first.levelname, first.funcName) == (
        "ai",
        "INFO",
        "test_filters_hold_for_what_structlog_writes",
    )
    assert (first.pathname, second.levelname) == (__file__, "ERROR")


def test_init_hears_what_structlog_writes(recorder: Recorder) -> None:
    """A handler attached by `init` is enough, without any configuration of logging."""
    handler = raindrop_logging.init("rk_test", endpoint=recorder.endpoint)
    log = PRINT.configure(RaindropProcessor())
    log.info("ai", raindrop=CHAT)
    assert len(sent(recorder, handler)) == 1


def test_a_chain_of_its_own(recorder: Recorder) -> None:
    """A logger of `structlog.wrap_logger` with another chain than the configured one is heard as well, once."""
    handler = attach(recorder.endpoint)
    LOG_KWARGS.configure(RaindropProcessor())
    processor = RaindropProcessor(keys=KEYS)
    for renderer in (
        structlog.stdlib.render_to_log_kwargs,
        ProcessorFormatter.wrap_for_formatter,
        structlog.processors.JSONRenderer(),
    ):
        log = structlog.wrap_logger(
            logging.getLogger("shop.own"), [processor, renderer], structlog.stdlib.BoundLogger, user_id="u9"
        )
        log.info("ai", raindrop={"event": "chat", "input": "q"})
    assert [event["user_id"] for event in sent(recorder, handler)] == ["u9", "u9", "u9"]


def test_another_destination_below(recorder: Recorder) -> None:
    """A block that was handed over and then reaches a record goes to those handlers alone that have not had it."""
    handler = attach(recorder.endpoint)
    below = RaindropHandler(write_key="rk_below", endpoint=recorder.endpoint)
    logging.getLogger("below").addHandler(below)

    class Wrapper:
        def info(self, **event: Any) -> None:
            logging.getLogger("below").info(event.pop("event"), extra=event)

    structlog.configure(processors=[RaindropProcessor()], logger_factory=lambda *_: Wrapper())
    structlog.get_logger().info("ai", raindrop=CHAT)
    assert below.flush(10)
    assert len(sent(recorder, handler)) == 2
    keys = sorted(request.headers["Authorization"] for request in recorder.to("events/track"))
    assert keys == ["Bearer rk_below", "Bearer rk_test"]
    assert len({event["event_id"] for event in recorder.items("events/track")}) == 1


@pytest.mark.parametrize("road", [LOG_KWARGS, FORMATTER], ids=lambda road: road.name)
def test_the_handler_alone_is_enough(road: Road, recorder: Recorder) -> None:
    """Without a processor, a record of structlog's still holds its block, its message and its exception."""
    handler = attach(recorder.endpoint)
    log = road.configure()
    try:
        fail(LookupError("no such order"))
    except LookupError as error:
        log.warning("ai", raindrop={"user_id": "u1", "event": "chat", "input": "q"}, exc_info=error)
    log.info("identify", raindrop={"user_id": "u1", "traits": {"plan": "pro"}})
    log.info("a line for people")
    (event,) = sent(recorder, handler)
    assert event["properties"]["error"]["message"] == "no such order"
    assert recorder.items("users/identify") == [{"user_id": "u1", "traits": {"plan": "pro"}}]


@pytest.mark.parametrize("road", [LOG_KWARGS, FORMATTER], ids=lambda road: road.name)
def test_a_renderer_in_front_is_no_harm(road: Road, recorder: Recorder) -> None:
    """A processor that stands behind the renderer puts the block on the record itself, for a queue to take it along."""
    handler = attach(recorder.endpoint)
    heard = Heard()
    log = road.configure(after=(RaindropProcessor(keys=KEYS),)).bind(user_id="u7")
    log.info("signal", raindrop={"event_id": "e1", "name": "thumbs_up"})
    log.info("ai", raindrop={"event": "chat", "input": "q"})
    assert handler.flush(10)
    assert [event["user_id"] for event in sent(recorder, handler)] == ["u7"]
    assert recorder.items("signals/track")[0]["event_id"] == "e1"
    assert [hasattr(record, "raindrop") for record in heard.records[:2]] == [True, True]


def test_behind_a_queue(recorder: Recorder) -> None:
    """With a second processor behind `wrap_for_formatter`, a QueueHandler's own copy of the record holds the block."""
    from logging.handlers import QueueHandler, QueueListener
    from queue import SimpleQueue

    handler = RaindropHandler(write_key="rk_test", endpoint=recorder.endpoint)
    waiting: SimpleQueue[Any] = SimpleQueue()
    logging.root.setLevel("INFO")
    logging.root.addHandler(QueueHandler(waiting))
    log = FORMATTER.configure(RaindropProcessor(keys=KEYS), after=(RaindropProcessor(),)).bind(user_id="u7")
    try:
        fail(LookupError("no such order"))
    except LookupError:
        log.exception("ai", raindrop={"event": "chat", "input": "q"})
    listener = QueueListener(waiting, handler)
    listener.start()
    listener.stop()
    (event,) = sent(recorder, handler)
    assert (event["user_id"], event["properties"]["error"]["message"]) == ("u7", "no such order")


def test_records_of_other_loggers_go_their_own_way(recorder: Recorder) -> None:
    """A plain record that a ProcessorFormatter formats with a processor in its chains is sent once, by its handler."""
    handler = attach(recorder.endpoint)
    FORMATTER.configure(RaindropProcessor())
    logging.getLogger("shop.plain").info("ai", extra={"raindrop": CHAT})
    assert len(sent(recorder, handler)) == 1
    (line,) = FORMATTER.lines
    assert json.loads(line) == {"event": "ai", "raindrop": CHAT}


def test_captured_events_are_not_sent(recorder: Recorder) -> None:
    """`capture_logs` keeps the events as they were said, and takes the place of the whole chain."""
    handler = attach(recorder.endpoint)
    log = LOG_KWARGS.configure(RaindropProcessor(keys=KEYS))
    with capture_logs() as captured:
        log.info("ai", raindrop=CHAT)
    log.info("ai", raindrop=CHAT)
    assert captured == [{"event": "ai", "raindrop": CHAT, "log_level": "info"}]
    assert len(sent(recorder, handler)) == 1


def test_a_dropped_event_is_not_sent(recorder: Recorder) -> None:
    """What a processor in front drops, or masks, never was said; through logging that holds for those behind, too."""
    handler = attach(recorder.endpoint)

    def drop_private(_: Any, __: str, event: Any) -> Any:
        if event.get("private"):
            raise structlog.DropEvent
        return event

    def mask(_: Any, __: str, event: Any) -> Any:
        event["raindrop"]["input"] = "***"
        return event

    for road, chain in (
        (PRINT, (drop_private, mask, RaindropProcessor())),
        (LOG_KWARGS, (RaindropProcessor(keys=KEYS), drop_private, mask)),
    ):
        log = road.configure(*chain)
        log.info("ai", raindrop={**CHAT}, private=True)
        log.info("ai", raindrop={**CHAT})
    assert [event["ai_data"]["input"] for event in sent(recorder, handler)] == ["***", "***"]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["info", "ainfo"])
@every_road
def test_the_place_of_the_call_is_named(road: Road, asynchronous: bool, recorder: Recorder) -> None:
    """A block that breaks a rule is told with the logger, the file and the line of the call, also of an async one."""
    handler = attach(recorder.endpoint, debug=True)
    diagnostics = Heard("raindrop_logging")
    log = road.configure(RaindropProcessor())

    async def request() -> None:
        await log.ainfo("ai", raindrop={"user": "u1"})

    if asynchronous:
        asyncio.run(request())
    else:
        log.info("ai", raindrop={"user": "u1"})
    handler.shutdown(5)
    said = "\n".join(diagnostics.lines)
    assert "did you mean 'user_id'" in said
    assert f"(logger '{'shop.desk' if road.through_logging else 'raindrop'}', " in said
    if not (asynchronous and road.through_logging):  # logging's own search for the place ends on structlog's thread
        assert f"{__file__}:" in said


def test_an_unheard_event_is_told_once(told: Callable[[], list[str]]) -> None:
    """Where no RaindropHandler is attached, the first event that structlog writes says so, once."""
    log = PRINT.configure(RaindropProcessor())
    log.info("ai", raindrop=CHAT)
    log.info("ai", raindrop=CHAT)
    (line,) = told()
    assert line.startswith("no RaindropHandler is attached to the logger 'raindrop' or above: ")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_wrapped_block_can_be_pickled(protocol: int) -> None:
    """By every protocol: logging's SocketHandler uses the first."""
    block = WrappedBlock({"a": 1}, whole={"a": 1, "event_id": "e1"}, bound={"user_id": "u1"}, message="ai")
    block.stamp = (7,)
    for again in (pickle.loads(pickle.dumps(block, protocol)), copy.copy(block), copy.deepcopy(block)):  # noqa: S301
        assert (again, again.whole, again.bound, again.message, again.stamp) == (
            {"a": 1},
            {"a": 1, "event_id": "e1"},
            {"user_id": "u1"},
            "ai",
            (7,),
        )


def test_a_queue_with_a_capture_filter_needs_no_second_processor(recorder: Recorder) -> None:
    """The filter finds the block in structlog's event, before the queue's handler makes a text of it."""
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    producer = logging.handlers.QueueHandler(waiting)
    producer.addFilter(CaptureFilter())
    logging.root.addHandler(producer)
    logging.root.setLevel(logging.INFO)
    handler = RaindropHandler(write_key="rk_test", endpoint=recorder.endpoint)
    structlog.configure(
        processors=[RaindropProcessor(keys=KEYS), ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    structlog.get_logger("shop").info("ai", raindrop={"event": "chat", "input": "q"}, user_id="u1")
    listener = logging.handlers.QueueListener(waiting, handler)
    listener.start()
    listener.stop()
    (event,) = sent(recorder, handler)
    assert (event["event"], event["user_id"]) == ("chat", "u1")
