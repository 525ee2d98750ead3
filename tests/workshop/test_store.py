"""The store: idempotent, durable, shared, and clear about what it cannot open."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pytest

from raindrop_logging.workshop import Store, StoreError, default_path, open_store
from raindrop_logging.workshop.records import Batch, Event, Signal, Span, User

ABOUT = Event(event_id="e", user_id="u", event="chat", timestamp="2026-05-07T19:00:00.000000Z", is_pending=True)
FULL = Batch(
    events=(Event(event_id="e", input="q", output="a"), Event(event_id="f", attachments=({"value": "x"},))),
    signals=(Signal(event_id="e", name="s", properties={"b": 1, "a": 2}), Signal(event_id="e", name="t")),
    users=(User(user_id="u", traits={"a": 1}),),
    spans=(Span(trace_id="t", span_id="s", name="n", about=ABOUT), Span(trace_id="t", span_id="r", name="m")),
)


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, once in memory and once in a file."""
    opened = open_store(":memory:" if request.param == "memory" else tmp_path / "w.db")
    yield opened
    opened.close()


def test_a_batch_sent_twice_is_stored_once(store: Store) -> None:
    """A retry after a lost answer leaves everything as it was."""
    store.append(FULL).result()
    before = (store.event("e"), store.event("f"), store.user("u"), store.counts())
    store.append(FULL).result()
    after = (store.event("e"), store.event("f"), store.user("u"), store.counts())
    assert before[0] == after[0]
    assert before[1] == after[1]
    assert before[3] == after[3]
    assert (after[3].events, after[3].signals, after[3].spans, after[3].users) == (2, 2, 2, 1)


def test_signals_that_differ_are_kept(store: Store) -> None:
    """Only event, name, time and properties together make two signals the same one."""
    first = Signal(event_id="e", name="s", timestamp="2026-01-01T00:00:00.000000Z", properties={"a": 1})
    others = [
        Signal(event_id="f", name="s", timestamp=first.timestamp, properties={"a": 1}),
        Signal(event_id="e", name="t", timestamp=first.timestamp, properties={"a": 1}),
        Signal(event_id="e", name="s", timestamp="2026-01-01T00:00:01.000000Z", properties={"a": 1}),
        Signal(event_id="e", name="s", timestamp=first.timestamp, properties={"a": 2}),
    ]
    store.append(Batch(signals=(first, first, *others))).result()
    assert store.counts().signals == 5


@pytest.mark.parametrize("pending", [True, False])
def test_what_a_span_says_only_fills_gaps(store: Store, *, pending: bool) -> None:
    """A span makes its event known, pending, and never overwrites what the event said of itself."""
    span = Span(trace_id="t", span_id="s", name="n", about=ABOUT)
    store.append(Batch(spans=(span,))).result()
    seen = store.event("e")
    assert seen is not None
    assert (seen.event.user_id, seen.event.is_pending) == ("u", True)
    said = Event(event_id="e", user_id="other", timestamp="2026-05-07T20:00:00.000000Z", is_pending=pending)
    store.append(Batch(events=(said,))).result()
    store.append(Batch(spans=(span,))).result()
    story = store.event("e")
    assert story is not None
    assert (story.event.user_id, story.event.event, story.event.is_pending) == ("other", "chat", pending)
    assert story.event.timestamp == said.timestamp


def test_spans_without_event_belong_to_their_trace(store: Store) -> None:
    """A bare span is shown with the event that has its trace to itself, or that declared the trace."""
    bare = Span(trace_id="t", span_id="bare", name="http")
    store.append(Batch(spans=(bare, Span(trace_id="t", span_id="s", name="n", about=Event(event_id="a"))))).result()
    assert [span.span_id for span in _spans(store, "a")] == ["bare", "s"]
    store.append(Batch(spans=(Span(trace_id="t", span_id="z", name="n", about=Event(event_id="b")),))).result()
    assert [span.span_id for span in _spans(store, "a")] == ["s"]
    store.append(Batch(events=(Event(event_id="a", properties={"trace_id": "T"}),))).result()
    assert [span.span_id for span in _spans(store, "a")] == ["bare", "s"]
    assert [span.span_id for span in _spans(store, "b")] == ["z"]
    assert [span.span_id for span in store.trace("t")] == ["bare", "s", "z"]


def test_pages_of_the_list(store: Store) -> None:
    """The list is newest first, and its cursor walks through all of it while newer events arrive."""
    moments = [f"2026-01-0{day}T00:00:00.000000Z" for day in (3, 1, 2, 2, 4)]
    events = [Event(event_id=str(number), timestamp=moment) for number, moment in enumerate(moments)]
    store.append(Batch(events=tuple(events))).result()
    first = store.events(2)
    store.append(Batch(events=(Event(event_id="new", timestamp="2026-01-09T00:00:00.000000Z"),))).result()
    second = store.events(2, first.next_cursor)
    third = store.events(2, second.next_cursor)
    walked = [[summary.event.event_id for summary in page.summaries] for page in (first, second, third)]
    assert walked == [["4", "0"], ["3", "2"], ["1"]]
    assert third.next_cursor is None
    with pytest.raises(ValueError, match="not a cursor"):
        store.events(2, "nonsense")


