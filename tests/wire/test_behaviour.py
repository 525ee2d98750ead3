"""How requests are sent, beside what is in them: connections, order, retries, limits, and what an outcome does."""

from __future__ import annotations

import itertools
import logging
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.wire.expect import BATCHED, MARKER, MEBIBYTE, QUICK
from tests.wire.harness import PATIENCE, attach, diagnostics, log, say
from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder, Request


# ---- set-up ----------------------------------------------------------------------------------------------------------


def test_a_refused_set_up_leaves_nothing_behind(recorder: Recorder) -> None:
    """After a configuration that was refused, the right one works at once, while the error is still looked at."""
    with pytest.raises(ValueError, match="raindrop") as caught:
        attach(recorder.endpoint, upload_size=-1)

    handler = attach(recorder.endpoint)
    say({"type": "event", "user_id": "u", "event": "e"})

    assert handler.flush(PATIENCE)
    assert len(recorder.items("events/track")) == 1
    assert "upload_size" in str(caught.value.__cause__)


@pytest.mark.parametrize("endpoint", ["http://[::1/v1/", "http://[::zz]:80/v1/", "http://a b/v1/", "http://:80/v1/"])
def test_an_address_that_no_client_can_use_is_refused_at_set_up(endpoint: str) -> None:
    """An address that the HTTP client would choke on is refused at set-up, not when a record is sent."""
    with pytest.raises(ValueError, match="raindrop") as caught:
        attach(endpoint)

    assert "endpoint" in str(caught.value.__cause__)


# ---- when and in what order ------------------------------------------------------------------------------------------


def test_the_first_record_leaves_after_the_upload_interval(recorder: Recorder) -> None:
    """The very first record of a process is not forgotten until the next one: it leaves by itself, and soon."""
    attach(recorder.endpoint, upload_interval=0.05)

    say({"type": "event", "user_id": "u", "event": "e"})

    assert recorder.wait_for(1, timeout=3)


def test_a_signal_waits_for_the_answer_to_its_event(recorder: Recorder) -> None:
    """While the server still thinks about an event, no signal about it goes out; other signals do not wait."""
    gate = threading.Event()
    recorder.script(Answer(204, gate=gate, route="events/track"))
    handler = attach(recorder.endpoint, upload_size=1)

    say({"event_id": "slow", "user_id": "u", "event": "e", "input": "q"})
    recorder.wait_for(1, route="events/track")
    say({"type": "signal", "event_id": "slow", "name": "late"})
    say({"type": "signal", "event_id": "other", "name": "free"})
    say({"type": "signal", "event_id": "another", "name": "free"})
    recorder.wait_for(2, route="signals/track")
    before = [signal["signal_name"] for signal in recorder.items("signals/track")]
    gate.set()

    assert handler.flush(PATIENCE)
    assert before == ["free", "free"]
    assert [signal["signal_name"] for signal in recorder.items("signals/track")] == ["free", "free", "late"]


def test_a_retry_says_the_same_bytes(recorder: Recorder) -> None:
    """Ids and times are made when a record is logged, so every attempt is the same bytes on every lane."""
    recorder.judge = _refuse_twice()
    handler = attach(recorder.endpoint, **BATCHED, **QUICK)

    say({"type": "event", "user_id": "u", "event": "e"})
    say({"type": "signal", "event_id": "other", "name": "s"})
    say({"user_id": "u", "traits": {"a": 1}})
    say({"kind": "tool", "name": "t"})
    say({"type": "begin", "user_id": "u", "event": "e", "input": "q"})

    assert handler.flush(PATIENCE)
    for route in ("events/track", "signals/track", "users/identify", "traces", "events/track_partial"):
        requests = recorder.to(route)
        assert len(requests) == 3
        assert len({request.body for request in requests}) == 1


