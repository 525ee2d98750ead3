"""`RaindropJsonFormatter`: one line of JSON a record, with ids, and with all that is needed to send it later."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import raindrop_logging
from raindrop_logging import RaindropHandler, RaindropJsonFormatter, bind, extra
from raindrop_logging._pipeline.capture import capture
from raindrop_logging._pipeline.stored import snapshot_bytes
from raindrop_logging.cli import main
from raindrop_logging.context import Scope, current_scope, within
from raindrop_logging.errors import SettingsError
from tests.callers.odd import LIGHT
from tests.wire.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

log = logging.getLogger("shop.agent")


class Lines:
    """What a formatter writes of the logger `shop.agent`."""

    def __init__(self, **options: Any) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(RaindropJsonFormatter(**options))
        log.addHandler(self.handler)
        log.setLevel(logging.INFO)
        log.propagate = False

    @property
    def texts(self) -> list[str]:
        """The lines so far."""
        return self.stream.getvalue().split("\n")[:-1]

    @property
    def said(self) -> list[dict[str, Any]]:
        """The lines so far, as strict JSON."""
        return [json.loads(text, parse_constant=_no_constants) for text in self.texts]

    @property
    def last(self) -> dict[str, Any]:
        """The newest line."""
        return self.said[-1]


def _no_constants(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


# ---- what is on a line


def test_plain_line() -> None:
    """A line without a block holds level, logger, message, time and the caller's own fields, and nothing of ours."""
    lines = Lines()
    log.warning("out of %s", "tea", extra={"shelf": 3})
    said = lines.last
    assert datetime.fromisoformat(said.pop("timestamp")).tzinfo == UTC
    assert said == {"levelname": "WARNING", "name": "shop.agent", "message": "out of tea", "shelf": 3}


def test_ids_on_plain_lines() -> None:
    """A plain line names the open interaction and span, or the event that is bound, so that it is found with them."""
    lines = Lines()
    turn = raindrop_logging.begin(user_id="u1", event="chat", input="q", logger=log)
    log.info("in the interaction")
    with turn.tool_span("search") as span:
        log.info("in the span")
    turn.finish(output="a")
    log.info("after it")
    with bind(event_id="e7"):
        log.info("about an event")
    plain = {line["message"]: line for line in lines.said if "raindrop" not in line}
    ids = {message: tuple(line.get(key) for key in ("event_id", "span_id")) for message, line in plain.items()}
    assert ids == {
        "in the interaction": (turn.id, None),
        "in the span": (turn.id, span.span_id),
        "after it": (None, None),
        "about an event": ("e7", None),
    }
    traces = {line.get("trace_id") for message, line in plain.items() if message.startswith("in ")}
    assert traces == {turn.id.replace("-", "")}
    assert plain["about an event"]["trace_id"] is not None
    assert "trace_id" not in plain["after it"]


def test_the_callers_own_ids_stay() -> None:
    """A field of the caller's that has the name of an id is not overwritten."""
    lines = Lines()
    log.info("ai", extra={"trace_id": "mine", "raindrop": {"user_id": "u", "event": "chat", "input": "q"}})
    assert lines.last["trace_id"] == "mine"


def test_block_holds_what_was_bound() -> None:
    """The block on a line is the one that is sent: its type, and what was bound around the call, merged in."""
    lines = Lines()
    with bind(user_id="u1", event="chat", convo_id="c9", properties={"tenant": "acme", "a": 1}):
        log.info("ai", extra={"raindrop": {"input": "q", "properties": {"a": 2}}})
    assert lines.last["raindrop"] == {
        "type": "ai",
        "user_id": "u1",
        "event": "chat",
        "convo_id": "c9",
        "input": "q",
        "properties": {"tenant": "acme", "a": 2},
    }


def test_block_holds_the_exception() -> None:
    """`exc_info` is in the block as it is sent, and beside it as python-json-logger writes it."""
    lines = Lines()
    try:
        raise ValueError("no tea")  # noqa: TRY301 -- an exception with a stack
    except ValueError:
        log.exception("ai", extra=extra.ai(user_id="u", event="chat", input="q"))
    error = lines.last["raindrop"]["properties"]["error"]
    assert (error["type"], error["message"], "no tea" in error["stack"]) == ("ValueError", "no tea", True)
    assert "ValueError: no tea" in lines.last["exc_info"]


