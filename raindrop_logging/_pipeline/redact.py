"""Take out of a snapshot what must not leave, before anything else sees it: the disk, a diagnostic, the wire.

In: Snapshot
Out: Snapshot, redacted
Touches: nothing (pure), but for a callable of the application's that the key ``redact`` names
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from raindrop_logging._pipeline.entries import ABOUT, ErrorText, Snapshot, block_of
from raindrop_logging.plain import packed
from raindrop_logging.vocabulary import RECORD_TYPES

if TYPE_CHECKING:
    from raindrop_logging.redaction import Redactor

_WORDS = frozenset(RECORD_TYPES)


def redacted(snapshot: Snapshot, redactor: Redactor) -> Snapshot:
    """The snapshot with the free texts of its block, its scope and its error redacted."""
    return replace(
        snapshot,
        block=_block(redactor, block_of(snapshot)),
        texts=None,
        word=_word(redactor, snapshot.word),
        scope=_scope(redactor, snapshot.scope),
        error=_error(redactor, snapshot.error),
    )


def _block(redactor: Redactor, block: Any) -> bytes:
    if not isinstance(block, dict):
        return packed(redactor.value(block))[0]
    said = redactor.block(block)
    if "type" in said:
        said["type"] = _word(redactor, said["type"])
    return packed(said)[0]


def _word(redactor: Redactor, word: Any) -> Any:
    """The record type; what is none may be anything, and its refusal shows it."""
    return word if word is None or (isinstance(word, str) and word in _WORDS) else redactor.value(word)


def _scope(redactor: Redactor, scope: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """What is bound has the fields of a block; the ids of the open interaction stay whole."""
    if not scope:
        return scope
    said = redactor.block({key: value for key, value in scope.items() if key != ABOUT})
    return {**said, ABOUT: scope[ABOUT]} if ABOUT in scope else said


def _error(redactor: Redactor, error: ErrorText | None) -> ErrorText | None:
    if error is None:
        return None
    return ErrorText(error.type, redactor.text(error.message), redactor.text(error.stack))