def _refuse_twice() -> Any:
    answers: dict[str, Any] = {}

    def judge(request: Request) -> Answer | None:
        return next(answers.setdefault(request.route, iter([Answer(503), Answer(None)])), None)

    return judge


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_the_server_could_not_do_is_sent_again(status: int, recorder: Recorder) -> None:
    """An answer that blames the moment is no end: the record is sent again until it is taken."""
    recorder.script(Answer(status))
    handler = attach(recorder.endpoint, **BATCHED, **QUICK)

    say({"type": "event", "user_id": "u", "event": "e"})

    assert handler.flush(PATIENCE)
    assert len(recorder.requests) == 2
    assert handler.stats().delivered == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_every_2xx_confirms(status: int, recorder: Recorder) -> None:
    """Whatever success the server speaks of, the record is delivered and not sent again."""
    recorder.default = Answer(status, body=b"" if status == 204 else b'{"ok": true}')
    handler = attach(recorder.endpoint, **BATCHED)

    say({"type": "event", "user_id": "u", "event": "e"})

    assert handler.flush(PATIENCE)
    assert len(recorder.requests) == 1
    assert handler.stats().delivered == 1


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 410, 415])
def test_what_condemns_the_set_up_keeps_the_data(status: int, recorder: Recorder) -> None:
    """An answer that blames key, address or project loses nothing: the record waits, and one line says so."""
    recorder.default = Answer(status, headers={"Location": "/v1/elsewhere"})
    handler = attach(recorder.endpoint, **BATCHED, max_delay=600)
    heard = diagnostics()

    say({"type": "event", "user_id": "u", "event": "e"})
    handler.flush(0)
    recorder.wait_for(1)
    result = handler.flush(0.1)
    stats = handler.stats()
    handler.shutdown(0)

    assert (result.left, stats.waiting, stats.refused, stats.delivered) == (1, 1, 0, 0)
    assert [request.path for request in recorder.requests] == ["/v1/events/track"]
    assert len([line for line in heard.lines if str(status) in line]) == 1


def test_a_paused_lane_is_probed_again(recorder: Recorder) -> None:
    """When key or address are mended on the other side, what waited is delivered without a restart."""
    recorder.script(*[Answer(401)] * 3)
    handler = attach(recorder.endpoint, **BATCHED, **QUICK)

    say({"type": "event", "user_id": "u", "event": "e"})

    assert handler.flush(PATIENCE)
    assert len(recorder.requests) == 4
    assert handler.stats().delivered == 1


def test_retry_after_is_honoured(recorder: Recorder) -> None:
    """A server that asks for a second gets a second."""
    recorder.script(Answer(429, headers={"Retry-After": "1"}))
    handler = attach(recorder.endpoint, **{**BATCHED, **QUICK, "max_delay": 5})

    say({"type": "event", "user_id": "u", "event": "e"})

    assert handler.flush(PATIENCE)
    first, second = recorder.requests
    assert second.at - first.at >= 1.0


@pytest.mark.parametrize("header", ["3600", "Fri, 31 Dec 9999 23:59:59 GMT", "-5", "soon", "nan", "1e400", ""])
def test_retry_after_is_not_believed_without_bounds(header: str, recorder: Recorder) -> None:
    """What a server asks for is capped by `max_delay`, and nonsense is no reason to fail."""
    recorder.script(Answer(503, headers={"Retry-After": header}))
    handler = attach(recorder.endpoint, **BATCHED, **QUICK)

    say({"type": "event", "user_id": "u", "event": "e"})

    assert handler.flush(PATIENCE)
    assert len(recorder.requests) == 2


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_batch_loses_only_the_culprit(status: int, recorder: Recorder) -> None:
    """Seven good events do not pay for the eighth: the batch is split until the culprit stands alone, and is named."""
    recorder.judge = lambda request: Answer(status) if b'"culprit"' in request.body else None
    handler = attach(recorder.endpoint, **BATCHED)
    heard = diagnostics()

    for number in range(8):
        say({"type": "event", "user_id": "u", "event": "culprit" if number == 5 else f"good {number}"})

    assert handler.flush(PATIENCE)
    stats = handler.stats()
    handler.shutdown(PATIENCE)
    taken = [item for request in recorder.requests if b'"culprit"' not in request.body for item in request.json]
    assert sorted(item["event"] for item in taken) == [f"good {number}" for number in range(8) if number != 5]
    assert (stats.delivered, stats.refused) == (7, 1)
    [line] = [line for line in heard.lines if str(status) in line]
    assert re.search(r"shop\.agent.*harness\.py:\d+", line)


