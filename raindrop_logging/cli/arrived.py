"""What a receiver holds, read back through its HTTP API.

In: the address of a Workshop's page.  Out: `Arrived`.  Touches: HTTP on loopback.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import ProxyHandler, build_opener

import msgspec

Fields = dict[str, Any]

PAGE = 100
PATIENCE = 10.0

_open = build_opener(ProxyHandler({})).open
"""The receiver is on this machine: no proxy of the environment is asked."""


class Arrived(msgspec.Struct, kw_only=True):
    """What was found.

    Attributes:
        events: by event id, as `/api/events/{event_id}` tells them, with their signals and spans.
        users: by user id, as `/api/users/{user_id}` tells them; those that were asked for and exist.
        totals: how many events, signals and spans the receiver counts, whether or not an event owns them.
    """

    events: dict[str, Fields] = {}
    users: dict[str, Fields] = {}
    totals: dict[str, int] = {}


def read_back(url: str, user_ids: Iterable[str]) -> Arrived:
    """Ask for every event, one by one, and for these users."""
    health = _get(f"{url}/api/health") or {}
    events = {event_id: _get(f"{url}/api/events/{quote(event_id, safe='')}") for event_id in _event_ids(url)}
    users = {user_id: _get(f"{url}/api/users/{quote(user_id, safe='')}") for user_id in user_ids}
    return Arrived(
        events={event_id: told for event_id, told in events.items() if told is not None},
        users={user_id: told for user_id, told in users.items() if told is not None},
        totals={name: health.get(name, 0) for name in ("events", "signals", "spans")},
    )


def _event_ids(url: str) -> Iterator[str]:
    cursor = ""
    while True:
        page = _get(f"{url}/api/events?limit={PAGE}{cursor}") or {"events": [], "next_cursor": None}
        yield from (event["event_id"] for event in page["events"])
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={quote(page['next_cursor'], safe='')}"


def _get(url: str) -> Fields | None:
    """The JSON at an address, or None where there is none."""
    try:
        with _open(url, timeout=PATIENCE) as response:
            found: Fields = json.load(response)
            return found
    except HTTPError as error:
        if error.code == 404:  # noqa: PLR2004 -- what HTTP calls not found
            return None
        raise
