"""What a line says of its record beside the message: the ids of what it is about, and its ``raindrop`` block.

In: a LogRecord, on the thread that logged it.  Out: plain values that JSON has words for.  Touches: the record, which
is stamped with the bits that its ids are made of. `RaindropHandler` does the same: the ids agree.
"""

from __future__ import annotations

import logging
import os
import threading
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Literal, get_args

import msgspec

from raindrop_logging._pipeline import parts, wrapped
from raindrop_logging._pipeline.capture import capture
from raindrop_logging._pipeline.entries import ABOUT, Entry, Refusal, Snapshot, block_of, event_around
from raindrop_logging._pipeline.redact import redacted
from raindrop_logging._pipeline.router import Router, spoken
from raindrop_logging._pipeline.stored import snapshot_of
from raindrop_logging.context import current_scope
from raindrop_logging.errors import InvalidBlockError, SettingsError, did_you_mean
from raindrop_logging.handler import BLOCK_KEY, STAMP_KEY, is_captured
from raindrop_logging.identifiers import mint_bits, span_id, trace_id_of_event
from raindrop_logging.plain import is_simple, plain
from raindrop_logging.settings import read_settings
from raindrop_logging.vocabulary import SUMMARY_FIELDS, check

BlockChoice = Literal["full", "summary", "omit"]

RECORD_KEY: Final = "raindrop_record"
SUMMARY_KEY: Final = "raindrop_summary"
INVALID_KEY: Final = "raindrop_invalid"
LINE_KEYS: Final = frozenset({BLOCK_KEY, RECORD_KEY, SUMMARY_KEY, INVALID_KEY, "event_id", "trace_id", "span_id"})
"""What `LineFields` may say: redacted already, where that is asked for."""

_SUMMED_UP: Final = tuple(key for key in SUMMARY_FIELDS if key != "event_id")
"""The event's id is on every line anyway."""

_TEXTS: Final = ("input", "output", "comment", "after")
_TIMES: Final = ("timestamp", "start_time", "end_time")
_WITHOUT_EVENT: Final = frozenset({"identify"})


