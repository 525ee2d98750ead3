"""The lines that were not shipped, each with the reason: the first ones told, all of them left behind in a file.

    {"file": "app.log", "line": 12, "reason": "'user_id' is missing: …", "text": "{…}"}

Once they are mended, ``jq -r .text FILE | raindrop-logging ship -`` ships them.

In: Reject.  Out: lines for people; a file of JSON lines.  Touches: that file, made when there is something to write.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from raindrop_logging.errors import RaindropLoggingError

MAX_TOLD: Final = 10


class RejectsError(RaindropLoggingError):
    """The rejects file cannot be written."""


class Reject(Struct, frozen=True):
    """One line that was not shipped; its text is None where only its place is known any more."""

    file: str
    line: int
    reason: str
    text: str | None


class Rejects:
    """Tells and keeps them.

    Args:
        path: the file, to which they are added; None keeps none.
        tell: told a line of text for each of the first.
    """

    def __init__(self, path: Path | None, tell: Callable[[str], None]) -> None:
        self.path = path
        self.count = 0
        self._tell = tell
        self._waiting: list[bytes] = []

    def add(self, reject: Reject) -> None:
        """Tell of one, and have it written with the next `write`."""
        self.count += 1
        if self.count <= MAX_TOLD:
            self._tell(f"{reject.file}:{reject.line}: {reject.reason}")
        elif self.count == MAX_TOLD + 1:
            self._tell(
                "more bad lines follow; they are counted" + ("" if self.path is None else f" and in {self.path}")
            )
        if self.path is not None:
            self._waiting.append(msgspec.json.encode(reject) + b"\n")

    def write(self) -> None:
        """Write down those that were added.

        Raises:
            RejectsError: the file does not take them.
        """
        if not self._waiting or self.path is None:
            return
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(fd, "ab") as file:
                file.write(b"".join(self._waiting))
        except OSError as error:
            raise RejectsError(f"{self.path}: cannot be written: {error.strerror}") from None
        self._waiting.clear()
