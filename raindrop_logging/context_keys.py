"""Which keys of another library's context say something that a block may leave out.

keys=("user_id", "convo_id")                                     names of fields
keys={"uid": "user_id", "request_id": "properties.request_id"}   a key of theirs: a field, or one of the properties
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from raindrop_logging.errors import SettingsError, did_you_mean
from raindrop_logging.plain import plain, text_of

FIELDS: Final = ("user_id", "convo_id", "event_id", "event", "model")
"""Fields that a key may fill; each is a text, and anything else becomes its text."""

_PROPERTIES: Final = "properties."


class ContextKeys:
    """An allow-list of keys; nothing of the context leaves the process but through one.

    Args:
        keys: names of fields, or a mapping from keys to fields (or to ``properties.NAME``).
        event_key: the key that holds the name of the event; the same as ``{event_key: "event"}``.
        taken: keys that mean something else to the library, and what they mean.

    Raises:
        SettingsError: a key that no field could come from; the message names it and the rule.
    """

    def __init__(
        self,
        keys: Iterable[str] | Mapping[str, str] = (),
        event_key: str | None = None,
        *,
        taken: Mapping[str, str] | None = None,
    ) -> None:
        table = _table(keys, event_key)
        for key, field in table.items():
            _check(key, field, taken or {})
        self._fields = [(key, field) for key, field in table.items() if not field.startswith(_PROPERTIES)]
        self._properties = [
            (key, field.removeprefix(_PROPERTIES)) for key, field in table.items() if field.startswith(_PROPERTIES)
        ]

    def __bool__(self) -> bool:
        return bool(self._fields or self._properties)

    def bound(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """What a context says through the keys, copied into plain values."""
        bound: dict[str, Any] = {}
        for key, field in self._fields:
            value = said.get(key)
            if value is not None:
                bound[field] = value if type(value) is str else text_of(value, str)
        properties = {name: said[key] for key, name in self._properties if key in said}
        if properties:
            bound["properties"] = plain(properties)
        return bound


def _table(keys: Any, event_key: str | None) -> dict[str, str]:
    if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
        raise SettingsError(f"'keys' is {keys!r}: it must be a list of keys, or a mapping from keys to fields")
    table = dict(keys) if isinstance(keys, Mapping) else {key: key for key in keys}
    return table if event_key is None else {**table, event_key: "event"}


def _check(key: Any, field: Any, taken: Mapping[str, str]) -> None:
    if not isinstance(key, str) or not isinstance(field, str):
        raise SettingsError(f"'keys' has {key!r} for {field!r}: both must be texts")
    if key in taken:
        raise SettingsError(f"'keys' has '{key}', which is {taken[key]}: use another key for '{field}'")
    is_property = field.startswith(_PROPERTIES) and field != _PROPERTIES
    if field not in FIELDS and not is_property:
        hint = did_you_mean(field, FIELDS) or f"; for a property of the event say {{'{key}': 'properties.{key}'}}"
        raise SettingsError(
            f"'keys' has '{key}' for '{field}': a field is one of {' | '.join(FIELDS)} | properties.NAME{hint}"
        )
