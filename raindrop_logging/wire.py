"""Facts of Raindrop's HTTP contract: lanes, routes, header names and limits.

Source: the published HTTP API documentation, and where it is silent what the official clients send. The road
writes by these facts, the Workshop reads by them; neither imports the other.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

CLOUD_ENDPOINT: Final = "https://api.raindrop.ai/v1/"
WORKSHOP_ENDPOINT: Final = "http://localhost:5899/v1/"
WORKSHOP_PORT: Final = 5899

PROJECT_HEADER: Final = "X-Raindrop-Project-Id"
PROJECT_SLUG: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"

MAX_EVENT_BYTES: Final = 1_048_576
"""UTF-8 bytes of one event; the documentation's 1 MB, which the gateway counts per request."""

MAX_ITEM_BYTES: Final = MAX_EVENT_BYTES - 32
"""What one item may take, so that a request of it alone stays within the limit with what is put around it: an array's
brackets, or ``is_pending``."""

TRUNCATION_MARKER: Final = "...[truncated by raindrop]"
"""Ends every text that was shortened; it counts towards the cap."""

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"


class Lane(StrEnum):
    """A kind of delivery: one route, one body shape, one state of health."""

    __hash__ = str.__hash__  # Enum's own is a function of Python, and it is asked for every item

    EVENTS = "events"
    PARTIALS = "partials"
    SIGNALS = "signals"
    USERS = "users"
    TRACES = "traces"


ROUTES: Final[dict[Lane, str]] = {
    Lane.EVENTS: "events/track",
    Lane.PARTIALS: "events/track_partial",
    Lane.SIGNALS: "signals/track",
    Lane.USERS: "users/identify",
    Lane.TRACES: "traces",
}
"""Paths below the endpoint (which ends in `/v1/`)."""

ARRAY_LANES: Final = frozenset({Lane.EVENTS, Lane.SIGNALS})
"""Lanes whose request body is a JSON array of items; partials and users take one object a request."""


def start_workshop(address: str) -> str:
    """What starts a Workshop at an address of this machine, for those who have none there."""
    port = urlsplit(address).port or WORKSHOP_PORT
    return "start it with 'raindrop-logging workshop" + (f" --port {port}'" if port != WORKSHOP_PORT else "'")
