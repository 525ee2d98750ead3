"""A handler that sends when it is asked to, and the spans that it has sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging import context
from tests.arrivals import by_name
from tests.wire.expect import BATCHED
from tests.wire.harness import PATIENCE, attach

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from raindrop_logging import RaindropHandler
    from tests.wire.recorder import Recorder


@pytest.fixture(autouse=True)
def nothing_resumable() -> Iterator[None]:
    """An interaction that a test leaves open is not found by its id in another."""
    yield
    context._turns.clear()


@pytest.fixture
def handler(recorder: Recorder) -> RaindropHandler:
    """A handler on the root logger; only a flush sends."""
    return attach(recorder.endpoint, **BATCHED)


@pytest.fixture
def counting() -> RaindropHandler:
    """A handler that takes every record and sends none."""
    return attach(None, enabled=False)


@pytest.fixture
def spans(recorder: Recorder, handler: RaindropHandler) -> Callable[[], dict[str, dict[str, Any]]]:
    """What has been said of spans until it is called, by their names, each of which is there once."""

    def arrived() -> dict[str, dict[str, Any]]:
        assert handler.flush(PATIENCE)
        return by_name(recorder)

    return arrived
