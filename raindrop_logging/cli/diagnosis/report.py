"""All that was found, without a secret in it; as lines for people and as JSON for programs.

In: sections, the texts that nobody may see.  Out: lines, or one JSON text.  Touches: nothing.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Struct

from raindrop_logging._pipeline.sender import MIN_MASKED_CHARS
from raindrop_logging.cli.diagnosis.checks import Check, Section, State

MASK: Final = "***"


class Key(Struct, frozen=True):
    """One key of a handler: its value as it may be shown, and where it came from."""

    value: Any
    origin: str
    is_default: bool


class Examined(Struct, frozen=True, kw_only=True):
    """What was found about one handler."""

    handler: str | None
    keys: dict[str, Key] = {}
    sections: tuple[Section, ...] = ()


class Report(Struct, frozen=True, kw_only=True):
    """All of it."""

    version: str
    config: str | None
    sections: tuple[Section, ...]
    handlers: tuple[Examined, ...]

    @property
    def checks(self) -> list[Check]:
        """Every check, in the order in which it was made."""
        sections = [*self.sections, *(section for one in self.handlers for section in one.sections)]
        return [check for section in sections for check in section.checks]

    @property
    def good(self) -> bool:
        """Whether nothing failed."""
        return all(check.state != "fail" for check in self.checks)


MAX_CHARS: Final = 400
"""Of one text; a receiver's answer may be long. It is cut once the secrets are out, so that no part of one is left."""


def masked(report: Report, secrets: Iterable[str]) -> Report:
    """The report without the secrets, wherever they stand in it, also as JSON or an address would write them."""
    found = {text for secret in secrets if len(secret) >= MIN_MASKED_CHARS for text in _spellings(secret)}
    longest_first = sorted(found, key=len, reverse=True)
    return msgspec.convert(_without(msgspec.to_builtins(report), longest_first), Report)


def _spellings(secret: str) -> tuple[str, ...]:
    return secret, json.dumps(secret)[1:-1], quote(secret, safe=""), repr(secret)[1:-1]


def _without(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value if len(value) <= MAX_CHARS else f"{value[:MAX_CHARS]}..."
    if isinstance(value, dict):
        return {_without(key, secrets): _without(entry, secrets) for key, entry in value.items()}
    return [_without(entry, secrets) for entry in value] if isinstance(value, list | tuple) else value


# ---- for programs --------------------------------------------------------------------------------------------------


def as_json(report: Report) -> str:
    """One object: ``good``, the checks of the process, and for each handler its keys and its checks."""
    return json.dumps(
        {
            "version": report.version,
            "config": report.config,
            "good": report.good,
            "checks": list(_told(report.sections)),
            "handlers": [
                {
                    "handler": one.handler,
                    "keys": {name: {"value": key.value, "from": key.origin} for name, key in one.keys.items()},
                    "checks": list(_told(one.sections)),
                }
                for one in report.handlers
            ],
        },
        indent=2,
    )


def _told(sections: Iterable[Section]) -> Iterator[dict[str, Any]]:
    for section in sections:
        for check in section.checks:
            told = {"name": check.name, "state": check.state, "said": check.said, "todo": check.todo}
            yield {"section": section.title, **told, **check.facts}


# ---- for people ----------------------------------------------------------------------------------------------------

_WORDS: Final[dict[State, str]] = {"ok": "ok", "warn": "warn", "fail": "FAIL", "skip": "skip"}
_COLOURS: Final[dict[State, str]] = {"ok": "32", "warn": "33", "fail": "1;31", "skip": "2"}
_BOLD: Final = "1"
_DIM: Final = "2"
_NARROWEST: Final = 40


class Style(Struct, frozen=True):
    """How wide the lines are, and whether in colour."""

    width: int = 100
    colour: bool = False

    def painted(self, text: str, code: str) -> str:
        """The text in a colour of terminals."""
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def wrapped(self, first: str, text: str, rest: str) -> list[str]:
        """Lines behind a beginning that is not counted as wide as ``rest``; words stay whole."""
        room = max(self.width - len(rest), _NARROWEST)
        lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
        return [first + lines[0], *(rest + line for line in lines[1:])]


def as_lines(report: Report, style: Style, *, verbose: bool = False) -> Iterator[str]:
    """The check list; with ``verbose`` also the keys that nobody has set."""
    yield style.painted(f"raindrop-logging {report.version}", _BOLD) + (f", {report.config}" if report.config else "")
    yield from _sections(report.sections, style)
    for one in report.handlers:
        yield ""
        yield style.painted(f"Handler '{one.handler}'" if one.handler else "Handler from variables and defaults", _BOLD)
        yield from _keys(one.keys, style, verbose=verbose)
        yield from _sections(one.sections, style)
    yield ""
    yield _verdict(report, style)


def _keys(keys: dict[str, Key], style: Style, *, verbose: bool) -> Iterator[str]:
    """A line for each key that somebody has set; the others are counted, or named together."""
    set_keys = {name: key for name, key in keys.items() if not key.is_default}
    names = max(map(len, set_keys), default=0)
    values = max((len(_shown(key.value)) for key in set_keys.values()), default=0)
    for name, key in set_keys.items():
        origin = style.painted(key.origin, _DIM)
        yield f"  {name:<{names}}  {_shown(key.value):<{min(values, _WIDEST)}}  {origin}"
    defaults = [f"{name}{_KEPT}{_shown(key.value)}" for name, key in keys.items() if key.is_default]
    if defaults and not verbose:
        yield style.painted(f"  {len(defaults)} more by default (--verbose names them)", _DIM)
    elif defaults:
        lines = style.wrapped("  ", f"by default: {', '.join(defaults)}", "    ")
        yield from (style.painted(line.replace(_KEPT, " "), _DIM) for line in lines)


_WIDEST: Final = 60
_KEPT: Final = "\N{NO-BREAK SPACE}"
"""Keeps a key and its value on one line."""


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)


def _sections(sections: Iterable[Section], style: Style) -> Iterator[str]:
    for section in sections:
        if section.checks:
            yield ""
            yield f"{section.title}:"
            names = max(len(check.name) for check in section.checks)
            told: set[str | None] = {None}
            for check in section.checks:
                yield from _check(check, names, style, with_todo=check.todo not in told)
                told.add(check.todo)


def _check(check: Check, names: int, style: Style, *, with_todo: bool) -> Iterator[str]:
    """What to do is said once a section, where several checks say the same."""
    word = style.painted(f"{_WORDS[check.state]:<4}", _COLOURS[check.state])
    indent = " " * (len("  FAIL  ") + names + 2)
    yield from style.wrapped(f"  {word}  {check.name:<{names}}  ", check.said, indent)
    if check.todo and with_todo:
        yield from style.wrapped(f"{indent}-> ", check.todo, f"{indent}   ")


def _verdict(report: Report, style: Style) -> str:
    failed = sum(check.state == "fail" for check in report.checks)
    warned = sum(check.state == "warn" for check in report.checks)
    warnings = f"{warned} warning{'s' * (warned != 1)}" if warned else ""
    if not failed:
        said = style.painted("All good", _COLOURS["ok"])
        return f"{said}, with {warnings}." if warnings else f"{said}."
    said = style.painted(f"{failed} check{'s' * (failed != 1)} failed", _COLOURS["fail"])
    return f"{said}, and {warnings}." if warnings else f"{said}."