class LineFields:
    """What every line of a formatter says of its record.

    Args:
        block: ``full`` says the block, from which `raindrop-logging ship` sends what `RaindropHandler` would have sent;
            ``summary`` only ids, names and lengths, ``omit`` only ids.
        redact: as the handler's key; RAINDROP_REDACT by default.
        name: the option that ``block`` is given as, for the error.

    Raises:
        SettingsError: a value that breaks an option's rule.
    """

    def __init__(self, block: BlockChoice, redact: bool | list[str] | str | None, name: str = "block") -> None:
        if block not in get_args(BlockChoice):
            allowed = " | ".join(get_args(BlockChoice))
            near = did_you_mean(block, get_args(BlockChoice))
            raise SettingsError(f"'{name}' is {block!r}: allowed is {allowed}{near}")
        self.redactor = parts.redactor(read_settings({"redact": redact}, _environment()))
        self._block = block
        self._router = Router({})

    def of(self, record: logging.LogRecord) -> tuple[dict[str, str], dict[str, Any]]:
        """The ids, which a line's own keys win over, and what it says of the block, which wins over them."""
        scope = _scope_of(record)
        block = wrapped.block_of(record.__dict__)
        return (_ids_around(scope), {}) if block is None else self._say(record, block, scope)

    def _say(
        self, record: logging.LogRecord, block: Any, scope: Mapping[str, Any] | None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """The ids of a record with a block, and what its line says of it beside them."""
        snapshot = _captured_before(record) or capture(record.__dict__, block, scope, bits_of(record))
        scope = snapshot.scope
        if self.redactor is not None:
            snapshot = redacted(snapshot, self.redactor)
        entry = self._router.merge(snapshot)
        if isinstance(entry, Refusal):
            return _ids_around(scope), self._shown(_as_it_was_said(snapshot, entry))
        trace_id = entry.trace_id or trace_id_of_event(entry.event_id)
        return _ids_of(entry, trace_id, scope), self._shown(_as_it_is_sent(snapshot, entry, trace_id))

    def _shown(self, said: dict[str, Any]) -> dict[str, Any]:
        if self._block == "full":
            return said
        kept = {INVALID_KEY: said[INVALID_KEY]} if INVALID_KEY in said else {}
        return kept if self._block == "omit" else {**kept, SUMMARY_KEY: _summary(said[BLOCK_KEY])}


def _environment() -> dict[str, str]:
    """The variables without the handler's own, but for the one key that is the formatter's as well."""
    return {name: text for name, text in os.environ.items() if name == "RAINDROP_REDACT" or name[:9] != "RAINDROP_"}


# ---- what a record is about ------------------------------------------------------------------------------------------


def _scope_of(record: logging.LogRecord) -> Mapping[str, Any] | None:
    """What is bound where the record was logged; None where this is another thread, and that is not known any more."""
    return current_scope() if record.thread in (None, threading.get_ident()) else None


def _captured_before(record: logging.LogRecord) -> Snapshot | None:
    """What a filter has captured on the thread that logged, which is in the stamp then, behind the bits."""
    stamp = record.__dict__.get(STAMP_KEY)
    if is_captured(stamp):
        with suppress(msgspec.MsgspecError):  # somebody else's bytes
            return snapshot_of(stamp[0], stamp[1])
    return None


def bits_of(record: logging.LogRecord) -> int:
    """The bits of the record's stamp, which it gets here if it has none."""
    stamp = record.__dict__.get(STAMP_KEY)
    if type(stamp) is not tuple or not stamp or type(stamp[0]) is not int:
        stamp = (mint_bits(128),)
        record.__dict__[STAMP_KEY] = stamp
    return int(stamp[0])


def _ids_around(scope: Mapping[str, Any] | None) -> dict[str, str]:
    """The ids that hold around a line: of the open span and interaction, or as they are bound."""
    if not scope:
        return {}
    about = scope.get(ABOUT, {})
    event_id = event_around(scope)
    trace_id = scope.get("trace_id") or about.get("trace_id") or (trace_id_of_event(event_id) if event_id else None)
    return _present({"trace_id": trace_id, "span_id": scope.get("span_id"), "event_id": event_id})


def _ids_of(entry: Entry, trace_id: str, scope: Mapping[str, Any] | None) -> dict[str, str]:
    """The ids that a record's own event or span is known by."""
    if entry.type in _WITHOUT_EVENT:
        return _ids_around(scope)
    if entry.type == "span":
        own = entry.block.span_id or span_id(entry.bits)
        return _present({"trace_id": trace_id, "span_id": own, "event_id": entry.block.event_id})
    return _present({"trace_id": trace_id, "span_id": (scope or {}).get("span_id"), "event_id": entry.event_id})


def _present(said: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in said.items() if value is not None}


# ---- the block -------------------------------------------------------------------------------------------------------


def _as_it_is_sent(snapshot: Snapshot, entry: Entry, trace_id: str) -> dict[str, Any]:
    """The block with its context merged in, and beside it what a later delivery needs to be the same."""
    block = _fields(entry)
    said = _in_words(block)
    exact = _inexact(block, said)
    beside = {**_origin(snapshot), "trace_id": trace_id}
    line = {BLOCK_KEY: said, RECORD_KEY: {**beside, "exact": exact} if exact else beside}
    try:
        check(entry.type, entry.block)
    except InvalidBlockError as error:
        return {**line, INVALID_KEY: str(error)}
    return line


def _as_it_was_said(snapshot: Snapshot, refusal: Refusal) -> dict[str, Any]:
    """A block that cannot be sent, and why; its words are its own."""
    block = block_of(snapshot)
    if isinstance(block, dict) and snapshot.word is not None:
        block = {"type": snapshot.word, **block}
    said = _in_words(spoken(block))
    exact = _inexact(block, said)
    beside = _origin(snapshot) | _present({"ends": refusal.ends})
    return {BLOCK_KEY: said, RECORD_KEY: {**beside, "exact": exact} if exact else beside, INVALID_KEY: refusal.detail}


def _origin(snapshot: Snapshot) -> dict[str, Any]:
    """The bits that ids are made of, when and where the record was logged."""
    return {
        "bits": f"{snapshot.bits:032x}",
        "created": snapshot.created,
        "logger": snapshot.logger,
        "path": snapshot.path,
        "line": snapshot.line,
    }


def _fields(entry: Entry) -> dict[str, Any]:
    """The block as plain values, without the fields that it does not say."""
    fields: dict[str, Any] = msgspec.to_builtins(entry.block, builtin_types=(datetime,), str_keys=True)
    said = {key: value for key, value in fields.items() if value is not None and key != "type"}
    block: dict[str, Any] = {"type": entry.type, **said}
    for key in ("attachments", "messages"):
        if key in block:
            block[key] = [{name: said for name, said in one.items() if said is not None} for one in block[key]]
    for key in _TIMES:
        if isinstance(block.get(key), datetime):
            block[key] = msgspec.to_builtins(block[key])
    return block


def _inexact(block: Any, said: Any) -> dict[str, str]:
    """In MessagePack those fields for whose values JSON has no words, as NaN, dates and bytes."""
    if not isinstance(block, dict) or said == block:
        return {}
    fields: dict[str, Any] = block
    inexact = {key: value for key, value in fields.items() if said[key] != value}
    return {key: b64encode(msgspec.msgpack.encode(value)).decode() for key, value in inexact.items()}


def _summary(said: Any) -> Any:
    """Ids, names and lengths of a block, nothing that a person has written."""
    if not isinstance(said, dict):
        return {}
    shown = {key: said[key] for key in _SUMMED_UP if isinstance(said.get(key), str)}
    return shown | {f"{key}_chars": len(said[key]) for key in _TEXTS if isinstance(said.get(key), str)}


def said_plainly(said: Mapping[str, Any]) -> Any:
    """Plain values that JSON has words for."""
    try:
        if is_simple({key: value for key, value in said.items() if type(value) is not datetime}):
            return _in_words(said)
    except Exception:  # noqa: BLE001, S110 -- a text that UTF-8 cannot say
        pass
    return _in_words(spoken(plain(said)))


def _in_words(value: Any) -> Any:
    """What JSON makes of a plain value: NaN is null, a time is text."""
    return msgspec.json.decode(msgspec.json.encode(value))
