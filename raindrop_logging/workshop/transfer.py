"""All that a store holds, out of it and into another, a story at a time.

In: a store, a filter; batches.  Out: lines; whether there was anything new.  Touches: the stores.
What has no event goes only with everything: a trace of its own, a user who was only identified. Signals that still wait
for their event stay behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from raindrop_logging.workshop import story_lines
from raindrop_logging.workshop.store import ALL

if TYPE_CHECKING:
    from raindrop_logging.workshop.event_filter import EventFilter
    from raindrop_logging.workshop.records import Batch
    from raindrop_logging.workshop.store import Store

PAGE: Final = 200
REMEMBERED: Final = 50_000
"""Users whose line was written; one who was forgotten gets a second line, which changes nothing."""


def lines_of(store: Store, where: EventFilter = ALL) -> Iterator[bytes]:
    """Every story that passes, oldest first, each user's traits before their first event."""
    told: dict[str, None] = {}
    for story in store.scan(where):
        user_id = story.event.user_id
        if user_id and user_id not in told:
            told[user_id] = None
            if len(told) > REMEMBERED:
                del told[next(iter(told))]
            person = store.user(user_id)
            if person and person.traits:
                yield story_lines.of_person(person)
        yield story_lines.of_story(story)
    if where == ALL:
        yield from _without_events(store)


def _without_events(store: Store) -> Iterator[bytes]:
    cursor = None
    while True:
        people = store.users(PAGE, cursor)
        yield from (story_lines.of_person(person) for person in people.items if not person.event_count)
        cursor = people.next_cursor
        if cursor is None:
            break
    while True:
        traces = store.traces(PAGE, cursor)
        yield from (story_lines.of_trace(store.trace(trace.trace_id)) for trace in traces.items)
        cursor = traces.next_cursor
        if cursor is None:
            break


def unknown(store: Store, batch: Batch) -> Batch:
    """The batch without signals that the store has: one that was sent without a time has since been given one."""
    if not batch.signals:
        return batch
    story = store.event(batch.events[0].event_id)
    known = story.signals if story else ()
    return msgspec.structs.replace(batch, signals=tuple(signal for signal in batch.signals if signal not in known))
