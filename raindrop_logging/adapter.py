"""A LoggerAdapter that merges where the standard library's replaces."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from logging import Logger, LoggerAdapter
from typing import Any, Final

from raindrop_logging.errors import InvalidBlockError, did_you_mean
from raindrop_logging.vocabulary import RECORD_TYPES, STRUCTS, RecordType, type_by_keys

_MERGED: Final = ("properties", "feature_flags")
_KNOWN: Final = {record_type: frozenset(struct.__struct_fields__) for record_type, struct in STRUCTS.items()}


class RaindropAdapter(LoggerAdapter[Any]):
    """Fields that every block logged through it carries; the call wins over them, key by key, properties too.

    A record gets those of the fields that its type knows, and plain records get none. Adapters may be nested: the outer
    one wins over the inner one.

    Args:
        logger: the logger to log on, or another adapter. What a plain ``logging.LoggerAdapter`` adds to records is
            added here, since by itself it would throw the call's block away.
        fields: fields of the block, such as ``{"user_id": "u1", "properties": {"tenant": "acme"}}``.
        extra: attributes of every record, with a block or without, for formatters and filters; the call's ``extra``
            wins over them.

    Raises:
        InvalidBlockError: no record type knows a field of that name.
    """

    def __init__(
        self,
        logger: Logger | LoggerAdapter[Any],
        fields: Mapping[str, Any],
        *,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        self.fields = _checked(fields)
        attributes = dict(extra or {})
        while isinstance(logger, LoggerAdapter) and type(logger).process is LoggerAdapter.process:
            attributes = {**(logger.extra or {}), **attributes}
            logger = logger.logger
        super().__init__(logger, attributes)

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The call with the adapter's attributes in its ``extra`` and the adapter's fields in its block."""
        given = kwargs.get("extra")
        if given is not None and not isinstance(given, Mapping):
            return msg, kwargs
        extra = {**(self.extra or {}), **(given or {})}
        block = extra.get("raindrop")
        if isinstance(block, Mapping):
            extra["raindrop"] = self._merged(msg, block)
        return msg, {**kwargs, "extra": extra} if extra else kwargs

    def _merged(self, msg: Any, block: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            record_type, decides = self._type_of(msg, block)
            own = {key: value for key, value in self.fields.items() if key in _KNOWN[record_type] and key != "type"}
            merged = {"type": record_type, **own, **block} if decides else {**own, **block}
            for key in _MERGED:
                outer, inner = own.get(key), block.get(key)
                if isinstance(outer, Mapping) and isinstance(inner, Mapping):
                    merged[key] = {**outer, **inner}
        except Exception:  # noqa: BLE001 -- a log call never raises: what is wrong with the block, the handler names
            return block
        return merged

    def _type_of(self, msg: Any, block: Mapping[str, Any]) -> tuple[RecordType, bool]:
        """The record type as the block says it, else the message, else the adapter, else the keys of the block; and
        whether it is the adapter that says it."""
        spoken: Any = msg if type(msg) is str and msg in RECORD_TYPES else None
        word: Any = block.get("type") or spoken
        chosen: Any = word or self.fields.get("type")
        return chosen or type_by_keys(block), chosen is not None and word is None


def _checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    known = sorted(frozenset[str]().union(*_KNOWN.values()))
    for key in fields:
        if key not in known:
            raise InvalidBlockError(f"unknown key '{key}': no record type has it{did_you_mean(key, known)}")
    return dict(fields)
