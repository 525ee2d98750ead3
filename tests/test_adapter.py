"""`RaindropAdapter`: fields for every block, under what the call says, and nothing of the call is thrown away."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging import InvalidBlockError, RaindropAdapter, begin, bind, extra
from tests.arrivals import the_event, the_span
from tests.wire.harness import Heard, attach, diagnostics, log

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

AI = {"event": "chat", "input": "q"}


def test_it_merges_and_the_call_wins(recorder: Recorder) -> None:
    """Call over adapter over bound fields, key by key; the rest of extra stays, plain records are untouched."""
    handler = attach(recorder.endpoint)
    heard = Heard(log.name)
    adapter = RaindropAdapter(log, {"user_id": "adapter", "properties": {"a": 1, "b": 1}})
    with bind(user_id="bound", convo_id="c9", properties={"b": 0, "c": 0}):
        adapter.info("ai", extra={"raindrop": {**AI, "properties": {"a": 2}}, "request": 7})
        adapter.info("plain")
    assert handler.flush(5)
    event = the_event(recorder)
    assert (event["user_id"], event["ai_data"]["convo_id"]) == ("adapter", "c9")
    assert {key: event["properties"][key] for key in "abc"} == {"a": 2, "b": 1, "c": 0}
    assert vars(heard.records[0])["request"] == 7
    assert "raindrop" not in vars(heard.records[1])


def test_a_record_gets_the_fields_that_its_type_knows(recorder: Recorder) -> None:
    """One adapter serves every type: a signal takes no user, an identify no model, and none is refused for it."""
    handler = attach(recorder.endpoint)
    told = diagnostics()
    fields = {"user_id": "u1", "event": "chat", "convo_id": "c9", "model": "m1", "properties": {"tenant": "acme"}}
    adapter = RaindropAdapter(log, fields)
    adapter.info("ai", extra=extra.ai(event_id="e1", input="q"))
    adapter.info("thumbs up", extra=extra.signal(event_id="e1", name="thumbs_up", sentiment="POSITIVE"))
    adapter.info("by its keys", extra={"raindrop": {"traits": {"plan": "pro"}}})
    adapter.info("searched", extra={"raindrop": {"kind": "tool", "name": "search", "event_id": "e1"}})
    assert handler.flush(5)
    assert told.lines == []
    assert the_event(recorder)["ai_data"] == {"input": "q", "model": "m1", "convo_id": "c9"}
    assert [item["properties"]["tenant"] for item in recorder.items("signals/track")] == ["acme"]
    assert recorder.items("users/identify") == [{"user_id": "u1", "traits": {"plan": "pro"}}]
    assert the_span(recorder)["name"] == "search"


def test_the_type_is_never_decided_by_a_field_of_it(recorder: Recorder) -> None:
    """A block that says nothing of its type stays invalid: the adapter's model does not make it an AI event."""
    handler = attach(recorder.endpoint)
    told = diagnostics()
    RaindropAdapter(log, {"user_id": "u1", "model": "m1"}).info("?", extra={"raindrop": {"event": "chat"}})
    handler.flush(5)
    assert "nothing says what kind of record this is" in told.lines[0]


@pytest.mark.parametrize(
    ("message", "block", "route"),
    [
        ("answered", AI, "events/track"),
        ("signal", {"event_id": "e", "name": "thumbs_up"}, "signals/track"),
        ("answered", {"type": "identify", "traits": {"plan": "pro"}}, "users/identify"),
    ],
    ids=["the adapter's", "the message's", "the block's own"],
)
def test_a_type_of_its_own_is_a_default(recorder: Recorder, message: str, block: Any, route: str) -> None:
    """An adapter may name the type; the message and the block win over it."""
    handler = attach(recorder.endpoint)
    RaindropAdapter(log, {"type": "ai", "user_id": "u1"}).info(message, extra={"raindrop": block})
    assert handler.flush(5)
    assert [request.route for request in recorder.requests] == [route]


def test_adapters_nest(recorder: Recorder) -> None:
    """The outer one wins over the inner one, properties key by key, and the record names the caller's line."""
    handler = attach(recorder.endpoint)
    heard = Heard(log.name)
    tenant = RaindropAdapter(log, {"user_id": "inner", "properties": {"tenant": "acme", "tier": 0}})
    request = RaindropAdapter(tenant, {"user_id": "outer", "properties": {"tier": 1}}, extra={"request": "r1"})
    request.info("ai", extra={"raindrop": AI})
    assert handler.flush(5)
    event = the_event(recorder)
    assert event["user_id"] == "outer"
    assert {key: event["properties"][key] for key in ("tenant", "tier")} == {"tenant": "acme", "tier": 1}
    assert vars(heard.records[0])["request"] == "r1"
    assert (heard.records[0].funcName, heard.records[0].filename) == ("test_adapters_nest", "test_adapter.py")