def test_minted_ids_are_those_that_are_sent(recorder: Recorder) -> None:
    """Whichever comes first, formatter or handler, both say the same minted ids."""
    handler = RaindropHandler(write_key="rk", endpoint=recorder.endpoint)
    log.addHandler(handler)
    before, log.handlers[:] = list(log.handlers), []
    lines = Lines()
    log.handlers[:] = [lines.handler, *before]
    log.info("formatter first", extra=extra.ai(user_id="u", event="chat", input="q"))
    log.handlers[:] = [*before, lines.handler]
    log.info("handler first", extra=extra.ai(user_id="u", event="chat", input="q"))
    log.info("a span", extra=extra.span(kind="tool", name="search"))
    assert handler.flush(10)
    assert [line["event_id"] for line in lines.said[:2]] == [
        item["event_id"] for item in recorder.items("events/track")
    ]
    (span,) = recorder.spans()
    assert (lines.last["span_id"], lines.last["trace_id"]) == (span["span_id"], span["trace_id"])


def test_two_formatters_agree() -> None:
    """Two handlers with a formatter each write the same ids."""
    first, second = Lines(), Lines()
    log.info("ai", extra=extra.ai(user_id="u", event="chat", input="q"))
    assert first.last["event_id"] == second.last["event_id"]


def test_summary() -> None:
    """`block: summary` keeps ids, names and lengths, and no text of a person."""
    lines = Lines(block="summary")
    log.info("ai", extra=extra.ai(user_id="u", event="chat", model="m", input="secret", output="answer"))
    assert lines.last["raindrop_summary"] == {
        "type": "ai",
        "event": "chat",
        "user_id": "u",
        "model": "m",
        "input_chars": 6,
        "output_chars": 6,
    }
    assert "secret" not in lines.texts[-1]


def test_omit() -> None:
    """`block: omit` keeps the ids alone."""
    lines = Lines(block="omit")
    log.info("ai", extra=extra.ai(event_id="e1", user_id="u", event="chat", input="secret"))
    assert set(lines.last) == {"levelname", "name", "message", "timestamp", "trace_id", "event_id"}


def test_invalid_block_says_why() -> None:
    """A block that cannot be sent is written as it was said, with the reason; one that lacks a field is merged."""
    lines = Lines()
    log.info("ai", extra={"raindrop": {"inputt": "q"}})
    assert lines.last["raindrop"] == {"type": "ai", "inputt": "q"}
    assert "did you mean 'input'" in lines.last["raindrop_invalid"]
    with bind(convo_id="c"):
        log.info("ai", extra={"raindrop": {"input": "q"}})
    assert lines.last["raindrop"] == {"type": "ai", "input": "q", "convo_id": "c"}
    assert lines.last["raindrop_invalid"].startswith("'user_id' is missing")


# ---- redaction


