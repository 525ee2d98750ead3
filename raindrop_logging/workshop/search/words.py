"""What a person types into the search box, as terms; every text means something.

In: a text.  Out: terms, and what they are in the full-text index's language.  Touches: nothing.

    refund late      both words, in any order        "not found"   these words, one after the other
    -test            not this one                    refund*       words that begin so

A term with signs of a script that puts no spaces between words, or with no word in it at all, is looked for anywhere in
the text, also inside a word.
"""

from __future__ import annotations

from typing import Final

import msgspec
import regex

from raindrop_logging.workshop.search.question import MAX_CHARS, SIDES, Side

MAX_TERMS: Final = 32

WORD: Final = r"[\p{L}\p{N}\p{Co}\p{Mn}\p{Mc}]"
"""A character of a word; the index has the same classes (`sqlite.search_index.WORDS`)."""

_TYPED: Final = regex.compile(r'(?P<minus>-?)(?:"(?P<phrase>[^"]*)"?|(?P<bare>[^\s"]+))')
_TOKENS: Final = regex.compile(f"{WORD}+")
_UNSPACED: Final = regex.compile(
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}]"
)


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to look for; `anywhere` also inside a word, else as whole `tokens` in a row."""

    text: str
    tokens: tuple[str, ...]
    exclude: bool = False
    prefix: bool = False

    @property
    def anywhere(self) -> bool:
        """Whether word boundaries do not count."""
        return not self.tokens or bool(_UNSPACED.search(self.text))


def parse(typed: str) -> tuple[Term, ...]:
    """The terms, at most `MAX_TERMS`; none when nothing was typed."""
    quoted: list[bool] = []
    terms: list[Term] = []
    for match in _TYPED.finditer(typed[:MAX_CHARS].replace("\0", " ")):
        text = match["bare"] if match["phrase"] is None else match["phrase"].strip()
        prefix = match["phrase"] is None and len(text) > 1 and text.endswith("*")
        text = text.rstrip("*") if prefix else text
        if text:
            tokens = tuple(_TOKENS.findall(text))
            terms.append(Term(text=text, tokens=tokens, exclude=bool(match["minus"]), prefix=prefix))
            quoted.append(match["phrase"] is not None)
    # A dash or an ampersand between words is no condition; alone or in quotes it is.
    meant = tuple(term for term, was_quoted in zip(terms, quoted, strict=True) if term.tokens or was_quoted)
    return (meant or tuple(terms))[:MAX_TERMS]


def words_expression(terms: tuple[Term, ...], sides: tuple[Side, ...]) -> str | None:
    """The terms of whole words in the language of FTS5; None when none of them says what must be there."""
    wanted = [_quoted(term) for term in terms if not term.anywhere and not term.exclude]
    unwanted = [_quoted(term) for term in terms if not term.anywhere and term.exclude]
    if not wanted:
        return None
    columns = "" if sides == SIDES else f"{{{' '.join(sides)}}} : "
    without = f" NOT ({' OR '.join(unwanted)})" if unwanted else ""
    return f"{columns}(({' AND '.join(wanted)}){without})"


def trigrams(text: str) -> str | None:
    """What the index of trigrams must hold for this text to be somewhere; None for one that is too short."""
    pieces = dict.fromkeys(text[at : at + 3] for at in range(len(text) - 2))
    return " AND ".join(map(_literal, [*pieces][:MAX_TERMS])) or None


def any_of(trigram_terms: list[str]) -> str:
    """Any of these trigrams."""
    return f"({' OR '.join(map(_literal, trigram_terms))})"


def _quoted(term: Term) -> str:
    return f"{_literal(' '.join(term.tokens))}{' *' if term.prefix else ''}"


def _literal(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
