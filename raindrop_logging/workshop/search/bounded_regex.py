"""Regular expressions that people write, always under a time limit.

In: a pattern, a text, a moment.  Out: where it matches.  Touches: the clock.

Python's own `re` cannot be stopped once it began. The library `regex` looks at a limit while it matches, inside its C
code and with the interpreter's lock released, so that one that explodes costs its own thread until the limit and nobody
else; a killable process for each search would cost a start of Python and could not see a database in memory. Compiling
has no limit there: what makes it long are repeats within repeats, which are bounded before.
"""

from __future__ import annotations

import time
from math import prod
from typing import Final

import regex

MAX_PATTERN_CHARS: Final = 1_000
MAX_REPEATS: Final = 100_000
"""All counts of a pattern multiplied, as if each were inside the other."""

_COUNTS: Final = regex.compile(r"\{\s*(\d*)\s*(?:,\s*(\d*)\s*)?\}")


class PatternError(ValueError):
    """Not a regular expression, or one that is too large; the message says where or why."""


class BoundedRegex:
    """A pattern whose every search ends by a given moment.

    Raises:
        PatternError: the pattern cannot be used.
    """

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MAX_PATTERN_CHARS:
            raise PatternError(f"the pattern is longer than {MAX_PATTERN_CHARS} characters")
        counts = (max(int(text[:9] or 1) for text in found) for found in _COUNTS.findall(pattern))
        if prod(max(count, 1) for count in counts) > MAX_REPEATS:
            raise PatternError("the pattern repeats too much: its counts multiplied are above 100,000")
        try:
            self._pattern = regex.compile(pattern)
        except (regex.error, RecursionError, OverflowError, ValueError) as error:
            raise PatternError(f"not a regular expression: {error}") from None

    def matches(self, text: str, end: float) -> bool:
        """Whether it matches somewhere.

        Args:
            text: where to look.
            end: the moment of `time.monotonic` to stop at.

        Raises:
            TimeoutError: it was reached.
        """
        return self._pattern.search(text, timeout=_left(end), concurrent=True) is not None

    def spans(self, text: str, end: float, most: int) -> list[tuple[int, int]]:
        """Where the first `most` matches are, leaving out empty ones; errors as for `matches`."""
        found: list[tuple[int, int]] = []
        for match in self._pattern.finditer(text, timeout=_left(end), concurrent=True):
            if match.end() > match.start():
                found.append(match.span())
            if len(found) == most:
                break
        return found


def _left(end: float) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
