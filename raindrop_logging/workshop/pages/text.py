"""Values as a page says them: JSON indented, durations and sizes for people, addresses of other pages.

In: values.  Out: text, not yet escaped.  Touches: nothing.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from raindrop_logging.workshop.records import Span

MINUTE: Final = 60
THOUSAND: Final = 1000


def pretty(value: Any) -> str:
    """A value for reading: JSON, also inside a text, is indented; any other text is left as it is."""
    try:
        if not isinstance(value, str):
            return msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8")
        if value.lstrip()[:1] in ("{", "["):
            return msgspec.json.format(value.encode("utf-8"), indent=2).decode("utf-8")
    except (msgspec.DecodeError, RecursionError):
        pass
    return str(value)


def duration(seconds: float | None) -> str:
    """Such as ``12 ms``, ``3.4 s`` or ``2 min 5 s``; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * THOUSAND:.0f} ms" if seconds >= 1 / THOUSAND else "<1 ms"
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    return f"{seconds // MINUTE:.0f} min {int(seconds % MINUTE)} s"


def number(value: float | None) -> str:
    """A count with its thousands apart, ``12,345``; empty when unknown."""
    return "" if value is None else f"{value:,}"


def moment(time: str | None) -> str:
    """A time without its fraction, ``2026-05-07 19:00:00 UTC``; scripts say it in the reader's zone."""
    return f"{time[:19].replace('T', ' ')} UTC" if time else ""


def address(event_id: str) -> str:
    """The path of an event's page, whatever its id holds."""
    return f"/events/{quote(event_id, safe='')}"


def conversation_address(convo_id: str) -> str:
    """The path of a conversation's page."""
    return f"/conversations/{quote(convo_id, safe='')}"


def user_address(user_id: str) -> str:
    """The path of a user's page."""
    return f"/users/{quote(user_id, safe='')}"


def trace_address(trace_id: str) -> str:
    """The path of a trace's page."""
    return f"/traces/{quote(trace_id, safe='')}"


def signal_address(signal_id: str) -> str:
    """The path of a signal's page."""
    return f"/signals/{quote(signal_id, safe='')}"


def percent(share: float | None) -> str:
    """Such as ``2.5 %``; a share above none is never said to be none; a dash when there is nothing to share."""
    if share is None:
        return "\u2013"
    if 0 < share < 1 / THOUSAND:
        return "<0.1 %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def filtered(name: str, value: str) -> str:
    """The path of the event list with one filter (`event_filter`)."""
    return f"/events?{urlencode([(name, value)])}"


def anchor(span: Span) -> str:
    """The name of a span's place on the page of its event."""
    return f"span-{span.trace_id}-{span.span_id}"
