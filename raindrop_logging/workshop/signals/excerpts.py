"""The text around what a rule found, in parts that say which of them it is.

In: a text, and the beginning of what was found in it.  Out: `Part`s.  Touches: nothing.
A keyword's hit is kept as the keyword is written, in lower case with straight quotes; it is found again in any spelling
that counts as the same.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Final

from raindrop_logging.workshop.search.excerpts import MAX_HITS, Spans, excerpt
from raindrop_logging.workshop.search.question import Part
from raindrop_logging.workshop.signals.judge import MAX_JUDGED
from raindrop_logging.workshop.signals.patterns import TYPOGRAPHY

if TYPE_CHECKING:
    from raindrop_logging.workshop.signals.store import Hit

_SPELLINGS: Final = {
    typed: "(?:" + "|".join(re.escape(text) for text in (typed, *(a for a, b in TYPOGRAPHY if b == typed))) + ")"
    for typed in dict.fromkeys(typed for _, typed in TYPOGRAPHY)
}


def around(hit: Hit) -> tuple[Part, ...]:
    """What stands around a hit in the text it was found in; nothing for a signal that was sent."""
    if hit.place is None or hit.matched is None:
        return ()
    text = {"input": hit.event.input, "output": hit.event.output}.get(hit.place)
    return marked(text, hit.matched) if text else (Part(hit.matched, hit=True),)


def marked(text: str, matched: str) -> tuple[Part, ...]:
    """The text around the first place where `matched` is, each place marked."""
    return excerpt(text, _places(text[:MAX_JUDGED], matched))


def _places(text: str, matched: str) -> Spans:
    """As whole words, else anywhere."""
    wanted = _pattern(matched)
    if not wanted:
        return []
    for pattern in (rf"(?<!\w){wanted}(?!\w)", wanted):
        found = islice(re.finditer(pattern, text, re.IGNORECASE), MAX_HITS)
        spans = [match.span() for match in found]
        if spans:
            return spans
    return []


@lru_cache(maxsize=64)
def _pattern(matched: str) -> str:
    pattern = r"\s+".join(map(re.escape, matched.split()))
    for typed, spelling in _SPELLINGS.items():
        pattern = pattern.replace(re.escape(typed), spelling)
    return pattern
