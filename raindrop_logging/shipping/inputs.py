"""Which files are meant: names, directories, patterns, and what a log file was rotated to.

In: the words of a command line.  Out: paths, the oldest first, asked for as often as needed.  Touches: directories.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import Final

from raindrop_logging.errors import RaindropLoggingError

STDIN: Final = "-"

_ROTATED: Final = r"(?:[.-]\d[\d_.T:-]*)?(?:\.gz)?"
"""What rotation adds to a name: a number or a time, as ``.1``, ``.2026-11-25`` or ``-20261125``, perhaps ``.gz``."""

_LOG_NAME: Final = re.compile(r"[^.].*\.(?:log|jsonl|ndjson)" + _ROTATED)
"""The files of a directory that are taken for logs."""

_NUMBER: Final = re.compile(r"\.(\d+)(?:\.gz)?$")


class MissingInputError(RaindropLoggingError):
    """A file that was named is not there."""


class Inputs:
    """The files that some words mean now.

    Args:
        words: paths of files and directories, or patterns as a shell has them.
        rotated: a file brings along what it was rotated to.
        may_come: what is not there yet may come later.

    Raises:
        MissingInputError: a word means nothing.
    """

    def __init__(self, words: Sequence[str], *, rotated: bool = True, may_come: bool = False) -> None:
        self._words = tuple(words)
        self._rotated = rotated
        for word in self._words:
            if not may_come and not any(self._meant(word)):
                raise MissingInputError(f"{word}: {_why_nothing(word)}")

    def present(self) -> list[Path]:
        """Every file once, the one written to last at the end; a packed file is left out while it is there unpacked."""
        found = {path for word in self._words for path in self._meant(word)}
        whole = [path for path in found if not (path.suffix == ".gz" and path.with_suffix("") in found)]
        aged = [(_age(path), path) for path in whole]
        return [path for age, path in sorted(aged, key=lambda pair: (pair[0] or (0, 0), pair[1])) if age is not None]

    def _meant(self, word: str) -> Iterator[Path]:
        path = Path(word).expanduser()
        if path.is_dir():
            yield from (entry for entry in path.iterdir() if _LOG_NAME.fullmatch(entry.name) and entry.is_file())
        elif has_magic(word) and not path.exists():
            found = glob(str(path), recursive=True)  # noqa: PTH207 -- a pattern may begin anywhere
            yield from (Path(name) for name in found if Path(name).is_file())
        else:
            if path.exists():
                yield path
            if self._rotated and path.parent.is_dir():
                name = re.compile(re.escape(path.name) + _ROTATED)
                yield from (entry for entry in path.parent.iterdir() if name.fullmatch(entry.name) and entry.is_file())


def _why_nothing(word: str) -> str:
    if Path(word).expanduser().is_dir():
        return "no file in it is named like a log (*.log, *.jsonl, *.ndjson); name the files"
    return "no file fits this pattern" if has_magic(word) else "there is no such file"


def _age(path: Path) -> tuple[int, int] | None:
    """What sorts the oldest first: the time of the last write, and the larger of two numbers; None where it is gone."""
    try:
        written = os.stat(path).st_mtime_ns  # noqa: PTH116 -- of what a link leads to, in one call
    except OSError:
        return None
    number = _NUMBER.search(path.name)
    return written, -int(number[1]) if number else 1
