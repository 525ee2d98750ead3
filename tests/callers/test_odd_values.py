"""Any value in any field of any record costs its own record or field: no call, no neighbour, no wrong account."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging.vocabulary import STRUCTS
from raindrop_logging.wire import MAX_ITEM_BYTES
from tests.callers.odd import HEAVY, LIGHT
from tests.wire.harness import attach, log
from tests.wire.recorder import Recorder

if TYPE_CHECKING:
    from raindrop_logging import RaindropHandler

PATIENCE = 30.0
GOOD: dict[str, dict[str, Any]] = {
    "ai": {"user_id": "u", "event": "chat", "input": "q", "output": "a"},
    "event": {"user_id": "u", "event": "click"},
    "begin": {"user_id": "u", "event": "chat", "input": "q"},
    "update": {"user_id": "u", "event": "chat", "input": "q"},
    "finish": {"user_id": "u", "event": "chat", "output": "a"},
    "signal": {"event_id": "e", "name": "thumbs_up"},
    "identify": {"user_id": "u", "traits": {"plan": "free"}},
    "span": {"kind": "llm", "name": "search", "event_id": "e", "input": "q"},
}
FREE = {"signal": "properties", "identify": "traits", "span": "attributes"}
"""Where a type takes values of any kind; `properties` for those that are not named."""


@pytest.fixture(scope="module")
def shared() -> Iterator[Recorder]:
    """One recording server for all values."""
    with Recorder() as running:
        yield running


@pytest.fixture
def arrived(shared: Recorder) -> Recorder:
    """The server, as if nothing had arrived yet."""
    shared.requests.clear()
    return shared


def _everywhere(make: Callable[[], Any]) -> Iterator[Any]:
    """Blocks with the value in each field of each type; one of begin, update and finish is one interaction."""
    for record_type, struct in STRUCTS.items():
        for field in struct.__struct_fields__:
            yield {**_good(record_type, field), field: make()}


def _good(record_type: str, field: str) -> dict[str, Any]:
    ids = {"event_id": f"i-{field}"} if record_type in {"begin", "update", "finish"} else {}
    return {"type": record_type, **GOOD[record_type], **ids}


def _inside(make: Callable[[], Any]) -> Iterator[Any]:
    """Blocks with the value inside a field that takes anything: as an entry, deeper, and as a key."""
    for record_type in STRUCTS:
        field = FREE.get(record_type, "properties")
        yield {**_good(record_type, "inside"), field: {"odd": make(), "deep": [{"er": (make(),)}], "kept": "whole"}}
    yield {
        **_good("span", "inside"),
        "input": [make()],
        "output": {"o": make()},
        "messages": [{"role": "user", "content": make()}],
    }
    yield {**_good("event", "inside"), "attachments": [make(), {"value": make()}]}
    yield {**_good("ai", "inside"), make_key(make): 1}
    yield {**_good("ai", "inside"), "properties": {make_key(make): make()}}
    yield make()


def make_key(make: Callable[[], Any]) -> Any:
    """The value where it can be a key, else a text."""
    try:
        made = make()
        {made: 1}  # noqa: B018 -- whether it can be one
    except BaseException:  # noqa: BLE001 -- it cannot
        return "no key"
    return made


def _log_all(blocks: Iterator[Any], odd: Any) -> list[str]:
    """Log every block between good neighbours; what the calls raised."""
    raised = []
    _neighbour("before")
    for block in blocks:
        try:
            log.info(odd, extra={"raindrop": block})
        except BaseException as error:  # noqa: BLE001 -- whatever it is, it must not be there
            raised.append(f"{type(error).__name__} for {type(block).__name__}")
    _neighbour("after")
    return raised


def _neighbour(name: str) -> None:
    said = {"good": [1, "two", {"three": None}], "text": "whole"}
    log.info("ai", extra={"raindrop": {"user_id": name, "event": "neighbour", "input": name, "properties": said}})
    log.info("", extra={"raindrop": {"kind": "tool", "name": f"neighbour {name}", "input": name, "output": said}})


def _check(recorder: Recorder, handler: RaindropHandler) -> None:
    """The neighbours are whole, all that was sent is JSON within the limit, and the account adds up."""
    assert handler.flush(PATIENCE)
    stats = handler.stats()
    assert stats.accepted == stats.delivered + stats.refused + sum(stats.dropped.values()) + stats.waiting
    assert stats.waiting == 0
    assert set(stats.dropped) <= {"invalid", "too_large"}
    items = [item for request in recorder.requests if request.route != "traces" for item in _items(request.json)]
    assert (
        max(len(json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()) for item in items)
        <= MAX_ITEM_BYTES
    )
    neighbours = [item for item in items if item.get("event") == "neighbour"]
    assert sorted(item["user_id"] for item in neighbours) == ["after", "before"]
    for item in neighbours:
        assert item["ai_data"]["input"] == item["user_id"]
        assert item["properties"]["good"] == [1, "two", {"three": None}]
        assert item["properties"]["text"] == "whole"
    spans = [span for span in recorder.spans() if span["name"].startswith("neighbour")]
    assert sorted(span["attributes"]["traceloop.entity.input"] for span in spans) == ["after", "before"]


def _items(body: Any) -> list[dict[str, Any]]:
    return body if isinstance(body, list) else [body]


def test_there_are_enough_of_them() -> None:
    """The table below is a long one."""
    assert len(LIGHT) + len(HEAVY) >= 250


@pytest.mark.parametrize("name", LIGHT)
def test_an_odd_value_costs_no_more_than_its_own(name: str, arrived: Recorder) -> None:
    """In every field of every type, inside those that take anything, as a block and as a message."""
    handler = attach(arrived.endpoint)
    make = LIGHT[name]

    raised = _log_all(itertools.chain(_everywhere(make), _inside(make)), make())

    assert raised == []
    _check(arrived, handler)


@pytest.mark.parametrize("name", HEAVY)
def test_a_heavy_value_costs_no_more_than_its_own(name: str, arrived: Recorder) -> None:
    """What would be read for ever, or be larger than a request, inside and in place of whole blocks."""
    handler = attach(arrived.endpoint, max_queue_bytes="1 GiB")
    odd = HEAVY[name]()

    raised = _log_all(_inside(lambda: odd), "")

    assert raised == []
    _check(arrived, handler)
