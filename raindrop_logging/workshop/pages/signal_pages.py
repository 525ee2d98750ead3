"""The signals: all of them with how well they do, one with its figures and hits, and the form that defines one.

In: GET requests.  Out: HTML.  Touches: the store.
What changes something goes through `/api/signals`, which takes JSON only.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop import chat, times
from raindrop_logging.workshop.event_filter import PROPERTY, EventFilter
from raindrop_logging.workshop.pages import signal_figures
from raindrop_logging.workshop.pages.text import signal_address
from raindrop_logging.workshop.refusals import QuestionError
from raindrop_logging.workshop.search.excerpts import excerpt
from raindrop_logging.workshop.signals import excerpts as signal_excerpts
from raindrop_logging.workshop.signals.rules import Definition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.pages.frame import Frame
    from raindrop_logging.workshop.pages.signal_figures import Row, Spark
    from raindrop_logging.workshop.search.question import Part
    from raindrop_logging.workshop.signals.store import Hit, Rate, SignalInfo
    from raindrop_logging.workshop.store import Store

DAYS: Final = 14
"""Of the small charts, up to today."""

LINES: Final = 200
HITS: Final = 25
VALUES: Final = 8
KEYS: Final = 20
KEYS_SECONDS: Final = 0.05
"""For the choice of properties: those of the newest events will do."""

GROUPS: Final = (("default", "Built in"), ("user", "Yours"), ("sdk", "Sent by SDKs"))
_ROLES: Final = {"input": "user", "output": "assistant"}


class SignalPages:
    """`/signals`, `/signals/new`, `/signals/{id}` and `/signals/{id}/edit`."""

    def __init__(self, store: Store, frame: Frame) -> None:
        self._store = store
        self._signals = store.signals
        self._frame = frame

    def routes(self) -> list[Route]:
        """GET only; those with a word at the end first, as an id may hold slashes."""
        return [
            Route("/signals", self._list),
            Route("/signals/new", self._new),
            Route("/signals/{signal_id:path}/edit", self._edit),
            Route("/signals/{signal_id:path}", self._one),
        ]

    async def _list(self, request: Request) -> Response:
        del request
        return await run_in_threadpool(self._list_page)

    async def _new(self, request: Request) -> Response:
        del request
        return self._form(None)

    async def _edit(self, request: Request) -> Response:
        return await run_in_threadpool(self._edit_page, request.path_params["signal_id"])

    async def _one(self, request: Request) -> Response:
        asked = request.query_params
        return await run_in_threadpool(
            self._one_page, request.path_params["signal_id"], asked.get("by") or None, asked.get("cursor") or None
        )

    def _list_page(self) -> Response:
        signals = self._signals.all()
        sparks = self._sparks(signals)
        groups = [
            (title, [(info, (sparks or {}).get(info.signal_id)) for info in signals if info.origin == origin])
            for origin, title in GROUPS
        ]
        return self._frame.page("signals.html", groups=groups, days=DAYS, in_time=sparks is not None)

    def _sparks(self, signals: Iterable[SignalInfo]) -> dict[str, Spark] | None:
        """By signal id; None when the time was up."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        where = EventFilter(since=times.from_datetime(today - timedelta(days=DAYS - 1)))
        every = self._store.timeseries(where)
        given = self._store.timeseries(where, measure="signals", split="signal_id", top=LINES)
        if every.partial or given.partial:
            return None
        days = every.starts
        none = (0,) * len(days)
        of = every.lines[0].counts if every.lines else none
        counted = {line.name: line.counts for line in given.lines}
        return {info.signal_id: signal_figures.spark(counted.get(info.signal_id, none), days, of) for info in signals}

    def _one_page(self, signal_id: str, by: str | None, cursor: str | None) -> Response:
        info = self._signals.get(signal_id)
        if info is None:
            return self._frame.missing(f"No signal has the id {signal_id!r} (any more).")
        chosen = by if by and by.startswith(PROPERTY) and by != PROPERTY else None
        try:
            hits = self._signals.hits(signal_id, HITS, cursor)
        except QuestionError as error:
            return self._frame.missing(f"This page of the hits does not exist: {error}.")
        path = signal_address(signal_id)
        days = self._rates(signal_id, "day", signal_figures.DAYS)
        return self._frame.page(
            "signal.html",
            info=info,
            by_day=None if days is None else signal_figures.daily(days),
            in_time=days is not None,
            tables=[(title, self._table(info, condition)) for title, condition in _tables(chosen)],
            keys=self._keys(chosen),
            chosen=chosen,
            hits=[_shown(hit) for hit in hits.hits],
            first=path if cursor else None,
            older=f"{path}?cursor={quote(hits.next_cursor)}" if hits.next_cursor else None,
        )

    def _rates(self, signal_id: str, by: str, top: int) -> tuple[Rate, ...] | None:
        """None when counting took too long."""
        try:
            return self._signals.rates(signal_id, by, top=top)
        except TimeoutError:
            return None

    def _table(self, info: SignalInfo, condition: str) -> tuple[Row, ...] | None:
        rates = self._rates(info.signal_id, condition, VALUES)
        return None if rates is None else signal_figures.table(rates, info.name, condition)

    def _keys(self, chosen: str | None) -> list[str]:
        """The properties to choose from, the most frequent first, and the chosen one in any case."""
        facets = self._store.facets(names=("properties",), top=KEYS, seconds=KEYS_SECONDS)
        return list(dict.fromkeys([*(facet.name for facet in facets), *([chosen] if chosen else [])]))

    def _edit_page(self, signal_id: str) -> Response:
        info = self._signals.get(signal_id)
        if info is None or info.origin != "user":
            return self._frame.missing(f"No signal of yours has the id {signal_id!r}.")
        return self._form(info)

    def _form(self, info: SignalInfo | None) -> Response:
        definition = info.definition if info and info.definition else Definition(on="either")
        return self._frame.page("signal_form.html", info=info, definition=definition)


def _tables(chosen: str | None) -> list[tuple[str, str]]:
    """The tables of rates: title, and what to group by."""
    own = [(chosen.removeprefix(PROPERTY), chosen)] if chosen else []
    return [("model", "model"), ("event", "event"), *own]


def _shown(hit: Hit) -> dict[str, Any]:
    """What the macro `hit` shows: the text that was found marked in its place, the other one from its beginning."""
    texts: dict[str, tuple[Part, ...]] = {
        side: excerpt(chat.gist(text, role), []) for side, role in _ROLES.items() if (text := getattr(hit.event, side))
    }
    found = signal_excerpts.around(hit)
    return {
        **msgspec.structs.asdict(hit),
        "error": found if hit.place not in _ROLES else (),
        **dict.fromkeys(_ROLES, ()),
        **texts,
        **({hit.place: found} if hit.place in _ROLES else {}),
    }
