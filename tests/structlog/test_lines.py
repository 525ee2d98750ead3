"""What people see: the event goes on as it was said, unless `show` says otherwise, and the formatters of ours."""

from __future__ import annotations

import copy
import io
import json
import logging
import logging.config
import pickle
import sys
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.stdlib import ProcessorFormatter

from raindrop_logging import HideRaindrop, RaindropJsonFormatter, SettingsError, begin, load_config
from raindrop_logging.cli import main
from raindrop_logging.structlog import RaindropProcessor, Show, console_formatter, json_formatter
from tests.hostile import failing
from tests.structlog.roads import EVERY, FORMATTER, LOG_KWARGS, PRINT, THROUGH_LOGGING, Road, fail
from tests.wire.harness import Heard, attach
from tests.wire.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHAT = {"type": "ai", "event": "chat", "user_id": "u1", "input": "a long question", "properties": {"tier": 1}}
SUMMARY = {"type": "ai", "event": "chat", "user_id": "u1"}
every_road = pytest.mark.parametrize("road", EVERY, ids=lambda road: road.name)


class Watcher:
    """A processor that keeps what it sees."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, _: Any, __: str, event: Any) -> Any:
        """The event, as it came."""
        self.seen.append(copy.copy(event))
        return event


@every_road
@pytest.mark.parametrize("keys", [(), ("user_id",)], ids=["no keys", "keys"])
def test_later_processors_see_the_event_as_it_was_said(road: Road, keys: tuple[str, ...], recorder: Recorder) -> None:
    """Nothing is added to the event, nothing is missing, and the caller's own block is left alone."""
    handler = attach(recorder.endpoint)
    watcher, block = Watcher(), copy.deepcopy(CHAT)
    log = road.configure(RaindropProcessor(keys=keys), watcher)
    log.info("said", raindrop=block, user_id="u2", order=4711)
    assert watcher.seen == [{"event": "said", "raindrop": CHAT, "user_id": "u2", "order": 4711}]
    assert (block, type(block)) == (CHAT, dict)
    assert json.loads(json.dumps(watcher.seen)) == watcher.seen
    assert handler.flush(10)


@every_road
@pytest.mark.parametrize("show", ["summary", "omit"])
def test_show_less(road: Road, show: Any, recorder: Recorder) -> None:
    """Names and ids, or nothing; all of the block is sent all the same."""
    handler = attach(recorder.endpoint)
    watcher = Watcher()
    log = road.configure(RaindropProcessor(show=show), watcher)
    log.info("ai", raindrop=CHAT)
    assert handler.flush(10)
    (event,) = recorder.items("events/track")
    assert (event["ai_data"]["input"], event["properties"]["tier"]) == ("a long question", 1)
    (seen,) = watcher.seen
    if show == "summary":
        assert seen["raindrop"] == SUMMARY
    else:
        assert not seen.get("raindrop")
    assert road is LOG_KWARGS or "a long question" not in road.lines[0]


def test_show_in_a_formatter(recorder: Recorder) -> None:
    """In the chain of a ProcessorFormatter `show` decides on the line alone, for every logger's records."""
    handler = attach(recorder.endpoint)
    summary = {"type": "ai", "user_id": "u1", "event": "chat", "input_chars": 15}
    choices: dict[Show, Any] = {"full": (CHAT, None), "summary": (None, summary), "omit": (None, None)}
    for show, shown in choices.items():
        output = io.StringIO()
        console = logging.StreamHandler(output)
        console.setFormatter(json_formatter(show=show))
        log = FORMATTER.configure(RaindropProcessor(keys=("user_id",)))
        logging.root.handlers[:] = [handler, console]
        log.info("ai", raindrop=CHAT)
        logging.getLogger("shop.plain").info("ai", extra={"raindrop": CHAT})
        lines = [json.loads(line) for line in output.getvalue().splitlines()]
        for line in lines:
            block = (
                {key: value for key, value in line["raindrop"].items() if key != "event_id"} if show == "full" else None
            )
            assert (block, line.get("raindrop_summary")) == shown
            assert len(line["event_id"]) == 36
    assert handler.flush(10)
    assert handler.stats().delivered == 6


