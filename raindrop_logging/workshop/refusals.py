"""A request that is refused, with what the sender needs to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class RefusedError(Exception):
    """Answered as JSON ``{"error", "message", "field"}``.

    Args:
        status: the HTTP status.
        error: a word a program can compare, such as ``"invalid_body"``.
        message: a sentence for a person.
        field: where in the body, such as ``"[3].ai_data.input"``; None when it is not about a field.
        more: further members of the answer.
    """

    def __init__(
        self, status: int, error: str, message: str, field: str | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.field = field
        self.more = more or {}


def invalid(field: str, message: str) -> RefusedError:
    """400 for a field that breaks the contract."""
    return RefusedError(400, "invalid_body", message, field)
