"""What the servers of these tests are given."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A port that the server is given."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server
