"""News of changed events, from the receiver to whoever watches a stream.

In: event ids, on the event loop.  Out: an async iterator for each watcher.  Touches: nothing but the loop.
A watcher who falls behind gets each changed event once, as it is by then, so nothing piles up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from raindrop_logging.workshop.records import LiveStep

IDLE_SECONDS: Final = 15.0
"""How long a quiet stream waits before it says that it is still there."""

MAX_UNHEARD: Final = 1000
"""Steps of running turns that wait for one listener; of more, the oldest are left out."""


class LiveFeed:
    """Belongs to one event loop; every method is called there."""

    def __init__(self) -> None:
        self._watchers: set[_Watcher] = set()
        self._listeners: set[_Listener] = set()
        self._closed = False

    def publish(self, event_ids: Iterable[str]) -> None:
        """Tell every watcher that these events changed."""
        for watcher in self._watchers:
            watcher.tell(event_ids)

    def say(self, steps: Iterable[LiveStep]) -> None:
        """Pass what was said of running turns to everyone who listens."""
        for step in steps:
            for listener in self._listeners:
                listener.hear(step)

    def close(self) -> None:
        """End every stream, and each one asked for later."""
        self._closed = True
        for watcher in self._watchers:
            watcher.news.set()
        for listener in self._listeners:
            listener.news.set()

    async def listen(self) -> AsyncIterator[LiveStep | None]:
        """Steps as they come; None first, and after each `IDLE_SECONDS` of silence."""
        listener = _Listener()
        self._listeners.add(listener)
        try:
            yield None
            while not self._closed:
                heard = await listener.wait()
                for step in heard:
                    yield step
                if not heard and not self._closed:
                    yield None
        finally:
            self._listeners.discard(listener)

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


class _Listener:
    def __init__(self) -> None:
        self.news = asyncio.Event()
        self._heard: deque[LiveStep] = deque(maxlen=MAX_UNHEARD)

    def hear(self, step: LiveStep) -> None:
        self._heard.append(step)
        self.news.set()

    async def wait(self) -> tuple[LiveStep, ...]:
        try:
            await asyncio.wait_for(self.news.wait(), IDLE_SECONDS)
        except TimeoutError:
            return ()
        self.news.clear()
        heard = tuple(self._heard)
        self._heard.clear()
        return heard
