"""What waits on disk is read back as it was put there, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from raindrop_logging._pipeline.entries import ABOUT, ErrorText, Item, Snapshot
from raindrop_logging._pipeline.stored import item_bytes, item_of, snapshot_bytes, snapshot_of
from raindrop_logging.wire import Lane
from tests.stages.entries_made import PLACE, SOURCE

IDENT = (1 << 127) + 7

SNAPSHOTS = {
    "nothing but a block": Snapshot(0.0, IDENT, b"\x80", None, None, None, *PLACE, 320),
    "a word": Snapshot(1_700_000_000.123456, IDENT, b"\x81\xa1a\xc0", "finish", None, None, *PLACE, 1),
    "a block of any bytes": Snapshot(0.5, IDENT, bytes(range(256)), "ai", None, None, *PLACE, 0),
    "an error": Snapshot(
        -1.0, IDENT, b"", "ai", None, ErrorText("ValueError", "no\n\U0001f600", "Traceback"), *PLACE, 9
    ),
    "what is bound": Snapshot(
        0.0, IDENT, b"", "ai", {"user_id": "u", "properties": {"a": [1, None, True, 2.5]}}, None, *PLACE, 9
    ),
    "a long text": Snapshot(0.0, IDENT, b"\x80", "ai", None, None, *PLACE, 9, {"input": "q" * 70_000}),
    "an open interaction": Snapshot(
        0.0, IDENT, b"", "signal", {ABOUT: {"event_id": "e", "user_id": "u"}, "trace_id": "t"}, None, *PLACE, 9
    ),
}

ITEMS = {
    "an event": Item(Lane.EVENTS, b"{}", "e1", 1, SOURCE, ai=True),
    "a span without a key": Item(Lane.TRACES, bytes(range(256)), None, 1, SOURCE),
    "a partial of several records": Item(Lane.PARTIALS, b"{}", "e1", 17, SOURCE),
    "a user": Item(Lane.USERS, b"", "user u", 1, SOURCE),
    "a signal": Item(Lane.SIGNALS, b"{}", "e1", 1, SOURCE),
}


@pytest.mark.parametrize("snapshot", SNAPSHOTS.values(), ids=SNAPSHOTS)
def test_a_snapshot_comes_back_with_every_field(snapshot: Snapshot) -> None:
    """Each field is the same afterwards, the bits by way of the frame that names them."""
    back = snapshot_of(IDENT, snapshot_bytes(snapshot))
    assert {name: getattr(back, name) for name in Snapshot.__struct_fields__} == {
        name: getattr(snapshot, name) for name in Snapshot.__struct_fields__
    }


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_an_item_comes_back_with_every_field_and_its_frame_to_confirm(item: Item) -> None:
    """Each field that a later sending needs is the same; what it confirms is the frame that it was read from."""
    assert item_of(IDENT, item_bytes(item)) == msgspec.structs.replace(item, idents=(IDENT,))


class _Odd:
    def __repr__(self) -> str:
        return "<odd>"


SCOPES: dict[str, tuple[Any, Any]] = {
    "a mapping that is no dict": (MappingProxyType({"user_id": "u"}), {"user_id": "u"}),
    "a mapping inside": ({ABOUT: MappingProxyType({"event_id": "e"})}, {ABOUT: {"event_id": "e"}}),
    "an object of the application's": ({"user_id": _Odd()}, {"user_id": "<odd>"}),
    "a set": ({"properties": {"tags": {"one"}}}, {"properties": {"tags": ["one"]}}),
    "bytes": ({"properties": {"raw": b"\xff"}}, {"properties": {"raw": b"\xff"}}),
    "nothing": ({}, {}),
}


@pytest.mark.parametrize(("scope", "read"), SCOPES.values(), ids=SCOPES)
def test_any_scope_can_be_kept(scope: Any, read: Any) -> None:
    """Whatever is bound comes back in plain values."""
    assert snapshot_of(1, snapshot_bytes(Snapshot(0.0, 1, b"", None, scope, None, *PLACE, 0))).scope == read


STRANGE = {
    "nothing": b"",
    "noise": b"\xc1\xff\x00",
    "half of one": snapshot_bytes(SNAPSHOTS["an error"])[:-3],
    "another value": msgspec.msgpack.encode({"created": 1.0}),
    "too short": msgspec.msgpack.encode([1.0, b""]),
    "other types": msgspec.msgpack.encode(["now", b"", None, None, None, ["l", "p", 1], 0]),
    "texts that are no UTF-8": snapshot_bytes(SNAPSHOTS["a word"]).replace(b"finish", b"\xff\xfe\xff\xfe\xff\xfe"),
}


@pytest.mark.parametrize("data", STRANGE.values(), ids=STRANGE)
@pytest.mark.parametrize("read", [snapshot_of, item_of])
def test_bytes_that_are_none_raise(data: bytes, read: Callable[[int, bytes], object]) -> None:
    """Bytes of anything else end in one error that says so, never in a half-read value."""
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        read(1, data)


def test_an_item_for_a_lane_that_there_is_not_raises() -> None:
    """What a later version may have kept for a lane of its own is no item of this one."""
    data = item_bytes(ITEMS["an event"]).replace(b"\xa6events", b"\xa6dreams")
    with pytest.raises(ValueError, match="dreams"):
        item_of(1, data)


def test_a_long_text_that_utf_8_cannot_say_is_mended() -> None:
    """A lone surrogate does not keep a record from the disk."""
    snapshot = Snapshot(0.0, 1, b"\x80", "ai", None, None, *PLACE, 9, {"input": "a\ud800"})
    assert snapshot_of(1, snapshot_bytes(snapshot)).texts == {"input": "a" + 3 * "\ufffd"}
