"""Waiting for what a store does by itself after a write."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from raindrop_logging.workshop.records import Batch

if TYPE_CHECKING:
    from raindrop_logging.workshop import Store


def settle(store: Store) -> None:
    """Wait until every rule was asked of all that is stored, and all of it is in the index."""
    while any(info.state == "backfilling" for info in store.signals.all()):
        store.append(Batch()).result()  # each write lets a back-fill take a step
    while store.upkeep().unindexed:
        time.sleep(0.01)