# ---- how many and how large ------------------------------------------------------------------------------------------


def test_requests_share_one_connection(recorder: Recorder) -> None:
    """Thirty requests one after another go over one connection that is kept alive."""
    handler = attach(recorder.endpoint, **BATCHED)

    for number in range(30):
        say({"type": "event", "user_id": "u", "event": f"e{number}"})
        assert handler.flush(PATIENCE)

    assert len(recorder.requests) == 30
    assert len({request.connection for request in recorder.requests}) == 1


def test_connections_are_few_whatever_the_load(recorder: Recorder) -> None:
    """Hundreds of single requests use a handful of connections, not one each."""
    handler = attach(recorder.endpoint, **BATCHED)

    for number in range(200):
        say({"user_id": f"u{number}", "traits": {"n": number}})

    assert handler.flush(PATIENCE)
    assert len(recorder.requests) == 200
    assert len({request.connection for request in recorder.requests}) <= 4


def test_batches_are_bounded_by_count(recorder: Recorder) -> None:
    """No request holds more than `upload_size` events or `trace_batch_size` spans."""
    handler = attach(recorder.endpoint, **BATCHED, upload_size=3, trace_batch_size=2)

    for number in range(7):
        say({"type": "event", "user_id": "u", "event": f"e{number}"})
    for number in range(5):
        say({"kind": "tool", "name": f"t{number}"})

    assert handler.flush(PATIENCE)
    assert sorted(len(body) for body in recorder.bodies("events/track")) == [1, 3, 3]
    assert sorted(len(request.spans) for request in recorder.to("traces")) == [1, 2, 2]
    assert {item["event"] for item in recorder.items("events/track")} == {f"e{number}" for number in range(7)}


def test_batches_are_bounded_by_bytes(recorder: Recorder) -> None:
    """No request is longer than `upload_bytes`, unless it holds one event alone."""
    handler = attach(recorder.endpoint, **BATCHED, upload_bytes=2048)

    for number in range(20):
        say({"type": "event", "user_id": "u", "event": f"e{number}", "properties": {"p": "x" * 300}})
    say({"type": "event", "user_id": "u", "event": "large", "properties": {"p": "x" * 5000}})

    assert handler.flush(PATIENCE)
    assert len(recorder.items("events/track")) == 21
    assert all(len(request.body) <= 2048 or len(request.json) == 1 for request in recorder.requests)
    assert len(recorder.requests) < 21


@pytest.mark.parametrize("spare", [0, 1, 2, 3])
def test_no_request_is_larger_than_a_mebibyte(spare: int, recorder: Recorder) -> None:
    """The gateway counts the whole request: the largest event leaves room for the array around it."""
    handler = attach(recorder.endpoint, **BATCHED, max_text_chars=2 * MEBIBYTE)
    say({"type": "event", "event_id": "e", "user_id": "u", "event": "e", "properties": {"p": ""}})
    assert handler.flush(PATIENCE)
    room = MEBIBYTE - (len(recorder.requests[0].body) - len("[]")) - spare

    say({"type": "event", "event_id": "e", "user_id": "u", "event": "e", "properties": {"p": "x" * room}})

    assert handler.flush(PATIENCE)
    assert len(recorder.requests[1].body) <= MEBIBYTE


@pytest.mark.parametrize("letter", ["x", "\u00e9", "\u4e2d", "\U0001f60a", '"', "\\", "\n", "\0"], ids=ascii)
def test_no_letter_makes_an_event_too_large(letter: str, recorder: Recorder) -> None:
    """Whatever a letter costs in JSON, an event made of it is shortened, marked, and sent."""
    handler = attach(recorder.endpoint, **BATCHED)

    say({"user_id": "u", "event": "e", "input": letter * 900_000, "output": letter * 900_000})

    assert handler.flush(PATIENCE)
    [request] = recorder.requests
    [event] = request.json
    assert len(request.body) <= MEBIBYTE
    assert len(request.body) > MEBIBYTE // 2
    for text in event["ai_data"].values():
        assert text.removesuffix(MARKER).strip(letter) == ""
    assert any(text.endswith(MARKER) for text in event["ai_data"].values())
    assert handler.stats().truncated >= 1


