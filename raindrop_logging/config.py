"""Read a dictConfig file in JSON, YAML or TOML and apply it."""

from __future__ import annotations

import logging.config
from collections.abc import Callable
from pathlib import Path
from typing import Any

from raindrop_logging.errors import MissingExtraError, SettingsError


def load_config(path: str | Path) -> None:
    """Configure logging from a dictConfig file.

    Args:
        path: a ``.json``, ``.yaml``, ``.yml`` or ``.toml`` file that holds one dictConfig table.

    Raises:
        SettingsError: the file is missing, is not what its name says, or a value in it is refused; the message
            names the file and the place in it.
        MissingExtraError: the file is YAML and PyYAML is not installed.
    """
    path = Path(path)
    apply_config(read_config(path), path)


def apply_config(table: dict[str, Any], path: Path) -> None:
    """Configure logging by a table; ``path`` is the file that it was read from. Raises as `load_config`."""
    try:
        logging.config.dictConfig(table)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        raise SettingsError(f"{path}: {_explained(error)}") from _cause(error)


def read_config(path: Path) -> dict[str, Any]:
    """The table in a dictConfig file, not applied; raises as `load_config`."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise SettingsError(f"{path}: its name must end in .json, .yaml, .yml or .toml")
    try:
        table = reader(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: is not UTF-8 text (byte {error.start})") from None
    except ValueError as error:
        raise SettingsError(f"{path}: is not {path.suffix.lstrip('.').upper()}: {error}") from None
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: must hold one table of dictConfig keys, not a {type(table).__name__}")
    if table.get("version") != 1:
        found = f"is {table['version']!r}" if "version" in table else "is missing"
        raise SettingsError(f"{path}: 'version' {found}: dictConfig knows only version 1")
    return table


def _read_yaml(text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("reading a YAML file", "PyYAML", "workshop") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or type(error).__name__  # its text would show the line, and a key in it
        raise ValueError(what if mark is None else f"{what} (line {mark.line + 1})") from None


def _read_json(text: str) -> Any:
    import json

    return json.loads(text)


def _read_toml(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


_READERS: dict[str, Callable[[str], Any]] = {
    ".json": _read_json,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".toml": _read_toml,
}


def _explained(error: BaseException) -> str:
    """dictConfig says where ("Unable to configure handler 'raindrop'"), its cause says why."""
    parts = [str(error)]
    cause = error.__cause__
    while cause is not None:
        if not any(str(cause) in part for part in parts):
            parts.append(str(cause))
        cause = cause.__cause__
    return ": ".join(part for part in parts if part)


def _cause(error: BaseException) -> BaseException | None:
    """No traceback of dictConfig's for what the settings refused: its frames hold the file's values."""
    deepest: BaseException = error
    while deepest.__cause__ is not None:
        deepest = deepest.__cause__
    return None if isinstance(deepest, SettingsError) else error
