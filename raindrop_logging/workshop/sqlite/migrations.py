"""How a Workshop's database of an earlier version becomes one of this version.

In: a connection in a transaction, the version found.  Out: the newest version.  Touches: the connection.
A new file takes the same way from version 1, so that both ends meet in the same tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from raindrop_logging.workshop.sqlite import index as sqlite_index
from raindrop_logging.workshop.sqlite import search_index as sqlite_search_index
from raindrop_logging.workshop.sqlite import signal_tables as sqlite_signal_tables
from raindrop_logging.workshop.sqlite import totals as sqlite_totals

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

FIRST_VERSION: Final = 1

MIGRATIONS: Final[Mapping[int, Callable[[sqlite3.Connection], None]]] = {
    2: sqlite_index.add_tables,
    3: sqlite_search_index.add_tables,
    4: sqlite_signal_tables.add_tables,
    5: sqlite_totals.add_tables,
}
"""What makes each version of the one before it."""

SCHEMA_VERSION: Final = max(MIGRATIONS, default=FIRST_VERSION)


def migrate(db: sqlite3.Connection, found: int) -> None:
    """Take every step from the version found to the newest, and write that one down."""
    for version in range(found + 1, SCHEMA_VERSION + 1):
        MIGRATIONS[version](db)
    db.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(SCHEMA_VERSION),))
