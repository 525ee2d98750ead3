"""What the answers to the trial's requests mean.

In: `Trial`, Settings.  Out: one check a route, one about the clock, one about all of it.  Touches: nothing.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final

from raindrop_logging.cli.diagnosis import remedies
from raindrop_logging.cli.diagnosis.checks import Check, fail, ok, skip, warn
from raindrop_logging.cli.diagnosis.trial import Exchange, Trial, held_back, lanes_of
from raindrop_logging.settings import Settings
from raindrop_logging.wire import ROUTES, Lane, start_workshop

TYPES: Final[dict[Lane, str]] = {
    Lane.EVENTS: "ai, event",
    Lane.PARTIALS: "begin, update, finish",
    Lane.SIGNALS: "signal",
    Lane.USERS: "identify",
    Lane.TRACES: "span",
}
"""What goes by each route to the cloud."""

TYPES_TO_WORKSHOP: Final[dict[Lane, str]] = {**TYPES, Lane.EVENTS: "event", Lane.PARTIALS: "ai, begin, update, finish"}
"""The same to a Workshop that is the only destination, which gets the ai record as a final partial."""

MAX_SKEW: Final = 60.0
"""Seconds that a clock may be off: what an HTTP date, a slow answer and a usual clock come to."""


def checks(trial: Trial, settings: Settings) -> Iterator[Check]:
    """Each route, then what they show together."""
    used, types = lanes_of(settings), TYPES_TO_WORKSHOP if settings.write_key is None else TYPES
    for lane in Lane:
        if lane in used:
            yield _route(lane, types[lane], trial)
        else:
            yield skip(ROUTES[lane], f"{types[lane]}: not sent, since tracing is false")
    yield from _clock(trial)
    if settings.write_key is not None and settings.workshop is not None:
        yield _mirror(trial, settings.workshop)
    yield _accounts(trial)


def _route(lane: Lane, types: str, trial: Trial) -> Check:
    name, exchange = ROUTES[lane], trial.of(lane)
    if exchange is None and lane in held_back(trial.exchanges):
        return skip(name, f"{types}: held back, since it never goes before the event that it is about")
    if exchange is None:
        told = f": {trial.told[0]}" if trial.told else ""
        return fail(name, f"{types}: nothing was sent in time{told}", "see the lines above; raise --timeout")
    ms = round(exchange.seconds * 1000, 1)
    if exchange.error is not None:
        kind, said = exchange.error[0], _line(exchange.error[1])
        said = f"{types}: no answer after {ms:.0f} ms, {kind}{f': {said}' if said else ''}"
        return fail(name, said, remedies.of_error(kind), error=kind, ms=ms)
    return _answered(name, types, exchange, ms)


def _answered(name: str, types: str, exchange: Exchange, ms: float) -> Check:
    status, answer = exchange.status or 0, _text(exchange)
    facts = {"status": status, "ms": ms, "answer": answer}
    said = f"{types}: HTTP {status} in {ms:.0f} ms{f', {answer!r}' if answer else ''}"
    if not exchange.taken:
        location = exchange.headers.get("location")
        said += f", to {_line(location).partition('?')[0]}" if location else ""
        return fail(name, said, remedies.of_status(status), **facts)
    if exchange.headers.get("content-type", "").startswith("text/html"):
        return warn(name, said, remedies.NOT_ITS_ANSWER, **facts)
    return ok(name, said, **facts)


def _text(exchange: Exchange) -> str:
    """The beginning of an answer, of a page for people its words, in one line."""
    text = exchange.answer.decode("utf-8", "replace")
    if "<html" in text.lower():
        text = html.unescape(re.sub(r"(?s)<(style|script).*?</\1>|<[^>]*>", " ", text))
    return _line(text)


def _line(text: str) -> str:
    """What a stranger said as one line that a terminal can show."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _clock(trial: Trial) -> Iterator[Check]:
    """The receiver's clock beside this one's; nothing where it does not tell the time."""
    for exchange in trial.exchanges:
        try:
            skew = exchange.at - parsedate_to_datetime(exchange.headers["date"]).timestamp()
        except (KeyError, ValueError):
            continue
        if abs(skew) <= MAX_SKEW:
            yield ok("clock", f"within {MAX_SKEW:.0f} s of the receiver's", skew_seconds=round(skew, 1))
            return
        said = f"this machine's clock is {_duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the receiver's"
        todo = "records carry this machine's time, so they appear there in the wrong place: set the clock (NTP)"
        yield warn("clock", said, todo, skew_seconds=round(skew, 1))
        return


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _mirror(trial: Trial, workshop: str) -> Check:
    if trial.stats.mirrored:
        return ok("mirror", f"the Workshop at {workshop} took {trial.stats.mirrored} items")
    todo = f"{start_workshop(workshop)}, or set RAINDROP_WORKSHOP=0; the cloud does not wait for it"
    return warn("mirror", f"the Workshop at {workshop} took nothing", todo)


def _accounts(trial: Trial) -> Check:
    stats = trial.stats
    said = f"{stats.delivered} of {stats.accepted} arrived, in {len(trial.exchanges)} requests"
    if stats.delivered == stats.accepted:
        return ok("records", said, delivered=stats.delivered, accepted=stats.accepted)
    ended = {"refused": stats.refused, **stats.dropped, "waiting": stats.waiting}
    said += "".join(f", {number} {word}" for word, number in ended.items() if number)
    return fail("records", said, _first_told(trial), delivered=stats.delivered, accepted=stats.accepted)


def _first_told(trial: Trial) -> str:
    """What the package itself says, where that is no news about an answer."""
    broken = [line for line in trial.told if line.startswith(("invalid", "internal"))]
    return broken[0] if broken else "see the routes above"
