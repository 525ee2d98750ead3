"""What the store answers about many events at once: facets, lines over time, conversations, traces, failed tools.

In: nothing.  Out: frozen values.  Touches: nothing.
Every time in them is ISO 8601 in UTC with microseconds, as `records` has it.
"""

from __future__ import annotations

from typing import Final, Generic, Literal, TypeVar

import msgspec

from raindrop_logging.workshop.records import Event, Span

FACETS: Final = ("event", "model", "project_id", "tool", "signal", "properties", "user_id", "convo_id")
"""What `Store.facets` can count, what is asked for most first. `properties` answers one facet for each of the most
frequent keys."""

Step = Literal["minute", "hour", "day", "week", "month", "all"]
"""How wide a bucket is. Weeks begin on Monday; `all` puts everything into one."""

Measure = Literal["events", "users", "conversations", "pending", "failures", "signals"]
"""What is counted: events; distinct users; distinct conversations; events still pending; events of which some span
failed; events that were given a signal."""

SPLITS: Final = ("event", "model", "project_id", "user_id", "signal", "signal_id", "tool")
"""What lines can be split by, besides `property.KEY`. Two signals may have one name: `signal` draws them as one line,
`signal_id` as two."""

_Item = TypeVar("_Item")


class Slice(msgspec.Struct, Generic[_Item], frozen=True, kw_only=True):
    """A stretch of a list; `next_cursor` is None at its end."""

    items: tuple[_Item, ...]
    next_cursor: str | None = None


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a facet; `events` counts events, not calls or signals."""

    value: str
    events: int


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """The most frequent values of one name, most frequent first; a property's name is ``property.KEY``.

    `distinct` is how many different values there are. `partial`: not all events that pass were counted, as they are too
    many for the time there is; then `counted` says how many of the newest were.
    """

    name: str
    values: tuple[Value, ...] = ()
    distinct: int = 0
    partial: bool = False
    counted: int | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a chart: a count for each bucket.

    `name` is the value it stands for, None without a split or for events without a value. `of` counts the events that
    the filter let through in the same bucket (and, unless the split is by signal or tool, with the same value).
    """

    name: str | None
    counts: tuple[int, ...]
    of: tuple[int, ...]

    @property
    def rates(self) -> tuple[float | None, ...]:
        """`counts` as a share of `of`; None where there is nothing to share."""
        return tuple(count / whole if whole else None for count, whole in zip(self.counts, self.of, strict=True))


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """Lines over the same buckets, without gaps; the line with most first.

    `starts` says when each bucket begins. `others` counts the lines beyond the number asked for. `partial`: the time
    was up, and nothing is told.
    """

    by: Step
    measure: Measure
    starts: tuple[str, ...]
    lines: tuple[Line, ...]
    others: int = 0
    partial: bool = False


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in a list, summed over all of its turns; `latest` is its newest turn that the filter lets through.

    `opening` is the oldest turn's input. `models` and `user_ids` are those of its turns, at most `SEVERAL` of each.
    """

    convo_id: str
    latest: Event
    opening: str | None
    first_at: str
    last_at: str
    turn_count: int
    models: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    signal_count: int = 0
    negative_count: int = 0
    error_count: int = 0
    pending_count: int = 0


SEVERAL: Final = 20


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """A trace that no event owns; `name` is that of its first span without a stored parent."""

    trace_id: str
    name: str
    first_at: str | None
    last_at: str | None
    span_count: int
    error_count: int


class FailingTool(msgspec.Struct, frozen=True, kw_only=True):
    """A tool of which calls failed: `errors` of `calls`, the newest at `last_at` with `last_error`."""

    tool: str
    errors: int
    calls: int
    last_at: str | None
    last_error: str | None


class ToolError(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call that failed, and the event it belongs to, if any."""

    span: Span
    event: Event | None


class SavedFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter by name; `query` as in an address (``since=24h&error=true``), so that "24h" stays relative."""

    name: str
    query: str
    created_at: str = ""


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What a pruning deleted, and the bytes that the data takes afterwards."""

    events: int = 0
    spans: int = 0
    signals: int = 0
    users: int = 0
    bytes_left: int = 0
