"""A time limit for questions to SQLite.

In: a connection, seconds.  Out: the same connection, which stops when the time is up.  Touches: the connection.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator

STEPS: Final = 20_000
"""SQLite looks at the clock after so many of its instructions, about a millisecond."""


class OutOfTimeError(Exception):
    """The question was not answered in time; nothing of it is known."""


@contextmanager
def within(db: sqlite3.Connection, seconds: float) -> Generator[None]:
    """Inside, a statement that runs past the limit is stopped.

    Raises:
        OutOfTimeError: one was.
    """
    end = time.monotonic() + seconds
    if seconds <= 0:
        raise OutOfTimeError
    db.set_progress_handler(lambda: int(time.monotonic() > end), STEPS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
            raise OutOfTimeError from None
        raise
    finally:
        db.set_progress_handler(None, 0)