def test_json_lines_are_shipped_as_they_were_sent(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is bound, in structlog or here, is on the line: shipped later it is what the handler sent, ids and all."""
    monkeypatch.setenv("RAINDROP_WRITE_KEY", "rk")
    handler = attach(recorder.endpoint)
    written = logging.FileHandler(tmp_path / "app.log")
    written.setFormatter(json_formatter())
    log = FORMATTER.configure(RaindropProcessor(keys=("user_id", "convo_id"), event_key="feature"))
    logging.root.handlers[:] = [written, handler]
    with structlog.contextvars.bound_contextvars(user_id="u1", convo_id="c1"):
        log.bind(feature="support").info("ai", raindrop={"input": "q", "output": "a", "properties": {"tier": 1}})
        try:
            fail(LookupError("no such order"))
        except LookupError:
            log.exception("ai", feature="support", raindrop={"input": "q"})
    turn = begin(user_id="u2", event="chat", input="q", logger=logging.getLogger("shop.plain"))
    log.info("a plain line")
    turn.finish(output="a")
    assert handler.flush(10)
    written.close()
    lines = [json.loads(line) for line in (tmp_path / "app.log").read_text().splitlines()]
    assert [line["event_id"] for line in lines[2:]] == [turn.id] * 3
    with Recorder() as later:
        main(
            ["ship", str(tmp_path / "app.log"), "--endpoint", later.endpoint, "--state", str(tmp_path / "s"), "--quiet"]
        )
        arrived = [sorted(map(json.dumps, one.items("events/track"))) for one in (recorder, later)]
    assert len(arrived[0]) == 3
    assert arrived[0] == arrived[1]


def test_the_message_is_where_other_loggers_have_it() -> None:
    """`RaindropJsonFormatter` writes structlog's message as the message, once."""
    output = io.StringIO()
    console = logging.StreamHandler(output)
    console.setFormatter(RaindropJsonFormatter())
    log = FORMATTER.configure(RaindropProcessor())
    logging.root.handlers[:] = [console]
    log.warning("out of tea", shelf=3)
    line = json.loads(output.getvalue())
    assert (line["message"], line["shelf"], "event" in line) == ("out of tea", 3, False)


def test_json_lines_are_redacted_where_asked_for(recorder: Recorder) -> None:
    """The block, the message, keys of the caller's and the exception lose their secrets; names, times and ids stay."""
    handler = attach(recorder.endpoint)
    output = io.StringIO()
    console = logging.StreamHandler(output)
    console.setFormatter(json_formatter(redact=["emails"]))
    log = FORMATTER.configure(RaindropProcessor())
    logging.root.handlers[:] = [handler, console]
    try:
        fail(LookupError("ada@example.org"))
    except LookupError:
        log.exception("of ada@example.org", to="ada@example.org", raindrop={**CHAT, "input": "ada@example.org"})
    (line,) = [json.loads(line) for line in output.getvalue().splitlines()]
    assert "ada@" not in output.getvalue()
    assert (line["event"], line["to"]) == ("of <REDACTED_EMAIL>", "<REDACTED_EMAIL>")
    assert line["raindrop"]["input"] == "<REDACTED_EMAIL>"
    assert (line["logger"], line["level"]) == ("shop.desk", "error")


def test_json_lines_of_every_logger(recorder: Recorder) -> None:
    """One JSON object a line, with logger, level, time, exception and ids, whoever logged it."""
    handler = attach(recorder.endpoint)
    output = io.StringIO()
    console = logging.StreamHandler(output)
    console.setFormatter(json_formatter())
    log = FORMATTER.configure(RaindropProcessor())
    logging.root.handlers[:] = [handler, console]
    heard = Heard()
    try:
        fail(LookupError("no such order"))
    except LookupError:
        log.exception("failed %s", "order", raindrop=CHAT)
        logging.getLogger("shop.plain").exception("failed %s", "order", extra={"raindrop": CHAT, "order": 4711})
    ours = ["event_id", "raindrop", "raindrop_record", "trace_id"]
    own, plain = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [sorted(line) for line in (own, plain)] == [
        sorted(["event", "exception", "level", "logger", "timestamp", *ours]),
        sorted(["event", "exception", "level", "logger", "order", "timestamp", *ours]),
    ]
    assert [(line["event"], line["level"]) for line in (own, plain)] == [("failed order", "error")] * 2
    assert [line["logger"] for line in (own, plain)] == ["shop.desk", "shop.plain"]
    assert all("LookupError: no such order" in line["exception"] for line in (own, plain))
    records = [record for record in heard.records if record.name.startswith("shop")]
    assert [f"{record.created:.6f}"[-6:] for record in records] == [line["timestamp"][20:26] for line in (own, plain)]


@pytest.mark.parametrize("colors", [True, False, None])
def test_lines_for_people(colors: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The console shows message, level and names of the block; colours where they were asked for."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    record = logging.makeLogRecord({"name": "shop", "levelname": "INFO", "msg": "ai", "raindrop": CHAT})
    line = console_formatter(colors=colors).format(record)
    assert ("\x1b[" in line) is (colors is True)
    assert "ai" in line
    assert "chat" in line
    assert "a long question" not in line


@pytest.mark.parametrize("factory", ["json_formatter", "console_formatter"])
def test_a_wrong_choice_in_a_file_is_named(factory: str, tmp_path: Path) -> None:
    """The message names the file, the key, the value and what was probably meant."""
    path = tmp_path / "logging.json"
    formatter = {"()": f"raindrop_logging.structlog.{factory}", "show": "sumary"}
    path.write_text(json.dumps({"version": 1, "formatters": {"lines": formatter}}))
    with pytest.raises(SettingsError) as refused:
        load_config(path)
    said = str(refused.value)
    assert said.startswith(f"{path}: ")
    assert "'show' is 'sumary': allowed is full | summary | omit; did you mean 'summary'?" in said


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RaindropProcessor(show="all"), "'show' is 'all': allowed is full | summary | omit"),  # type: ignore[arg-type]
        (lambda: RaindropProcessor(keys="user_id"), "'keys' is 'user_id': it must be a list of keys"),
        (lambda: RaindropProcessor(keys=("user",)), "'keys' has 'user' for 'user': a field is one of user_id | "),
        (lambda: RaindropProcessor(keys=("user",)), "did you mean 'user_id'?"),
        (lambda: RaindropProcessor(keys=("tenant_name",)), "{'tenant_name': 'properties.tenant_name'}"),
        (lambda: RaindropProcessor(keys={"tenant": "properties."}), "'keys' has 'tenant' for 'properties.'"),
        (lambda: RaindropProcessor(keys=("event",)), "'event', which is structlog's name for the message"),
        (lambda: RaindropProcessor(keys={"user": 1}), "'keys' has 'user' for 1: both must be texts"),
        (lambda: RaindropProcessor(keys=None), "'keys' is None: it must be a list of keys"),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_argument_is_named(make: Callable[[], Any], said: str) -> None:
    """What cannot work is refused when the chain is set up."""
    with pytest.raises(SettingsError) as refused:
        make()
    assert said in str(refused.value)


@every_road
def test_odd_values_cost_no_more_than_their_record(road: Road, recorder: Recorder) -> None:
    """Keys of any kind become texts, a block that is none is refused by name, and the caller never notices."""
    handler = attach(recorder.endpoint)
    keys = {"user": "user_id", "convo": "convo_id", "cart": "properties.cart"}
    log = road.configure(RaindropProcessor(keys=keys), Watcher())
    odd: dict[str, Any] = {"a": 1}
    odd["itself"] = odd
    log.info("ai", user=42, convo=failing("__str__"), cart={"ids": {1}}, raindrop={"event": "chat", "input": "q"})
    log.info("ai", user="u", raindrop="no block")
    log.info("ai", user="u", raindrop=failing("__iter__"))
    assert handler.flush(10)
    (event,) = recorder.items("events/track")
    assert (event["user_id"], event["properties"]["cart"]) == ("42", {"ids": [1]})
    assert handler.stats().dropped == {"invalid": 2}


@every_road
def test_a_mapping_is_a_block(road: Road, recorder: Recorder) -> None:
    """A block may be any mapping, with keys beside it."""
    from types import MappingProxyType

    handler = attach(recorder.endpoint)
    log = road.configure(RaindropProcessor(keys=("user_id",)))
    log.info("ai", user_id="u1", raindrop=MappingProxyType({"event": "chat", "input": "q"}))
    assert handler.flush(10)
    (event,) = recorder.items("events/track")
    assert (event["user_id"], event["event"]) == ("u1", "chat")


def test_an_exc_info_that_fails_is_told(told: Callable[[], list[str]]) -> None:
    """A value that fails while it is read costs its record, and nothing is raised."""
    log = PRINT.configure(RaindropProcessor())
    log.info("ai", raindrop=CHAT, exc_info=failing("__bool__"))
    assert told() == ["a block of structlog's was not taken: RuntimeError"]
    assert len(PRINT.lines) == 1


def test_behind_a_renderer_is_told(recorder: Recorder, told: Callable[[], list[str]]) -> None:
    """A processor that sees only the text says once where it belongs."""
    attach(recorder.endpoint)
    log = PRINT.configure(after=(RaindropProcessor(),))
    log.info("ai", raindrop=CHAT)
    log.info("ai", raindrop=CHAT)
    (line,) = told()
    assert line.endswith("put it before the renderer")


@every_road
def test_behind_what_renders_exceptions_is_told(road: Road, recorder: Recorder, told: Callable[[], list[str]]) -> None:
    """The event is sent, without the exception that is a text by then, and this is said once."""
    handler = attach(recorder.endpoint)
    log = road.configure(RaindropProcessor(), before=(structlog.processors.format_exc_info,))
    for _ in range(2):
        log.error("ai", raindrop=CHAT, exc_info=LookupError("no such order"))
    assert handler.flush(10)
    assert len(recorder.items("events/track")) == 2
    (line,) = told()
    assert line.startswith("RaindropProcessor stands behind what renders exceptions")


@pytest.mark.parametrize("road", THROUGH_LOGGING, ids=lambda road: road.name)
def test_blocks_can_be_hidden(road: Road, recorder: Recorder) -> None:
    """`HideRaindrop` knows a block wherever structlog has put it; once it is a text in a line it is no block."""
    handler = attach(recorder.endpoint)
    log = road.configure(RaindropProcessor())
    logging.root.handlers[-1].addFilter(HideRaindrop())
    log.info("ai", raindrop=CHAT)
    log.info("a line for people")
    assert handler.flush(10)
    assert len(road.lines) == (2 if road.name.startswith("text") else 1)
    assert len(recorder.items("events/track")) == 1


def test_what_travels_can_be_copied_and_pickled() -> None:
    """A record that crosses a process boundary arrives with the block and all that the event said of it."""
    heard = Heard()
    logging.root.setLevel("INFO")
    log = LOG_KWARGS.configure(RaindropProcessor(keys=("user_id",), show="summary"))
    log.error("ai", user_id="u7", raindrop={"event": "chat", "input": "q"}, exc_info=LookupError("no such order"))
    block = vars(heard.records[0])["raindrop"]
    for again in (pickle.loads(pickle.dumps(block)), copy.deepcopy(block), copy.copy(block)):  # noqa: S301 -- our own
        assert again == block == {"event": "chat"}
        assert again.whole == {"event": "chat", "input": "q"}
        assert (again.bound, again.error.message) == ({"user_id": "u7"}, "no such order")


def test_its_own_processor_formatter(recorder: Recorder) -> None:
    """The attributes that structlog leaves on a record are in nobody's way, and the record is not changed."""
    handler = attach(recorder.endpoint)
    heard = Heard()
    log = FORMATTER.configure(RaindropProcessor())
    log.info("ai %s", "x", raindrop=CHAT)
    assert handler.flush(10)
    (record,) = [record for record in heard.records if record.name == "shop.desk"]
    assert record.msg == {"event": "ai %s", "positional_args": ("x",), "raindrop": CHAT}
    assert not hasattr(record, "raindrop")
    usual = set(vars(logging.makeLogRecord({})))
    assert set(vars(record)) - usual == {"_logger", "_name", "_raindrop_stamp"}
    assert ProcessorFormatter(processor=structlog.processors.JSONRenderer()).format(record)
