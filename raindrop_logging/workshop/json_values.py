"""Decoded JSON values of unknown shape, asked about with types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeGuard


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Whether it is a JSON array."""
    return isinstance(value, list)


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether it is a JSON object."""
    return isinstance(value, dict)


def deeper_than(limit: int, value: Any) -> bool:
    """Whether more than `limit` arrays and objects lie inside one another.

    It looks level by level, so that the depth of the value is not the depth of the stack.
    """
    level = list(_containers([value]))
    for _ in range(limit):
        level = [inner for outer in level for inner in _containers(outer.values() if is_object(outer) else outer)]
        if not level:
            return False
    return bool(level)


def _containers(values: Iterable[Any]) -> Iterable[Any]:
    return (value for value in values if isinstance(value, dict | list))
