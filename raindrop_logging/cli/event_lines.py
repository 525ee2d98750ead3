"""One changed event as a line or two for a terminal.

In: an event of the Workshop's stream, a width.  Out: lines no wider than that.  Touches: nothing.
All of it was written by others: nothing in it may move the cursor, recolour the screen or turn the text around.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Any, Final

_RESET: Final = "\x1b[0m"
_COLOURS: Final = {
    "time": "\x1b[2m",
    "event": "\x1b[36m",
    "error": "\x1b[31m",
    "pending": "\x1b[33m",
    "good": "\x1b[32m",
}
_JOINERS: Final = frozenset("\u200c\u200d")
_HARMFUL: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_PICTURES: Final = 0x2400
_SPACES: Final = frozenset("\t\n\r")
_WIDE: Final = frozenset("WF")
_NAME_COLUMNS: Final = 40
_LEAST_COLUMNS: Final = 8


def lines_of(event: dict[str, Any], width: int, *, colour: bool) -> list[str]:
    """When, what, who and how it went; below, what was asked and answered, as far as the width goes."""
    pieces = [(kind, clipped(harmless(text), _NAME_COLUMNS)) for kind, text in _facts(event) if text]
    kept: list[tuple[str, str]] = []
    room = width
    for kind, text in pieces:
        text = clipped(text, room)  # noqa: PLW2901 - the same, as far as there is room
        if text:
            kept.append((kind, text))
        room -= columns(text) + 2
        if room < _LEAST_COLUMNS:
            break
    first = "  ".join(_painted(text, kind) if colour else text for kind, text in kept)
    return [first, *_said(event, width)]


def _facts(event: dict[str, Any]) -> list[tuple[str, str]]:
    """What matters most first: a narrow terminal shows the beginning only."""
    errors, spans, signals = (int(event.get(f"{name}_count") or 0) for name in ("error", "span", "signal"))
    bad = int(event.get("negative_count") or 0)
    return [
        ("time", _clock(event.get("timestamp"))),
        ("event", str(event.get("event") or "(no name)")),
        ("error", _count(errors, "error")),
        ("pending", "pending" if event.get("is_pending") else ""),
        ("error" if bad else "good", _count(signals, "signal")),
        ("", str(event.get("user_id") or "")),
        ("", str(event.get("model") or "")),
        ("", ", ".join(map(str, event.get("tools") or ()))),
        ("time", _count(spans, "span")),
        ("time", str(event.get("event_id") or "")),
    ]


def _said(event: dict[str, Any], width: int) -> list[str]:
    asked, answered = (harmless(str(event.get(side) or "")).strip() for side in ("input", "output"))
    room = max(width - 12, 0)
    halves = [("> ", asked, room // 2 if answered else room + 4)] if asked else []
    left = room - columns(clipped(asked, room // 2)) if asked else room + 4
    halves += [("< ", answered, left)] if answered else []
    text = "  ".join(f"{sign}{clipped(said, space)}" for sign, said, space in halves)
    return [f"    {text}"] if text and room else []


def harmless(text: str) -> str:
    """The text on one line, with control characters as pictures of themselves."""
    return "".join(map(_harmless_sign, text))


def columns(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(map(_sign_columns, text))


def clipped(text: str, width: int) -> str:
    """As much as fits, with an ellipsis where something was cut."""
    if columns(text) <= width:
        return text
    kept, taken = [], 1
    for sign in text:
        taken += _sign_columns(sign)
        if taken > width:
            break
        kept.append(sign)
    return "".join([*kept, "…"]) if width > 0 else ""


def _harmless_sign(sign: str) -> str:
    if sign in _SPACES:
        return " "
    if sign in _JOINERS or unicodedata.category(sign) not in _HARMFUL:
        return sign
    return chr(_PICTURES + ord(sign)) if ord(sign) < ord(" ") else "\ufffd"


def _sign_columns(sign: str) -> int:
    if sign.isascii():
        return 1
    if unicodedata.category(sign) in ("Mn", "Me") or sign in _JOINERS:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in _WIDE else 1


def _clock(timestamp: Any) -> str:
    """The time of day here; of another day than today its date as well."""
    try:
        moment = datetime.fromisoformat(str(timestamp)).astimezone()
        is_today = moment.date() == datetime.now(moment.tzinfo).date()
        return moment.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return "--:--:--"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}" if number else ""


def _painted(text: str, kind: str) -> str:
    return f"{_COLOURS[kind]}{text}{_RESET}" if kind in _COLOURS else text
