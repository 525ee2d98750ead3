"""The names that users may rely on, as a list that a reviewer sees change."""

from __future__ import annotations

import inspect

import raindrop_logging

PUBLIC = {
    "FlushResult",
    "HideRaindrop",
    "InvalidBlockError",
    "MissingExtraError",
    "RaindropAdapter",
    "RaindropHandler",
    "RaindropLoggingError",
    "SettingsError",
    "Stats",
    "__version__",
    "bind",
    "carry",
    "extra",
    "flush",
    "load_config",
    "shutdown",
    "stats",
    "traceparent",
}


def test_the_public_names_are_these() -> None:
    """A name more or less is a decision, made here."""
    assert set(raindrop_logging.__all__) == PUBLIC


def test_every_public_name_says_what_it_is() -> None:
    """Each has a docstring of its own."""
    named = [getattr(raindrop_logging, name) for name in PUBLIC - {"__version__"}]
    assert [found for found in named if not inspect.getdoc(found)] == []
