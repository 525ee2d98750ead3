"""What a service logged, kept beside the handler, as the events, signals, users and spans that must arrive.

In: LogRecords with a block, and the bound fields.  Out: `Logged`.  Touches: nothing.
It adds the records up by the vocabulary's words alone, without the pipeline, so that it can be compared with what
the pipeline delivered.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from raindrop_logging import identifiers
from raindrop_logging.context import current_scope
from raindrop_logging.handler import BLOCK_KEY, STAMP_KEY
from raindrop_logging.vocabulary import RECORD_TYPES, STRUCTS, RecordType, type_by_keys

Fields = dict[str, Any]

STEPS: Final[tuple[RecordType, ...]] = ("begin", "update", "finish")


class Logged(msgspec.Struct, kw_only=True):
    """What must be found at the receiver; fields are the vocabulary's, and only those that were said.

    Attributes:
        counts: records by type.
        complete, plain, interactions: events by event id, of `ai`, of `event`, and added up from steps.
        pending: ids of the interactions without a finish.
        signals: in the order they were logged, each with its event id.
        users: traits by user id.
        spans: by span id.
    """

    counts: Counter[RecordType] = msgspec.field(default_factory=Counter)
    complete: dict[str, Fields] = {}
    plain: dict[str, Fields] = {}
    interactions: dict[str, Fields] = {}
    pending: set[str] = set()
    signals: list[Fields] = []
    users: dict[str, Fields] = {}
    spans: dict[str, Fields] = {}

    @property
    def events(self) -> dict[str, Fields]:
        """All three kinds of events by event id."""
        return {**self.complete, **self.plain, **self.interactions}


class Witness(logging.Handler):
    """Keeps every record that holds a block, with the fields that were bound around it."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: list[tuple[logging.LogRecord, Fields, Mapping[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a copy of its block."""
        block = record.__dict__.get(BLOCK_KEY)
        if block is not None:
            self._seen.append((record, copy.deepcopy(block), current_scope() or {}))

    def logged(self) -> Logged:
        """What the records so far add up to; ids that the handler made are read from the records."""
        return add_up((_type_of(record, block), _said(record, block, scope)) for record, block, scope in self._seen)


def add_up(said: Iterable[tuple[RecordType, Fields]]) -> Logged:
    """The events, signals, users and spans of these records."""
    logged = Logged()
    for record_type, fields in said:
        logged.counts[record_type] += 1
        if record_type in STEPS:
            _step(logged, record_type, fields)
        elif record_type == "ai":
            logged.complete[fields["event_id"]] = fields
        elif record_type == "event":
            logged.plain[fields["event_id"]] = fields
        elif record_type == "signal":
            logged.signals.append(fields)
        elif record_type == "identify":
            logged.users.setdefault(fields["user_id"], {}).update(fields["traits"])
        else:
            logged.spans[fields["span_id"]] = fields
    return logged


def _step(logged: Logged, record_type: RecordType, fields: Fields) -> None:
    """Scalars replace, properties merge, attachments are added; the time is that of the first step."""
    event_id = fields["event_id"]
    whole = logged.interactions.setdefault(event_id, {"timestamp": fields["timestamp"]})
    merged = {
        "properties": {**whole.get("properties", {}), **fields.get("properties", {})},
        "attachments": [*whole.get("attachments", ()), *fields.get("attachments", ())],
        "timestamp": whole["timestamp"],
    }
    whole.update({**fields, **merged})
    if record_type == "finish":
        logged.pending.discard(event_id)
    else:
        logged.pending.add(event_id)


def _type_of(record: logging.LogRecord, block: Fields) -> RecordType:
    word: Any = block.get("type") or (record.msg if record.msg in RECORD_TYPES else None)
    return word or type_by_keys(block)


def _said(record: logging.LogRecord, block: Fields, scope: Mapping[str, Any]) -> Fields:
    """The block with what was bound around it, and the ids and the time that a record has without saying them."""
    record_type = _type_of(record, block)
    known = STRUCTS[record_type].__struct_fields__
    fields = {key: value for key, value in {**scope, **block}.items() if key in known and key != "type"}
    if "properties" in known:
        fields["properties"] = {**scope.get("properties", {}), **block.get("properties", {})}
    bits: int = record.__dict__.get(STAMP_KEY, (0,))[0]
    if record_type == "span":
        fields.setdefault("span_id", identifiers.span_id(bits))
        if record.exc_info and record.exc_info[1]:
            fields.setdefault("error", str(record.exc_info[1]))
    elif record_type != "identify":
        fields.setdefault("event_id", identifiers.uuid_text(bits))
        fields.setdefault("timestamp", record.created)
    return fields