def test_one_bad_batch_costs_only_itself(store: Store) -> None:
    """Batches that are committed together do not share their failures."""
    poison = Batch(events=(Event(event_id="x"), Event(event_id="y", properties={"bad": object()})))
    fine = Batch(events=(Event(event_id="z"),))
    answers = [store.append(batch) for batch in (poison, fine, poison, fine)]
    wait(answers)
    assert [answer.exception() is None for answer in answers] == [False, True, False, True]
    assert [summary.event.event_id for summary in store.events(9).summaries] == ["z"]


def test_many_threads(store: Store) -> None:
    """Writers and readers from many threads lose nothing and never see half a batch."""
    halves: list[int] = []

    def write(name: int) -> None:
        for number in range(20):
            pair = tuple(Event(event_id=f"{name}-{number}-{side}") for side in "ab")
            store.append(Batch(events=pair)).result()
            halves.append(store.counts().events % 2)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.counts().events == 240
    assert not any(halves)


def test_a_waiter_that_gave_up_harms_nobody(store: Store) -> None:
    """A request whose client is gone cancels its wait; the writer goes on."""
    for answer in [store.append(Batch(events=(Event(event_id=str(number)),))) for number in range(50)]:
        answer.cancel()
    store.append(Batch(events=(Event(event_id="last"),))).result()
    assert store.event("last") is not None


def test_closing_finishes_what_was_appended(tmp_path: Path) -> None:
    """Close waits for the writer; a closed store says so."""
    store = open_store(tmp_path / "w.db")
    answers = [store.append(Batch(events=(Event(event_id=str(number)),))) for number in range(100)]
    store.close()
    store.close()
    assert all(answer.done() and not answer.exception() for answer in answers)
    assert isinstance(store.append(FULL).exception(), StoreError)
    with pytest.raises(StoreError, match="closed"):
        store.counts()
    again = open_store(tmp_path / "w.db")
    assert again.counts().events == 100
    again.close()


def test_two_stores_on_one_file(tmp_path: Path) -> None:
    """Two writers of one file merge into the same events."""
    one, two = open_store(tmp_path / "w.db"), open_store(tmp_path / "w.db")
    answers = [
        store.append(Batch(events=(Event(event_id=str(number), properties={name: 1}),)))
        for number in range(50)
        for store, name in ((one, "one"), (two, "two"))
    ]
    wait(answers)
    assert all(set(summary.event.properties) == {"one", "two"} for summary in one.events(99).summaries)
    assert two.counts().events == 50
    one.close()
    two.close()


def test_a_killed_process_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """What was answered before kill -9 is there afterwards."""
    program = (
        "import os, sys\n"
        "from raindrop_logging.workshop import open_store\n"
        "from raindrop_logging.workshop.records import Batch, Event\n"
        "store = open_store(sys.argv[1])\n"
        "for number in range(300): store.append(Batch(events=(Event(event_id=str(number)),))).result()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    path = tmp_path / "w.db"
    assert subprocess.run([sys.executable, "-c", program, path], check=False).returncode == -9
    store = open_store(path)
    assert store.counts().events == 300
    store.close()


def test_private_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conversations are for their owner's eyes only."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    open_store().close()
    assert (tmp_path / "raindrop-logging").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "raindrop-logging" / "workshop.db").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_missing_is_not_made(tmp_path: Path) -> None:
    """A typing error in the path is told instead of filled with a new, empty database."""
    with pytest.raises(StoreError, match="No such file or directory"):
        open_store(tmp_path / "mistyped" / "w.db")
    assert not (tmp_path / "mistyped").exists()


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    """A file that is no database, a directory and a later version are refused by name."""
    other = tmp_path / "other.txt"
    other.write_text("not a database, but long enough to look at " * 50)
    later = tmp_path / "later.db"
    open_store(later).close()
    with sqlite3.connect(later) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    db.close()
    for path, said in ((other, "--db"), (tmp_path, "--db"), (later, "schema version 99")):
        with pytest.raises(StoreError, match=said) as caught:
            open_store(path)
        assert str(path) in str(caught.value)


def test_default_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The XDG data directory, and its default when the variable is absent or not absolute."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == tmp_path / "raindrop-logging" / "workshop.db"
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_DATA_HOME", value)
        assert default_path() == Path("~/.local/share/raindrop-logging/workshop.db").expanduser()


def _spans(store: Store, event_id: str) -> tuple[Span, ...]:
    story = store.event(event_id)
    assert story is not None
    return story.spans