@pytest.mark.parametrize("by", ["option", "variable"])
def test_redacts_the_whole_line(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `redact` no text of a line holds what is looked for: block, bound fields, message, exception, own fields."""
    if by == "variable":
        monkeypatch.setenv("RAINDROP_REDACT", "true")
    lines = Lines(redact=True) if by == "option" else Lines()
    with bind(user_id="u", event="chat", properties={"bound": "mail ada@example.com"}):
        try:
            raise ValueError("ada@example.com")  # noqa: TRY301 -- an exception with a stack
        except ValueError:
            log.exception(
                "of %s", "ada@example.com", extra={"own": "ada@example.com", **extra.ai(input="ada@example.com")}
            )
    assert "ada@" not in lines.texts[-1]
    assert lines.last["raindrop"]["input"] == "<REDACTED_EMAIL>"
    assert lines.last["name"] == "shop.agent"


# ---- options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"block": "ful"}, "'block' is 'ful': allowed is full | summary | omit; did you mean 'full'?"),
        ({"redact": ["emial"]}, "'redact' names 'emial'"),
    ],
    ids=["block", "redact"],
)
def test_wrong_options_are_refused(options: dict[str, Any], said: str) -> None:
    """A wrong value is refused at set-up, with the rule."""
    with pytest.raises(SettingsError, match=r"redact|block") as refused:
        RaindropJsonFormatter(**options)
    assert said in str(refused.value)


def test_options_of_python_json_logger() -> None:
    """Its own arguments do what they do there."""
    lines = Lines(
        fmt="%(message)s %(lineno)d",
        rename_fields={"message": "msg"},
        static_fields={"service": "shop"},
        timestamp="at",
        json_ensure_ascii=False,
        json_default=lambda value: f"own {type(value).__name__}",
    )
    log.info("tée", extra={"odd": {1}})
    said = lines.last
    assert (said["msg"], said["service"], said["odd"]) == ("tée", "shop", "own set")
    assert said["at"] == "own datetime"
    assert "tée" in lines.texts[-1]
    assert isinstance(said["lineno"], int)


def test_an_encoder_of_ones_own_that_fails_costs_nothing() -> None:
    """Where the application's own encoder raises, or writes NaN, the line is written without it."""

    def fails(value: object) -> str:
        if isinstance(value, datetime):
            return "now"
        raise RuntimeError("not today")

    lines = Lines(json_default=fails)
    log.info("x", extra={"odd": {1}})
    log.info("x", extra={"odd": float("nan")})
    assert [line["odd"] for line in lines.said] == [[1], None]


def test_named_in_a_configuration() -> None:
    """A dictConfig names it by "()", or by "class" alone."""
    for formatter in ({"()": "raindrop_logging.RaindropJsonFormatter", "block": "omit"},
                      {"class": "raindrop_logging.RaindropJsonFormatter"}):  # fmt: skip
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": False,
                "formatters": {"json": formatter},
                "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json"}},
                "loggers": {"shop.agent": {"level": "INFO", "handlers": ["out"]}},
            }
        )
        (handler,) = log.handlers
        assert isinstance(handler.formatter, RaindropJsonFormatter)


def test_a_logger_with_such_lines_is_heard() -> None:
    """The verbs say nothing of a missing handler where every block is written down."""
    from raindrop_logging.record import is_heard

    Lines(block="summary")
    assert not is_heard(log)
    Lines()
    assert is_heard(log)


# ---- whatever is logged


@pytest.mark.parametrize("args", [("one too many",), ()], ids=["too many", "too few"])
def test_arguments_that_do_not_fit(args: tuple[str, ...]) -> None:
    """A message and arguments that do not fit give a line with both."""
    lines = Lines()
    log.handle(log.makeRecord("shop.agent", 20, "f", 1, "no %d %s" if not args else "none", args or ("x",), None))
    assert str((args or ("x",))[0]) in lines.last["message"]


def test_odd_values_make_one_line_each() -> None:
    """Whatever the block and the caller's own fields hold, each record is one line of strict JSON."""
    lines = Lines()
    for number, make in enumerate(LIGHT.values()):
        log.info("ai", extra={"raindrop": {"user_id": "u", "event": "e", "input": "q", "properties": {"odd": make()}}})
        log.info("own", extra={"odd": make()})
        log.info("block", extra={"raindrop": make()})
        assert len(lines.texts) == 3 * (number + 1), number
    assert len(lines.said) == 3 * len(LIGHT)


def test_control_characters_stay_on_one_line() -> None:
    """Line breaks of every kind are escaped."""
    lines = Lines()
    log.info("a\nb\r\u2028c", extra={"k\n": "\x00\x85"})
    assert len(lines.stream.getvalue().splitlines()) == 1


def test_another_threads_context_is_not_taken() -> None:
    """A record that is formatted on another thread, as behind a queue, says nothing of what is bound there."""
    lines = Lines()
    log.removeHandler(lines.handler)
    record = log.makeRecord("shop.agent", 20, "f", 1, "ai", (), None, extra=extra.ai(user_id="u", event="e", input="q"))
    said: list[str] = []

    def behind_a_queue() -> None:
        with bind(convo_id="not its own"):
            said.append(lines.handler.format(record))

    thread = threading.Thread(target=behind_a_queue)
    thread.start()
    thread.join()
    assert "not its own" not in said[0]


