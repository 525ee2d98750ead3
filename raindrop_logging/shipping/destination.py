"""Where to: the keys of a handler, from a configuration file and from the command line.

In: a dictConfig file, options.  Out: keys for `RaindropHandler`; the name of the destination.  Touches: that file.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from raindrop_logging.config import read_config
from raindrop_logging.errors import SettingsError
from raindrop_logging.settings import Settings

_CLASSES: Final = ("raindrop_logging.RaindropHandler", "raindrop_logging.handler.RaindropHandler")
_LOGGING_KEYS: Final = frozenset({"class", "()", "level", "filters", "formatter"})
"""What dictConfig or logging itself reads of a handler."""


def keys_of(config: Path | None, said: Mapping[str, Any]) -> dict[str, Any]:
    """The handler's keys as a configuration file has them, with those that were said beside it.

    Raises:
        SettingsError: the file cannot be read, or configures no one handler of ours.
    """
    keys = {} if config is None else _handler_in(config)
    keys |= {key: value for key, value in said.items() if value is not None}
    if said.get("workshop") is not None:
        keys["write_key"] = ""  # there instead of the cloud, not beside it
    return keys


def _handler_in(config: Path) -> dict[str, Any]:
    handlers: Any = read_config(config).get("handlers") or {}
    found = [
        {key: value for key, value in handler.items() if key not in _LOGGING_KEYS}
        for handler in handlers.values()
        if isinstance(handler, dict) and handler.get("class", handler.get("()")) in _CLASSES
    ]
    if len(found) != 1:
        raise SettingsError(
            f"{config}: configures {len(found)} handlers of class {_CLASSES[0]}, and must configure one"
        )
    return found[0]


def name_of(settings: Settings) -> str:
    """What tells one destination from another, and shows no key: two accounts are two destinations."""
    key = settings.write_key.reveal() if settings.write_key is not None else ""
    address = settings.endpoint if key else settings.workshop or ""
    account = sha256(f"raindrop-ship\0{key}\0{settings.project_id or ''}".encode()).hexdigest()[:16]
    return f"{address} ({account})"
