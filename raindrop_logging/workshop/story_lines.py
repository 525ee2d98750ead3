"""Stories as lines of JSON: what `workshop export` writes and `workshop import` reads.

In: stories, users, spans without an event.  Out: lines; and back, a `Batch`.  Touches: nothing.
A line is an object with `event`, its `signals` and `spans`; or with `user`; or with `spans` of a trace that no event
owns.
"""

from __future__ import annotations

from typing import Final, TypeVar

import msgspec

from raindrop_logging.workshop import times
from raindrop_logging.workshop.json_values import deeper_than
from raindrop_logging.workshop.receiving.body import MAX_NESTING
from raindrop_logging.workshop.receiving.schemas import Attachment
from raindrop_logging.workshop.records import Batch, Event, Signal, Span, User
from raindrop_logging.workshop.store import Person, Story

MAX_LINE_BYTES: Final = 256 * 1024 * 1024
"""A longer line is no story: an event and each of its spans came in bodies of 50 MB at most."""

_Record = TypeVar("_Record", bound=msgspec.Struct)


class LineError(ValueError):
    """A line that is no story; the message says what is wrong with it."""


class _Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    event: Event | None = None
    signals: tuple[Signal, ...] = ()
    spans: tuple[Span, ...] = ()
    user: User | None = None


def of_story(story: Story) -> bytes:
    """An event with all that hangs on it."""
    return msgspec.json.encode(_Line(event=story.event, signals=story.signals, spans=story.spans))


def of_person(person: Person) -> bytes:
    """A user's traits, and when they were seen."""
    user = User(user_id=person.user_id, traits=person.traits, first_seen=person.first_seen, last_seen=person.last_seen)
    return msgspec.json.encode(_Line(user=user))


def of_trace(spans: tuple[Span, ...]) -> bytes:
    """A trace that no event owns."""
    return msgspec.json.encode(_Line(spans=spans))


def read(line: bytes) -> Batch:
    """What a line holds.

    Raises:
        LineError: it is no line of these.
    """
    try:
        if deeper_than(MAX_NESTING, msgspec.json.decode(line)):
            raise LineError(f"more than {MAX_NESTING} arrays and objects lie inside one another")
        said = msgspec.json.decode(line, type=_Line)
        return _batch(said)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise LineError(str(error)) from None


def _batch(said: _Line) -> Batch:
    if said.event is None and said.user is None and not said.spans:
        raise LineError("it has neither an event, nor a user, nor spans")
    if said.event is None and said.signals:
        raise LineError("it has signals without an event")
    ids = [named.event_id for named in (said.event, *said.signals) if named]
    if any(not name.strip() for name in (*ids, said.user.user_id if said.user else "user")):
        raise LineError("an id is blank")
    return Batch(
        events=(_event(said.event),) if said.event else (),
        signals=tuple(_dated(signal, "timestamp") for signal in said.signals),
        spans=tuple(_span(span) for span in said.spans),
        users=(_dated(said.user, "first_seen", "last_seen"),) if said.user else (),
    )


def _event(event: Event) -> Event:
    attachments = tuple(msgspec.to_builtins(msgspec.convert(item, Attachment)) for item in event.attachments)
    return _dated(msgspec.structs.replace(event, attachments=attachments), "timestamp")


def _span(span: Span) -> Span:
    """What a span says of its event is only which: what is known of that stands in the line itself."""
    about = Event(event_id=span.about.event_id, is_pending=True) if span.about else None
    return _dated(msgspec.structs.replace(span, about=about), "start_time", "end_time")


def _dated(record: _Record, *names: str) -> _Record:
    try:
        said = {name: getattr(record, name) for name in names}
        return msgspec.structs.replace(record, **{name: times.from_wire(at) for name, at in said.items() if at})
    except ValueError as error:
        raise LineError(str(error)) from None
