"""What the address of a list page asks: a filter, and where in the list to go on.

In: a path and its query.  Out: an `Asked`, and addresses beside it.  Touches: nothing.
Conditions stay as they were written, so that ``since=24h`` in a bookmark means the last day whenever it is opened. A
form's own fields (`FREE`, `PROPERTY_FIELD`, empty ones) are told apart from an address that is kept: `tidied`.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec

from raindrop_logging.workshop.event_filter import KEYS, PROPERTY, SWITCHES, EventFilter, FilterError, parse

if TYPE_CHECKING:
    from collections.abc import Iterable

Pairs = tuple[tuple[str, str], ...]

FREE: Final = "add"
"""The form's field of several conditions in words: ``model=gpt-4o error -pending``."""

PROPERTY_FIELD: Final = "property"
"""The form's field of one property: ``region=eu``."""

CURSOR: Final = "cursor"

ALIASES: Final = {"user": "user_id", "conversation": "convo_id", "convo": "convo_id", "project": "project_id"}
"""Shorter names that the free field takes."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A list at `path` under a filter: `pairs` as they stand in the address, `where` what they mean.

    `problem` says what is wrong with the address, and what would do; then `where` lets all pass. `typed` is what was
    written into the free field and could not be read.
    """

    path: str
    pairs: Pairs = ()
    where: EventFilter = EventFilter()
    cursor: str | None = None
    problem: str | None = None
    typed: str = ""

    @property
    def here(self) -> str:
        """The address of the list's first page."""
        return written(self.path, self.pairs)

    def beyond(self, cursor: str | None) -> str | None:
        """The address of the page that a cursor leads to."""
        return written(self.path, (*self.pairs, (CURSOR, cursor))) if cursor else None

    def added(self, pair: tuple[str, str]) -> str:
        """The address with one condition more."""
        return written(self.path, (*self.pairs, pair))

    def without(self, pair: tuple[str, str]) -> str:
        """The address with one condition less."""
        return written(self.path, tuple(other for other in self.pairs if other != pair))

    def wrong(self, problem: str) -> Asked:
        """The same, of which something turned out wrong."""
        return msgspec.structs.replace(self, problem=problem)


def read(path: str, query: Iterable[tuple[str, str]]) -> Asked:
    """What this address asks; what is wrong with it is told by `problem`."""
    said = [(name, value) for name, value in query if value]
    cursor = next((value for name, value in said if name == CURSOR), None)
    pairs = tuple(dict.fromkeys(pair for pair in said if pair[0] != CURSOR))
    try:
        return Asked(path=path, pairs=pairs, where=parse(pairs, others=(CURSOR,)), cursor=cursor)
    except FilterError as error:
        return Asked(path=path, pairs=_known(pairs), problem=f"{error}.")


def tidied(path: str, query: Iterable[tuple[str, str]]) -> Asked | str | None:
    """Where a form leads that was sent: the address to keep, or what is wrong; None when no form's fields are there."""
    said = list(query)
    if not any(name in (FREE, PROPERTY_FIELD) or not value for name, value in said):
        return None
    pairs = tuple((name, value) for name, value in said if value and name not in (FREE, PROPERTY_FIELD, CURSOR))
    for name, value in said:
        try:
            if name == FREE:
                pairs += words(value)
            elif name == PROPERTY_FIELD and value:
                pairs += (_property(value),)
            parse(pairs)
        except FilterError as error:
            return Asked(path=path, pairs=_known(pairs), problem=f"{error}.", typed=value if name == FREE else "")
    return written(path, tuple(dict.fromkeys(pairs)))


def words(text: str) -> Pairs:
    """Conditions from one line: ``name=value``, a value with spaces in quotes, ``error`` or ``-error``.

    Raises:
        FilterError: a word is none; the message says what would do.
    """
    try:
        pieces = shlex.split(text)
    except ValueError:
        raise FilterError(FREE, "a quote is opened and not closed") from None
    return tuple(_word(piece) for piece in pieces)


def written(path: str, pairs: Pairs) -> str:
    """The address of a list with these conditions."""
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _word(piece: str) -> tuple[str, str]:
    name, sign, value = piece.partition("=")
    if sign and value:
        return ALIASES.get(name, name), value
    if name.removeprefix("-") in SWITCHES:
        return name.removeprefix("-"), str(not name.startswith("-")).lower()
    known = f"{', '.join(SWITCHES)}, or name=value such as model=gpt-4o, user=u1, since=24h, {PROPERTY}region=eu"
    raise FilterError(FREE, f"{piece[:64]!r} is no condition: write {known}")


def _property(text: str) -> tuple[str, str]:
    key, sign, value = text.removeprefix(PROPERTY).partition("=")
    if not (key and sign and value):
        raise FilterError(PROPERTY_FIELD, f"a property is key=value, such as region=eu, not {text[:64]!r}")
    return f"{PROPERTY}{key}", value


def _known(pairs: Pairs) -> Pairs:
    """Those of which the name exists, for the fields of a page that says what is wrong with one of them."""
    return tuple(pair for pair in pairs if pair[0] in KEYS or pair[0].startswith(PROPERTY))
