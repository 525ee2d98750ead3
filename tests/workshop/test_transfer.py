"""Export and import: all that a Workshop keeps, out of it and into another."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raindrop_logging.cli import main
from raindrop_logging.workshop import story_lines
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.records import Batch, Event, Signal, Span, User
from raindrop_logging.workshop.store import Store, open_store
from raindrop_logging.workshop.transfer import lines_of, unknown

_TIME = st.integers(0, 59).map(lambda second: f"2026-05-07T19:00:{second:02}.000000Z")
_ID = st.sampled_from(["a", "b", "c", "数", "d/e?"])
_TEXT = st.none() | st.text(max_size=8)
_JSON = st.dictionaries(
    st.text(min_size=1, max_size=3), st.none() | st.booleans() | st.integers(-9, 9) | st.text(), max_size=2
)
_EVENTS = st.builds(
    Event, event_id=_ID, user_id=st.none() | _ID, event=_TEXT, model=_TEXT, input=_TEXT, output=_TEXT, convo_id=_TEXT,
    properties=_JSON, attachments=st.sampled_from([(), ({"type": "code", "value": "x", "role": "output"},)]),
    feature_flags=st.sampled_from([{}, {"fast": "on"}]), timestamp=_TIME, is_pending=st.booleans(),
    project_id=st.sampled_from([None, "p"]),
)  # fmt: skip
_SIGNALS = st.builds(
    Signal, event_id=_ID, name=st.sampled_from(["up", "down"]), sentiment=st.sampled_from([None, "NEGATIVE"]),
    timestamp=st.none() | _TIME, properties=_JSON,
)  # fmt: skip
_SPANS = st.builds(
    Span, trace_id=st.sampled_from(["1" * 32, "2" * 32]), span_id=st.sampled_from(["1" * 16, "2" * 16, "3" * 16]),
    name=st.text(max_size=3), kind=st.sampled_from(["tool", "llm"]), status=st.sampled_from(["ok", "error"]),
    error=_TEXT, input=_TEXT, start_time=_TIME, end_time=_TIME, attributes=_JSON,
    about=st.none() | st.builds(Event, event_id=_ID, is_pending=st.just(value=True)),
)  # fmt: skip
_USERS = st.builds(User, user_id=_ID, traits=st.dictionaries(st.sampled_from("pq"), st.integers(), min_size=1))
_BATCHES = st.builds(
    Batch, events=st.lists(_EVENTS, max_size=4).map(tuple), signals=st.lists(_SIGNALS, max_size=3).map(tuple),
    spans=st.lists(_SPANS, max_size=4).map(tuple), users=st.lists(_USERS, max_size=2).map(tuple),
)  # fmt: skip


def answers(store: Store) -> list[Any]:
    """All that the store says of what it keeps."""
    events = [summary.event.event_id for summary in store.events(100).summaries]
    users = sorted(store.users(100).items, key=lambda person: person.user_id)
    traces = [(trace, store.trace(trace.trace_id)) for trace in store.traces(100).items]
    return [store.events(100).summaries, [plain(store.event(name)) for name in events], users, traces]


def plain(story: Any) -> Any:
    """A story without regard to the order of signals of one moment."""
    return msgspec.structs.replace(story, signals=tuple(sorted(story.signals, key=repr)))


def absorb(store: Store, lines: list[bytes]) -> None:
    """Import the lines."""
    for line in lines:
        store.append(unknown(store, story_lines.read(line))).result()


@settings(deadline=None, max_examples=20)
@given(_BATCHES)
def test_what_is_imported_answers_as_what_was_exported(batch: Batch) -> None:
    """Export and import into an empty store: the same answers; again, or into the store itself: no change."""
    one, other = open_store(":memory:"), open_store(":memory:")
    try:
        one.append(batch).result()
        lines = list(lines_of(one))
        told = answers(one)
        absorb(other, lines)
        assert answers(other) == told
        absorb(other, lines)
        absorb(one, lines)
        assert answers(other) == answers(one) == told
    finally:
        one.close()
        other.close()


def test_only_what_passes_is_exported() -> None:
    """With a filter: the stories that pass, the traits of their users, and nothing without an event."""
    store = open_store(":memory:")
    events = (Event(event_id="a", user_id="u"), Event(event_id="b", user_id="v"))
    users = tuple(User(user_id=name, traits={"plan": "pro"}) for name in "uvw")
    store.append(Batch(events=events, users=users)).result()
    told = [json.loads(line) for line in lines_of(store, EventFilter(user_id=("v",)))]
    assert [next(iter(line)) for line in told] == ["user", "event"]
    assert told[0]["user"]["user_id"] == told[1]["event"]["user_id"] == "v"
    store.close()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "truncated|malformed"),
        (b"[]", "object"),
        (b"{}", "neither"),
        (b'{"event": {"event_id": 3}}', "str"),
        (b'{"event": {"event_id": " "}}', "blank"),
        (b'{"event": {"event_id": "a", "timestamp": "soon"}}', "soon"),
        (b'{"event": {"event_id": "a", "attachments": [{"type": "code"}]}}', "value"),
        (b'{"event": {"event_id": "a", "properties": ' + b'{"a":' * 300 + b"1" + b"}" * 301 + b"}", "inside"),
        (b'{"signals": [{"event_id": "a", "name": "b"}]}', "without|neither"),
        (b'{"event": {"event_id": "\xff"}}', "UTF-8|utf-8"),
    ],
)
def test_a_line_that_is_no_story_is_refused(line: bytes, reason: str) -> None:
    """What was made by hand or cut off says what is wrong with it."""
    with pytest.raises(story_lines.LineError, match=reason):
        story_lines.read(line)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database with one story."""
    file = tmp_path / "workshop.db"
    store = open_store(file)
    store.append(Batch(events=(Event(event_id="a", user_id="u", input="hello"),))).result()
    store.close()
    return file


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.gz"])
def test_by_the_command_line(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Export to a file that only its owner reads, import it elsewhere, twice."""
    out, other = tmp_path / name, tmp_path / "other.db"
    assert main(["workshop", "export", "--db", str(database), "-o", str(out)]) == 0
    assert out.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []
    for _ in range(2):
        assert main(["workshop", "import", "--db", str(other), str(out)]) == 0
        assert "imported 1 lines" in capsys.readouterr().out
    store = open_store(other)
    assert store.counts().events == 1
    store.close()


def test_bad_lines_are_named_and_left_out(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad line costs itself, is told by file and number, and the exit code says that something was left."""
    file = tmp_path / "in.jsonl"
    file.write_bytes(b'\n{"event": {"event_id": "good"}}\n{"event"\n')
    assert main(["workshop", "import", "--db", str(database), str(file)]) == 1
    told = capsys.readouterr()
    assert f"{file}:3: left out: " in told.err
    assert "imported 1 lines" in told.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "--db", "/nowhere/a.db"], "no Workshop database"),
        (["import", "/nowhere/a.jsonl"], "cannot read"),
        (["export", "-o", "/nowhere/out"], "cannot write"),
    ],
)
def test_what_cannot_be_read_or_written(
    database: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """Files that are not there are named in one line."""
    with_database = words if "--db" in words else [*words, "--db", str(database)]
    assert main(["workshop", *with_database]) == 1
    assert said in capsys.readouterr().err


def test_a_file_that_ends_early(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A gzip file that was cut off gives what it has, and is named."""
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"event": {"event_id": "x"}}\n' * 2_000)[:-20])
    assert main(["workshop", "import", "--db", str(database), str(file)]) == 1
    assert f"cannot read {file}" in capsys.readouterr().err
