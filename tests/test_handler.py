"""The handler as its user meets it: set up by dictConfig, used by log calls, asked by flush and stats."""

from __future__ import annotations

import logging
import os
import sys
import threading
import uuid
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import raindrop_logging
from raindrop_logging import RaindropHandler, bind, extra
from raindrop_logging.handler import STAMP_KEY
from tests.wire.harness import Heard, attach, diagnostics, log, say
from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.wire.recorder import Recorder

AI = {"type": "ai", "user_id": "u", "event": "chat", "input": "q"}


def _ended(stats: raindrop_logging.Stats) -> int:
    return stats.delivered + stats.refused + sum(stats.dropped.values()) + stats.waiting


def test_nothing_is_started_or_imported_before_the_first_record(recorder: Recorder) -> None:
    """Setting up costs no thread; a forking server may load the file before it forks."""
    before = set(threading.enumerate())  # some of an earlier test may end meanwhile
    attach(recorder.endpoint)
    assert set(threading.enumerate()) <= before
    say(AI)
    assert set(threading.enumerate()) - before


def test_records_without_a_block_are_none_of_its_business(recorder: Recorder) -> None:
    """Plain log lines are not accepted, counted or sent."""
    handler = attach(recorder.endpoint)
    log.warning("disk at %d %%", 91)
    assert handler.flush(5)
    assert handler.stats().accepted == 0
    assert recorder.requests == []


def test_levels_and_filters_apply_as_in_every_handler(recorder: Recorder) -> None:
    """What the handler's level or a filter keeps out never becomes a record of ours."""
    handler = attach(recorder.endpoint, level="WARNING")
    handler.addFilter(lambda record: "private" not in record.getMessage())
    log.info("ai", extra={"raindrop": {**AI, "event": "too low"}})
    log.warning("private", extra={"raindrop": {**AI, "event": "filtered"}})
    log.warning("ai", extra={"raindrop": {**AI, "event": "through"}})
    assert handler.flush(5)
    assert [item["event"] for item in recorder.items("events/track")] == ["through"]


def test_other_handlers_see_the_record_as_it_was(recorder: Recorder) -> None:
    """But for one private attribute that holds the ids' bits, nothing about the record changes."""
    attach(recorder.endpoint)
    heard = Heard()
    say(AI, "said %s")
    (record,) = [record for record in heard.records if record.name == log.name]
    untouched = logging.LogRecord(record.name, record.levelno, record.pathname, record.lineno, "said %s", (), None)
    assert set(vars(record)) - set(vars(untouched)) == {"raindrop", STAMP_KEY}
    assert vars(record)["raindrop"] is not None
    assert record.exc_text is None


def test_two_handlers_of_one_record_make_the_same_ids(recorder: Recorder) -> None:
    """Sent to two places, an event is the same event in both."""
    first, second = attach(recorder.endpoint), RaindropHandler(write_key="other", endpoint=recorder.endpoint)
    logging.root.addHandler(second)
    say(AI)
    assert first.flush(5)
    assert second.flush(5)
    ids = [item["event_id"] for item in recorder.items("events/track")]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_what_the_caller_changes_later_is_not_sent(recorder: Recorder) -> None:
    """The block is taken at the call, nested values included."""
    handler = attach(recorder.endpoint)
    block = {**AI, "properties": {"cart": ["tea"]}}
    say(block)
    block["properties"]["cart"].append("coffee")  # type: ignore[index]
    assert handler.flush(5)
    assert recorder.items("events/track")[0]["properties"]["cart"] == ["tea"]


