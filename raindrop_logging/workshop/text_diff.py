"""What a person changed in an answer, word by word.

In: the text before and after.  Out: `Change`s in order.  Touches: nothing.
"""

from __future__ import annotations

import difflib
import re
from typing import Final, Literal

import msgspec

MAX_CHARS: Final = 20_000
"""Of both texts together: comparing takes the square of their length at worst."""

CONTEXT: Final = 60
"""Characters that are left of a long unchanged run, on either side."""

_WORD: Final = re.compile(r"\s+|\w+|[^\w\s]")


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A run of text that stayed, went or came."""

    kind: Literal["same", "gone", "new"]
    text: str


def changes(before: str, after: str) -> tuple[Change, ...]:
    """The runs that make `before` without the new ones, `after` without the gone ones; none when too long."""
    if len(before) + len(after) > MAX_CHARS:
        return ()
    old, new = _WORD.findall(before), _WORD.findall(after)
    found: list[Change] = []
    compared = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for kind, old_from, old_to, new_from, new_to in compared.get_opcodes():
        gone, came = "".join(old[old_from:old_to]), "".join(new[new_from:new_to])
        if kind == "equal":
            found.append(Change(kind="same", text=gone))
            continue
        found += [Change(kind="gone", text=gone)] if gone else []
        found += [Change(kind="new", text=came)] if came else []
    return tuple(found)


def shortened(found: tuple[Change, ...]) -> tuple[Change, ...]:
    """The same changes; of long runs that stayed only what lies beside a change."""
    last = len(found) - 1
    return tuple(
        Change(kind="same", text=_cut(change.text, before=at > 0, after=at < last)) if change.kind == "same" else change
        for at, change in enumerate(found)
    )


def _cut(text: str, *, before: bool, after: bool) -> str:
    """A run that follows a change keeps its beginning, one that precedes a change its end."""
    head, tail = (CONTEXT if before else 0), (CONTEXT if after else 0)
    if len(text) <= head + tail + 1:
        return text
    return f"{text[:head]}…{text[len(text) - tail :]}"
