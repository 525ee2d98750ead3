"""Texts that must be in whatever a regular expression matches, for an index to look for.

In: a pattern.  Out: literals, none when in doubt.  Touches: nothing.
Only what stands outside groups and classes is read, and any syntax that is not surely understood ends it: a literal
that is missing costs time, a wrong one would hide a match.
"""

from __future__ import annotations

import re
from typing import Final

_FLAGS: Final = re.compile(r"\(\?([imsau]+)\)")
_GROUP: Final = re.compile(r"\((?!\?)|\(\?(?::|=|!|<=|<!|P?<\w+>)")
_COUNT: Final = re.compile(r"\{[0-9]*(?:,[0-9]*)?\}")
_CLASS: Final = re.compile(r"\[\^?\]?(?:[^\]\[\\]|\\.)*\]", re.DOTALL)
_KNOWN_ESCAPES: Final = frozenset("wWdDsSbB")
_TURKIC: Final = frozenset("iI")
"""Ignoring case, `i` also matches letters that the index keeps apart."""
_ENDS_RUN: Final = frozenset(".^$+")
_MIN_CHARS: Final = 3


def literals(pattern: str) -> tuple[str, ...]:
    """The runs of at least three characters that every match has in it, in the pattern's order."""
    flags = _FLAGS.match(pattern)
    try:
        runs = _Reader(pattern, flags.end() if flags else 0, ignore_case=bool(flags and "i" in flags[1])).runs()
    except _DoubtError:
        return ()
    return tuple(run for run in runs if len(run) >= _MIN_CHARS and "\0" not in run)


class _DoubtError(Exception):
    """Something in the pattern is not surely understood."""


class _Reader:
    def __init__(self, pattern: str, start: int, *, ignore_case: bool) -> None:
        self._pattern = pattern
        self._at = start
        self._ignore_case = ignore_case
        self._runs: list[str] = []
        self._run: list[str] = []

    def runs(self) -> list[str]:
        while self._at < len(self._pattern):
            self._step(self._pattern[self._at])
        self._cut()
        return self._runs

    def _step(self, sign: str) -> None:
        if sign == "|":
            raise _DoubtError
        if sign == "\\":
            self._escape()
        elif sign == "[":
            self._cut()
            self._skip(_CLASS)
        elif sign == "(":
            self._cut()
            self._skip_group()
        elif sign in "*?{":
            self._repeat(sign)
        elif sign in _ENDS_RUN:
            self._cut()
            self._at += 1
        else:
            self._add(sign)
            self._at += 1

    def _escape(self) -> None:
        escaped = self._pattern[self._at + 1 : self._at + 2]
        if not escaped or (escaped.isalnum() and escaped not in _KNOWN_ESCAPES):
            raise _DoubtError
        if escaped in _KNOWN_ESCAPES:
            self._cut()
        else:
            self._add(escaped)
        self._at += 2

    def _repeat(self, sign: str) -> None:
        """What was before it may be missing altogether."""
        if self._run:
            self._run.pop()
        self._cut()
        if sign == "{":
            self._skip(_COUNT)
        else:
            self._at += 1

    def _skip_group(self) -> None:
        self._skip(_GROUP)
        while self._at < len(self._pattern) and (sign := self._pattern[self._at]) != ")":
            if sign == "(":
                self._skip_group()
            elif sign == "[":
                self._skip(_CLASS)
            else:
                self._at += 2 if sign == "\\" else 1
        self._at += 1

    def _skip(self, what: re.Pattern[str]) -> None:
        found = what.match(self._pattern, self._at)
        if not found:
            raise _DoubtError
        self._at = found.end()

    def _add(self, sign: str) -> None:
        if self._ignore_case and (sign in _TURKIC or not sign.isascii()):
            self._cut()
        else:
            self._run.append(sign)

    def _cut(self) -> None:
        self._runs.append("".join(self._run))
        self._run.clear()
