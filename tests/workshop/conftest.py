"""A Workshop in memory, and a client that talks to it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from raindrop_logging.workshop import Running, running
from tests.workshop.chromium import Chromium

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def workshop() -> Iterator[Running]:
    """A Workshop of this test's own."""
    with running() as up:
        yield up


@pytest.fixture
def client(workshop: Running) -> Iterator[httpx.Client]:
    """An HTTP client based at the Workshop's address."""
    with httpx.Client(base_url=workshop.url, trust_env=False, timeout=20) as http:
        yield http


@pytest.fixture(scope="module")
def shared() -> Iterator[httpx.Client]:
    """A client of a Workshop that all tests of a module share: for those that look at nothing another one stores."""
    with running() as up, httpx.Client(base_url=up.url, trust_env=False, timeout=20) as http:
        yield http


@pytest.fixture
def browser(workshop: Running) -> Iterator[Chromium]:
    """A browser that must not complain, and must ask no other machine for anything."""
    with Chromium() as chromium:
        yield chromium
    assert chromium.complaints == []
    places = {urlsplit(url).netloc for url in chromium.requests if url.startswith("http")}
    assert places == {urlsplit(workshop.url).netloc}
