"""Blocks from lines that hold none: which field of the block is where in a line.

In: ``FIELD=PATH`` and ``FIELD=TEXT`` as a command line says them, then JSON objects.  Out: blocks.  Touches: nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from raindrop_logging.errors import SettingsError, did_you_mean
from raindrop_logging.vocabulary import RECORD_TYPES, STRUCTS

_FIELDS: Final = tuple(dict.fromkeys(field for struct in STRUCTS.values() for field in struct.__struct_fields__))
_TABLES: Final = ("properties", "traits", "attributes", "feature_flags")
"""Fields that may be filled key by key, as ``properties.region=ctx.region``."""

_NAMES: Final = frozenset({"event_id", "user_id", "event", "convo_id", "model", "name"})
"""Fields that are texts, where other logs have numbers."""

_ABSENT: Final = object()


class FieldMap:
    """Where the fields of a block are in a line.

    Args:
        places: ``FIELD=PATH`` each, with the keys of the path joined by dots.
        fixed: ``FIELD=TEXT`` each, for lines of which something was found.
        record_type: the type of the blocks; as their keys say it by default.

    Raises:
        SettingsError: a field that there is not, or a text without ``=``.
    """

    def __init__(self, places: Sequence[str], fixed: Sequence[str], record_type: str | None) -> None:
        self._places = [(field, tuple(path.split("."))) for field, path in map(_pair, places)]
        self._fixed = [(*_pair(text),) for text in fixed]
        if record_type is not None and record_type not in RECORD_TYPES:
            hint = did_you_mean(record_type, RECORD_TYPES)
            raise SettingsError(f"type '{record_type}': allowed is {' | '.join(RECORD_TYPES)}{hint}")
        self._type = record_type

    def block(self, line: Mapping[str, Any]) -> dict[str, Any] | None:
        """The block that a line says; None where none of its places is there."""
        found = [(field, value) for field, path in self._places if (value := _at(line, path)) not in (None, _ABSENT)]
        if not found:
            return None
        block: dict[str, Any] = {} if self._type is None else {"type": self._type}
        for field, value in (*self._fixed, *found):
            _put(block, field, value)
        return block


def _pair(text: str) -> tuple[str, str]:
    field, equals, said = text.partition("=")
    if not (field and equals and said):
        raise SettingsError(f"'{text}': a field of the block, '=', and what it is, such as user_id=ctx.user")
    table, dot, key = field.partition(".")
    if table not in _FIELDS or (dot and (table not in _TABLES or not key)):
        known = [f"{one}.KEY" if one in _TABLES else one for one in _FIELDS]
        hint = did_you_mean(table, _FIELDS) or f" (known: {', '.join(known)})"
        raise SettingsError(f"'{text}': a block has no field '{field}'{hint}")
    return field, said


def _at(line: Any, path: tuple[str, ...]) -> Any:
    """What is at a path; a key that holds dots itself counts as well."""
    if not path:
        return line
    if not isinstance(line, dict):
        return _ABSENT
    for end in range(1, len(path) + 1):
        key = ".".join(path[:end])
        if key in line:
            found = _at(line[key], path[end:])
            if found is not _ABSENT:
                return found
    return _ABSENT


def _put(block: dict[str, Any], field: str, value: Any) -> None:
    table, dot, key = field.partition(".")
    if dot:
        block.setdefault(table, {})[key] = value
    else:
        is_number = field in _NAMES and isinstance(value, int | float) and not isinstance(value, bool)
        block[field] = str(value) if is_number else value
