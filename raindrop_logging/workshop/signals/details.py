"""What a signal that an SDK sent says beside its name: a user's comment, and what a user changed in an output.

In: a signal, its event's output.  Out: texts.  Touches: nothing.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from raindrop_logging.workshop.records import Signal

MAX_PIECES: Final = 1_500
"""Words, else lines, that are compared one by one; comparing takes the square of them."""

CONTEXT: Final = 60
"""Characters that are left of a long unchanged stretch, on either side."""

ALIKE: Final = 0.25
"""The least share of the longer text's words, in characters, that must have stayed: else a text was written anew, and
the few small words that both have would only cut it up."""

_WORDS: Final = re.compile(r"\w+|\s+|[^\w\s]")
_CJK: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class EditPart(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of text that an edit kept, took away or put in."""

    change: Literal["same", "removed", "added"]
    text: str


def comment(signal: Signal) -> str | None:
    """What the user wrote with the feedback."""
    said = signal.properties.get("comment")
    return said if isinstance(said, str) and said else None


def edited(signal: Signal, before: str | None) -> tuple[EditPart, ...]:
    """The parts of an edit in reading order: without the added ones the output, without the removed ones the edit.

    Nothing when the signal holds no edited text. Without an output, all of the text is added.
    """
    after = signal.properties.get("after")
    return difference(before or "", after) if isinstance(after, str) else ()


def difference(before: str, after: str) -> tuple[EditPart, ...]:
    """Word by word; long texts line by line; very long ones, and those that have little in common, as a whole."""
    for pieces_of in (_words, _lines):
        old, new = pieces_of(before), pieces_of(after)
        if len(old) + len(new) <= 2 * MAX_PIECES:
            parts = tuple(_parts(old, new))
            stayed = sum(_weight(part.text) for part in parts if part.change == "same")
            if stayed >= ALIKE * max(_weight(before), _weight(after)):
                return parts
            break
    return tuple(_parts([before] if before else [], [after] if after else []))


def shortened(parts: tuple[EditPart, ...]) -> tuple[EditPart, ...]:
    """The same edit; of long stretches that stayed only what lies beside a change."""
    last = len(parts) - 1
    return tuple(
        EditPart(change="same", text=_cut(part.text, head=at > 0, tail=at < last)) if part.change == "same" else part
        for at, part in enumerate(parts)
    )


def _cut(text: str, *, head: bool, tail: bool) -> str:
    """What follows a change keeps its beginning, what precedes one its end."""
    first, last = (CONTEXT if head else 0), (CONTEXT if tail else 0)
    return text if len(text) <= first + last + 1 else f"{text[:first]}…{text[len(text) - last :]}"


def _parts(old: Sequence[str], new: Sequence[str]) -> Iterator[EditPart]:
    for tag, begin, end, new_begin, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield EditPart(change="same", text="".join(old[begin:end]))
            continue
        if end > begin:
            yield EditPart(change="removed", text="".join(old[begin:end]))
        if new_end > new_begin:
            yield EditPart(change="added", text="".join(new[new_begin:new_end]))


def _weight(text: str) -> int:
    """Characters of its words."""
    return sum(map(str.isalnum, text))


def _words(text: str) -> list[str]:
    """Words, white space and other characters; of scripts without spaces each character."""
    return [piece for found in _WORDS.findall(text) for piece in (found if _CJK.search(found) else (found,))]


def _lines(text: str) -> list[str]:
    ends = [0, *(found.end() for found in re.finditer(r"\n", text)), len(text)]
    return [text[begin:end] for begin, end in pairwise(ends) if end > begin]
