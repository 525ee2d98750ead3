"""With `redact`, what a person wrote into a free text leaves the process in no way: a canary test over every sink.

Each test speaks canaries in every place that takes free text, through every lane, and then looks for them in each body
that a receiver or the mirror got, in every byte below spool_dir, in all that was printed or told, and in the handler.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest

import raindrop_logging
from raindrop_logging.redaction import CATEGORIES
from tests.wire.harness import PATIENCE, Heard, attach
from tests.wire.recorder import Answer, Recorder

CANARIES = {
    "an e-mail": "canary.bird@example.org",
    "a card": "4111 1111 1111 1111",
    "a phone": "(415) 555-0137",
    "an SSN": "536-22-8714",
    "a key": "sk-proj-cAnaRy0a1B2c3D4e5F6a1B2c3D4e5F6",
    "a name": "Tweety Canaryworth",
    "an address": "1600 Birdcage Avenue",
}
PASSWORD = "feathers-and-seeds-77"
TEXT = (
    "My name is Tweety Canaryworth, mail canary.bird@example.org or call (415) 555-0137. My card is 4111 1111 1111 1111"
    " and my SSN 536-22-8714; the key is sk-proj-cAnaRy0a1B2c3D4e5F6a1B2c3D4e5F6 and I live at 1600 Birdcage Avenue."
)
SECRETS = (*CANARIES.values(), PASSWORD)
QUICK: dict[str, Any] = {
    "base_delay": 0.02, "max_delay": 0.05, "jitter": 0, "timeout": 5.0, "shutdown_timeout": 1.0,
    "upload_interval": 0.05, "partial_flush_interval": 0.1, "trace_flush_interval": 0.05, "debug": True,
}  # fmt: skip
WHOLE = (
    "user-kept-1",
    "event_kept",
    "convo-kept-1",
    "model-kept-1",
    "interaction-kept-1",
    "tool_kept",
    "provider-kept",
)
"""Ids and names that must arrive as they were logged."""

TOLD: dict[str, Any] = {"text": TEXT, "password": PASSWORD, "deep": [{"notes": (TEXT,), "passwd": PASSWORD}]}
MESSAGES = [
    {"role": "user", "content": TEXT},
    {"role": "assistant", "content": [{"type": "text", "text": TEXT}], "tool_calls": [
        {"id": "call-1", "type": "function", "function": {"name": "find", "arguments": f'{{"password": "{PASSWORD}"}}'}}
    ]},
]  # fmt: skip
NAMED = {"user_id": "user-kept-1", "event": "event_kept"}
IDS = {**NAMED, "convo_id": "convo-kept-1"}
ATTACHMENTS = [
    {"type": "text", "value": TEXT, "name": TEXT, "role": "input"},
    {"type": "code", "value": f'password = "{PASSWORD}"', "role": "output", "language": "python"},
]
INTERACTION = {"event_id": "interaction-kept-1"}

BLOCKS: list[dict[str, Any]] = [
    {"type": "ai", **IDS, "model": "model-kept-1", "input": TEXT, "output": TEXT, "properties": TOLD,
     "attachments": ATTACHMENTS},
    {"type": "event", **NAMED, "properties": TOLD, "attachments": ATTACHMENTS},
    {"type": "begin", **IDS, **INTERACTION, "input": TEXT, "properties": TOLD, "attachments": ATTACHMENTS},
    {"type": "update", **INTERACTION, "output": TEXT, "properties": {"later": TOLD}, "attachments": ATTACHMENTS},
    {"type": "signal", **INTERACTION, "name": "thumbs_down", "signal_type": "feedback", "comment": TEXT,
     "properties": TOLD},
    {"type": "signal", **INTERACTION, "name": "edited", "signal_type": "edit", "after": TEXT},
    {"type": "span", "kind": "tool", "name": "tool_kept", **INTERACTION, "input": TOLD, "output": TEXT,
     "properties": TOLD, "attributes": {"note": TEXT, "password": PASSWORD}, "error": TEXT},
    {"type": "span", "kind": "llm", "name": "call", **INTERACTION, "model": "model-kept-1", "provider": "provider-kept",
     "messages": MESSAGES, "output": TEXT, "error": {"type": "ValueError", "message": TEXT, "stack": TEXT}},
    {"type": "finish", **INTERACTION, "output": TEXT, "properties": TOLD},
    # with a fault each, whose report may show what is in it
    {"type": "ai", "user_id": "user-kept-1", "event": {"name": TEXT}, "input": TEXT},
    {"type": TEXT, "input": TEXT},
    {"type": "signal", "event_id": "e", "name": "s", "properties": TEXT},
    {"type": "span", "kind": "tool", "name": "t", "error": [TEXT]},
    {TEXT: TEXT, "password": PASSWORD},
]  # fmt: skip
"""Every record type with a canary wherever a text may be free; `identify` is apart: traits may hold some."""

log = logging.getLogger("shop.agent")


def speak() -> None:
    """Say every block, once as it is and once with an exception and with canaries bound around it."""
    for block in BLOCKS:
        log.info("said", extra={"raindrop": block})
    with raindrop_logging.bind(user_id="user-kept-1", properties=TOLD):
        for block in BLOCKS:
            try:
                _fail()
            except ValueError:
                log.exception("said", extra={"raindrop": block})
        log.info("said", extra={"raindrop": {"type": "identify", "user_id": "user-kept-1", "traits": {
            "password": PASSWORD, "email": "kept.trait@example.org"}}})  # fmt: skip
        with (
            suppress(ValueError),
            raindrop_logging.begin(event="event_kept", input=TEXT).tool_span("tool_kept") as span,
        ):
            span.record_input(TEXT)
            span.set_attributes({"password": PASSWORD, "note": TEXT})
            _fail()


def _fail() -> NoReturn:
    raise ValueError(TEXT)


def leaks(seen: bytes | str) -> list[str]:
    """The canaries that are in a text."""
    text = seen if isinstance(seen, bytes) else seen.encode("utf-8", "replace")
    return [one for one in SECRETS if any(form.encode() in text for form in (one, one.replace(" ", ""), one.lower()))]


def _bodies(*recorders: Recorder) -> Iterator[bytes]:
    for recorder in recorders:
        yield from (request.body for request in recorder.requests)


def _files(directory: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())


def found_by_nobody(redact: str) -> str:
    """A callable of the application's, named in the configuration by its path: it gets what is redacted already."""
    return redact.replace("seeds", "s***s")


