"""What an address asks: a filter, and beside it what the route has of its own.

In: a request's query.  Out: a `Question`.  Touches: nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from raindrop_logging.workshop.event_filter import MOMENTS, NAMES, PROPERTY, SWITCHES, EventFilter, parse
from raindrop_logging.workshop.refusals import invalid
from raindrop_logging.workshop.route_table import Query

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_LIMIT: Final = 500
DEFAULT_LIMIT: Final = 50
MAX_TOP: Final = 200
DEFAULT_TOP: Final = 10


def whole_number(most: int) -> Any:
    """The type of a parameter that is a whole number from 1."""
    return Annotated[int, msgspec.Meta(ge=1, le=most)]


FILTER: Final = (
    *(Query(name=name, many=True, says=f"Only with this {name}; of several any may hold.") for name in NAMES),
    Query(name=f"{PROPERTY}KEY", many=True, says="Only with this value of the property KEY; what is no text as JSON."),
    *(Query(name=name, says="A date, an ISO 8601 time, or how long ago, such as 24h.") for name in MOMENTS),
    *(Query(name=name, type=bool, says=f"Only with, or only without, {name}.") for name in SWITCHES),
)
"""The parameters of whatever is asked under a filter."""

PAGED: Final = (
    Query(name="limit", type=whole_number(MAX_LIMIT), says=f"How many, {DEFAULT_LIMIT} when not said."),
    Query(name="cursor", says="The `next_cursor` of the answer before."),
)
"""The parameters of every list."""

TOP: Final = Query(name="top", type=whole_number(MAX_TOP), says=f"How many, {DEFAULT_TOP} when not said.")


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


def question(request: Request, *queries: Query) -> Question:
    """What this request asks of a route that has these parameters beside the filter.

    Raises:
        FilterError: naming a parameter that does not exist or has a value it cannot have.
    """
    own = [query.name for query in queries]
    pairs = request.query_params.multi_items()
    where = parse([pair for pair in pairs if pair[0] not in own], others=tuple(own))
    return Question(where, {name: value for name, value in pairs if name in own})
