"""Keywords and regular expressions, compiled so that no text can make them run for long.

In: keywords and patterns that anyone may have written, texts that anyone may have sent.  Out: matches.
Touches: nothing. Patterns run on the library `regex`, which gives up at a time limit; the standard library's cannot.
"""

from __future__ import annotations

import re
import time
from typing import Final

import regex

SEARCH_SECONDS: Final = 0.05
"""How long one pattern may look at one text."""

# Words of these scripts stand without spaces between them: a keyword of theirs is found anywhere.
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)
_WORD: Final = re.compile(r"\w+")
TYPOGRAPHY: Final = (
    ("\u2018", "'"), ("\u2019", "'"), ("\u02bc", "'"), ("\u201c", '"'), ("\u201d", '"'),
    ("\u2013", "-"), ("\u2014", "-"), ("\u2026", "..."),
)  # fmt: skip
"""What a text may have, and what a keyword has in its place."""

_GAPS: Final = bytes(code if not chr(code).isascii() or _WORD.match(chr(code)) else 32 for code in range(256))

Compiled = regex.Pattern[str]


class TooSlowError(Exception):
    """A pattern reached its time limit."""


def compiled(pattern: str, *, case_sensitive: bool = False) -> Compiled:
    """A pattern of anyone's.

    Raises:
        ValueError: it is none; the message says where.
    """
    flags = regex.V0 if case_sensitive else regex.V0 | regex.IGNORECASE
    try:
        return regex.compile(pattern, flags)
    except regex.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    except (RecursionError, OverflowError, MemoryError):
        raise ValueError("no regular expression: it is nested too deep or repeats too often") from None


class Phrase:
    """A keyword: whole words, in any case, with any white space between them."""

    __slots__ = ("_bound_after", "_bound_before", "_length", "text")

    def __init__(self, phrase: str) -> None:
        self.text = spaced(plain(phrase))
        self._length = len(self.text)
        self._bound_before = _is_bound(self.text[0])
        self._bound_after = _is_bound(self.text[-1])

    def is_in(self, text: str) -> bool:
        """Whether a text (`plain`, then `spaced`) has it; takes no longer than reading the text a few times."""
        at = text.find(self.text)
        while at >= 0:
            end = at + self._length
            before = self._bound_before and at > 0 and _is_word(text[at - 1])
            after = self._bound_after and end < len(text) and _is_word(text[end])
            if not (before or after):
                return True
            at = text.find(self.text, at + 1)
        return False


def needed_words(phrase: str) -> frozenset[bytes]:
    """What a text with this keyword must have among its `words`; nothing when the keyword may lie inside a word."""
    return frozenset() if _UNSPACED.search(phrase) else frozenset(words(plain(phrase)))


def plain(text: str) -> str:
    """The text in lower case with straight quotes and plain dashes."""
    text = text.lower()
    if not text.isascii():
        for typographic, typed in TYPOGRAPHY:
            text = text.replace(typographic, typed)
    return text


def spaced(text: str) -> str:
    """The text with one space wherever it has white space."""
    return " ".join(text.split())


def words(text: str) -> list[bytes]:
    """The words of a plain text in order, in UTF-8; most texts are ASCII, which takes a fraction of the time."""
    if text.isascii():
        return text.encode().translate(_GAPS).split()
    return [word.encode("utf-8", "replace") for word in _WORD.findall(text)]


def search(pattern: Compiled, text: str) -> str | None:
    """What a pattern of anyone's finds first.

    Raises:
        TooSlowError: it took `SEARCH_SECONDS`.
    """
    try:
        found = pattern.search(text, timeout=SEARCH_SECONDS)
    except TimeoutError:
        return _searched_again(pattern, text)
    except (MemoryError, RecursionError):
        raise TooSlowError from None
    return found[0] if found else None


def search_trusted(pattern: Compiled, text: str) -> str | None:
    """What a pattern of this package's own finds first: looking at the clock would take longer than most searches."""
    found = pattern.search(text)
    return found[0] if found else None


def _searched_again(pattern: Compiled, text: str) -> str | None:
    """The limit counts what other threads do as well: a search is too slow only by its own thread's time."""
    while True:
        begun = time.thread_time()
        try:
            found = pattern.search(text, timeout=SEARCH_SECONDS)
        except TimeoutError:
            if time.thread_time() - begun > SEARCH_SECONDS / 4:
                raise TooSlowError from None
        except (MemoryError, RecursionError):
            raise TooSlowError from None
        else:
            return found[0] if found else None


def _is_bound(character: str) -> bool:
    return _is_word(character) and not _UNSPACED.match(character)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
