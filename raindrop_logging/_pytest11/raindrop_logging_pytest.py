"""What pytest loads when it starts, in every environment that has the package: a fixture's name and a marker's.

It lies beside the package in the wheel, not in it, so that nothing of the package is imported before a test asks for
the fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from raindrop_logging.testing import Capture


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, for those who allow only markers that are known."""
    config.addinivalue_line(
        "markers",
        "raindrop(allow_invalid=False, allow_drops=False, allow_threads=False, **capture): what the fixture `raindrop`"
        " lets pass at the end of the test, and keys of raindrop_logging.testing.capture",
    )


@pytest.fixture
def raindrop(request: pytest.FixtureRequest) -> Iterator[Capture]:
    """What the test has logged to Raindrop (raindrop_logging.testing.Capture); nothing is sent.

    A block that was refused, a record that was dropped or a thread of the package that was left running fails the test;
    the marker `raindrop` lets it pass.
    """
    from raindrop_logging.pytest_plugin import captured_for

    with captured_for(request.node) as captured:
        yield captured
