"""Nothing raises for what it is given, or for who listens; each odd thing costs its own record and no other."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging
from raindrop_logging import (
    Tracer,
    begin,
    current_span,
    interaction,
    llm_span,
    resume_interaction,
    start_span,
    task,
    task_span,
    tool,
    tool_span,
)
from tests.arrivals import said, the_event
from tests.wire.harness import PATIENCE, Heard, attach, diagnostics

if TYPE_CHECKING:
    from collections.abc import Callable

    from raindrop_logging import LlmSpan, RaindropHandler, Span
    from tests.arrivals import Spans
    from tests.wire.recorder import Recorder

# ---- odd values -----------------------------------------------------------------------------------------------------


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


class _HostileMapping(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no values")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no keys")

    def __len__(self) -> int:
        return 1


class _HostileDict(dict[str, Any]):
    """A dict whose own methods fail."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("no values")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no keys")

    keys = items = values = __iter__  # type: ignore[assignment]


class _HostileText(str):
    """A text that fails where it is compared or shown."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equality")

    __hash__ = str.__hash__

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class _HostileError(Exception):
    """An exception that cannot say itself."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


ODD: dict[str, Any] = {
    "hostile": _Hostile(),
    "hostile mapping": _HostileMapping(),
    "hostile dict": _HostileDict(a=1),
    "hostile text": _HostileText("odd"),
    "hostile error": _HostileError(),
    "number": 5,
    "huge": 10**400,
    "fraction": float("nan"),
    "text": "odd",
    "surrogate": "\ud800",
    "bytes": b"\xff\x00",
    "list": ["odd", _Hostile()],
    "dict": {"odd": _Hostile(), 5: 6, (7, 8): 9},
    "set": {1, "a"},
    "object": object(),
    "lock": threading.Lock(),
    "class": dict,
    "function": lambda: None,
}

_any = raindrop_logging.tracing._anywhere
_OPTIONS = (
    "version",
    "input",
    "properties",
    "attributes",
    "parent",
    "start_time",
    "logger",
    "trace_content",
    "suppress_tracing",
)
_MODEL_OPTIONS = ("model", "provider", "messages", "tools")


def _with_each(open_one: Callable[..., Any], names: tuple[str, ...]) -> Callable[[Any], None]:
    """A span for each of these options, with the odd value as it, and one with all of them."""

    def call(odd: Any) -> None:
        for given in (*((name,) for name in names), names):
            with open_one("odd", **dict.fromkeys(given, odd)):
                pass

    return call


OPENING: dict[str, Callable[[Any], object]] = {
    "task_span": _with_each(task_span, _OPTIONS),
    "tool_span": _with_each(tool_span, _OPTIONS),
    "llm_span": _with_each(llm_span, (*_OPTIONS, *_MODEL_OPTIONS)),
    "start_span": _with_each(
        lambda name, **options: start_span("llm", name, **options),
        (*_OPTIONS, *_MODEL_OPTIONS, "event_id", "user_id", "event", "convo_id"),
    ),
    "start_span's kind": lambda odd: start_span(odd, "odd").end(),
    "names": lambda odd: _each_ended(task_span(odd), tool_span(odd), llm_span(odd)),
    "with_span": lambda odd: [_any.with_span("odd", lambda: odd, **{key: odd}) for key in _OPTIONS],
    "with_tool": lambda odd: [_any.with_tool("odd", lambda: odd, **{key: odd}) for key in _OPTIONS],
    "track_tool": lambda odd: _told_with_each(("output", "error", "duration_ms", "end_time", *_OPTIONS), odd),
    "a handle's": lambda odd: resume_interaction("e-1").tool_span("odd", properties=odd, parent=odd).end(),
    "Tracer": lambda odd: Tracer(odd, logger=odd).task_span("odd", properties=odd).end(),
    "Tracer's span": lambda odd: Tracer({"a": 1}).task_span("odd", properties=odd).end(),
    "decorators": lambda odd: [
        decorate("odd", tools=odd, properties=odd, version=odd, parent=odd, suppress_tracing=odd)(lambda: odd)()
        for decorate in (interaction, task, tool)
    ],
    "a decorator's name": lambda odd: _decorated(odd)(),
    "arguments": lambda odd: tool("odd")(_taking)(odd, odd, key=odd),
    "yielded": lambda odd: list(tool("odd")(_yielding)(odd)),
}


