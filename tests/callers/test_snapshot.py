"""What is sent is what was there when the call was made, on the thread that made it."""

from __future__ import annotations

import array
import dataclasses
import threading
from collections import OrderedDict, UserList, defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pydantic
import pytest

from raindrop_logging import bind
from tests.wire.harness import PATIENCE, attach, log, say

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder


@dataclasses.dataclass
class Order:
    """A dataclass that can be changed."""

    lines: list[Any]


class Model(pydantic.BaseModel):
    """A model that can be changed."""

    lines: list[Any]


class Array:
    """Says its values as numpy's arrays do, and can be changed."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.values)

    def tolist(self) -> list[Any]:
        """The values themselves, not a copy."""
        return self.values


Change = tuple[Any, Callable[[Any], object], Any]

CHANGES: dict[str, Callable[[], Change]] = {
    "a list": lambda: ([1], lambda v: v.append(2), [1]),
    "a dict": lambda: ({"a": 1}, lambda v: v.update(a=2), {"a": 1}),
    "a list in a tuple": lambda: (([1],), lambda v: v[0].clear(), [[1]]),
    "a dict in a list in a dict": lambda: ({"a": [{"b": 1}]}, lambda v: v["a"][0].clear(), {"a": [{"b": 1}]}),
    "a set": lambda: ({1}, lambda v: v.clear(), [1]),
    "a deque": lambda: (deque([1]), lambda v: v.clear(), [1]),
    "an OrderedDict": lambda: (OrderedDict(a=1), lambda v: v.clear(), {"a": 1}),
    "a defaultdict": lambda: (defaultdict(list, a=[1]), lambda v: v["a"].append(2), {"a": [1]}),
    "a UserList": lambda: (UserList([1]), lambda v: v.append(2), [1]),
    "a bytearray": lambda: (bytearray(b"tea"), lambda v: v.extend(b"pot"), "tea"),
    "a memoryview": lambda: (memoryview(bytearray(b"tea")), lambda v: v.__setitem__(0, 0), "tea"),
    "an array": lambda: (array.array("i", [1]), lambda v: v.append(2), [1]),
    "a dataclass": lambda: (Order([1]), lambda v: v.lines.append(2), {"lines": [1]}),
    "a model": lambda: (Model(lines=[1]), lambda v: v.lines.append(2), {"lines": [1]}),
    "a numpy-like array": lambda: (Array([1]), lambda v: v.values.append(2), [1]),
    "a list beside an odd thing": lambda: ([[1], {2}], lambda v: v[0].clear(), [[1], [2]]),
}


def _refuse(held: object) -> None:
    raise ValueError(held)


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_changed_after_the_call_is_not_sent(recorder: Recorder, name: str) -> None:
    """A value that goes on to change, at whatever depth, arrives as it was in the call."""
    value, change, expected = CHANGES[name]()
    handler = attach(recorder.endpoint)
    block: dict[str, Any] = {"type": "event", "user_id": "u", "event": "e", "properties": {"v": value}}

    say(block)
    change(value)
    block["properties"]["v"] = "another"
    block["user_id"] = "another"

    assert handler.flush(PATIENCE)
    (event,) = recorder.items("events/track")
    assert (event["user_id"], event["properties"]["v"]) == ("u", expected)


def test_spans_inputs_are_taken_at_the_call(recorder: Recorder) -> None:
    """Inputs, outputs and messages of a span are as they were when it was logged."""
    handler = attach(recorder.endpoint)
    messages = [{"role": "user", "content": "first"}]
    given = {"q": ["tea"]}
    say({"type": "span", "kind": "llm", "name": "plan", "input": given, "messages": messages})
    messages.append({"role": "assistant", "content": "second"})
    given["q"].clear()

    assert handler.flush(PATIENCE)
    (span,) = recorder.spans()
    assert span["attributes"]["traceloop.entity.input"] == '{"q":["tea"]}'
    assert "second" not in str(span["attributes"])


def test_context_and_exception_are_those_of_the_caller_s_thread(recorder: Recorder) -> None:
    """Each of many threads has its own context and exception in its records."""
    handler = attach(recorder.endpoint)
    together = threading.Barrier(8)

    def work(number: int) -> None:
        with bind(user_id=f"u{number}", convo_id=f"c{number}"):
            together.wait(PATIENCE)
            try:
                _refuse(f"of {number}")
            except ValueError:
                log.exception("ai", extra={"raindrop": {"event": "chat", "input": str(number)}})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert handler.flush(PATIENCE)
    events = recorder.items("events/track")
    assert len(events) == 8
    for event in events:
        number = event["ai_data"]["input"]
        assert (event["user_id"], event["ai_data"]["convo_id"]) == (f"u{number}", f"c{number}")
        assert event["properties"]["error"]["message"] == f"of {number}"


def test_bound_properties_are_taken_when_they_are_bound(recorder: Recorder) -> None:
    """What changes in them afterwards changes no record."""
    handler = attach(recorder.endpoint)
    shared = {"tenants": ["acme"]}
    with bind(user_id="u", properties=shared):
        shared["tenants"].append("other")
        say({"type": "event", "event": "e"})

    assert handler.flush(PATIENCE)
    (event,) = recorder.items("events/track")
    assert event["properties"]["tenants"] == ["acme"]


def test_an_exception_is_said_as_it_was(recorder: Recorder) -> None:
    """Its arguments may change after the call."""
    handler = attach(recorder.endpoint)
    held = ["tea"]
    try:
        _refuse(held)
    except ValueError:
        log.exception("ai", extra={"raindrop": {"user_id": "u", "event": "chat", "input": "q"}})
    held.clear()

    assert handler.flush(PATIENCE)
    (event,) = recorder.items("events/track")
    assert event["properties"]["error"]["message"] == "['tea']"
