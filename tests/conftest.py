"""What every test starts from: a recorder on loopback, and logging as it was before."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import hypothesis
import pytest

from raindrop_logging.context import Scope, within
from tests.wire.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

os.environ["RAINDROP_GIT_AUTO_DETECT"] = "false"  # also for what runs outside of a test, such as a module's fixture

# No property is about time: a busy machine is no failure.
hypothesis.settings.register_profile("raindrop", deadline=None)
hypothesis.settings.load_profile("raindrop")

_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}


_SLOW_SECONDS = 240


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow by nature gets the time for it."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_SLOW_SECONDS))


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A recording server of this test's own."""
    with Recorder() as running:
        yield running


@pytest.fixture(autouse=True)
def clean_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable, proxy or interaction of outside reaches a test; no handler, level or pipeline outlives it."""
    for name in list(os.environ):
        if name.startswith("RAINDROP_") or name.upper() in _PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("RAINDROP_GIT_AUTO_DETECT", "false")  # the tests run inside a repository of their own
    with within(Scope()), logging_restored():
        yield


@contextmanager
def logging_restored() -> Generator[None]:
    """Handlers, levels and switches of every logger as they were before, and no pipeline left."""
    before = {logger: _state(logger) for logger in _loggers()}
    yield
    import raindrop_logging
    from raindrop_logging import attach, context
    from raindrop_logging._pipeline import registry, stats

    raindrop_logging.shutdown(0.5)
    registry.clear()  # a later test on the same port starts with figures of its own
    attach._attached.clear()
    attach._switches.clear()
    context._turns.clear()
    stats._told_once.clear()
    for logger in _loggers():
        handlers, level, propagate, disabled = before.get(logger, ([], logging.NOTSET, True, False))
        logger.handlers[:] = handlers
        logger.propagate, logger.disabled = propagate, disabled
        logger.setLevel(level)


def _loggers() -> list[logging.Logger]:
    named = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    return [logging.root, *named]


def _state(logger: logging.Logger) -> tuple[list[logging.Handler], int, bool, bool]:
    return list(logger.handlers), logger.level, logger.propagate, logger.disabled
