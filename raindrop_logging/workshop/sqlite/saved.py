"""Saved filters: a name and what it stands for.

In: a connection.  Out: `SavedFilter`s.  Touches: the connection.
"""

from __future__ import annotations

import sqlite3

from raindrop_logging.workshop import times
from raindrop_logging.workshop.answers import SavedFilter


def saved_filters(db: sqlite3.Connection) -> tuple[SavedFilter, ...]:
    """See `Store.saved_filters`."""
    rows = db.execute("SELECT name, query, created_at FROM saved_filters ORDER BY name")
    return tuple(SavedFilter(**dict(row)) for row in rows)


def save(db: sqlite3.Connection, saved: SavedFilter) -> None:
    """See `Store.save_filter`."""
    db.execute(
        "INSERT INTO saved_filters VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET query = excluded.query",
        (saved.name, saved.query, saved.created_at or times.now()),
    )


def delete(db: sqlite3.Connection, name: str) -> bool:
    """See `Store.delete_filter`."""
    return db.execute("DELETE FROM saved_filters WHERE name = ?", (name,)).rowcount > 0
