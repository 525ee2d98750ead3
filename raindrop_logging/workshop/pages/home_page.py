"""The first page: how much happens, how much of it fails, and what was seen in it, over a day, a week or a month.

In: GET requests with `range`.  Out: HTML.  Touches: the store.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop.answers import Step
from raindrop_logging.workshop.event_filter import EventFilter, parse
from raindrop_logging.workshop.pages import charts, event_list_page, tool_errors_page
from raindrop_logging.workshop.pages.list_address import Asked, written

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.answers import Line, Timeline
    from raindrop_logging.workshop.pages.frame import Frame
    from raindrop_logging.workshop.store import Store

FAILURES: Final = 6
TOOLS: Final = 5
SIGNALS: Final = 6
SECONDS: Final = 1.0
"""For each of the five questions over time; what takes longer is missing, and the page says so."""


class Range(msgspec.Struct, frozen=True):
    """A stretch of time up to now: its name in the address, which is also its `since`, and its buckets.

    `form` is how a bucket is told, `tick` what stands below those that begin whole multiples of `apart` after 1970.
    """

    name: str
    label: str
    by: Step
    form: str
    tick: str
    apart: timedelta


RANGES: Final = (
    Range("24h", "24 hours", "hour", "%b %d %H:00", "%H:00", timedelta(hours=4)),
    Range("7d", "7 days", "hour", "%a %d %H:00", "%a %d", timedelta(days=1)),
    Range("30d", "30 days", "day", "%b %d", "%b %d", timedelta(days=5)),
)


class HomePage:
    """`/`. `seconds` is what each question over time may take."""

    def __init__(self, store: Store, frame: Frame, seconds: float = SECONDS) -> None:
        self._store = store
        self._frame = frame
        self._seconds = seconds

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route("/", self._home)]

    async def _home(self, request: Request) -> Response:
        name = request.query_params.get("range") or RANGES[0].name
        chosen = next((known for known in RANGES if known.name == name), None)
        if chosen is None:
            known = ", ".join(known.name for known in RANGES)
            return self._frame.missing(f"There is no range {name[:64]!r}: there are {known}.")
        return await run_in_threadpool(self._page, chosen)

    def _page(self, chosen: Range) -> Response:
        newest = self._store.events(1).summaries
        where = parse([("since", chosen.name)], datetime.now(UTC))
        return self._frame.page(
            "home.html",
            ranges=[{"range": known, "address": _address(known), "chosen": known == chosen} for known in RANGES],
            chosen=chosen,
            shorter=chosen != RANGES[0],
            newest=newest[0].event if newest else None,
            **(self._figures(chosen, where) if newest else {}),
        )

    def _figures(self, chosen: Range, where: EventFilter) -> dict[str, Any]:
        """Tiles, charts, failures and failing tools of a stretch of time."""
        ask = partial(self._store.timeseries, where, seconds=self._seconds)
        failures = ask(by=chosen.by, measure="failures")
        users = ask(by=chosen.by, measure="users")
        everyone = ask(by="all", measure="users")
        signalled = ask(by="all", measure="signals")
        signals = ask(by=chosen.by, measure="signals", split="signal", top=SIGNALS)
        since = ("since", chosen.name)
        failing = Asked(path="/tool-errors", pairs=(since,))
        return {
            "tiles": _tiles(failures, everyone, signalled, since),
            "charts": _charts(chosen, failures, users, signals),
            "others": signals.others,
            "partial": any(line.partial for line in (failures, users, everyone, signalled, signals)),
            "uncounted": {
                name
                for name, line in (("volume", failures), ("failing", failures), ("users", users), ("signals", signals))
                if line.partial
            },
            "failures": [
                event_list_page.row(summary)
                for summary in self._store.events(FAILURES, where=msgspec.structs.replace(where, error=True)).summaries
            ],
            "all_failures": written("/events", (since, ("error", "true"))),
            "tools": [tool_errors_page.failing(tool, failing) for tool in self._store.failing_tools(where, TOOLS)],
        }


def _address(known: Range) -> str:
    return "/" if known == RANGES[0] else written("/", (("range", known.name),))


def _tiles(
    failures: Timeline, users: Timeline, signalled: Timeline, since: tuple[str, str]
) -> list[dict[str, str | int | float | None]]:
    """The sums of the stretch, each with the list that shows what was counted; of signals, which there are."""
    events, failed = _sum(failures, "of"), _sum(failures, "counts")
    judged = _sum(signalled, "counts")
    return [
        {"label": "Events", "value": events, "rate": None, "address": written("/events", (since,))},
        {"label": "Users", "value": _sum(users, "counts"), "rate": None, "address": written("/users", (since,))},
        {
            "label": "Failed",
            "value": failed,
            "rate": _share(failed, events),
            "address": written("/events", (since, ("error", "true"))),
        },
        {
            "label": "With a signal",
            "value": judged,
            "rate": _share(judged, events),
            "address": "/signals",
        },
    ]


def _sum(timeline: Timeline, name: str) -> int | None:
    """None when the time was too short to count."""
    return None if timeline.partial else sum(sum(getattr(line, name)) for line in timeline.lines)


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _charts(chosen: Range, failures: Timeline, users: Timeline, signals: Timeline) -> list[charts.Drawn]:
    """Volume, users, failure rate and signal rates; a chart whose question ran out of time is empty."""
    labels, ticks = partial(_labels, chosen), partial(_ticks, chosen)
    volume = [*map(_fine, failures.lines), *_counts(failures, "failed")]
    failing, given = _rates(failures, "failed"), _rates(signals, "(none)")
    return [
        charts.bars("volume", "Events", labels(failures), volume, ticks=ticks(failures)),
        charts.bars("users", "Users", labels(users), _counts(users, "users"), ticks=ticks(users)),
        charts.lines("failing", "Failure rate", labels(failures), failing, "%", ticks=ticks(failures)),
        charts.lines("signals", "Signal rates", labels(signals), given, "%", ticks=ticks(signals)),
    ]


def _labels(chosen: Range, timeline: Timeline) -> list[str]:
    return [start.strftime(chosen.form) for start in _starts(timeline)]


def _ticks(chosen: Range, timeline: Timeline) -> list[str]:
    apart = chosen.apart.total_seconds()
    return ["" if start.timestamp() % apart else start.strftime(chosen.tick) for start in _starts(timeline)]


def _starts(timeline: Timeline) -> list[datetime]:
    return [datetime.fromisoformat(start) for start in timeline.starts]


def _counts(timeline: Timeline, name: str) -> list[charts.Series]:
    return [charts.Series(line.name or name, tuple(map(float, line.counts))) for line in timeline.lines]


def _rates(timeline: Timeline, name: str) -> list[charts.Series]:
    return [charts.Series(line.name or name, line.rates) for line in timeline.lines]


def _fine(line: Line) -> charts.Series:
    """What is left of the events without those that are counted."""
    return charts.Series(
        "without failure", tuple(float(of - bad) for bad, of in zip(line.counts, line.of, strict=True))
    )