def test_every_free_text_is_capped_and_no_name_is(recorder: Recorder) -> None:
    """`max_text_chars` holds for every text a user may write, marker included; ids and names are never cut."""
    long, name = "x" * 500, "n" * 200
    handler = attach(recorder.endpoint, **BATCHED, max_text_chars=100)

    say(
        {
            "event_id": name,
            "user_id": name,
            "event": name,
            "convo_id": name,
            "model": name,
            "input": long,
            "output": long,
            "properties": {"p": long, "nested": {"deep": [long]}},
            "attachments": [{"type": "text", "value": long, "attachment_id": name}],
        }
    )
    say({"type": "signal", "event_id": name, "name": name, "signal_type": "feedback", "comment": long})
    say({"user_id": name, "traits": {"bio": long}})
    say(
        {
            "kind": "tool",
            "name": name,
            "event_id": name,
            "input": long,
            "output": {"o": long},
            "properties": {"p": long},
        }
    )

    assert handler.flush(PATIENCE)
    capped = "x" * (100 - len(MARKER)) + MARKER
    [event] = recorder.items("events/track")
    assert [event[key] for key in ("event_id", "user_id", "event")] == [name] * 3
    assert event["ai_data"] == {"input": capped, "output": capped, "convo_id": name, "model": name}
    assert event["properties"]["p"] == event["properties"]["nested"]["deep"][0] == capped
    assert event["attachments"] == [{"type": "text", "value": capped, "attachment_id": name}]
    [signal] = recorder.items("signals/track")
    assert (signal["event_id"], signal["signal_name"], signal["properties"]) == (name, name, {"comment": capped})
    assert recorder.items("users/identify") == [{"user_id": name, "traits": {"bio": capped}}]
    [span] = recorder.spans()
    assert span["name"] == name
    assert span["attributes"]["traceloop.entity.input"] == capped
    assert len(span["attributes"]["traceloop.entity.output"]) == 100
    assert span["attributes"]["traceloop.association.properties.p"] == capped
    assert span["attributes"]["traceloop.association.properties.event_id"] == name


def test_a_large_span_fits_into_a_request(recorder: Recorder) -> None:
    """A span whose input and output are each the largest text allowed is shortened until its request fits."""
    handler = attach(recorder.endpoint, **BATCHED)

    say({"kind": "tool", "name": "big", "input": "x" * 3_000_000, "output": "y" * 3_000_000})

    assert handler.flush(PATIENCE)
    [request] = recorder.to("traces")
    [span] = request.spans
    assert len(request.body) <= MEBIBYTE
    assert span["attributes"]["traceloop.entity.input"].endswith(f"x{MARKER}")
    assert span["attributes"]["traceloop.entity.output"].endswith(f"y{MARKER}")


# ---- ids, times, traces ----------------------------------------------------------------------------------------------


def test_the_time_is_the_records_own(recorder: Recorder) -> None:
    """The timestamp is the moment of the log call, to the microsecond, whenever it is sent."""
    handler = attach(recorder.endpoint, **BATCHED)
    record = logging.makeLogRecord(
        {
            "name": "shop",
            "msg": "ai",
            "created": 1767323045.678901,
            "raindrop": {"user_id": "u", "event": "e", "input": "q"},
        }
    )

    handler.handle(record)

    assert handler.flush(PATIENCE)
    [event] = recorder.items("events/track")
    assert event["timestamp"] == "2026-01-02T03:04:05.678901Z"


def test_minted_ids_are_uuids_of_their_own(recorder: Recorder) -> None:
    """A thousand events without an id get a thousand ids."""
    handler = attach(recorder.endpoint, **BATCHED)

    for _ in range(1000):
        say({"type": "event", "user_id": "u", "event": "e"})

    assert handler.flush(PATIENCE)
    ids = {item["event_id"] for item in recorder.items("events/track")}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in ids)


