"""Ids of traces and spans, as OTLP writes them, as hex.

JSON ids may be hex (OTLP proper) or standard base64 (what Raindrop's own clients send): the wire contract's section 5.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from raindrop_logging.workshop.refusals import invalid

TRACE_BYTES: Final = 16
SPAN_BYTES: Final = 8


def known_id(text: str, length: int, field: str) -> str:
    """An id in JSON that must be one.

    Raises:
        RefusedError: 400, when it has no or another length, or is all zeros.
    """
    found = optional_id(text, length, field)
    if found is None:
        raise invalid(field, "an id must not be empty or all zeros")
    return found


def optional_id(text: str, length: int, field: str) -> str | None:
    """An id in JSON; empty and zero are None. Hex of the exact length wins, else base64 of the exact length.

    Raises:
        RefusedError: 400, when it has another length.
    """
    is_hex = re.fullmatch(rf"[0-9a-fA-F]{{{2 * length}}}", text)
    raw = bytes.fromhex(text) if is_hex else _base64(text)
    if raw and len(raw) != length:
        raise invalid(field, f"an id is {length} bytes as hex or standard base64, not {text[:64]!r}")
    return raw.hex() if any(raw) else None


def optional_id_of_bytes(raw: bytes, length: int, field: str) -> str | None:
    """An id in protobuf; empty and zero are None.

    Raises:
        RefusedError: 400, when it has another length.
    """
    return id_of_bytes(raw, length, field) if any(raw) else None


def id_of_bytes(raw: bytes, length: int, field: str) -> str:
    """An id in protobuf that must be one.

    Raises:
        RefusedError: 400, when it has another length or is all zeros.
    """
    if len(raw) != length or not any(raw):
        raise invalid(field, f"an id is {length} bytes, not all zero")
    return raw.hex()


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b"?"  # no id is one byte long: it is refused for its length
