"""How much one request may bring, and how long it may take to arrive."""

from __future__ import annotations

from typing import Final

import msgspec

MAX_BODY_BYTES: Final = 50 * 1024 * 1024
"""As sent, and again once inflated; the limit of Raindrop's own Workshop (the wire contract's section 9)."""

REQUEST_SECONDS: Final = 60.0


class Intake(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken.

    `strict`: nothing that the wire contract forbids. `max_body`: bytes of a body, as sent and once inflated.
    `request_seconds`: how long a request's head may take to arrive, and its body once more.
    """

    strict: bool = False
    max_body: int = MAX_BODY_BYTES
    request_seconds: float = REQUEST_SECONDS


DEFAULT: Final = Intake()
