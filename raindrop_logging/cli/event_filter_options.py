"""Which events are meant, as options: the same words as in the Workshop's addresses.

In: an argument parser; parsed arguments.  Out: the pairs that an address would have.  Touches: nothing.
"""

from __future__ import annotations

import argparse
from typing import Any, Final, Protocol

_SEVERAL: Final = {
    "event": ("NAME", "event"),
    "user": ("ID", "user_id"),
    "conversation": ("ID", "convo_id"),
    "model": ("NAME", "model"),
    "project": ("SLUG", "project_id"),
    "tool": ("NAME", "tool"),
    "signal": ("NAME", "signal"),
}
_SWITCHES: Final = {
    "error": "a span of it failed",
    "pending": "it is not finished",
    "attachment": "it has an attachment",
}


class _Group(Protocol):
    """Where arguments are declared."""

    def add_argument(self, *names: str, **said: Any) -> Any:
        """Declare one."""
        ...


def add_filter(group: _Group, *, moments: bool) -> None:
    """Declare the options; `moments`: also ``--since`` and ``--until``."""
    for option, (value, _) in _SEVERAL.items():
        group.add_argument(
            f"--{option}", action="append", default=[], metavar=value, help=f"only this {option}; again: or this one"
        )
    group.add_argument(
        "--property", action="append", default=[], type=_pair, metavar="KEY=VALUE", help="only with this property"
    )
    for option, meaning in _SWITCHES.items():
        group.add_argument(
            f"--{option}", action=argparse.BooleanOptionalAction, help=f"only where {meaning} (--no-: where not)"
        )
    if moments:
        group.add_argument("--since", metavar="TIME", help="from then on: 24h, 7d, 2026-05-07 or an ISO 8601 time")
        group.add_argument("--until", metavar="TIME", help="before then")


def pairs_of(arguments: argparse.Namespace) -> list[tuple[str, str]]:
    """What was said, as an address has it."""
    said = [(key, value) for option, (_, key) in _SEVERAL.items() for value in getattr(arguments, option)]
    held = [(f"property.{key}", value) for key, value in arguments.property]
    switches = [
        (option, str(value).lower()) for option in _SWITCHES if (value := getattr(arguments, option)) is not None
    ]
    moments = [(name, value) for name in ("since", "until") if (value := getattr(arguments, name, None))]
    return [*said, *held, *switches, *moments]


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if key and equals:
        return key, value
    raise argparse.ArgumentTypeError(f"a property is KEY=VALUE, not {text!r}")