@pytest.mark.parametrize("event_id", ["e1", "0af76519-16cd-43dd-8448-eb211c80319c", "\u4e2d\u6587 id"])
def test_an_interaction_is_one_trace(event_id: str, recorder: Recorder) -> None:
    """Every span of an event has the trace id that the event names in its properties, short or long."""
    handler = attach(recorder.endpoint, **BATCHED)

    say({"type": "begin", "event_id": event_id, "user_id": "u", "event": "e", "input": "q"})
    say({"kind": "tool", "name": "one", "event_id": event_id})
    say({"kind": "llm", "name": "two", "event_id": event_id, "model": "m"})
    assert handler.flush(PATIENCE)
    say({"type": "finish", "event_id": event_id, "output": "a"})
    say({"kind": "task", "name": "three", "event_id": event_id})
    assert handler.flush(PATIENCE)

    traces = {span["trace_id"] for span in recorder.spans()}
    named = {item["properties"]["trace_id"] for item in recorder.items("events/track_partial")}
    assert len(recorder.spans()) == 3
    assert len({span["span_id"] for span in recorder.spans()}) == 3
    assert len(traces) == 1
    assert named == traces


def test_two_interactions_are_two_traces(recorder: Recorder) -> None:
    """Spans of different events, and spans of none, never share a trace."""
    handler = attach(recorder.endpoint, **BATCHED)

    for event_id in ("a", "b", None, None):
        say({"kind": "tool", "name": "t", "event_id": event_id})

    assert handler.flush(PATIENCE)
    assert len({span["trace_id"] for span in recorder.spans()}) == 4


@pytest.mark.parametrize("kind", ["ai", "event", "finish"])
def test_an_exception_rides_along_as_a_property(kind: str, recorder: Recorder) -> None:
    """A record logged with exc_info says type, message and stack under `properties.error`."""
    handler = attach(recorder.endpoint, **BATCHED)
    block: dict[str, Any] = {"type": kind, "event_id": "e1", "user_id": "u", "event": "e"}

    try:
        _ = dict[str, str]()["nope"]
    except KeyError:
        log.exception("failed", extra={"raindrop": block if kind == "event" else {**block, "output": "a"}})

    assert handler.flush(PATIENCE)
    [item] = itertools.chain(recorder.items("events/track"), recorder.items("events/track_partial"))
    error = item["properties"]["error"]
    assert (error["type"], error["message"]) == ("KeyError", "'nope'")
    assert error["stack"].startswith("Traceback (most recent call last):")
    assert error["stack"].rstrip().endswith("KeyError: 'nope'")


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_open_interactions_go_out_as_pending_at_exit(recorder: Recorder) -> None:
    """What is still open when the service ends is sent as it stands, marked as pending."""
    handler = attach(recorder.endpoint, **BATCHED)
    say({"type": "begin", "event_id": "open", "user_id": "u", "event": "e", "input": "q"})
    say({"type": "update", "event_id": "open", "properties": {"step": 2}})

    result = handler.shutdown(PATIENCE)

    assert result
    [partial] = recorder.items("events/track_partial")
    assert (partial["event_id"], partial["ai_data"], partial["is_pending"]) == ("open", {"input": "q"}, True)
    assert partial["properties"]["step"] == 2


def test_a_flush_counts_what_it_sent(recorder: Recorder) -> None:
    """Five records of four lanes: the flush says five, and so do the figures."""
    handler = attach(recorder.endpoint, **BATCHED)

    say({"type": "event", "user_id": "u", "event": "e"})
    say({"type": "begin", "event_id": "i", "user_id": "u", "event": "e", "input": "q"})
    say({"type": "finish", "event_id": "i", "output": "a"})
    say({"type": "signal", "event_id": "i", "name": "s"})
    say({"kind": "tool", "name": "t", "event_id": "i"})
    result = handler.flush(PATIENCE)

    stats = handler.stats()
    assert (result.sent, result.left, result.timed_out) == (5, 0, False)
    assert (stats.accepted, stats.delivered, stats.waiting, stats.refused, stats.dropped) == (5, 5, 0, 0, {})
