"""Read this first: one log call, followed through every station, each value as it stands there."""

from __future__ import annotations

import logging

import msgspec

from raindrop_logging._pipeline.assembler import Assembler
from raindrop_logging._pipeline.batcher import Batcher, Limits
from raindrop_logging._pipeline.capture import capture
from raindrop_logging._pipeline.encoder import Encoder
from raindrop_logging._pipeline.entries import Entry, Item, Snapshot, Told, block_of, request_of
from raindrop_logging._pipeline.outbox import Outbox, Patience, Settled, Verdict
from raindrop_logging._pipeline.router import Router
from raindrop_logging._pipeline.sender import length_of, pieces_of
from raindrop_logging.vocabulary import Ai
from raindrop_logging.wire import Lane


def test_one_log_call_from_the_record_to_the_confirmed_request() -> None:  # noqa: PLR0915 -- one walk, not cut up
    """A log call becomes a snapshot, an entry, something told, an item, a request, and is delivered."""
    record = logging.LogRecord("shop.agent", logging.INFO, "/srv/shop.py", 42, "ai", (), None)
    record.created = 1_763_662_207.5
    block = {"event": "chat", "input": "Where is my parcel?", "output": "In Lyon.", "properties": {"lang": "en"}}

    # capture, on the caller's thread: copies, ids to be, and what was bound
    snapshot = capture(record.__dict__, block, {"user_id": "u1", "convo_id": "c9"}, bits=0x5EED)
    block["properties"]["lang"] = "changed afterwards"  # type: ignore[index]
    assert isinstance(snapshot, Snapshot)
    assert snapshot.word == "ai"
    assert block_of(snapshot)["properties"] == {"lang": "en"}

    # router, on the listener's thread from here on: a typed block, whole
    entry = Router({"properties": {"region": "eu"}}).route(snapshot)
    assert isinstance(entry, Entry)
    assert set(Ai.__struct_fields__) == set(entry.block.__struct_fields__)
    assert (entry.block.user_id, entry.block.convo_id) == ("u1", "c9")
    assert entry.block.properties == {"region": "eu", "lang": "en"}
    assert entry.event_id == "00000000-0000-4000-8000-000000005eed"

    # assembler: a complete AI event goes on at once, by itself
    (told,) = Assembler(interval=1.0, ttl=60.0, max_open=10).feed(entry, now=0.0)
    assert isinstance(told, Told)
    assert (told.lane, told.key, told.records) == (Lane.EVENTS, entry.event_id, 1)

    # encoder: the bytes of the wire, once and for all
    item = Encoder(constants={"$context": {}}, max_text_chars=1_000_000).encode(told)
    assert isinstance(item, Item)
    assert msgspec.json.decode(item.body) == {
        "event_id": "00000000-0000-4000-8000-000000005eed",
        "user_id": "u1",
        "event": "chat",
        "timestamp": "2025-11-20T18:10:07.500000Z",
        "properties": {"$context": {}, "region": "eu", "lang": "en"},
        "ai_data": {"input": "Where is my parcel?", "output": "In Lyon.", "convo_id": "c9"},
    }

    # batcher: joined with others until the second is over
    batcher = Batcher({Lane.EVENTS: Limits(500, 1_000_000, 1.0)})
    assert batcher.add(item, now=0.0) == []
    assert batcher.tick(now=0.9) == []
    (request,) = batcher.tick(now=1.0)
    assert request == request_of(Lane.EVENTS, (item,))

    # outbox and sender: one attempt, one verdict
    outbox = Outbox(Patience(300.0, 1.0, 30.0, 0.0, None), random=lambda: 0.5)
    outbox.add(request)
    attempt = outbox.take(now=1.0)
    assert attempt is not None
    assert b"".join(pieces_of(attempt.request)) == b"[" + item.body + b"]"
    assert length_of(attempt.request) == len(item.body) + 2
    assert outbox.settle(attempt, Verdict.DELIVERED, now=1.1) == Settled(delivered=(item,))
    assert outbox.records == 0