def test_attributes_for_every_record(recorder: Recorder) -> None:
    """What `extra` names is on records with a block and without; the call's own wins."""
    attach(recorder.endpoint)
    heard = Heard(log.name)
    adapter = RaindropAdapter(log, {}, extra={"request": "r1", "tenant": "acme"})
    adapter.info("plain")
    adapter.info("ai", extra={"raindrop": AI, "request": "r2"})
    found = [(vars(record)["request"], vars(record)["tenant"]) for record in heard.records]
    assert found == [("r1", "acme"), ("r2", "acme")]


MERGING: list[dict[str, Any]] = [{}] if sys.version_info < (3, 13) else [{}, {"merge_extra": True}]


@pytest.mark.parametrize("options", MERGING, ids=str)
def test_around_an_adapter_of_the_standard_library(recorder: Recorder, options: dict[str, Any]) -> None:
    """Its attributes are kept, and the block that it would have thrown away arrives."""
    handler = attach(recorder.endpoint)
    heard = Heard(log.name)
    plain = logging.LoggerAdapter(log, {"request": "r1"}, **options)
    RaindropAdapter(plain, {"user_id": "u1"}).info("ai", extra={"raindrop": AI, "attempt": 2})
    assert handler.flush(5)
    assert the_event(recorder)["user_id"] == "u1"
    assert (vars(heard.records[0])["request"], vars(heard.records[0])["attempt"]) == ("r1", 2)


def test_around_an_adapter_with_a_process_of_its_own(recorder: Recorder) -> None:
    """What another adapter does to a call it does to what comes out of this one."""

    class Prefixed(logging.LoggerAdapter[logging.Logger]):
        def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
            return f"[shop] {msg}", kwargs

    handler = attach(recorder.endpoint)
    heard = Heard(log.name)
    RaindropAdapter(Prefixed(log, {}), {"user_id": "u1"}).info("answered", extra=extra.ai(event="chat", input="q"))
    assert handler.flush(5)
    assert heard.records[0].msg == "[shop] answered"
    assert the_event(recorder)["user_id"] == "u1"


def test_a_field_that_no_record_has_is_refused_at_once() -> None:
    """A typo fails where the adapter is made, with the name that was meant."""
    with pytest.raises(InvalidBlockError, match="unknown key 'usr_id': no record type has it; did you mean 'user_id'"):
        RaindropAdapter(log, {"usr_id": "u1"})


@pytest.mark.parametrize(
    "given",
    [{"raindrop": None}, {"raindrop": "text"}, {"raindrop": {"type": []}}, {"raindrop": {"type": "evnt"}}, {}, None],
    ids=repr,
)
def test_it_never_raises_at_a_call(given: Any, recorder: Recorder) -> None:
    """Whatever the call's extra holds, the record is logged, and its block is for the handler to judge."""
    handler = attach(recorder.endpoint)
    heard, told = Heard(log.name), diagnostics()
    RaindropAdapter(log, {"user_id": "u1", "properties": {}}).info("said", extra=given)
    handler.flush(5)
    assert [record.msg for record in heard.records] == ["said"]
    assert vars(heard.records[0]).get("raindrop") == (given or {}).get("raindrop")
    assert len(told.lines) == handler.stats().dropped.get("invalid", 0)


@pytest.mark.parametrize("kind", [RaindropAdapter, logging.LoggerAdapter])
def test_the_verbs_log_through_it(kind: Any, recorder: Recorder) -> None:
    """Interactions and spans take an adapter where they take a logger, with what it adds; no block is lost."""
    handler = attach(recorder.endpoint)
    heard = Heard(log.name)
    own: dict[str, Any] = {"user_id": "u1"}
    turn = begin(event="chat", input="q", logger=RaindropAdapter(kind(log, own), {"user_id": "u1"}))
    with turn.tool_span("search", logger=kind(log, own)):
        pass
    turn.finish(output="a")
    assert handler.flush(5)
    assert (the_event(recorder)["user_id"], the_span(recorder)["name"]) == ("u1", "search")
    assert [record.levelname for record in heard.records] == ["INFO"] * 3
    assert all(hasattr(record, "user_id") for record in heard.records) == (kind is logging.LoggerAdapter)