def _told_with_each(names: tuple[str, ...], odd: Any) -> None:
    for name in names:
        _any.track_tool("odd", **{name: odd})


def _each_ended(*spans: Span) -> None:
    for span in spans:
        span.end()


def _taking(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


def _decorated(odd: Any) -> Callable[..., object]:
    made: Any = tool(odd)
    decorated: Callable[..., object] = made if callable(odd) else made(lambda: None)
    return decorated


def _yielding(odd: Any) -> Iterator[Any]:
    yield odd
    yield "text"


@pytest.mark.parametrize("call", OPENING.values(), ids=OPENING)
def test_whatever_opens_a_span_takes_anything(
    recorder: Recorder, handler: RaindropHandler, call: Callable[[Any], object]
) -> None:
    """Nothing is raised, every record is accounted for, and the spans between the odd ones arrive whole."""
    raised: dict[str, Exception] = {}
    for name, odd in ODD.items():
        _say("between")
        try:
            call(odd)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not be there
            raised[name] = error
        assert current_span().name == "none"
    assert raised == {}
    _assert_only_odd_ones_are_lost(recorder, handler, between=len(ODD))


SAYING: dict[str, Callable[[LlmSpan, Any], object]] = {
    "record_input": lambda span, odd: span.record_input(odd),
    "record_output": lambda span, odd: span.record_output(odd),
    "set_io": lambda span, odd: span.set_io(odd, odd),
    "set_property": lambda span, odd: span.set_property("p", odd),
    "set_property's key": lambda span, odd: span.set_property(odd, 1),
    "set_properties": lambda span, odd: span.set_properties(odd),
    "set_attributes": lambda span, odd: span.set_attributes(odd),
    "an attribute": lambda span, odd: span.set_attributes({"own.key": odd}),
    "set_model": lambda span, odd: span.set_model(odd),
    "set_provider": lambda span, odd: span.set_provider(odd),
    "set_messages": lambda span, odd: span.set_messages(odd),
    "a message": lambda span, odd: span.set_messages([odd]),
    "a message's role": lambda span, odd: span.set_messages([{"role": odd, "content": odd}]),
    "set_tools": lambda span, odd: span.set_tools(odd),
    "a tool": lambda span, odd: span.set_tools([odd], source=odd),
    "set_token_usage": lambda span, odd: span.set_token_usage(odd, odd),
    "set_error": lambda span, odd: span.set_error(odd),
    "end": lambda span, odd: span.end(odd),
    "end_at": lambda span, odd: span.end_at(odd, odd),
}


@pytest.mark.parametrize("say", SAYING.values(), ids=SAYING)
def test_whatever_is_said_of_a_span_may_be_anything(
    recorder: Recorder, handler: RaindropHandler, say: Callable[[LlmSpan, Any], object]
) -> None:
    """Nothing is raised; each span arrives or is counted as invalid, and its child arrives whole."""
    raised: dict[str, Exception] = {}
    for name, odd in ODD.items():
        with llm_span("odd") as span:
            _say("between")
            try:
                say(span, odd)
            except Exception as error:  # noqa: BLE001 -- as above
                raised[name] = error
    assert raised == {}
    arrived = _assert_only_odd_ones_are_lost(recorder, handler, between=len(ODD))
    assert arrived.count("odd") + handler.stats().dropped.get("invalid", 0) == len(ODD)


def _say(name: str) -> None:
    with task_span(name, input="in", properties={"a": 1}):
        pass


def _assert_only_odd_ones_are_lost(recorder: Recorder, handler: RaindropHandler, *, between: int) -> list[str]:
    """Every record is accounted for, and those that said nothing odd have arrived; the names of all that have."""
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert stats.accepted == stats.delivered + sum(stats.dropped.values())
    assert set(stats.dropped) <= {"invalid"}
    found = [span for span in recorder.spans() if span["name"] == "between"]
    assert [said(span, "input") for span in found] == ["in"] * between
    return [span["name"] for span in recorder.spans()]


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_any_value_can_be_content(spans: Spans, handler: RaindropHandler, odd: Any) -> None:
    """As input, output, property and attribute what JSON has no word for becomes a marked text, and nothing is lost."""
    with tool_span("odd", input=odd, properties={"p": odd}, attributes={"own.key": odd}) as span:
        span.record_output({"nested": [odd]})
    found = spans()["odd"]
    assert handler.stats().dropped == {}
    assert said(found, "input") is not None
    assert said(found, "output") is not None
    assert {"traceloop.association.properties.p", "own.key"} <= set(found["attributes"])


def test_an_exception_that_cannot_say_itself_goes_on(spans: Spans) -> None:
    """It is recorded with its type, and the caller gets it."""
    error = _HostileError()
    with pytest.raises(_HostileError) as caught, tool_span("odd"):
        raise error
    assert caught.value is error
    recorded = spans()["odd"]["events"][0]["attributes"]
    assert recorded["exception.type"] == "_HostileError"
    assert "_HostileError" in recorded["exception.message"]


def test_a_wrong_word_is_named(spans: Spans, handler: RaindropHandler) -> None:
    """The span that says it is counted, and a line says which key, what was given and what is allowed."""
    heard = diagnostics()
    with tool_span("odd") as span:
        span.set_properties("odd")  # type: ignore[arg-type]
    assert spans() == {}
    assert handler.stats().dropped == {"invalid": 1}
    assert "'properties' is a text of 3 characters" in heard.lines[0]


# ---- whoever listens ------------------------------------------------------------------------------------------------


class _Raising(logging.Handler):
    """A handler of the application's that fails."""

    def emit(self, record: logging.LogRecord) -> None:
        """Fail."""
        raise RuntimeError(f"no room for {record.getMessage()}")


def _refuse(record: logging.LogRecord) -> bool:
    raise RuntimeError(f"no opinion of {record.getMessage()}")


def _with_handler(log: logging.Logger) -> None:
    log.addHandler(_Raising())


def _with_filter(log: logging.Logger) -> None:
    log.addFilter(_refuse)


@pytest.mark.parametrize("trouble", [_with_handler, _with_filter], ids=["handler", "filter"])
def test_a_logger_that_raises_costs_the_work_nothing(spans: Spans, trouble: Callable[[logging.Logger], None]) -> None:
    """Results and exceptions come back as they are, nothing stays open, and other loggers' spans arrive."""
    log = logging.getLogger("shop.raising")
    trouble(log)
    error = OSError("gone")

    @tool("decorated", logger=log)
    def work() -> str:
        with task_span("inside"):
            return "result"

    try:
        assert work() == "result"
        assert Tracer(logger=log).with_tool("around", lambda: "result") == "result"
        with pytest.raises(OSError, match="gone") as caught, llm_span("failing", logger=log):
            raise error
        assert (caught.value, error.__context__) == (error, None)
        assert current_span().name == "none"
        assert "inside" in spans()
    finally:
        log.filters.clear()


def test_of_two_handlers_the_one_that_raises_costs_the_other_nothing(spans: Spans) -> None:
    """A handler beside ours that fails is not asked before it, and not in its way."""
    logging.getLogger().addHandler(_Raising())
    with task_span("work"):
        pass
    assert set(spans()) == {"work"}


LOGGER_TROUBLE = """
import logging, sys
import raindrop_logging
from raindrop_logging import Tracer, interaction, task_span, start_span

class Raising(logging.Handler):
    def emit(self, record):
        raise RuntimeError("no room")

ours = raindrop_logging.RaindropHandler(write_key="rk_test", endpoint=sys.argv[1])
logging.basicConfig(level="INFO", handlers=[ours])
log = logging.getLogger("shop.raising")
log.addHandler(Raising())
for number in range(3):
    with task_span("work", logger=log):
        pass
    with task_span("child", parent=number):
        pass
    interaction("tools", tools=number)(lambda: None)()
raindrop_logging.shutdown(10)
"""


def test_trouble_of_the_kind_is_told_once(recorder: Recorder) -> None:
    """A logger that raises, a parent that is no span and tools that are no list: one line each, however often."""
    command = [sys.executable, "-c", LOGGER_TROUBLE, recorder.endpoint]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert ended.stderr.splitlines() == [
        "a record of the verbs was not logged: RuntimeError: no room",
        "parent= takes a span, not a int",
        "tools take a list of definitions, not a int",
    ]
    assert [span["name"] for span in recorder.spans()] == ["child", "tools"] * 3


def test_a_level_of_warning_silences_spans_and_breaks_nothing(spans: Spans, recorder: Recorder) -> None:
    """On the logger `raindrop`; what has a logger of its own is heard, and back at INFO everything is."""
    logging.getLogger("raindrop").setLevel(logging.WARNING)
    heard = Heard("raindrop")

    @interaction
    def handle() -> str:
        turn = begin(user_id="u", event="chat", event_id="e-1", input="q")
        with tool_span("silent") as span:
            assert current_span() is span
            start_span("task", "heard", logger=logging.getLogger("shop.own")).end()
        turn.track_tool("told")
        with pytest.raises(OSError, match="gone"), task_span("failing"):
            raise OSError("gone")
        turn.finish("answer")
        return "result"

    assert handle() == "result"
    assert current_span().name == "none"
    assert set(spans()) == {"heard"}
    assert (heard.records, recorder.items("events/track")) == ([], [])
    logging.getLogger("raindrop").setLevel(logging.INFO)
    assert handle() == "result"
    assert raindrop_logging.flush(PATIENCE)
    assert sorted(span["name"] for span in recorder.spans()) == [
        "failing",
        "handle",
        "heard",
        "heard",
        "silent",
        "told",
    ]
    assert the_event(recorder)["event_id"] == "e-1"


# ---- without tracing ------------------------------------------------------------------------------------------------


def test_without_tracing_spans_are_counted_and_go_nowhere(recorder: Recorder) -> None:
    """The work is done, the event arrives without a trace, and every span is accounted for."""
    handler = attach(recorder.endpoint, tracing=False)
    turn = begin(user_id="u", event="chat", input="q")
    with turn.tool_span("block"), llm_span("model", model="m"):
        turn.track_tool("told")
    assert turn.with_span("around", lambda: "result") == "result"
    turn.finish("answer")
    assert handler.flush(PATIENCE)
    assert {request.route for request in recorder.requests} == {"events/track"}
    assert "trace_id" not in the_event(recorder)["properties"]
    assert handler.stats().dropped == {"tracing_off": 4}


QUIET_SERVICE = """
import logging, sys
import raindrop_logging
from raindrop_logging import *

endpoint, tracing, spans = sys.argv[1:]
ours = raindrop_logging.RaindropHandler(write_key="rk_test", endpoint=endpoint, tracing=tracing == "on")
logging.basicConfig(level="INFO", handlers=[ours])

@interaction
def handle():
    turn = begin(user_id="u", event="chat", input="q")
    with tool_span("tool"), llm_span("model", model="m") as call:
        call.set_token_usage(1, 1)
        turn.track_tool("told")
    list(task(lambda: iter([1]))())
    turn.finish(turn.with_tool("around", lambda: "answer"))

if spans == "spans":
    handle()
else:
    begin(user_id="u", event="chat", input="q").finish("answer")
    track_ai("u", "chat", input="q")
    with bind(user_id="u"):
        track_signal("e-1", "thumbs_up")
assert flush(10)
print(*sorted(name for name in sys.modules if name.partition(".")[0] == "opentelemetry"), sep="\\n")
"""


@pytest.mark.parametrize(("tracing", "spans"), [("off", "spans"), ("off", "events"), ("on", "events")])
def test_what_is_not_used_is_not_imported(recorder: Recorder, tracing: str, spans: str) -> None:
    """With tracing off, or with tracing on and no span said, nothing of opentelemetry is ever loaded."""
    command = [sys.executable, "-c", QUIET_SERVICE, recorder.endpoint, tracing, spans]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert (ended.stdout.strip(), ended.stderr) == ("", "")
    assert recorder.items("events/track")
    assert recorder.to("traces") == []


def test_what_is_used_is_imported(recorder: Recorder) -> None:
    """The same service with tracing on loads the messages of spans, and neither the API nor the SDK."""
    command = [sys.executable, "-c", QUIET_SERVICE, recorder.endpoint, "on", "spans"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    loaded = set(ended.stdout.split())
    assert "opentelemetry.proto.trace.v1.trace_pb2" in loaded
    assert loaded.isdisjoint({"opentelemetry.trace", "opentelemetry.context", "opentelemetry.sdk"})
    assert len(recorder.spans()) == 6