def test_bound_fields_ride_on_every_record_and_its_own_win(recorder: Recorder) -> None:
    """The call wins over the inner bind, that over the outer one, that over the handler's defaults."""
    handler = attach(recorder.endpoint, defaults={"user_id": "nobody", "properties": {"region": "eu", "tier": 0}})
    with bind(user_id="u1", convo_id="c9", properties={"tier": 1, "tenant": "acme"}):
        with bind(properties={"tier": 2}):
            log.info("ai", extra=extra.ai(event="inner", input="q", properties={"own": True}))
        log.info("ai", extra=extra.ai(event="outer", input="q", user_id="u2"))
    log.info("ai", extra=extra.ai(event="unbound", input="q"))
    assert handler.flush(5)
    inner, outer, unbound = recorder.items("events/track")
    assert (inner["user_id"], inner["ai_data"]["convo_id"]) == ("u1", "c9")
    assert {key: inner["properties"][key] for key in ("region", "tier", "tenant", "own")} == {
        "region": "eu",
        "tier": 2,
        "tenant": "acme",
        "own": True,
    }
    assert (outer["user_id"], outer["properties"]["tier"]) == ("u2", 1)
    assert (unbound["user_id"], unbound["properties"]["tier"]) == ("nobody", 0)


def test_a_bind_ends_with_its_block_even_when_it_fails() -> None:
    """Nothing of one request is left for the next."""
    from raindrop_logging.context import current_scope

    with pytest.raises(ZeroDivisionError), bind(user_id="u1"):
        _ = 1 / 0
    assert current_scope() is None


def test_flush_answers_what_was_sent_and_what_is_left(recorder: Recorder) -> None:
    """Delivered records are counted; those a silent server holds are left, and the wait ends in time."""
    handler = attach(recorder.endpoint)
    say(AI)
    done = handler.flush(5)
    assert (done.sent, done.left, done.timed_out, bool(done)) == (1, 0, False, True)
    gate = threading.Event()
    recorder.script(Answer(gate=gate))
    say(AI)
    held = handler.flush(0.2)
    assert (held.sent, held.left, held.timed_out, bool(held)) == (0, 1, True, False)
    gate.set()
    assert handler.flush(5).sent == 1


def test_the_figures_add_up_at_rest(recorder: Recorder) -> None:
    """Accepted is delivered, refused, dropped by reason and waiting, each counted by itself."""
    recorder.script(Answer(400, route="users/identify"))
    handler = attach(recorder.endpoint)
    say(AI)
    say({"type": "ai", "user_id": 5})
    say({"type": "identify", "user_id": "u", "traits": {"plan": "free"}})
    say({"type": "begin", "event_id": "e", "user_id": "u", "event": "run"})
    say({"type": "finish", "event_id": "e", "output": "o"})
    handler.flush(5)
    stats = handler.stats()
    assert (stats.accepted, stats.delivered, stats.refused, stats.dropped) == (5, 3, 1, {"invalid": 1})
    assert stats.accepted == _ended(stats)


@pytest.mark.parametrize(("policy", "kept"), [("drop_oldest", [2, 3, 4]), ("drop_newest", [0, 1, 2])])
def test_a_full_queue_drops_what_its_policy_says_and_counts_it(
    recorder: Recorder, policy: str, kept: list[int]
) -> None:
    """Three places, five records, a listener that has not looked yet: two are dropped, by the word of the user."""
    handler = attach(recorder.endpoint, max_queue_size=3, when_full=policy)
    handler._pipeline._listener.start = lambda: None  # type: ignore[method-assign]  # it looks when we flush
    for number in range(5):
        say({**AI, "properties": {"number": number}})
    assert handler.stats().waiting == 3
    del handler._pipeline._listener.start
    handler.flush(5)
    assert [item["properties"]["number"] for item in recorder.items("events/track")] == kept
    stats = handler.stats()
    assert stats.dropped == {"queue_full": 2}
    assert stats.accepted == _ended(stats)


def test_a_full_queue_that_blocks_waits_and_loses_nothing(recorder: Recorder) -> None:
    """With when_full block the caller waits for room, for batch jobs that must not lose a record."""
    handler = attach(recorder.endpoint, max_queue_size=5, when_full="block", block_timeout=10)
    for _ in range(200):
        say(AI)
    assert handler.flush(10)
    assert handler.stats().delivered == 200


