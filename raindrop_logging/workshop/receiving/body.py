"""A request's body, bounded while it arrives and while it inflates.

In: a Starlette request.  Out: plain bytes, or a decoded JSON value.  Touches: the request's stream.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.requests import ClientDisconnect

from raindrop_logging.workshop.json_values import deeper_than
from raindrop_logging.workshop.refusals import RefusedError

if TYPE_CHECKING:
    from starlette.requests import Request

DRAINED: Final = 2
"""How many times the limit is read of a body that is too large, before the answer: a client that is still sending when
the connection closes sees a broken connection instead of the 413."""

MAX_NESTING: Final = 200
"""Arrays and objects inside one another; deeper ones could be stored, but neither shown nor sent on."""

# What zlib calls these formats. Some clients send "deflate" without its zlib header: tried second.
_WINDOWS: Final = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}


async def received(request: Request, limit: int, seconds: float) -> bytes:
    """The body as it was sent, at most `limit` bytes.

    Raises:
        RefusedError: 413 above the limit, 408 when it does not end within so many seconds, 400 when the client went
            away before its end.
    """
    kept = bytearray()
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > DRAINED * limit:
                    break
                if size <= limit:
                    kept += chunk
                else:
                    kept.clear()
    except ClientDisconnect:
        raise RefusedError(400, "incomplete", "The connection closed before the body's end") from None
    except TimeoutError:
        raise RefusedError(408, "too_slow", f"The body did not arrive within {seconds:g} s") from None
    if size > limit:
        raise _too_large(limit)
    return bytes(kept)


def media_type(content_type: str) -> str:
    """A Content-Type without its parameters, in lower case; empty when there is none."""
    return content_type.partition(";")[0].strip().lower()


def inflated(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding, at most `limit` bytes.

    Raises:
        RefusedError: 415 for an unknown encoding, 400 for damaged data, 413 above the limit.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _WINDOWS:
        raise RefusedError(415, "unsupported_encoding", f"Content-Encoding {encoding!r} is not one of gzip, deflate")
    damage: zlib.error | None = None
    for window in _WINDOWS[name]:
        try:
            return _inflated(body, window, limit)
        except zlib.error as error:
            damage = damage or error
    raise RefusedError(400, "invalid_encoding", f"The body is no {name} data: {damage}")


def decoded(body: bytes) -> Any:
    """The JSON value a body holds.

    Raises:
        RefusedError: 400, when it is no JSON.
    """
    try:
        value = _parsed(body)
    except RecursionError:
        raise _too_deep() from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise RefusedError(400, "invalid_json", f"The body is no JSON: {error}") from None
    if deeper_than(MAX_NESTING, value):
        raise _too_deep()
    return value


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    stream = zlib.decompressobj(window)
    plain = stream.decompress(body, limit + 1)
    if len(plain) > limit:
        raise _too_large(limit)
    if not stream.eof:
        raise zlib.error("it ends too early")
    return plain


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if b"\\ud" not in body.lower():
            raise
    # JSON may spell half of a surrogate pair, which no UTF-8 can hold: it becomes a question mark.
    text = json.dumps(json.loads(body), ensure_ascii=False, allow_nan=False)
    return msgspec.json.decode(text.encode("utf-8", "replace"))


def _too_deep() -> RefusedError:
    return RefusedError(400, "invalid_json", f"The body is nested more than {MAX_NESTING} deep")


def _too_large(limit: int) -> RefusedError:
    return RefusedError(413, "too_large", f"The body is larger than {limit} bytes")
