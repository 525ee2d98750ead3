"""A request that is refused, with what the sender needs to mend it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

_Schema = TypeVar("_Schema")


class Refused(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Why a request was refused; `field` is null when it is not about a field.

    `rule` and `got` are there when a strict Workshop found the contract broken: the rule, and what stood there.
    """

    error: str
    message: str
    field: str | None
    rule: Mapping[str, Any] | None = None
    got: str | None = None


class RefusedError(Exception):
    """Answered as a `Refused`.

    Args:
        status: the HTTP status.
        error: a word a program can compare, such as ``"invalid_body"``.
        message: a sentence for a person.
        field: where in the body, such as ``"[3].ai_data.input"``; None when it is not about a field.
        more: the answer's `rule` and `got`.
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


class QuestionError(ValueError):
    """What nobody can answer as it was asked; `field` is the parameter at fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def invalid(field: str, message: str) -> RefusedError:
    """400 for a field that breaks the contract."""
    return RefusedError(400, "invalid_body", message, field)


def place(at: str, name: str) -> str:
    """A key of what stands at this place in the body; "" is the body itself."""
    return f"{at}.{name}" if at else name


def converted(value: Any, schema: type[_Schema], at: str = "") -> _Schema:
    """A decoded JSON value as one of the types that bodies have; `at` is its place in the body.

    Raises:
        RefusedError: 400, naming the field.
    """
    try:
        return msgspec.convert(value, schema)
    except msgspec.ValidationError as error:
        raise _located(error, at) from None


# msgspec says these of the object that a field is missing from, or is too much in.
_OF_A_FIELD: Final = (
    (re.compile(r"missing required field `(.+)`"), "{} is required"),
    (re.compile(r"unknown field `(.+)`"), "there is no field {!r} here"),
)


def _located(error: msgspec.ValidationError, at: str) -> RefusedError:
    message, _, path = str(error).partition(" - at `$")
    field = at + path.rstrip("`")
    for pattern, says in _OF_A_FIELD:
        found = pattern.search(message)
        if found:
            field = place(field, found[1])
            message = says.format(found[1])
    return invalid(field.removeprefix(".") or "body", message)