def test_without_a_key_records_are_counted_and_one_line_says_so() -> None:
    """No key, no Workshop: nothing is sent, nothing raises, and the log is not filled."""
    heard = diagnostics()
    handler = attach(None, write_key=None)
    for _ in range(3):
        say(AI)
    warning = next((t for t in threading.enumerate() if t.name == "raindrop-warning"), None)
    if warning is not None:
        warning.join(5)
    assert handler.stats().dropped == {"no_destination": 3}
    assert [line for line in heard.lines if "RAINDROP_WRITE_KEY" in line] == heard.lines
    assert len(heard.lines) == 1
    assert handler.flush(1)


@pytest.mark.parametrize("keys", [{"enabled": False}, {"mode": "off"}])
def test_switched_off_it_counts_and_is_silent(recorder: Recorder, keys: dict[str, Any]) -> None:
    """Off is off: no request, no thread, no warning."""
    heard = diagnostics()
    handler = attach(recorder.endpoint, **keys)
    say(AI)
    assert handler.flush(1)
    assert handler.stats().dropped == {"off": 1}
    assert (heard.lines, recorder.requests) == ([], [])


@pytest.mark.parametrize("name", ["raindrop_logging", "raindrop_logging.anything", "httpx", "httpcore.connection"])
def test_its_own_records_and_its_http_clients_are_never_captured(recorder: Recorder, name: str) -> None:
    """Not even with a block: capturing them could feed on itself."""
    handler = attach(recorder.endpoint)
    logging.getLogger(name).warning("ai", extra={"raindrop": AI})
    assert handler.flush(5)
    assert handler.stats().accepted == 0


def test_the_root_at_debug_does_not_feed_on_itself(recorder: Recorder) -> None:
    """Whatever the HTTP client logs while sending, one record stays one request."""
    handler = attach(recorder.endpoint)
    logging.root.setLevel(logging.DEBUG)
    say(AI)
    assert handler.flush(5)
    assert len(recorder.requests) == 1


def test_the_users_console_is_not_filled_by_the_http_client(recorder: Recorder) -> None:
    """A root logger at INFO hears the service, not a line for every request that carries its records."""
    handler = attach(recorder.endpoint)
    heard = Heard(level=logging.INFO)
    say(AI)
    assert handler.flush(5)
    assert {record.name for record in heard.records} == {log.name}


def test_hide_raindrop_keeps_blocks_off_the_console(recorder: Recorder) -> None:
    """The filter passes plain lines and keeps records with a block out."""
    attach(recorder.endpoint)
    console = Heard()
    console.addFilter(raindrop_logging.HideRaindrop())
    log.info("plain")
    say(AI)
    assert [record.getMessage() for record in console.records] == ["plain"]


def test_another_dictconfig_that_closes_it_only_parks_it(recorder: Recorder) -> None:
    """A handler that stays attached after another library's dictConfig closed it still sends."""
    handler = attach(recorder.endpoint)
    named = logging.getLogger("kept")
    named.addHandler(handler)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    named.warning("ai", extra={"raindrop": AI})
    assert handler.flush(5)
    assert len(recorder.items("events/track")) == 1


def test_after_shutdown_a_record_starts_it_again(recorder: Recorder) -> None:
    """Shutdown ends the threads, not the handler."""
    handler = attach(recorder.endpoint)
    say(AI)
    assert handler.shutdown(5)
    say(AI)
    assert handler.flush(5)
    assert handler.stats().delivered == 2


def test_what_shutdown_could_not_send_is_counted_and_said(recorder: Recorder) -> None:
    """A server that does not answer in time costs the records, with a number and a line."""
    heard = diagnostics()
    recorder.default = Answer(gate=threading.Event())
    handler = attach(recorder.endpoint)
    say(AI)
    say(AI)
    result = handler.shutdown(0.2)
    assert (result.left, result.timed_out) == (2, True)
    stats = handler.stats()
    assert stats.dropped == {"exit": 2}
    assert stats.accepted == _ended(stats)
    assert "lost at exit (2 records)" in heard.lines[-1]


