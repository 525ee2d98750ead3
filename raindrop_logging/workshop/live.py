"""News of changed events, from the receiver to whoever watches a stream.

In: event ids, on the event loop.  Out: an async iterator for each watcher.  Touches: nothing but the loop.
A watcher who falls behind gets each changed event once, as it is by then, so nothing piles up.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

IDLE_SECONDS: Final = 15.0
"""How long a quiet stream waits before it says that it is still there."""


class LiveFeed:
    """Belongs to one event loop; every method is called there."""

    def __init__(self) -> None:
        self._watchers: set[_Watcher] = set()
        self._closed = False

    def publish(self, event_ids: Iterable[str]) -> None:
        """Tell every watcher that these events changed."""
        for watcher in self._watchers:
            watcher.tell(event_ids)

    def close(self) -> None:
        """End every stream, and each one asked for later."""
        self._closed = True
        for watcher in self._watchers:
            watcher.news.set()

    async def watch(self) -> AsyncIterator[tuple[str, ...]]:
        """Changed event ids as they come; an empty tuple first, and after each `IDLE_SECONDS` of silence."""
        watcher = _Watcher()
        self._watchers.add(watcher)
        try:
            yield ()
            while not self._closed:
                changed = await watcher.wait()
                if changed or not self._closed:
                    yield changed
        finally:
            self._watchers.discard(watcher)


class _Watcher:
    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._changed: dict[str, None] = {}

    def tell(self, event_ids: Iterable[str]) -> None:
        self._changed.update(dict.fromkeys(event_ids))
        self.news.set()

    async def wait(self) -> tuple[str, ...]:
        try:
            await asyncio.wait_for(self.news.wait(), IDLE_SECONDS)
        except TimeoutError:
            return ()
        self.news.clear()
        changed, self._changed = tuple(self._changed), {}
        return changed
