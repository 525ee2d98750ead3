"""`CaptureFilter`: what a call says is what is sent, whatever queue a record goes through before a handler sees it."""

from __future__ import annotations

import contextlib
import logging
import logging.config
import logging.handlers
import multiprocessing
import pickle
import queue
import socketserver
import struct
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging
from raindrop_logging import CaptureFilter, RaindropHandler, begin, bind, extra, tool_span
from raindrop_logging.handler import STAMP_KEY
from tests.arrivals import by_name, complete, failure, the_event
from tests.wire.harness import KEY, diagnostics, log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.wire.recorder import Recorder

QUEUES: dict[str, Callable[[], Any]] = {
    "queue.Queue": queue.Queue,
    "queue.SimpleQueue": queue.SimpleQueue,
    "multiprocessing.Queue": multiprocessing.Queue,
}


class Service:
    """A service whose root logger puts records on a queue; its listener gets them when `deliver` is called."""

    def __init__(self, recorder: Recorder, made: Any, *handlers: logging.Handler, captures: bool = True) -> None:
        self.handlers = handlers or (RaindropHandler(write_key=KEY, endpoint=recorder.endpoint),)
        self.producer = logging.handlers.QueueHandler(made)
        if captures:
            self.producer.addFilter(CaptureFilter())
        self._listener = logging.handlers.QueueListener(made, *self.handlers)
        logging.root.addHandler(self.producer)
        logging.root.setLevel(logging.INFO)

    def deliver(self) -> None:
        """Have the listener handle what was logged, on its own thread, and wait until all of it is sent."""
        self._listener.start()
        self._listener.stop()
        assert raindrop_logging.flush(10)


def ask_carrier() -> None:
    """What a service calls, and what fails."""
    raise TimeoutError("no word from the carrier")


