"""Which of the things that arrived a test means, and what is wrong with the one that comes nearest.

In: what arrived, as Structs; what is expected of one, by its fields
Out: the one that fits, or the lines that say why none does
Touches: nothing (pure)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from raindrop_logging.errors import did_you_mean

_Found = TypeVar("_Found", bound=msgspec.Struct)

_MOST_CHARS: Final = 200
_MOST_OTHERS: Final = 10
"""What a message shows: characters of one value, and things that are not the nearest."""

_JSON_TEXTS: Final = frozenset({"input", "output"})
"""Fields of a span whose text is JSON where a value was said that is no text."""


def check_fields(kind: type[msgspec.Struct], expected: Mapping[str, Any]) -> None:
    """Refuse a field that nothing of this kind has.

    Raises:
        TypeError: with what was probably meant.
    """
    known = [name for name in dir(kind) if not name.startswith("_")]
    for key in expected:
        if key not in known:
            hint = did_you_mean(key, known) or f"; it has {', '.join(known)}"
            raise TypeError(f"no {kind.__name__.lower()} has a field '{key}'{hint}")


def first_fit(found: Sequence[_Found], expected: Mapping[str, Any]) -> _Found | None:
    """The first one that has all that is expected; None where there is none."""
    return next((one for one in found if not any(_differences(one, expected))), None)


def why_none_fits(found: Sequence[msgspec.Struct], expected: Mapping[str, Any]) -> list[str]:
    """The nearest one with each of its differences, and the others by name."""
    if not found:
        return []
    differences = [list(_differences(one, expected)) for one in found]
    nearest = min(range(len(found)), key=lambda at: len(differences[at]))
    others = [f"  {titled(one)}" for at, one in enumerate(found) if at != nearest]
    lines = ["the nearest is", f"  {titled(found[nearest])}", *(f"    {line}" for line in differences[nearest])]
    if others:
        lines += ["beside it there are", *shortened(others)]
    return lines


def shortened(lines: Sequence[str]) -> list[str]:
    """The first of many lines, and how many more there are."""
    more = len(lines) - _MOST_OTHERS
    return [*lines[:_MOST_OTHERS], *([f"  and {more} more"] if more > 0 else [])]


def titled(one: msgspec.Struct) -> str:
    """What something is called in a message: its kind, its name, and whose it is."""
    kind = type(one).__name__.lower()
    name = getattr(one, "event" if kind == "event" else "name", None)
    whose = [f"{key} {shown(value)}" for key in ("event_id", "user_id") if (value := getattr(one, key, None))]
    return " ".join([kind, *([] if name is None else [shown(name)]), *([f"({', '.join(whose)})"] if whose else [])])


def told(expected: Mapping[str, Any]) -> str:
    """What is expected, as the keywords that said it."""
    return ", ".join(f"{key}={shown(value)}" for key, value in expected.items())


def shown(value: Any) -> str:
    """A value as a message has it; a long one is cut."""
    text = f"/{value.pattern}/" if isinstance(value, re.Pattern) else repr(value)
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}... ({len(text)} characters)"


def _differences(one: msgspec.Struct, expected: Mapping[str, Any]) -> Iterator[str]:
    for key, wanted in expected.items():
        value = getattr(one, key)
        if key in _JSON_TEXTS and isinstance(value, str) and not _is_about_text(wanted):
            value = _decoded(value)
        yield from _differing(key, value, wanted)


def _differing(place: str, value: Any, wanted: Any) -> Iterator[str]:
    """Where a value is not as wanted: dicts by the keys wanted, lists one by one, a pattern anywhere in a text."""
    if isinstance(wanted, Mapping) and isinstance(value, Mapping):
        for key, entry in wanted.items():
            if key in value:
                yield from _differing(f"{place}[{key!r}]", value[key], entry)
            else:
                yield f"{place} has no {key!r}{did_you_mean(key, map(str, value))}"
    elif _is_list(wanted) and _is_list(value) and len(wanted) == len(value):
        for at, entry in enumerate(wanted):
            yield from _differing(f"{place}[{at}]", value[at], entry)
    elif not _fits(value, wanted):
        yield f"{place} is {shown(value)}, expected {shown(wanted)}"


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and wanted.search(value) is not None
    return bool(wanted == value)  # the wanted one first: unittest.mock.ANY and pytest.approx know how to compare


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_about_text(wanted: Any) -> bool:
    return wanted is None or isinstance(wanted, str | re.Pattern)


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
