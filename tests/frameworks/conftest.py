"""A handler whose events belong to nobody, unless somebody is bound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.frameworks.events import NOBODY, arrived
from tests.wire.harness import attach

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.wire.recorder import Recorder

Arrivals = "Callable[[], dict[str, dict[str, Any]]]"


@pytest.fixture
def arrivals(recorder: Recorder) -> Callable[[], dict[str, dict[str, Any]]]:
    """Asks for the events that have arrived; see `arrived`."""
    handler = attach(recorder.endpoint, defaults={"user_id": NOBODY})
    return lambda: arrived(handler, recorder)
