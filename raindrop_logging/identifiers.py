"""Ids that are made here: events, traces and spans.

An interaction and its trace need no shared state to agree: the trace id follows from the event id, in any process.
"""

from __future__ import annotations

import os
import re
from random import Random

_UUID_HEX = re.compile(r"[0-9a-f]{32}")
_NO_TRACE = "0" * 32
_UUID4_KEEP = (1 << 128) - 1 ^ (0xF << 76) ^ (0x3 << 62)
_UUID4_SET = (0x4 << 76) | (0x2 << 62)

# A generator of our own: an application that seeds the global one must not make two processes mint equal ids.
_random = Random()  # noqa: S311 -- ids must be unique, not unguessable
os.register_at_fork(after_in_child=_random.seed)

ID_STEP = 0x9E37_79B9_7F4A_7C15
"""Between the bits of one record and the next of a pipeline, which begin with `FIRST_BITS` random ones. It is odd, so
that no two agree in their lower half, by which traces are sampled; the golden ratio's, so that these are spread evenly
from the first on; and of 64 bits, so that 128 are never too few."""

FIRST_BITS = 127

mint_bits = _random.getrandbits
"""``mint_bits(128)``: random bits in one C call, safe in signal handlers; formatting waits for another thread."""


def reseed() -> None:
    """Seed anew from the operating system; for children of a fork that ran no fork hooks (uWSGI)."""
    _random.seed()


def uuid_text(bits: int) -> str:
    """A UUID version 4 in text form from 128 bits."""
    text = f"{bits & _UUID4_KEEP | _UUID4_SET:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def span_id(bits: int) -> str:
    """16 hex digits, never all zero (OpenTelemetry's invalid id)."""
    return f"{(bits & 0xFFFF_FFFF_FFFF_FFFF) or 1:016x}"


def trace_id(bits: int) -> str:
    """32 hex digits, never all zero."""
    return f"{bits or 1:032x}"


def trace_id_of_event(event_id: str) -> str:
    """The one trace of an interaction: the event's own UUID digits, else a digest of its id (32 hex digits)."""
    digits = event_id.replace("-", "").lower()
    if _UUID_HEX.fullmatch(digits) and digits != _NO_TRACE:
        return digits
    from hashlib import blake2b  # brings OpenSSL along; ids that are UUIDs never need it

    return blake2b(event_id.encode("utf-8", "replace"), digest_size=16).hexdigest()
