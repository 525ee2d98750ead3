"""One user of the Workshop, put together from what they were said to be and from their events.

In: a connection, a user's id.  Out: a `Person`.  Touches: the connection, for reading.
"""

from __future__ import annotations

import sqlite3

import msgspec

from raindrop_logging.workshop.store import Person


def person(db: sqlite3.Connection, user_id: str) -> Person | None:
    """See `Store.user`."""
    known = db.execute("SELECT * FROM users WHERE user_id = ?", (user_id,)).fetchone()
    seen = db.execute(
        "SELECT count(*) AS events, min(happened_at) AS first, max(happened_at) AS last FROM events WHERE user_id = ?",
        (user_id,),
    ).fetchone()
    if known is None and not seen["events"]:
        return None
    moments = [seen["first"], seen["last"], *((known["first_seen"], known["last_seen"]) if known else ())]
    present = [moment for moment in moments if moment]
    return Person(
        user_id=user_id,
        traits=msgspec.json.decode(known["traits"]) if known else {},
        first_seen=min(present),
        last_seen=max(present),
        event_count=seen["events"],
    )