def test_what_was_captured_in_front_of_a_queue_is_said() -> None:
    """Where a filter has captured a record before a queue, its line says that, whatever holds where it is written."""
    lines = Lines()
    log.removeHandler(lines.handler)
    block = {"type": "ai", "user_id": "u", "event": "e", "input": "q"}
    record = log.makeRecord("shop.agent", 20, "f", 1, "ai", (), None, extra={"raindrop": block})
    with bind(convo_id="its own", event_id="e-1"):
        record.__dict__["_raindrop_stamp"] = (
            7,
            snapshot_bytes(capture(record.__dict__, block, current_scope(), 7)),
            {},
        )
    block["input"] = "changed since"
    with bind(convo_id="not its own"):
        said = json.loads(lines.handler.format(record))
    assert (said["raindrop"]["convo_id"], said["raindrop"]["input"], said["event_id"]) == ("its own", "q", "e-1")
    assert said["raindrop_record"]["bits"] == f"{7:032x}"


# ---- a line says what the handler sends

BLOCKS: list[dict[str, Any]] = [
    {"type": "ai", "user_id": "u", "event": "chat", "input": "q", "output": "a", "model": "m", "convo_id": "c"},
    {"type": "ai", "event_id": "e-1", "user_id": "u", "event": "chat", "input": "q" * 70_000,
     "timestamp": 1_700_000_000.25,
     "attachments": [{"type": "code", "value": "x = 1", "language": "python"}, {"value": "text"}],
     "feature_flags": {"tone": "warm"}},
    {"type": "event", "user_id": "u", "event": "click", "properties": {"n": float("nan"),
     "i": float("inf"), "b": b"\xff", "when": datetime(2026, 1, 2, tzinfo=UTC), "s": {1, 2},
     "deep": [{"x": (1, 2)}], "big": 2**64 - 1, "zero": -0.0}},
    {"type": "begin", "event_id": "e-2", "user_id": "u", "event": "run", "input": "q", "properties": {"a": 1}},
    {"type": "update", "event_id": "e-2", "model": "m", "properties": {"b": 2}, "attachments": [{"value": "mid"}]},
    {"type": "finish", "event_id": "e-2", "output": "done",
     "timestamp": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)},
    {"type": "begin", "event_id": "e-3", "user_id": "u", "event": "run", "input": "left open"},
    {"type": "finish", "event_id": "e-4", "user_id": "u", "event": "run", "output": "begun elsewhere"},
    {"type": "signal", "event_id": "e-1", "name": "thumbs_up", "sentiment": "POSITIVE"},
    {"type": "signal", "event_id": "e-1", "name": "note", "signal_type": "feedback", "comment": "nice \ud800"},
    {"type": "identify", "user_id": "u", "traits": {"plan": "pro", "n": float("nan")}},
    {"type": "span", "kind": "tool", "name": "search", "input": {"q": "tea"}, "output": float("nan"),
     "duration_ms": 84},
    {"type": "span", "kind": "llm", "name": "call", "event_id": "e-1", "input": datetime(2026, 1, 2, tzinfo=UTC),
     "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}], "other": 1}], "tools": [{"name": "t"}],
     "input_tokens": 3, "model": "m", "attributes": {"x": float("nan"), "y": [float("inf")], "z": [1.0, 2.0]},
     "properties": {"when": datetime(2026, 1, 2, tzinfo=UTC)}, "start_time": datetime(2026, 1, 2, tzinfo=UTC)},
    {"type": "span", "kind": "task", "name": "fails", "error": "boom", "trace_id": "ab" * 16, "span_id": "cd" * 8},
    {"type": "ai", "user_id": "u", "event": "chat", "input": float("nan")},
    {"type": "ai", "user_id": "u", "event": "chat", "input": b"bytes are no text"},
    {"type": "ai", "event": "nobody's", "input": "q"},
    {"type": "begin", "event_id": "e-5", "user_id": "u", "event": "run", "input": "q"},
    {"type": "finish", "event_id": "e-5", "outputt": "a fault ends it all the same"},
    {"inputt": "nothing says what this is"},
]  # fmt: skip


