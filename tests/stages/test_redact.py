"""What of a snapshot is redacted, and what is left whole."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from raindrop_logging._pipeline.entries import ABOUT, ErrorText, Snapshot, block_of
from raindrop_logging._pipeline.redact import redacted
from raindrop_logging.redaction import Redactor

MAIL, TOKEN = "ann@example.com", "<REDACTED_EMAIL>"
REDACTOR = Redactor(("emails",))


def _snapshot(block: Any = None, **given: Any) -> Snapshot:
    usual: dict[str, Any] = {
        "created": 1.5,
        "number": 7,
        "word": "ai",
        "scope": None,
        "error": None,
        "logger": "shop",
        "path": "/srv/shop.py",
        "line": 7,
    }
    return Snapshot(**usual | {"block": msgspec.msgpack.encode(block), "nbytes": 400} | given)


def _block(block: Any) -> Any:
    return block_of(redacted(_snapshot(block), REDACTOR))


def test_the_block_is_redacted_by_its_fields() -> None:
    """Free text loses what it must not hold, ids and names stay."""
    block = {"user_id": MAIL, "event": MAIL, "input": f"I am {MAIL}", "properties": {"deep": [{"mail": MAIL}]}}
    assert _block(block) == {
        "user_id": MAIL,
        "event": MAIL,
        "input": f"I am {TOKEN}",
        "properties": {"deep": [{"mail": TOKEN}]},
    }


def test_a_long_text_is_redacted_like_any_other() -> None:
    """What capture keeps beside the block is part of it, and is not kept beside it any longer."""
    long = "I am " + "very " * 20_000
    snapshot = redacted(_snapshot({"user_id": MAIL}, texts={"input": long + MAIL}), REDACTOR)
    assert snapshot.texts is None
    assert block_of(snapshot) == {"user_id": MAIL, "input": long + TOKEN}


def test_what_is_no_block_is_redacted_as_a_value() -> None:
    """A record that will be refused is redacted all the same, since its refusal may show what it held."""
    assert _block([MAIL, {"a": MAIL}]) == [TOKEN, {"a": TOKEN}]
    assert _block(MAIL) == TOKEN
    assert _block(None) is None


def test_bytes_stay_bytes() -> None:
    """Bytes are redacted where they are text, and are bytes afterwards as well."""
    assert _block({"properties": {"raw": MAIL.encode(), "noise": b"\xff\x00"}}) == {
        "properties": {"raw": TOKEN.encode(), "noise": b"\xff\x00"}
    }


def test_what_is_bound_is_redacted_and_its_ids_stay() -> None:
    """Bound properties are free text; the ids bound beside them, and those of the open interaction, are whole."""
    about = {"event_id": MAIL, "user_id": MAIL, "event": MAIL}
    scope = {"user_id": MAIL, "trace_id": "t", "properties": {"mail": MAIL}, ABOUT: about}

    said = redacted(_snapshot({}, scope=scope), REDACTOR).scope

    assert said == {"user_id": MAIL, "trace_id": "t", "properties": {"mail": TOKEN}, ABOUT: about}
    assert scope["properties"] == {"mail": MAIL}, "what is bound is the caller's, and holds for other records"


def test_nothing_bound_stays_nothing() -> None:
    """A record without a scope has none afterwards."""
    assert redacted(_snapshot({}), REDACTOR).scope is None
    assert redacted(_snapshot({}, scope={ABOUT: {"event_id": "e"}}), REDACTOR).scope == {ABOUT: {"event_id": "e"}}


def test_an_error_keeps_its_type_only() -> None:
    """Message and stack are free text."""
    error = ErrorText(MAIL, f"no {MAIL}", f"line 1\nline 2 {MAIL}")
    assert redacted(_snapshot({}, error=error), REDACTOR).error == ErrorText(
        MAIL, f"no {TOKEN}", f"line 1\nline 2 {TOKEN}"
    )


@pytest.mark.parametrize(("word", "said"), [("finish", "finish"), (None, None), (MAIL, TOKEN)])
def test_a_type_stays_and_what_is_none_is_free_text(word: str | None, said: str | None) -> None:
    """A record type is no secret; another word in its place may be anything, here and in the block."""
    after = redacted(_snapshot({"type": word, "input": MAIL}, word=word), REDACTOR)
    assert (after.word, block_of(after)) == (said, {"type": said, "input": TOKEN})


def test_everything_else_of_a_snapshot_stays() -> None:
    """Time, bits and place are as captured, so that ids do not depend on redaction."""
    before = _snapshot({"input": MAIL}, error=ErrorText("E", MAIL, ""))
    after = redacted(before, REDACTOR)
    names = ("created", "bits", "source", "nbytes")
    assert [getattr(after, name) for name in names] == [getattr(before, name) for name in names]


def test_redacting_twice_changes_nothing() -> None:
    """What an earlier process redacted before it wrote it is read back as it was."""
    once = redacted(_snapshot({"input": f"{MAIL} and {MAIL}"}, error=ErrorText("E", MAIL, MAIL)), REDACTOR)
    assert redacted(once, REDACTOR) == once