HOW: dict[str, Any] = {
    "true": True,
    "a list": list(CATEGORIES),
    "a callable": f"{__name__}:found_by_nobody",
}
DISKS = ["memory", "spill", "journal"]


def _disk(durability: str, directory: Path) -> dict[str, Any]:
    return {} if durability == "memory" else {"durability": durability, "spool_dir": str(directory)}


def test_the_canaries_are_found_where_nothing_is_redacted(recorder: Recorder) -> None:
    """Without `redact` every canary is in what arrives, so that this test is one."""
    handler = attach(recorder.endpoint, **QUICK)
    speak()
    assert handler.flush(PATIENCE)
    assert set(leaks(b"".join(_bodies(recorder)))) == set(SECRETS)


@pytest.mark.parametrize("durability", DISKS)
@pytest.mark.parametrize("how", HOW)
def test_no_canary_is_in_what_leaves(
    how: str, durability: str, recorder: Recorder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither the receiver, nor the mirror, nor the operator, nor who prints the handler comes to see one."""
    heard = Heard("raindrop_logging")
    with Recorder() as mirror:
        keys = {**QUICK, **_disk(durability, tmp_path), "redact": HOW[how], "workshop": mirror.endpoint}
        handler = attach(recorder.endpoint, **keys, defaults={"properties": TOLD})
        speak()
        on_disk = _files(tmp_path)
        assert handler.flush(PATIENCE)
        handler.shutdown(1.0)
        mirror.wait_for(5)

        bodies = list(_bodies(recorder, mirror))
    assert [leaks(body) for body in bodies if leaks(body)] == []
    assert leaks(on_disk + _files(tmp_path)) == []
    assert leaks("".join([*heard.lines, repr([vars(record) for record in heard.records])])) == []
    assert any("invalid" in line for line in heard.lines), "the faults were told"
    assert leaks("".join(capfd.readouterr())) == []
    assert leaks(repr(handler) + str(handler) + repr(handler.stats())) == []

    arrived = b"".join(_bodies(recorder)).decode("utf-8", "replace")
    assert [name for name in WHOLE if name not in arrived] == []
    (traits,) = recorder.items("users/identify")
    assert traits["traits"]["email"] == "kept.trait@example.org"
    assert traits["traits"]["password"] != PASSWORD


@pytest.mark.parametrize("durability", ["spill", "journal"])
@pytest.mark.parametrize(
    "answer", [Answer(503), Answer(400, body=TEXT.encode()), Answer(None)], ids=["503", "400", "away"]
)
def test_no_canary_is_on_disk_while_the_server_is_down(
    answer: Answer, durability: str, recorder: Recorder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What waits on disk, before and after a shutdown, is redacted, and so is what is told of the trouble."""
    heard = Heard("raindrop_logging")
    recorder.default = answer
    keys = {**QUICK, **_disk(durability, tmp_path), "redact": True, "max_queue_size": 1, "shutdown_timeout": 0.3}
    handler = attach(recorder.endpoint, **keys)
    speak()
    before = _files(tmp_path)
    handler.flush(0.2)
    handler.shutdown(0.3)
    after = _files(tmp_path)
    assert before
    assert leaks(before + after + b"".join(_bodies(recorder))) == []
    told = "".join([*heard.lines, *capfd.readouterr()])
    if answer.status != 400:  # a receiver that repeats what it was never sent has it from somebody else
        assert leaks(told) == []


PROGRAM = """
import logging, os, signal, sys
sys.path.insert(0, sys.argv[1])
from tests import test_redacted_text_stays_secret as canaries
import raindrop_logging
handler = raindrop_logging.RaindropHandler(
    write_key="k", endpoint=sys.argv[2], spool_dir=sys.argv[3], durability=sys.argv[4], redact=True,
    **{**canaries.QUICK, "max_queue_size": 1, "shutdown_timeout": 0.3})
logging.basicConfig(level="DEBUG", handlers=[handler])
canaries.speak()
if sys.argv[5] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("end", ["killed", "returned"])
@pytest.mark.parametrize("durability", ["spill", "journal"])
def test_no_canary_is_in_what_a_process_leaves_behind(
    durability: str, end: str, recorder: Recorder, tmp_path: Path
) -> None:
    """Killed in the middle or ended with the server down, a process leaves nothing that the next one must not send."""
    recorder.default = Answer(503)
    root = str(Path(__file__).parent.parent)
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, root, recorder.endpoint, str(tmp_path), durability, end],
        capture_output=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ended.returncode == (-signal.SIGKILL if end == "killed" else 0), ended.stderr
    left = _files(tmp_path)
    assert len(left) > 1_000
    assert leaks(left + ended.stdout + ended.stderr) == []

    recorder.default = Answer()
    handler = attach(recorder.endpoint, **QUICK, **_disk(durability, tmp_path), write_key="k", redact=True)
    assert handler.flush(PATIENCE)
    assert handler.stats().replayed > 0
    assert leaks(b"".join(_bodies(recorder))) == []


class _Hostile:
    """Shows a canary however it is asked, and raises in the middle of it."""

    def __repr__(self) -> str:
        return f"<{TEXT}>"

    def __iter__(self) -> Iterator[str]:
        raise ValueError(TEXT)


@pytest.mark.parametrize("durability", DISKS)
def test_values_that_are_no_plain_ones_are_redacted_as_the_texts_they_become(
    durability: str, recorder: Recorder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Objects, bytes, sets, keys and texts inside of JSON hide no canary."""
    heard = Heard("raindrop_logging")
    handler = attach(recorder.endpoint, **QUICK, **_disk(durability, tmp_path), redact=True)
    values: list[Any] = [_Hostile(), TEXT.encode(), {TEXT}, {TEXT: 1}, [[[[TEXT]]]], f'["{TEXT}"]', ValueError(TEXT)]
    for value in values:
        log.info("said", extra={"raindrop": {"type": "event", **NAMED, "properties": {"value": value}}})
        log.info("said", extra={"raindrop": {"type": "ai", **IDS, "input": value}})
    assert handler.flush(PATIENCE)
    assert handler.stats().delivered >= len(values)
    assert leaks(b"".join(_bodies(recorder)) + _files(tmp_path)) == []
    assert leaks("".join([*heard.lines, *capfd.readouterr()])) == []


def test_a_callable_that_fails_lets_nothing_out(
    recorder: Recorder, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """An exception of the application's callable takes the text out whole, and its own message is told to nobody."""
    handler = attach(recorder.endpoint, **QUICK, **_disk("journal", tmp_path), redact=f"{__name__}:fails")
    heard = Heard("raindrop_logging")
    speak()
    assert handler.flush(PATIENCE)
    assert leaks(b"".join(_bodies(recorder)) + _files(tmp_path)) == []
    assert leaks("".join([*heard.lines, *capfd.readouterr()])) == []


def fails(text: str) -> str:
    """A callable of the application's with a fault."""
    raise RuntimeError(text + traceback.format_exc())
