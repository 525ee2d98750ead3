"""Say one thing in the bytes of the wire contract, within its limits; encoded once, sent as often as it takes.

In: Told
Out: Item | Refusal
Touches: nothing (pure)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from raindrop_logging._pipeline.entries import Item, Refusal, Told, exact
from raindrop_logging.identifiers import trace_id_of_event
from raindrop_logging.vocabulary import Attachment
from raindrop_logging.wire import MAX_ITEM_BYTES, TRUNCATION_MARKER, Lane

EncodeSpan = Callable[[Told, Callable[[str], str]], bytes]
Stamp = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class AiData(Struct, omit_defaults=True, gc=False):
    """``ai_data`` of an event."""

    model: str | None = None
    input: str | None = None
    output: str | None = None
    convo_id: str | None = None


class WireAttachment(Struct, omit_defaults=True, gc=False):
    """An attachment without the keys it does not say."""

    type: str
    value: str
    name: str | None = None
    role: str | None = None
    language: str | None = None
    attachment_id: str | None = None


class WireEvent(Struct, omit_defaults=True, gc=False):
    """Element of ``events/track``, body of ``events/track_partial`` (wire contract, sections 1 and 2)."""

    event_id: str
    user_id: str | None = None
    event: str | None = None
    timestamp: str | None = None
    properties: dict[Any, Any] | None = None
    attachments: list[WireAttachment] | None = None
    ai_data: AiData | None = None
    feature_flags: dict[str, str] | None = None
    is_pending: bool | None = None


class WireSignal(Struct, omit_defaults=True, gc=False):
    """Element of ``signals/track`` (wire contract, section 3)."""

    event_id: str
    signal_name: str
    signal_type: str
    timestamp: str
    sentiment: str | None = None
    properties: dict[Any, Any] | None = None
    attachment_id: str | None = None


class WireUser(Struct, gc=False):
    """Body of ``users/identify`` (wire contract, section 4)."""

    user_id: str
    traits: dict[Any, Any]


_json = msgspec.json.Encoder().encode


class Encoder:
    """Encodes by the contract.

    Args:
        constants: properties that every event carries, such as ``$context``; the event's own win.
        max_text_chars: characters of one text field, marker included.
        encode_span: one span as OTLP bytes; None where tracing is off.
        stamp: more such properties, by what the event says itself; asked when the first event is encoded, not before.
    """

    def __init__(
        self,
        *,
        constants: Mapping[str, Any],
        max_text_chars: int,
        encode_span: EncodeSpan | None = None,
        stamp: Stamp = lambda _said: {},
    ) -> None:
        self._constants = dict(constants)
        self._stamp = stamp
        self._max_chars = max_text_chars
        self._fits = min(max_text_chars, MAX_ITEM_BYTES)  # bytes of a body in which no text can be too long
        self._encode_span = encode_span
        self._second = -1
        self._prefix = ""
        self._build: dict[Lane, Callable[[Told], Any]] = {
            Lane.EVENTS: self._event,
            Lane.PARTIALS: self._event,
            Lane.SIGNALS: self._signal,
            Lane.USERS: self._user,
        }

    def encode(self, told: Told) -> Item | Refusal:
        """The bytes of one thing, shortened if it must be; refused if it cannot be made small enough."""
        if told.lane is Lane.TRACES:
            return self._span(told)
        lane = told.lane
        wire = self._build[lane](told)
        ai = lane is Lane.EVENTS and wire.ai_data is not None
        try:
            body = _json(wire)
        except (TypeError, ValueError, RecursionError):  # keys that JSON has no text for
            wire = _with_text_keys(msgspec.to_builtins(wire, str_keys=False), 0)
            body = _json(wire)
        truncated = 0
        if len(body) > self._fits:
            body, truncated = self._fit(wire, body)
            if len(body) > MAX_ITEM_BYTES:
                detail = f"{len(body)} bytes after shortening every text, the limit is {MAX_ITEM_BYTES}"
                return Refusal("too_large", detail, told.source, told.records)
        return Item(lane, exact((body, b"")), told.key, told.records, told.source, ai, truncated, told.idents)

    # ---- bodies

    def _event(self, told: Told) -> WireEvent:
        block = told.block
        is_plain = block.record_type == "event"
        ai_data = None if is_plain else _ai_data(block, told.lane)
        own = block.properties or {}
        properties = {**self._constants, **self._stamp(own), **own}
        if self._encode_span is not None and not is_plain:
            properties.setdefault("trace_id", told.trace_id or trace_id_of_event(told.event_id))
        return WireEvent(
            told.event_id,
            block.user_id,
            block.event,
            None if told.timestamp is None else self.time_text(told.timestamp),
            properties,
            [_attachment(one) for one in block.attachments] if block.attachments else None,
            ai_data,
            block.feature_flags or None,
            told.pending,
        )

    def _signal(self, told: Told) -> WireSignal:
        block = told.block
        properties = dict(block.properties or {})
        if block.comment is not None:
            properties["comment"] = block.comment
        if block.after is not None:
            properties["after"] = block.after
        when = self.time_text(told.timestamp or 0.0)
        kind = block.signal_type
        return WireSignal(
            told.event_id, block.name, kind, when, block.sentiment, properties or None, block.attachment_id
        )

    def _user(self, told: Told) -> WireUser:
        return WireUser(told.block.user_id, told.block.traits)

    def _span(self, told: Told) -> Item | Refusal:
        if self._encode_span is None:
            return Refusal("tracing_off", "the handler's key 'tracing' is false", told.source, told.records)
        cap = self._max_chars
        for _ in range(_ROUNDS):
            cut = _Cutter(cap)
            body = self._encode_span(told, cut)
            if len(body) <= MAX_ITEM_BYTES:
                return Item(
                    told.lane, body, told.key, told.records, told.source, truncated=cut.count, idents=told.idents
                )
            cap = min(cap, cut.longest) // 2
        return Refusal("too_large", "a span of many attributes, beyond 1 MiB", told.source, told.records)

    def time_text(self, seconds: float) -> str:
        """UTC with microseconds and ``Z``; the text of the second is kept, records of one second share it."""
        micros = round(seconds * 1_000_000)
        second = micros // 1_000_000
        if second != self._second:
            self._prefix = datetime.fromtimestamp(second, UTC).isoformat()[: len("2026-11-20T18:10:47")]
            self._second = second
        return f"{self._prefix}.{micros % 1_000_000:06d}Z"

    # ---- limits

    def _fit(self, wire: Any, body: bytes) -> tuple[bytes, int]:
        """Cap every text, then shorten the longest ones evenly until the whole fits."""
        value = msgspec.to_builtins(wire, str_keys=True)  # what holds the texts anew, the texts as they are
        cut = _Cutter(self._max_chars)
        for container, key in _texts(value):
            container[key] = cut(container[key])
        if cut.count:
            body = _json(value)
        shortened: set[tuple[int, Any]] = set()
        for _ in range(_ROUNDS):
            if len(body) <= MAX_ITEM_BYTES:
                break
            shortened |= _shorten_longest(value, len(body) - MAX_ITEM_BYTES)
            body = _json(value)
        return body, cut.count + len(shortened)


def _ai_data(block: Any, lane: Lane) -> AiData | None:
    """Nothing where the event is none of a model's: without a text a whole event has no place for the rest."""
    text_in, text_out = block.input, getattr(block, "output", None)
    if not text_in and not text_out and lane is not Lane.PARTIALS:
        return None
    said = AiData(block.model, text_in, text_out, block.convo_id)
    return said if text_in or said != _NO_AI_DATA else None


