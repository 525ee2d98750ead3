"""The errors a user can meet, as one tree.

    RaindropLoggingError
    ├── SettingsError (ValueError)      a handler key, a variable or a configuration file is wrong
    ├── InvalidBlockError (ValueError)  a `raindrop` block breaks a rule of the vocabulary
    └── MissingExtraError (ImportError) a part of the package needs a library of an extra

None of them ever comes out of a log call: there the record is counted and named once.
"""

from __future__ import annotations


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
        super().__init__(f"{part} needs {library}: pip install 'raindrop-logging[{extra}]'")
