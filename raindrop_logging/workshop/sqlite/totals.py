"""Schema version 5: how much the Workshop holds, kept as it comes and goes, so that no page counts it.

In: a connection in a transaction.  Out: a table of one row, and triggers.  Touches: the connection.
Whatever writes or deletes rows, and from whichever process: the totals change in the same transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_UNOWNED: Final = "NOT EXISTS (SELECT 1 FROM events AS e WHERE e.event_id = {row}.event_id)"
_SIGNALS_OF: Final = "(SELECT count(*) FROM signals AS s WHERE s.event_id = {row}.event_id)"

# What comes or goes, and by how much each total changes then.
_CHANGES: Final = (
    ("INSERT ON events", f"events = events + 1, signals_without_event = signals_without_event - {_SIGNALS_OF}"),
    ("DELETE ON events", f"events = events - 1, signals_without_event = signals_without_event + {_SIGNALS_OF}"),
    ("INSERT ON signals", f"signals = signals + 1, signals_without_event = signals_without_event + {_UNOWNED}"),
    ("DELETE ON signals", f"signals = signals - 1, signals_without_event = signals_without_event - {_UNOWNED}"),
    ("INSERT ON spans", "spans = spans + 1"),
    ("DELETE ON spans", "spans = spans - 1"),
    ("INSERT ON users", "users = users + 1"),
    ("DELETE ON users", "users = users - 1"),
)
_MOVED: Final = f"""
CREATE TRIGGER totals_signals_move AFTER UPDATE OF event_id ON signals BEGIN
    UPDATE totals SET signals_without_event = signals_without_event
        - {_UNOWNED.format(row="old")} + {_UNOWNED.format(row="new")};
END
"""  # noqa: S608 - own names only
_TOTALS: Final = """
CREATE TABLE totals (events INTEGER NOT NULL, signals INTEGER NOT NULL, signals_without_event INTEGER NOT NULL,
    spans INTEGER NOT NULL, users INTEGER NOT NULL)
"""
_COUNTED: Final = """
INSERT INTO totals SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM signals),
    (SELECT count(*) FROM signals AS s WHERE NOT EXISTS (SELECT 1 FROM events AS e WHERE e.event_id = s.event_id)),
    (SELECT count(*) FROM spans), (SELECT count(*) FROM users)
"""

COUNTS: Final = "SELECT events, signals, signals_without_event, spans, users FROM totals"


def add_tables(db: sqlite3.Connection) -> None:
    """Make version 5 of version 4: what is there is counted once."""
    db.execute(_TOTALS)
    db.execute(_COUNTED)
    for change, totals in _CHANGES:
        name = change.lower().replace(" on ", "_")
        row = "new" if change.startswith("INSERT") else "old"
        db.execute(
            f"CREATE TRIGGER totals_{name} AFTER {change} BEGIN UPDATE totals SET {totals.format(row=row)}; END"  # noqa: S608
        )
    db.execute(_MOVED)
