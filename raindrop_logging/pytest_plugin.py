"""The fixture ``raindrop``, once a test has asked for it: a capture by the test's marker, and what fails the test then.

    def test_reply(raindrop):
        reply("Where is my parcel?")
        raindrop.assert_event("support_reply", user_id="u1")

    @pytest.mark.raindrop(allow_invalid=True, redact=True)
    def test_broken_block(raindrop): ...

What pytest itself loads is `_pytest11/raindrop_logging_pytest.py`, which imports this when a test asks for the fixture.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pytest

from raindrop_logging._pipeline.registry import pipelines
from raindrop_logging.errors import did_you_mean
from raindrop_logging.testing import Capture, capture

_ALLOWING: Final = ("allow_invalid", "allow_drops", "allow_threads")
_CAPTURE: Final = tuple(inspect.signature(capture).parameters)

_OURS: Final = ("raindrop-", "workshop-")
"""How the names of the package's threads begin."""

_PASSING: Final = "raindrop-warning"
"""One that writes a line and ends."""


@contextmanager
def captured_for(test: pytest.Item) -> Generator[Capture]:
    """A capture for one test, as its markers say; those of its function win over those of its class and its module.

    Raises:
        pytest.UsageError: the marker has a key that nothing knows.
        pytest.fail.Exception: at the end, when something went wrong that the marker does not allow.
    """
    chosen: dict[str, Any] = {}
    for marker in test.iter_markers("raindrop"):  # the closest comes first
        _check(test, marker.args, marker.kwargs)
        chosen = {**marker.kwargs, **chosen}
    allowed = {key for key in _ALLOWING if chosen.pop(key, False)}
    before = _threads()
    with capture(**chosen) as captured:
        yield captured
    if trouble := _trouble(captured, before, allowed):
        pytest.fail("\n".join(trouble), pytrace=False)


def _check(test: pytest.Item, args: tuple[Any, ...], keys: Mapping[str, Any]) -> None:
    known = (*_ALLOWING, *_CAPTURE)
    if args:
        raise pytest.UsageError(f"{test.nodeid}: the marker 'raindrop' takes keywords only")
    for key in keys:
        if key not in known:
            hint = did_you_mean(key, known) or f" (known: {', '.join(known)})"
            raise pytest.UsageError(f"{test.nodeid}: the marker 'raindrop' has no key '{key}'{hint}")


def _trouble(captured: Capture, before: set[threading.Thread], allowed: set[str]) -> list[str]:
    invalid = [f"a block was refused: {one}" for one in captured.invalid]
    drops = [f"dropped as {reason}: {number}" for reason, number in captured.dropped.items()]
    left = sorted(thread.name for thread in _threads() - before)
    found = {
        "allow_invalid": invalid,
        "allow_drops": drops,
        "allow_threads": [] if _earlier_ones_work() else [f"a thread was left running: {name}" for name in left],
    }
    lines = [line for key, lines in found.items() if key not in allowed for line in lines]
    hints = ", ".join(f"{key}=True" for key, lines in found.items() if lines and key not in allowed)
    return [*lines, f"where this is meant: @pytest.mark.raindrop({hints})"] if lines else []


def _threads() -> set[threading.Thread]:
    running = threading.enumerate()
    return {thread for thread in running if thread.name.startswith(_OURS) and thread.name != _PASSING}


def _earlier_ones_work() -> bool:
    """Whether a pipeline of before the test is at work still, and may start a thread at any time."""
    return any(pipeline.is_running for pipeline in pipelines())
