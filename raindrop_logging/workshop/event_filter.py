"""Which events are meant: a filter as a value, and as it stands in an address.

In: query parameters.  Out: an `EventFilter`, and back.  Touches: nothing.
The same words serve the lists' addresses, the API and the terminal: ``event=chat&model=gpt-4o&property.region=eu``.
"""

from __future__ import annotations

import difflib
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from raindrop_logging.workshop import times
from raindrop_logging.workshop.refusals import QuestionError

if TYPE_CHECKING:
    from collections.abc import Iterable

PROPERTY: Final = "property."
"""`property.region=eu`: the rest of the name is the property's key, whatever it holds."""

NAMES: Final = ("event", "user_id", "convo_id", "model", "project_id", "tool", "signal")
"""Said once or often; of several values any may hold."""

SWITCHES: Final = ("error", "pending", "attachment")
MOMENTS: Final = ("since", "until")
KEYS: Final = frozenset({*NAMES, *SWITCHES, *MOMENTS})

_TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}
_AGO: Final = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class FilterError(QuestionError):
    """A condition that cannot be; `field` is the query parameter that says it."""


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Every condition that is set must hold; one that is empty or None lets all pass.

    `tool` names a tool span of the event, `signal` a signal given to it. `properties` are pairs of key and value, the
    value as text (what is no text as its JSON); of several values of one key any may hold. `since` is included,
    `until` is not; both ISO 8601 in UTC with microseconds. `error`: some span of it failed.
    """

    event: tuple[str, ...] = ()
    user_id: tuple[str, ...] = ()
    convo_id: tuple[str, ...] = ()
    model: tuple[str, ...] = ()
    project_id: tuple[str, ...] = ()
    tool: tuple[str, ...] = ()
    signal: tuple[str, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    since: str | None = None
    until: str | None = None
    error: bool | None = None
    pending: bool | None = None
    attachment: bool | None = None

    def query(self) -> tuple[tuple[str, str], ...]:
        """The pairs that `parse` reads as this filter."""
        named = [(name, value) for name in NAMES for value in getattr(self, name)]
        held = [(f"{PROPERTY}{key}", value) for key, value in self.properties]
        moments = [(name, getattr(self, name)) for name in MOMENTS if getattr(self, name)]
        switches = [(name, str(getattr(self, name)).lower()) for name in SWITCHES if getattr(self, name) is not None]
        return (*named, *held, *moments, *switches)


def parse(pairs: Iterable[tuple[str, str]], now: datetime | None = None, others: Iterable[str] = ()) -> EventFilter:
    """The filter that these query parameters say; one with an empty value says nothing.

    Args:
        pairs: as in an address, each name as often as it was given.
        now: what ``since=24h`` counts back from; the present by default.
        others: what may stand beside a filter in the same address, for the hint at a mistyped name.

    Raises:
        FilterError: no such key, or a value it cannot have; the message says which, and what would do.
    """
    now = now or datetime.now(UTC)
    named: dict[str, dict[str, None]] = {name: {} for name in NAMES}
    properties: dict[tuple[str, str], None] = {}
    single: dict[str, Any] = {}
    for key, value in pairs:
        if not value:
            continue
        if key in named:
            named[key][value] = None
        elif key.startswith(PROPERTY) and key != PROPERTY:
            properties[key.removeprefix(PROPERTY), value] = None
        elif key in MOMENTS:
            single[key] = _moment(key, value, now)
        elif key in SWITCHES:
            single[key] = _truth(key, value)
        else:
            raise FilterError(key, _unknown(key, others))
    several: dict[str, Any] = {name: tuple(values) for name, values in named.items()}
    return EventFilter(**several, properties=tuple(properties), **single)


def _moment(key: str, value: str, now: datetime) -> str:
    """ISO 8601, a date, or how long ago: ``90m``, ``24h``, ``7d``."""
    try:
        ago = _AGO.fullmatch(value)
        if ago:
            return times.from_datetime(now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}))
        return times.from_datetime(datetime.fromisoformat(value))
    except (ValueError, OverflowError):
        said = f"{key} is a date, an ISO 8601 time or how long ago (24h, 7d), not {value[:64]!r}"
        raise FilterError(key, said) from None


def _truth(key: str, value: str) -> bool:
    if value.lower() not in _TRUTH:
        raise FilterError(key, f"{key} is true or false, not {value[:64]!r}")
    return _TRUTH[value.lower()]


def _unknown(key: str, others: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, [*KEYS, *others, f"{PROPERTY}key"], 1)
    hint = f", did you mean {close[0]!r}?" if close else f"; there are {', '.join(sorted(KEYS))} and {PROPERTY}KEY"
    return f"no filter {key[:64]!r}{hint}"
