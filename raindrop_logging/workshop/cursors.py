"""Where a list by time goes on, as a text that an address can hold.

In: the time and number of the last event shown.  Out: a cursor, and back.  Touches: nothing.
"""

from __future__ import annotations

import base64
import binascii


def cursor_of(happened_at: str, rid: int) -> str:
    """The cursor that leads to what follows this event."""
    return base64.urlsafe_b64encode(f"{happened_at} {rid}".encode()).decode("ascii").rstrip("=")


def position_of(cursor: str) -> tuple[str, int]:
    """Which event a cursor follows.

    Raises:
        ValueError: no list made it.
    """
    try:
        happened_at, rid = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        return happened_at, int(rid)
    except (ValueError, binascii.Error):
        raise ValueError(f"{cursor!r} is not a cursor of this list") from None