def shipped_as_sent(blocks: list[Any], tmp_path: Path, live: Recorder, later: Recorder, **keys: Any) -> None:
    """Log blocks to a handler and to a file, ship the file, and compare what the two receivers got."""
    path = tmp_path / "app.log"
    path.write_text("")
    handler = RaindropHandler(write_key="rk", endpoint=live.endpoint, partial_flush_interval=3600, **keys)
    written = logging.FileHandler(path)
    written.setFormatter(RaindropJsonFormatter())
    log.handlers[:] = [written, handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    for block in blocks:
        log.info("said by a test", extra={"raindrop": block})
    assert handler.flush(20)
    written.close()
    state = tmp_path / "state.json"
    state.unlink(missing_ok=True)
    main(["ship", str(path), "--endpoint", later.endpoint, "--state", str(state), "--quiet"])
    assert arrived(later) == arrived(live)


def arrived(recorder: Recorder) -> dict[str, list[str]]:
    """Everything at a receiver, by route, in an order of its own."""
    routes = ("events/track", "events/track_partial", "signals/track", "users/identify")
    found = {route: sorted(json.dumps(item, sort_keys=True) for item in recorder.items(route)) for route in routes}
    return {**found, "traces": sorted(repr(span) for span in recorder.spans())}


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """The receiver that a file is shipped to."""
    monkeypatch.setenv("RAINDROP_WRITE_KEY", "rk")
    with Recorder() as running:
        yield running


def test_every_type_is_shipped_as_it_was_sent(recorder: Recorder, later: Recorder, tmp_path: Path) -> None:
    """For records of every type, good and bad, what is shipped from the lines is what the handler sent."""
    with bind(properties={"tenant": "acme", "n": float("nan")}, convo_id="c1"):
        shipped_as_sent(BLOCKS, tmp_path, recorder, later)
    assert [len(found) for found in arrived(recorder).values()] == [5, 2, 2, 1, 3]


def test_context_is_shipped_as_it_was_sent(recorder: Recorder, later: Recorder, tmp_path: Path) -> None:
    """What verbs and context said is on the lines: interactions, their spans, traces of other processes, errors."""
    path = tmp_path / "app.log"
    handler = RaindropHandler(write_key="rk", endpoint=recorder.endpoint, partial_flush_interval=3600)
    written = logging.FileHandler(path)
    written.setFormatter(RaindropJsonFormatter())
    log.handlers[:] = [handler, written]
    log.setLevel(logging.INFO)
    turn = raindrop_logging.begin(user_id="u1", event="agent_run", input="q", logger=log)
    with pytest.raises(ZeroDivisionError), turn.tool_span("divides", input={"n": 1}):
        1 / 0  # noqa: B018 -- it raises
    log.info("signal", extra=extra.signal(name="thumbs_down"))
    turn.set_property("region", "eu")
    turn.finish(output="a")
    log.info("begin", extra=extra.begin(event_id="e-8", user_id="u1", event="run", input="q"))
    with bind(event_id="e-8"):
        log.info("finish", extra={"raindrop": {"outputt": "a fault ends it all the same"}})
    with bind(user_id="u2", event="chat", traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01"):
        log.info("ai", extra=extra.ai(input="q"))
        log.info("a span of another's trace", extra=extra.span(kind="task", name="part"))
        try:
            raise ValueError("said")  # noqa: TRY301 -- an exception with a stack
        except ValueError:
            log.exception("ai", extra=extra.ai(input="q", output="a"))
    assert handler.flush(20)
    written.close()
    assert main(["ship", str(path), "--endpoint", later.endpoint, "--state", str(tmp_path / "s"), "--quiet"]) == 1
    assert arrived(later) == arrived(recorder)
    assert len(recorder.items("events/track")) == 4


def test_odd_values_are_shipped_as_they_were_sent(recorder: Recorder, later: Recorder, tmp_path: Path) -> None:
    """The same for hundreds of odd values, in places that take any."""
    shipped_as_sent([block for make in LIGHT.values() for block in _with(make)], tmp_path, recorder, later)


def _with(make: Callable[[], Any]) -> list[dict[str, Any]]:
    ids = {"user_id": "u", "event": "odd"}
    return [
        {"type": "ai", **ids, "input": "q", "properties": {"odd": make(), "deep": [{"er": make()}]}},
        {
            "type": "span",
            "kind": "tool",
            "name": "n",
            "input": make(),
            "output": [make()],
            "attributes": {"odd": make()},
        },
        {"type": "ai", **ids, "input": make()},
    ]


ANY = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**70), 2**70) | st.text(max_size=20)
    | st.binary(max_size=20) | st.datetimes(timezones=st.sampled_from([UTC])) | st.datetimes(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
RECORDS = st.fixed_dictionaries(
    {"user_id": st.text(min_size=1, max_size=5)},
    optional={
        "type": st.sampled_from(["ai", "event", "span", "signal", "identify", "begin", "finish"]),
        "event": st.just("e"),
        "event_id": st.sampled_from(["e-1", "e-2"]),
        "input": ANY,
        "output": st.text(max_size=30),
        "properties": st.dictionaries(st.text(max_size=8), ANY, max_size=4),
        "attributes": st.dictionaries(st.text(max_size=8), ANY, max_size=4),
        "traits": st.dictionaries(st.text(max_size=8), ANY, max_size=4),
        "kind": st.sampled_from(["tool", "llm"]),
        "name": st.just("n"),
        "timestamp": st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001
    },
)


@given(blocks=st.lists(RECORDS, min_size=1, max_size=30))
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_block_is_shipped_as_it_was_sent(
    blocks: list[Any], recorder: Recorder, later: Recorder, tmp_path: Path
) -> None:
    """The same for any block at all."""
    recorder.requests.clear()
    later.requests.clear()
    with within(Scope()):
        shipped_as_sent(blocks, tmp_path, recorder, later)


def test_redacted_lines_are_shipped_as_redacted_records_are_sent(
    recorder: Recorder, later: Recorder, tmp_path: Path
) -> None:
    """A line that was redacted says what a handler with the same `redact` sends."""
    path = tmp_path / "app.log"
    handler = RaindropHandler(write_key="rk", endpoint=recorder.endpoint, redact=True)
    written = logging.FileHandler(path)
    written.setFormatter(RaindropJsonFormatter(redact=True))
    log.handlers[:] = [written, handler]
    log.setLevel(logging.INFO)
    with bind(properties={"bound": "ada@example.com"}):
        log.info(
            "ai", extra=extra.ai(user_id="u", event="e", input="password: hunter2hunter2", output="ada@example.com")
        )
        log.info(
            "s", extra=extra.span(kind="tool", name="n", input={"api_key": "sk-123"}, attributes={"n": float("nan")})
        )
    assert handler.flush(20)
    written.close()
    assert main(["ship", str(path), "--endpoint", later.endpoint, "--state", str(tmp_path / "s"), "--quiet"]) == 0
    assert arrived(later) == arrived(recorder)
    assert "ada@" not in path.read_text()


# ---- redaction, of what the caller names


@pytest.mark.parametrize("redact", [True, "tests.test_formatter:loud", "tests.test_formatter:failing"])
def test_a_key_that_changes_leaves_nothing_behind(redact: Any) -> None:
    """Where redaction takes something out of a key, neither the old key nor its value is on the line as well."""
    lines = Lines(redact=redact)
    log.warning("mail of bob@example.com", extra={"bob@example.com": "bob@example.com"})
    log.warning({"event": "login", "bob@example.com": "bob@example.com"})
    assert "bob@example.com" not in "".join(lines.texts)
    assert [set(line) >= {"levelname", "name", "message", "timestamp"} for line in lines.said] == [True, True]
    assert lines.said[0]["name"] == "shop.agent"


def loud(text: str) -> str:
    """A redactor of the application's that changes every text."""
    return text.upper().replace("BOB@EXAMPLE.COM", "***")


def failing(text: str) -> str:
    """One that raises."""
    raise ValueError(text)


@pytest.mark.parametrize("key", ["name", "module", "filename", "msg", "args", "process"])
def test_a_name_of_logging_s_own_hides_nothing(key: str) -> None:
    """What the caller says under such a name is as free a text as any other."""
    lines = Lines(redact=True)
    log.warning({"event": "x", key: "bob@example.com"})
    assert "bob@example.com" not in lines.texts[0]
    assert lines.last[key] == "<REDACTED_EMAIL>"


def test_the_message_before_its_arguments_is_redacted() -> None:
    """A format that asks for ``msg`` and ``args`` shows them as the message is shown."""
    lines = Lines(fmt="%(msg)s %(args)s", redact=True)
    log.warning("mail to %s", "bob@example.com")
    assert lines.last == {"msg": "mail to %s", "args": ["<REDACTED_EMAIL>"]}
