"""Keeping the store within an age and a size, in the background, while the Workshop runs.

In: a store, limits.  Out: nothing.  Touches: the store, one thread.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from raindrop_logging.workshop.store import Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

EVERY_SECONDS: Final = 60.0
"""So much later than promised, at most, is something deleted."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept; None: all. `keep` is the age of an event, `max_bytes` what the data may take."""

    keep: timedelta | None = None
    max_bytes: int | None = None


KEEP_ALL: Final = Limits()


@contextmanager
def kept_within(
    store: Store, limits: Limits, announce: Callable[[str], object], every: float = EVERY_SECONDS
) -> Generator[None]:
    """Inside, what is beyond the limits is deleted: at once, and then every so many seconds.

    Leaving does not wait for a round that is under way: it ends when the store closes.
    """
    if limits == KEEP_ALL:
        yield
        return
    ending = threading.Event()

    def work() -> None:
        while True:
            try:
                store.prune(limits.keep, limits.max_bytes)
            except StoreError as error:
                if not ending.is_set():  # the next round tries again
                    announce(f"Nothing old was deleted this time: {error}")
            if ending.wait(every):
                return

    threading.Thread(target=work, name="workshop-retention", daemon=True).start()
    try:
        yield
    finally:
        ending.set()
