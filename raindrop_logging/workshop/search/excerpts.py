"""Finding terms in a text as the index finds them, and cutting out what is around them.

In: terms and a text.  Out: where the hits are; excerpts as parts.  Touches: nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

import regex

from raindrop_logging.workshop.search.question import Part
from raindrop_logging.workshop.search.words import WORD, Term

EXCERPT_CHARS: Final = 240
LEAD_CHARS: Final = 60
MAX_HITS: Final = 20
"""Of one text; an excerpt shows only its beginning anyway."""

Spans = list[tuple[int, int]]
_COMBINING: Final = range(0x300, 0x370)
_FOLDED_BELOW: Final = 0x530
_FOLDED_TOO: Final = range(0x1E00, 0x2000)


class Needle:
    """One term, ready to be looked for."""

    def __init__(self, term: Term) -> None:
        self.exclude = term.exclude
        self._anywhere = term.anywhere
        if term.anywhere:
            self._pattern = regex.compile(regex.escape(term.text.lower()))
        else:
            inner = f"[^{WORD[1:-1]}]+".join(regex.escape(folded(token)[0]) for token in term.tokens)
            self._pattern = regex.compile(f"(?<!{WORD}){inner}{'' if term.prefix else f'(?!{WORD})'}")

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it is."""
        plain, places = _lowered(text) if self._anywhere else folded(text)
        for match in self._pattern.finditer(plain):
            first, last = match.start(), match.end() - 1
            yield (first, last + 1) if places is None else (places[first], places[last] + 1)

    def within(self, text: str) -> bool:
        """Whether it is there at all."""
        return next(self.spans(text), None) is not None


def matches(needles: Iterable[Needle], texts: Iterable[str]) -> bool:
    """Whether each needle is in some text, and no excluded one in any."""
    found = [*texts]
    return all(any(needle.within(text) for text in found) != needle.exclude for needle in needles)


def spans_of(needles: Iterable[Needle], text: str) -> Spans:
    """Where any of them is, in order, without overlap; at most `MAX_HITS`."""
    wanted = [needle for needle in needles if not needle.exclude]
    return disjoint(span for needle in wanted for span, _ in zip(needle.spans(text), range(MAX_HITS), strict=False))


def disjoint(spans: Iterable[tuple[int, int]]) -> Spans:
    """In order, those that overlap as one."""
    merged: Spans = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged[:MAX_HITS]


def excerpt(text: str, spans: Spans) -> tuple[Part, ...]:
    """The text around its first hit, or its beginning; an ellipsis where it was cut."""
    begin = max(spans[0][0] - LEAD_CHARS, 0) if spans else 0
    end = min(begin + EXCERPT_CHARS, len(text))
    parts: list[Part] = [Part("…", hit=False)] if begin else []
    at = begin
    for start, stop in spans:
        if start >= end:
            break
        parts += [Part(text[at:start], hit=False), Part(text[start : min(stop, end)], hit=True)]
        at = min(stop, end)
    parts.append(Part(text[at:end] + ("…" if end < len(text) else ""), hit=False))
    return tuple(part for part in parts if part.text)


def folded(text: str) -> tuple[str, list[int] | None]:
    """Without case and accents, and where each character was; None when all are where they were."""
    if text.isascii():
        return text.lower(), None
    pieces = [_folded_sign(sign) for sign in text]
    return "".join(pieces), [place for place, piece in enumerate(pieces) for _ in piece]


def _lowered(text: str) -> tuple[str, list[int] | None]:
    low = text.lower()
    if len(low) == len(text):
        return low, None
    pieces = [sign.lower() for sign in text]
    return "".join(pieces), [place for place, piece in enumerate(pieces) for _ in piece]


def _folded_sign(sign: str) -> str:
    code = ord(sign)
    if code in _COMBINING:
        return ""
    if code < _FOLDED_BELOW or code in _FOLDED_TOO:
        sign = unicodedata.normalize("NFD", sign)[0]
    low = sign.casefold()
    return low if len(low) == 1 else sign.lower()[:1]
