"""Bodies of the four JSON routes, read strictly.

In: a decoded JSON value.  Out: a `Batch`.  Touches: nothing.
Source: the wire contract's sections 1 to 4. Required fields and types are refused by name; keys that the contract
does not know are counted and left out; the aliases some clients send are understood.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from raindrop_logging.wire import Lane
from raindrop_logging.workshop import times
from raindrop_logging.workshop.json_values import is_array, is_object
from raindrop_logging.workshop.merging import distinct
from raindrop_logging.workshop.receiving.schemas import (
    AiData,
    Attachment,
    PartialBody,
    SignalBody,
    TrackBody,
    UserBody,
)
from raindrop_logging.workshop.records import Batch, Event, Json, Signal, User
from raindrop_logging.workshop.refusals import converted, invalid, place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ALIASES: Final = {"eventId": "event_id", "userId": "user_id", "convoId": "convo_id", "event_name": "event"}

_KNOWN: Final = {body: frozenset(body.__struct_fields__) for body in (PartialBody, TrackBody, SignalBody, UserBody)}

_Text = TypeVar("_Text", bound="str | None")
_Body = TypeVar("_Body", PartialBody, TrackBody, SignalBody, UserBody)


def read_events(body: Any, project_id: str | None = None) -> Batch:
    """`events/track`: an array of complete events, or one."""
    ignored: Counter[str] = Counter()
    events = tuple(_complete(item, at, project_id) for at, item in _items(body, TrackBody, ignored))
    return Batch(events=events, ignored=ignored)


def read_partial(body: Any, project_id: str | None = None) -> Batch:
    """`events/track_partial`: one object, which may know its event only by `properties.trace_id`."""
    ignored: Counter[str] = Counter()
    parsed = _parsed(body, "", PartialBody, ignored)
    event_id = _filled(parsed.event_id, "", "event_id")
    event = _event(parsed, "", event_id or "", project_id, is_pending=True)
    if event_id:
        return Batch(events=(event,), ignored=ignored)
    if event.trace_id is None:
        raise invalid("event_id", "event_id is required (or properties.trace_id in its place)")
    return Batch(of_traces=(msgspec.structs.replace(event, event_id=event.trace_id),), ignored=ignored)


def read_signals(body: Any, project_id: str | None = None) -> Batch:
    """`signals/track`: an array of signals, or one."""
    del project_id  # a signal belongs to its event's project
    ignored: Counter[str] = Counter()
    signals = tuple(_signal(item, at) for at, item in _items(body, SignalBody, ignored))
    return Batch(signals=signals, ignored=ignored)


def read_users(body: Any, project_id: str | None = None) -> Batch:
    """`users/identify`: one object, or an array of them."""
    del project_id  # users are known across projects
    ignored: Counter[str] = Counter()
    users = tuple(_user(item, at) for at, item in _items(body, UserBody, ignored))
    return Batch(users=users, ignored=ignored)


READERS: Final[Mapping[Lane, Callable[[Any, str | None], Batch]]] = {
    Lane.EVENTS: read_events,
    Lane.PARTIALS: read_partial,
    Lane.SIGNALS: read_signals,
    Lane.USERS: read_users,
}
"""Raises `RefusedError` for a body that breaks the contract, naming the field."""


def _items(body: Any, body_type: type[_Body], ignored: Counter[str]) -> Iterator[tuple[str, _Body]]:
    """What an array holds, or what stands alone: each with its place in the body."""
    items = ((f"[{number}]", item) for number, item in enumerate(body)) if is_array(body) else (("", body),)
    for at, item in items:
        yield at, _parsed(item, at, body_type, ignored)


def _parsed(item: Any, at: str, body_type: type[_Body], ignored: Counter[str]) -> _Body:
    if not is_object(item):
        raise invalid(at or "body", f"Expected an object, got {_json_type(item)}")
    named = {name: value for name, value in item.items() if name not in ALIASES}
    for alias, name in ALIASES.items():
        if named.get(name) is None and alias in item:
            named[name] = item[alias]
    ignored.update(named.keys() - _KNOWN[body_type])
    return converted(named, body_type, at)


def _complete(body: TrackBody, at: str, project_id: str | None) -> Event:
    event_id = _filled(body.event_id, at, "event_id") or str(uuid.uuid4())
    return _event(body, at, event_id, project_id, is_pending=False)


def _event(body: PartialBody | TrackBody, at: str, event_id: str, project_id: str | None, *, is_pending: bool) -> Event:
    ai = body.ai_data or AiData()
    return Event(
        event_id=event_id,
        user_id=_filled(body.user_id, at, "user_id"),
        event=_filled(body.event, at, "event"),
        model=_first(ai.model, body.model),
        input=_first(ai.input, body.input),
        output=_first(ai.output, body.output),
        convo_id=_first(ai.convo_id, body.convo_id),
        properties=body.properties or {},
        attachments=distinct(_sent(attachment) for attachment in body.attachments or ()),
        feature_flags=body.feature_flags or {},
        timestamp=_time(body.timestamp, at),
        is_pending=is_pending if body.is_pending is None else body.is_pending,
        project_id=project_id,
    )


def _signal(body: SignalBody, at: str) -> Signal:
    return Signal(
        event_id=_filled(body.event_id, at, "event_id"),
        name=_filled(body.signal_name, at, "signal_name"),
        signal_type=body.signal_type or "default",
        sentiment=body.sentiment,
        timestamp=_time(body.timestamp, at),
        properties=body.properties or {},
        attachment_id=body.attachment_id,
    )


def _user(body: UserBody, at: str) -> User:
    return User(user_id=_filled(body.user_id, at, "user_id"), traits=body.traits or {})


def _sent(attachment: Attachment) -> Json:
    sent: Json = msgspec.to_builtins(attachment)
    return sent


def _first(nested: str | None, top: str | None) -> str | None:
    return top if nested is None else nested


def _filled(text: _Text, at: str, name: str) -> _Text:
    """A name or id: absent where it may be, else with something in it."""
    if text is not None and not text.strip():
        raise invalid(place(at, name), f"{name} is blank")
    return text


def _time(value: str | float | None, at: str) -> str | None:
    if value is None:
        return None
    try:
        return times.from_wire(value)
    except ValueError as error:
        raise invalid(place(at, "timestamp"), str(error)) from None


def _json_type(value: Any) -> str:
    names = {"NoneType": "null", "bool": "a boolean", "str": "a string", "list": "an array"}
    return names.get(type(value).__name__, "a number")
