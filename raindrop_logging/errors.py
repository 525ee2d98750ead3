"""The errors a user can meet, as one tree.

    RaindropLoggingError
    ├── SettingsError (ValueError)      a handler key, a variable or a configuration file is wrong
    ├── InvalidBlockError (ValueError)  a `raindrop` block breaks a rule of the vocabulary
    └── MissingExtraError (ImportError) a part of the package needs a library of an extra

None of them ever comes out of a log call: there the record is counted and named once.
"""

from __future__ import annotations

from collections.abc import Iterable


class RaindropLoggingError(Exception):
    """Every error this package raises on purpose."""


class SettingsError(RaindropLoggingError, ValueError):
    """Configuration that cannot work; the message names the key, the value and the rule."""


class InvalidBlockError(RaindropLoggingError, ValueError):
    """A block that breaks a rule; the message names the key, what was given and what is allowed."""


class MissingExtraError(RaindropLoggingError, ImportError):
    """A library of an optional extra is not installed.

    Args:
        part: what the user wanted, such as ``"reading YAML"``.
        library: the distribution that is missing.
        extra: the extra of this package that brings it.
    """

    def __init__(self, part: str, library: str, extra: str) -> None:
        super().__init__(f"{part} needs {library}: {install_command(extra)}")


def install_command(extra: str) -> str:
    """What installs an extra of this package from where the package itself came: a directory is named by its path.

    Source: PEP 610, ``direct_url.json``.
    """
    import json  # only where something is missing
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        said = json.loads(distribution("raindrop-logging").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        said = {}
    source = url2pathname(urlsplit(said["url"]).path) if "dir_info" in said else "raindrop-logging"
    return f"pip install '{source}[{extra}]'"


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """What a message adds to a word that is nearly a known one, such as ``; did you mean 'user_id'?``; or nothing."""
    import difflib  # only where something is wrong

    near = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""
