"""What every route of the JSON API answers with: a value as JSON, or that there is none."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from starlette.responses import Response

from raindrop_logging.wire import JSON
from raindrop_logging.workshop.refusals import RefusedError

_Value = TypeVar("_Value")


def answer(value: Any, status: int = 200) -> Response:
    """A value as a JSON response."""
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON)


def found(value: _Value | None, message: str) -> _Value:
    """The value.

    Raises:
        RefusedError: 404, it is None; the message says what is not there.
    """
    if value is None:
        raise RefusedError(404, "not_found", message)
    return value