@pytest.fixture(params=QUEUES)
def made_queue(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A queue of each kind that a QueueHandler takes."""
    made = QUEUES[request.param]()
    yield made
    if request.param.startswith("multi"):
        made.close()
        made.join_thread()


def test_what_holds_at_the_call_is_what_is_sent(recorder: Recorder, made_queue: Any) -> None:
    """Bound fields, block, exception and the type that the message names are the caller's, whatever comes later."""
    service = Service(recorder, made_queue)
    block = {"input": "q", "properties": {"cart": ["tea"]}}
    with bind(user_id="u1", event="chat", convo_id="c9"):
        try:
            ask_carrier()
        except TimeoutError:
            log.exception("ai", extra={"raindrop": block})
    block["properties"]["cart"].append("coffee")  # type: ignore[index]
    service.deliver()
    event = the_event(recorder)
    assert (event["user_id"], event["event"], event["ai_data"]["convo_id"]) == ("u1", "chat", "c9")
    assert event["properties"]["cart"] == ["tea"]
    error = event["properties"]["error"]
    assert (error["type"], error["message"]) == ("TimeoutError", "no word from the carrier")
    assert "test_capture_filter.py" in error["stack"]


def test_the_open_interaction_and_span_are_the_callers(recorder: Recorder) -> None:
    """A record made inside of a span is a child of it, and a signal is about the interaction that was open."""
    service = Service(recorder, queue.SimpleQueue())
    turn = begin(user_id="u1", event="chat", input="q", logger=log)
    with tool_span("outer"):
        log.info("inner", extra=extra.span(kind="task", name="inner"))
    log.info("signal", extra=extra.signal(name="thumbs_up", sentiment="POSITIVE"))
    turn.finish(output="a")
    service.deliver()
    spans = by_name(recorder)
    assert spans["inner"]["parent_id"] == spans["outer"]["span_id"]
    assert spans["inner"]["trace_id"] == turn.trace_id
    (signal,) = recorder.items("signals/track")
    assert signal["event_id"] == turn.id


def test_a_failed_span_keeps_its_stack(recorder: Recorder) -> None:
    """A span whose record carries an exception fails with type, message and stack, not with a formatted text."""
    service = Service(recorder, queue.Queue())
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        log.exception("it failed", extra=extra.span(kind="tool", name="divide"))
    service.deliver()
    told = failure(by_name(recorder)["divide"])
    assert told is not None
    assert told["type"] == "ZeroDivisionError"
    assert "_ = 1 / 0" in told["stacktrace"]


def test_without_the_filter_it_is_as_it_was(recorder: Recorder) -> None:
    """A queue without the filter still delivers, with what holds on the listener's thread: nothing bound."""
    service = Service(recorder, queue.SimpleQueue(), captures=False)
    with bind(convo_id="c9"):
        log.info("ai", extra={"raindrop": {"user_id": "u1", "event": "chat", "input": "q"}})
    service.deliver()
    assert "convo_id" not in the_event(recorder)["ai_data"]


def test_it_may_stand_on_a_logger(recorder: Recorder) -> None:
    """On the logger it does the same for every queue that its records go to."""
    service = Service(recorder, queue.SimpleQueue(), captures=False)
    filtering = CaptureFilter()
    log.addFilter(filtering)
    try:
        with bind(user_id="u1", event="chat"):
            log.info("ai", extra={"raindrop": {"input": "q"}})
    finally:
        log.removeFilter(filtering)
    service.deliver()
    assert the_event(recorder)["user_id"] == "u1"


@pytest.mark.parametrize("direct_first", [True, False], ids=["handler first", "queue first"])
def test_a_record_is_sent_once(recorder: Recorder, direct_first: bool) -> None:
    """Two handlers with one destination behind the queue, a second queue, a third handler beside it: one event."""
    keys: Any = {"write_key": KEY, "endpoint": recorder.endpoint}
    shared: Any = queue.SimpleQueue()
    service = Service(recorder, shared, RaindropHandler(**keys), RaindropHandler(**keys))
    second = logging.handlers.QueueHandler(shared)
    second.addFilter(CaptureFilter())
    log.addHandler(second)
    logging.root.addHandler(RaindropHandler(**keys))
    if direct_first:
        log.removeHandler(second)
        logging.root.handlers.reverse()
    log.info("ai", extra={"raindrop": {"user_id": "u1", "event": "chat", "input": "q"}})
    service.deliver()
    assert len(complete(recorder)) == 1
    assert raindrop_logging.stats().accepted == 1


@pytest.mark.parametrize("direct_first", [True, False], ids=["handler first", "queue first"])
def test_two_destinations_get_one_event_each(recorder: Recorder, direct_first: bool) -> None:
    """A handler of another account before the queue and one behind it send the same id, each once."""
    service = Service(recorder, queue.SimpleQueue())
    logging.root.addHandler(RaindropHandler(write_key="rk_other", endpoint=recorder.endpoint))
    if direct_first:
        logging.root.handlers.reverse()
    log.info("ai", extra={"raindrop": {"user_id": "u1", "event": "chat", "input": "q"}})
    service.deliver()
    first, second = complete(recorder)
    assert first["event_id"] == second["event_id"]
    keys = {request.headers["Authorization"] for request in recorder.requests}
    assert keys == {f"Bearer {KEY}", "Bearer rk_other"}


def test_bits_that_a_formatter_has_set_stay(recorder: Recorder) -> None:
    """What was stamped on the record before becomes the event's id: a line that was already written names the same."""
    service = Service(recorder, queue.SimpleQueue())
    bits = 0x1234_5678_9ABC_4DEF_8123_4567_89AB_CDEF
    stamped = {"raindrop": {"user_id": "u1", "event": "chat", "input": "q"}, STAMP_KEY: (bits,)}
    log.info("ai", extra=stamped)
    service.deliver()
    assert the_event(recorder)["event_id"] == "12345678-9abc-4def-8123-456789abcdef"


def test_redaction_comes_after_it(recorder: Recorder) -> None:
    """What was captured passes the redactor of the handler like everything else."""
    handler = RaindropHandler(write_key=KEY, endpoint=recorder.endpoint, redact=True)
    service = Service(recorder, queue.SimpleQueue(), handler)
    log.info("ai", extra={"raindrop": {"user_id": "u1", "event": "chat", "input": "password: hunter2hunter2"}})
    service.deliver()
    assert the_event(recorder)["ai_data"]["input"] == "password: <REDACTED_SECRET>"


def test_records_that_go_nowhere_are_counted_once() -> None:
    """A handler that is off counts what was captured for it, and sends nothing."""
    off = RaindropHandler(write_key=KEY, endpoint="http://127.0.0.1:9/v1/", enabled=False)
    filtering = CaptureFilter()
    record = _record({"user_id": "u1", "event": "chat", "input": "q"})
    assert filtering.filter(record)
    off.handle(record)
    off.handle(record)
    assert off.stats().dropped == {"off": 1}


def _record(block: Any, **fields: Any) -> logging.LogRecord:
    record = logging.LogRecord("shop", logging.INFO, __file__, 1, "ai", (), None)
    record.__dict__.update({"raindrop": block, **fields})
    return record


class Hostile:
    """A value whose every look fails."""

    def __repr__(self) -> str:
        raise ValueError("no")

    def __getattribute__(self, name: str) -> Any:
        raise ValueError(name)


ODD: dict[str, Any] = {
    "a block that is no dict": _record("text"),
    "a hostile block": _record(Hostile()),
    "a hostile value": _record({"user_id": Hostile()}),
    "a stamp of another kind": _record({}, **{STAMP_KEY: "yesterday"}),
    "an empty stamp": _record({}, **{STAMP_KEY: ()}),
    "a record without its usual fields": logging.makeLogRecord({"raindrop": {"a": 1}}),
    "no block": logging.makeLogRecord({"msg": "plain"}),
}
del ODD["a record without its usual fields"].__dict__["exc_info"]


@pytest.mark.parametrize("name", ODD)
def test_it_lets_everything_through_and_never_raises(name: str) -> None:
    """Whatever the record holds, the answer is True, and a second look changes nothing."""
    record, filtering = ODD[name], CaptureFilter()
    assert filtering.filter(record) is True
    before = record.__dict__.get(STAMP_KEY)
    assert filtering.filter(record) is True
    assert record.__dict__.get(STAMP_KEY) is before


def test_a_record_without_a_block_is_left_alone() -> None:
    """Nothing is set on a plain record."""
    record = logging.makeLogRecord({"msg": "plain"})
    before = dict(record.__dict__)
    CaptureFilter().filter(record)
    assert record.__dict__ == before


@pytest.mark.parametrize("captured", [b"", b"\xc1", b"\x93\x01\x02\x03", b"x" * 100], ids=repr)
def test_a_capture_that_is_none_is_taken_anew(recorder: Recorder, captured: bytes) -> None:
    """Bytes that no release of ours wrote cost nothing: the handler takes the record as it arrives."""
    handler = RaindropHandler(write_key=KEY, endpoint=recorder.endpoint)
    block = {"user_id": "u1", "event": "chat", "input": "q"}
    handler.handle(_record(block, **{STAMP_KEY: (7, captured, {})}))
    assert handler.flush(10)
    assert the_event(recorder)["ai_data"]["input"] == "q"


def test_what_is_kept_needs_nothing_of_ours_to_be_unpickled() -> None:
    """Another process can read such a record where this package is not installed: it holds plain values only."""
    record = _record({"user_id": "u1", "event": "chat", "input": "q"})
    with bind(convo_id="c9"):
        CaptureFilter().filter(record)
    pickled = pickle.dumps(record.__dict__)
    program = """
import pickle, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("raindrop_logging", "msgspec"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
print(pickle.loads(sys.stdin.buffer.read())["raindrop"]["input"])
"""
    done = subprocess.run([sys.executable, "-c", program], input=pickled, capture_output=True, check=True, timeout=30)
    assert done.stdout == b"q\n"


def test_through_a_socket_to_another_handler(recorder: Recorder) -> None:
    """On a SocketHandler it does the same for the process at the other end."""
    handler = RaindropHandler(write_key=KEY, endpoint=recorder.endpoint)
    arrived = threading.Event()

    class Receiving(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            (size,) = struct.unpack(">L", self.rfile.read(4))
            handler.handle(logging.makeLogRecord(pickle.loads(self.rfile.read(size))))  # noqa: S301 -- our own
            arrived.set()

    with socketserver.TCPServer(("127.0.0.1", 0), Receiving) as server:
        serving = threading.Thread(target=server.handle_request, daemon=True)
        serving.start()
        sending = logging.handlers.SocketHandler(*server.server_address[:2])  # type: ignore[arg-type]
        sending.addFilter(CaptureFilter())
        log.addHandler(sending)
        log.setLevel(logging.INFO)
        with contextlib.closing(sending), bind(user_id="u1", event="chat"):
            try:
                ask_carrier()
            except TimeoutError:
                log.exception("ai", extra={"raindrop": {"input": "q"}})
            assert arrived.wait(10)
        serving.join(10)
    assert handler.flush(10)
    event = the_event(recorder)
    assert (event["user_id"], event["properties"]["error"]["type"]) == ("u1", "TimeoutError")


WORKER = """
import logging, logging.handlers, multiprocessing, sys
from raindrop_logging import CaptureFilter, RaindropHandler, bind, flush

def work(records, number):
    sending = logging.handlers.QueueHandler(records)
    sending.addFilter(CaptureFilter())
    log = logging.getLogger("worker")
    log.addHandler(sending)
    log.setLevel(logging.INFO)
    with bind(user_id=f"u{number}", event="job"):
        log.info("event", extra={"raindrop": {}})

if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    records = spawn.Queue()
    handler = RaindropHandler(write_key="rk_test", endpoint=sys.argv[1])
    listener = logging.handlers.QueueListener(records, handler)
    listener.start()
    workers = [spawn.Process(target=work, args=(records, number)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    listener.stop()
    sys.exit(0 if flush(10) else 1)
"""


def test_workers_log_through_one_process(recorder: Recorder, tmp_path: Any) -> None:
    """Processes without a handler of ours hand their records to one that has it, each with its own bound fields."""
    program = tmp_path / "jobs.py"
    program.write_text(WORKER)
    command = [sys.executable, "-W", "error", str(program), recorder.endpoint]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(event["user_id"] for event in complete(recorder)) == ["u0", "u1"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="since 3.12 dictConfig makes the listener of a QueueHandler")
def test_a_queue_that_dict_config_makes(recorder: Recorder) -> None:
    """In one file: a QueueHandler with the filter, and ours behind it; its listener has to be started."""
    told = diagnostics()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"capture": {"()": "raindrop_logging.CaptureFilter"}},
            "handlers": {
                "raindrop": {
                    "class": "raindrop_logging.RaindropHandler",
                    "write_key": KEY,
                    "endpoint": recorder.endpoint,
                },
                "queue": {
                    "class": "logging.handlers.QueueHandler",
                    "handlers": ["raindrop"],
                    "filters": ["capture"],
                    "respect_handler_level": True,
                },
            },
            "root": {"level": "INFO", "handlers": ["queue"]},
        }
    )
    (producer,) = (one for one in logging.root.handlers if isinstance(one, logging.handlers.QueueHandler))
    listener: Any = producer.listener  # type: ignore[attr-defined,unused-ignore]
    with bind(user_id="u1", event="chat"):
        log.info("ai", extra={"raindrop": {"input": "q"}})
    listener.start()
    listener.stop()
    assert raindrop_logging.flush(10)
    assert the_event(recorder)["user_id"] == "u1"
    assert told.lines == []


def test_a_queue_counts_as_a_listener_of_the_verbs() -> None:
    """A queue may lead to a handler of ours, so nobody is told that the verbs are not heard."""
    told = diagnostics()
    waiting = logging.handlers.QueueHandler(queue.SimpleQueue())  # type: ignore[arg-type,unused-ignore]
    waiting.addFilter(CaptureFilter())
    logging.root.addHandler(waiting)
    raindrop_logging.track(user_id="u1", event="signup")
    assert told.lines == []