def test_a_transport_of_ones_own_takes_the_place_of_the_network() -> None:
    """The transport is httpx's own seam: what a test or a special network gives is used for every request."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    handler = RaindropHandler(write_key="k", transport=httpx.MockTransport(answer))
    logging.root.addHandler(handler)
    log.warning("ai", extra={"raindrop": AI})
    assert handler.flush(5)
    assert [str(request.url) for request in seen] == ["https://api.raindrop.ai/v1/events/track"]


def test_module_functions_speak_for_every_handler(recorder: Recorder) -> None:
    """flush and stats of the package add up what its handlers say."""
    attach(recorder.endpoint)
    logging.root.addHandler(RaindropHandler(write_key="other", endpoint=recorder.endpoint))
    say(AI)
    assert raindrop_logging.flush(5).sent == 2
    assert raindrop_logging.stats().delivered >= 2


def test_a_workshop_beside_the_cloud_gets_ai_events_as_final_partials(recorder: Recorder) -> None:
    """The mirror gets what the vendor's Workshop shows; the cloud gets what it always does."""
    from tests.wire.recorder import Recorder as Second

    with Second() as workshop:
        handler = attach(recorder.endpoint, workshop=workshop.endpoint)
        say(AI)
        say({"type": "event", "user_id": "u", "event": "view"})
        say({"type": "signal", "event_id": "e", "name": "s"})
        assert handler.flush(5)
        workshop.wait_for(3)
        (partial,) = workshop.bodies("events/track_partial")
        assert (partial["is_pending"], partial["ai_data"]) == (False, {"input": "q"})
        assert [item["event"] for item in workshop.items("events/track")] == ["view"]
        assert {item["event"] for item in recorder.items("events/track")} == {"chat", "view"}
        assert handler.stats().mirrored == 3


def test_a_workshop_that_hangs_costs_the_cloud_nothing(recorder: Recorder) -> None:
    """While the mirror holds a request, the cloud's go on."""
    from tests.wire.recorder import Recorder as Second

    with Second() as workshop:
        workshop.default = Answer(gate=threading.Event())
        handler = attach(recorder.endpoint, workshop=workshop.endpoint)
        for _ in range(3):
            say(AI)
            handler.flush(0.5)
        assert handler.stats().delivered == 3


