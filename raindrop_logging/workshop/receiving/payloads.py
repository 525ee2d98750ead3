"""Bodies of the four JSON routes, read strictly.

In: a decoded JSON value.  Out: a `Batch`.  Touches: nothing.
Source: the wire contract's sections 1 to 4. Required fields and types are refused by name; keys that the contract
does not know are counted and left out; the aliases some clients send are understood.
"""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import msgspec

from raindrop_logging.wire import Lane
from raindrop_logging.workshop import times
from raindrop_logging.workshop.json_values import is_array, is_object
from raindrop_logging.workshop.merging import distinct
from raindrop_logging.workshop.records import Batch, Event, Json, Signal, User
from raindrop_logging.workshop.refusals import invalid, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ALIASES: Final = {"eventId": "event_id", "userId": "user_id", "convoId": "convo_id", "event_name": "event"}


class AiData(msgspec.Struct):
    """The AI part of an event."""

    model: str | None = None
    input: str | None = None
    output: str | None = None
    convo_id: str | None = None


class Attachment(msgspec.Struct, omit_defaults=True):
    """An attachment as the wire has it."""

    type: Literal["code", "text", "image", "iframe"]
    value: Annotated[str, msgspec.Meta(min_length=1)]
    name: str | None = None
    role: str | None = None
    language: str | None = None
    attachment_id: str | None = None


class _EventBody(msgspec.Struct, kw_only=True):
    event_id: str | None = None
    timestamp: str | float | None = None
    properties: dict[str, Any] | None = None
    attachments: list[Attachment] | None = None
    ai_data: AiData | None = None
    is_pending: bool | None = None
    feature_flags: dict[str, str] | None = None
    model: str | None = None
    input: str | None = None
    output: str | None = None
    convo_id: str | None = None


class PartialBody(_EventBody, kw_only=True):
    """What one request says of an event: a body of `events/track_partial`."""

    user_id: str | None = None
    event: str | None = None


class TrackBody(_EventBody, kw_only=True):
    """A complete event: a body of `events/track`."""

    user_id: str
    event: str


class SignalBody(msgspec.Struct, kw_only=True):
    """A judgement of an event."""

    event_id: str
    signal_name: str
    signal_type: str | None = None
    sentiment: Literal["POSITIVE", "NEGATIVE"] | None = None
    timestamp: str | float | None = None
    properties: dict[str, Any] | None = None
    attachment_id: str | None = None


class UserBody(msgspec.Struct):
    """A user's traits."""

    user_id: str
    traits: dict[str, Any] | None = None


_KNOWN: Final = {body: frozenset(body.__struct_fields__) for body in (PartialBody, TrackBody, SignalBody, UserBody)}

_Body = TypeVar("_Body", PartialBody, TrackBody, SignalBody, UserBody)


def read_events(body: Any, project_id: str | None = None) -> Batch:
    """`events/track`: an array of complete events, or one."""
    ignored: Counter[str] = Counter()
    events: list[Event] = []
    for at, item in _items(body):
        parsed = _parsed(item, at, TrackBody, ignored)
        _required(parsed, at, "user_id", "event")
        event_id = _text(parsed, at, "event_id") or str(uuid.uuid4())
        events.append(_event(parsed, at, event_id, project_id, is_pending=False))
    return Batch(events=tuple(events), ignored=ignored)


def read_partial(body: Any, project_id: str | None = None) -> Batch:
    """`events/track_partial`: one object, which may know its event only by `properties.trace_id`."""
    ignored: Counter[str] = Counter()
    parsed = _parsed(body, "", PartialBody, ignored)
    event_id = _text(parsed, "", "event_id")
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
    signals: list[Signal] = []
    for at, item in _items(body):
        parsed = _parsed(item, at, SignalBody, ignored)
        event_id, name = _required(parsed, at, "event_id", "signal_name")
        signals.append(
            Signal(
                event_id=event_id,
                name=name,
                signal_type=parsed.signal_type or "default",
                sentiment=parsed.sentiment,
                timestamp=_time(parsed.timestamp, at),
                properties=parsed.properties or {},
                attachment_id=parsed.attachment_id,
            )
        )
    return Batch(signals=tuple(signals), ignored=ignored)


def read_users(body: Any, project_id: str | None = None) -> Batch:
    """`users/identify`: one object, or an array of them."""
    del project_id  # users are known across projects
    ignored: Counter[str] = Counter()
    users: list[User] = []
    for at, item in _items(body):
        parsed = _parsed(item, at, UserBody, ignored)
        (user_id,) = _required(parsed, at, "user_id")
        users.append(User(user_id=user_id, traits=parsed.traits or {}))
    return Batch(users=tuple(users), ignored=ignored)


READERS: Final[Mapping[Lane, Callable[[Any, str | None], Batch]]] = {
    Lane.EVENTS: read_events,
    Lane.PARTIALS: read_partial,
    Lane.SIGNALS: read_signals,
    Lane.USERS: read_users,
}
"""Raises `RefusedError` for a body that breaks the contract, naming the field."""


def _items(body: Any) -> Iterator[tuple[str, Any]]:
    if not is_array(body):
        yield "", body
        return
    for number, item in enumerate(body):
        yield f"[{number}]", item


def _parsed(item: Any, at: str, body_type: type[_Body], ignored: Counter[str]) -> _Body:
    if not is_object(item):
        raise invalid(at or "body", f"Expected an object, got {_json_type(item)}")
    named = {name: value for name, value in item.items() if name not in ALIASES}
    for alias, name in ALIASES.items():
        if named.get(name) is None and alias in item:
            named[name] = item[alias]
    ignored.update(named.keys() - _KNOWN[body_type])
    try:
        return msgspec.convert(named, body_type)
    except msgspec.ValidationError as error:
        raise locate(error, at) from None


def _event(body: PartialBody | TrackBody, at: str, event_id: str, project_id: str | None, *, is_pending: bool) -> Event:
    ai = body.ai_data or AiData()
    return Event(
        event_id=event_id,
        user_id=_text(body, at, "user_id"),
        event=_text(body, at, "event"),
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


def _sent(attachment: Attachment) -> Json:
    sent: Json = msgspec.to_builtins(attachment)
    return sent


def _first(nested: str | None, top: str | None) -> str | None:
    return top if nested is None else nested


def _required(body: msgspec.Struct, at: str, *names: str) -> tuple[str, ...]:
    values = tuple(_text(body, at, name) for name in names)
    for name, value in zip(names, values, strict=True):
        if value is None:
            raise invalid(_join(at, name), f"{name} is required")
    return tuple(value for value in values if value is not None)


def _text(body: msgspec.Struct, at: str, name: str) -> str | None:
    """A name or id: absent, or with something in it."""
    value: str | None = getattr(body, name)
    if value is not None and not value.strip():
        raise invalid(_join(at, name), f"{name} is blank")
    return value


def _time(value: str | float | None, at: str) -> str | None:
    if value is None:
        return None
    try:
        return times.from_wire(value)
    except ValueError as error:
        raise invalid(_join(at, "timestamp"), str(error)) from None


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _json_type(value: Any) -> str:
    names = {"NoneType": "null", "bool": "a boolean", "str": "a string", "list": "an array"}
    return names.get(type(value).__name__, "a number")
