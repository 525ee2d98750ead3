"""A LoggerAdapter that merges where the standard library's replaces."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from logging import Logger, LoggerAdapter
from typing import Any

_MERGED = ("properties", "feature_flags")


class RaindropAdapter(LoggerAdapter[Logger]):
    """Fields that every block logged through it carries; the call wins over them, key by key, properties too.

    Only records with a block get the fields, and what else the call's ``extra`` holds stays.

    Args:
        logger: the logger to log on.
        fields: fields of the block, such as ``{"user_id": "u1", "properties": {"tenant": "acme"}}``.
    """

    def __init__(self, logger: Logger, fields: Mapping[str, Any]) -> None:
        super().__init__(logger, dict(fields))

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """The call with the adapter's fields merged into its block."""
        extra = kwargs.get("extra")
        block = extra.get("raindrop") if isinstance(extra, Mapping) else None
        if not isinstance(extra, Mapping) or not isinstance(block, Mapping):
            return msg, kwargs
        own: Mapping[str, Any] = self.extra or {}
        merged = {**own, **block}
        for key in _MERGED:
            outer, inner = own.get(key), block.get(key)
            if isinstance(outer, Mapping) and isinstance(inner, Mapping):
                merged[key] = {**outer, **inner}
        return msg, {**kwargs, "extra": {**extra, "raindrop": merged}}