def test_without_a_key_the_workshop_is_the_destination(recorder: Recorder) -> None:
    """Everything goes to the Workshop, retries included, and no key with it."""
    recorder.script(Answer(503))
    handler = attach(None, write_key=None, workshop=recorder.endpoint, base_delay=0.01)
    say(AI)
    assert handler.flush(5)
    assert [body["is_pending"] for body in recorder.bodies("events/track_partial")] == [False, False]
    assert all(request.headers["Authorization"] is None for request in recorder.requests)
    assert handler.stats().delivered == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.skipif(sys.version_info >= (3, 15), reason="untried")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_sends_its_own_and_only_its_own(recorder: Recorder) -> None:
    """The parent's waiting record is sent once, by the parent; the child's by the child."""
    handler = attach(recorder.endpoint)
    say({**AI, "event": "parent"})
    child = os.fork()
    if child == 0:
        say({**AI, "event": "child"})
        os._exit(0 if handler.flush(5).sent == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert handler.flush(5)
    events = [item["event"] for item in recorder.items("events/track")]
    assert sorted(events) == ["child", "parent"]
    assert len({item["event_id"] for item in recorder.items("events/track")}) == 2


def test_a_record_leaves_within_the_upload_interval_without_a_flush(recorder: Recorder) -> None:
    """The very first records of a process do not wait longer than any others."""
    attach(recorder.endpoint, upload_interval=0.05)
    for number in range(1, 6):
        say(AI)
        recorder.wait_for(number, timeout=3.0)


def _say_many(times: int) -> None:
    for _ in range(times):
        say(AI)


ODD_RECORDS: dict[str, dict[str, Any]] = {
    "nothing but a block": {},
    "no name": {"name": None},
    "a name that is no text": {"name": 5},
    "exc_info that is true": {"name": "x", "exc_info": True},
    "a stamp of another kind": {"name": "x", STAMP_KEY: "yesterday"},
    "a time that is none": {"name": "x", "created": float("nan")},
    "no place": {"name": "x", "pathname": None, "lineno": None},
    "a message that is no text": {"name": "x", "msg": ["ai"]},
}


@pytest.mark.parametrize("fields", ODD_RECORDS.values(), ids=ODD_RECORDS)
def test_a_record_made_by_hand_never_raises_and_is_accounted_for(recorder: Recorder, fields: dict[str, Any]) -> None:
    """Unpickled, rebuilt from JSON or made in a test: it is delivered, or counted with a reason."""
    handler = attach(recorder.endpoint)
    handler.handle(logging.makeLogRecord({**fields, "raindrop": AI}))
    assert handler.flush(5)
    stats = handler.stats()
    assert stats.accepted == _ended(stats) == 1
    assert stats.dropped.get("internal") is None


@pytest.mark.parametrize("block", [["ai"], 5, "ai", True, {"ai"}], ids=repr)
def test_a_block_that_is_no_dict_costs_only_itself(recorder: Recorder, block: object) -> None:
    """It is invalid, and its neighbour arrives."""
    handler = attach(recorder.endpoint)
    log.info("ai", extra={"raindrop": block})
    say(AI)
    assert handler.flush(5)
    assert (handler.stats().delivered, handler.stats().dropped) == (1, {"invalid": 1})


def _our_threads() -> int:
    """Threads of the package; those of servers of earlier tests come to their end whenever they like."""
    return sum(thread.name.startswith("raindrop-") for thread in threading.enumerate())


def test_configuring_again_and_again_costs_no_thread(recorder: Recorder) -> None:
    """With records or without, the same file loaded twenty times is one pipeline."""
    before = _our_threads()
    for _ in range(10):
        attach(recorder.endpoint)
    assert _our_threads() <= before
    for _ in range(10):
        handler = attach(recorder.endpoint)
        say(AI)
        assert handler.flush(5)
    listeners = [thread for thread in threading.enumerate() if thread.name == "raindrop-listener"]
    assert len(listeners) == 1
    assert len(recorder.items("events/track")) == 10


def test_a_shutdown_amid_log_calls_loses_no_count(recorder: Recorder) -> None:
    """Threads log on while the handler is shut down again and again: one listener, and the figures add up."""
    handler = attach(recorder.endpoint)
    threads = [threading.Thread(target=_say_many, args=(300,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        handler.shutdown(5)
    for thread in threads:
        thread.join()
    handler.flush(5)
    stats = handler.stats()
    assert stats.accepted == _ended(stats) == 1_200
    assert stats.delivered == 1_200
    assert len([thread for thread in threading.enumerate() if thread.name == "raindrop-listener"]) <= 1


def test_a_small_queue_is_emptied_in_time(recorder: Recorder) -> None:
    """The listener wakes when half the queue is full, however large a batch may be."""
    handler = attach(recorder.endpoint, max_queue_size=100)
    assert handler._pipeline.queue.bounds.wake_size == 50


def test_a_mirror_that_knows_no_such_route_is_asked_once(recorder: Recorder) -> None:
    """Another program on the Workshop's port costs one request a record."""
    from tests.wire.recorder import Recorder as Second

    with Second() as stranger:
        stranger.default = Answer(404)
        handler = attach(recorder.endpoint, workshop=stranger.endpoint)
        say(AI)
        assert handler.flush(5)
        assert handler.flush(5)
        assert len(stranger.requests) == 1


@pytest.mark.parametrize(
    ("bound", "sent"),
    [({"user_id": 5}, "5"), ({"user_id": uuid.UUID(int=7)}, "00000000-0000-0000-0000-000000000007")],
)
def test_bound_ids_are_texts(recorder: Recorder, bound: dict[str, Any], sent: str) -> None:
    """A number or a UUID is what services have at hand: it is bound as its text."""
    handler = attach(recorder.endpoint)
    with bind(**bound):
        log.info("ai", extra=extra.ai(event="chat", input="q"))
        log.info("t", extra=extra.span(kind="tool", name="search"))
    assert handler.flush(5)
    assert recorder.items("events/track")[0]["user_id"] == sent
    assert recorder.spans()[0]["attributes"]["traceloop.association.properties.user_id"] == sent


def test_bound_properties_that_are_none_cost_the_record_and_say_so(recorder: Recorder) -> None:
    """Binding never raises into the service; the line names what was bound."""
    heard = diagnostics()
    handler = attach(recorder.endpoint)
    with bind(properties="eu"):  # type: ignore[arg-type]
        say(AI)
    assert handler.flush(5)
    assert handler.stats().dropped == {"invalid": 1}
    assert "'properties' that were bound" in heard.lines[0]


def test_trouble_is_told_even_where_dictconfig_disabled_the_logger(recorder: Recorder, capsys: Any) -> None:
    """disable_existing_loggers is true by default and means others; only a level silences the package."""
    handler = attach(recorder.endpoint)
    logging.getLogger("raindrop_logging").disabled = True
    say({"type": "ai"})
    assert handler.flush(5)
    assert "invalid (1 record): 'user_id' is missing" in capsys.readouterr().err


@pytest.mark.parametrize("debug", [False, True])
def test_what_a_receiver_answers_is_quoted_only_when_asked(recorder: Recorder, debug: bool) -> None:
    """An answer may repeat what a user said; the status is always told."""
    heard = diagnostics()
    recorder.default = Answer(422, body=b'{"input": "my card is 4111"}')
    handler = attach(recorder.endpoint, debug=debug)
    say(AI)
    handler.flush(5)
    handler.shutdown(1)
    told = " ".join(heard.lines)
    assert "HTTP 422" in told
    assert ("4111" in told) is debug


def test_a_2xx_counts_whatever_becomes_of_its_body() -> None:
    """The status confirms: an answer that breaks off or lies about its encoding is not sent again."""

    class Broken(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"{"
            raise httpx.ReadError("hung up")

    handler = RaindropHandler(
        write_key="k", transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Broken()))
    )
    logging.root.addHandler(handler)
    log.warning("ai", extra={"raindrop": AI})
    assert handler.flush(5)
    assert (handler.stats().delivered, handler.stats().requests) == (1, 1)


def test_a_handler_that_replaces_an_equal_one_record_by_record_loses_none(recorder: Recorder) -> None:
    """A pipeline whose last handler went away is taken over by the next equal one, whatever it has in hand."""
    for _ in range(300):
        handler = RaindropHandler(write_key="rk_swapped", endpoint=recorder.endpoint)
        handler.handle(logging.makeLogRecord({"name": "shop", "raindrop": AI}))
        del handler
    assert raindrop_logging.flush(5)
    assert len({item["event_id"] for item in recorder.items("events/track")}) == 300


@pytest.mark.skipif(sys.version_info < (3, 12), reason="since 3.12 a filter may put another record in its place")
def test_a_filter_that_takes_the_block_away_takes_the_record_away(recorder: Recorder) -> None:
    """The record that a filter puts in the place of one decides: without a block it is none of ours."""

    def without(record: logging.LogRecord) -> logging.LogRecord:
        plain = logging.makeLogRecord(record.__dict__)
        del plain.__dict__["raindrop"]
        return plain

    handler = attach(recorder.endpoint)
    handler.addFilter(without)  # type: ignore[arg-type]  # typed as of 3.12
    say({"type": "event", "user_id": "u", "event": "e"})
    assert handler.flush(10.0)
    assert (handler.stats().accepted, recorder.requests) == (0, [])
