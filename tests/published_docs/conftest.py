"""A program of its own for each test: no interaction open around it, and one handler that sends when it is asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import raindrop_logging as raindrop
from tests.published_docs.arrived import KEY, Arrived

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder


@pytest.fixture
def arrived(recorder: Recorder) -> Arrived:
    """What arrives of the test's own program, which has been initialised as every example begins."""
    seen = Arrived(recorder)
    raindrop.init(KEY, **seen.keys)
    return seen
