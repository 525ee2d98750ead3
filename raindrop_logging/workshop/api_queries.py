"""What an address asks: a filter, and beside it what the route has of its own.

In: a request's query.  Out: a `Question`.  Touches: nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from raindrop_logging.workshop.event_filter import EventFilter, FilterError, parse
from raindrop_logging.workshop.refusals import invalid

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_LIMIT: Final = 500
DEFAULT_LIMIT: Final = 50


class Question(msgspec.Struct, frozen=True):
    """A filter, and the route's own parameters by name."""

    where: EventFilter
    own: dict[str, str]

    @property
    def cursor(self) -> str | None:
        """Where to go on in a list."""
        return self.own.get("cursor") or None

    def whole(self, name: str, default: int, most: int) -> int:
        """A parameter that is a whole number from 1.

        Raises:
            RefusedError: 400, it is none.
        """
        text = self.own.get(name)
        if text is None:
            return default
        if re.fullmatch(r"[0-9]{1,9}", text) and 1 <= int(text) <= most:
            return int(text)
        raise invalid(name, f"{name} is a whole number from 1 to {most}, not {text[:32]!r}")

    @property
    def limit(self) -> int:
        """How much of a list to answer.

        Raises:
            RefusedError: 400, it is no such number.
        """
        return self.whole("limit", DEFAULT_LIMIT, MAX_LIMIT)


def question(request: Request, *own: str) -> Question:
    """What this request asks of a route that has these parameters beside the filter.

    Raises:
        RefusedError: 400, naming a parameter that does not exist or has a value it cannot have.
    """
    pairs = request.query_params.multi_items()
    try:
        where = parse([pair for pair in pairs if pair[0] not in own], others=own)
    except FilterError as error:
        raise invalid(error.field, str(error)) from None
    return Question(where, {name: value for name, value in pairs if name in own})