_NO_AI_DATA = AiData()
_ROUNDS = 12


class _Cutter:
    """Shortens texts past a number of characters, and counts them."""

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max(max_chars, len(TRUNCATION_MARKER))
        self.count = 0
        self.longest = 0

    def __call__(self, text: str) -> str:
        if len(text) > self._max_chars:
            self.count += 1
            text = text[: self._max_chars - len(TRUNCATION_MARKER)] + TRUNCATION_MARKER
        self.longest = max(self.longest, len(text))
        return text


_FREE_TEXT = {"properties": None, "traits": None, "ai_data": ("input", "output"), "attachments": ("value", "name")}
"""Where a body holds texts that may be shortened: everything below, or these keys; a shortened id names another."""
_RESERVED = frozenset({"$context", "trace_id"})


def _texts(body: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Places of the texts that may be shortened: (container, key or index)."""
    for field, keys in _FREE_TEXT.items():
        value = body.get(field)
        if value and keys is None:
            yield from _all_texts(value, _RESERVED)
        elif value:
            for container in value if isinstance(value, list) else [value]:
                yield from ((container, key) for key in keys or () if key in container)


def _all_texts(value: Any, reserved: frozenset[Any] = frozenset()) -> Iterator[tuple[Any, Any]]:
    for key, entry in list(enumerate(value) if isinstance(value, list) else value.items()):
        if key in reserved:
            continue
        if isinstance(entry, str):
            yield value, key
        elif isinstance(entry, dict | list):
            yield from _all_texts(entry)


def _shorten_longest(value: Any, excess: int) -> set[tuple[int, Any]]:
    """Bring the longest texts down to one level, so that together they give up ``excess`` bytes or a little more."""
    places = [(len(_json(container[key])), container, key) for container, key in _texts(value)]
    places.sort(key=lambda place: place[0], reverse=True)
    freed, level, chosen = 0, 0, 0
    for chosen, (size, _, _) in enumerate(places):
        following = places[chosen + 1][0] if chosen + 1 < len(places) else 0
        if freed + (size - following) * (chosen + 1) >= excess:
            level = size - -(-(excess - freed) // (chosen + 1))
            break
        freed += (size - following) * (chosen + 1)
    done = set()
    for size, container, key in places[: chosen + 1]:
        room = max(level - len(TRUNCATION_MARKER) - 2, 0)
        text = container[key].removesuffix(TRUNCATION_MARKER)
        container[key] = text[: len(text) * room // max(size, 1)] + TRUNCATION_MARKER
        done.add((id(container), key))
    return done


def _attachment(one: Attachment) -> WireAttachment:
    return WireAttachment(one.type, one.value, one.name, one.role, one.language, one.attachment_id)


_MAX_DEPTH = 200


def _with_text_keys(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return f"<deeper than {_MAX_DEPTH} levels>"
    if isinstance(value, dict):
        return {str(key): _with_text_keys(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_with_text_keys(entry, depth + 1) for entry in value]
    return value


def constants(*, version: str, wizard_session: str | None, workspace: Mapping[str, str] | None) -> dict[str, Any]:
    """Properties that every event of this process carries (wire contract, ``$context`` block)."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    found: dict[str, Any] = {
        "$context": {
            "library": {"name": "raindrop-logging", "version": version},
            "metadata": {"pyVersion": f"v{python}"},
        }
    }
    if workspace:
        found["workspace"] = dict(workspace)
    if wizard_session:
        found["raindrop.wizardSession"] = wizard_session
    return found


_FINAL = b',"is_pending":false}'


def as_final_partial(item: Item) -> Item:
    """A complete AI event as the one partial that the vendor's own Workshop shows; the same bytes and one key more."""
    body = item.body[:-1] + _FINAL
    return Item(Lane.PARTIALS, body, item.key, item.records, item.source, truncated=item.truncated, idents=item.idents)
