"""Retention: the oldest go, whole, in small steps, and nothing else does."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging.workshop import Store, open_store
from raindrop_logging.workshop.answers import Pruned
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.records import Batch, Event, Signal, Span, User
from raindrop_logging.workshop.retention import KEEP_ALL, Limits, kept_within
from raindrop_logging.workshop.sqlite.retention import STEP, prune
from raindrop_logging.workshop.sqlite.store import SqliteStore
from raindrop_logging.workshop.times import from_datetime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

WEEK = timedelta(days=7)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store's file is."""
    return tmp_path / "w.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An empty store in a file."""
    opened = open_store(path)
    yield opened
    opened.close()


def ago(days: float) -> str:
    """So many days before now."""
    return from_datetime(datetime.now(UTC) - timedelta(days=days))


def story(number: int, days: float, text: str = "text") -> Batch:
    """An event of that age with two spans (one of them bare), a signal and a property."""
    name = f"e{number}"
    own = Span(
        trace_id=f"t{number}", span_id="own", name="look", kind="tool", start_time=ago(days), about=Event(event_id=name)
    )
    return Batch(
        events=(Event(event_id=name, timestamp=ago(days), input=text, properties={"n": number}, user_id=f"u{number}"),),
        spans=(own, Span(trace_id=f"t{number}", span_id="bare", name="http", start_time=ago(days))),
        signals=(Signal(event_id=name, name="s"),),
    )


def rows(path: Path) -> dict[str, int]:
    """How many rows each table of the file has."""
    db = sqlite3.connect(path)
    tables = ("events", "spans", "signals", "traces", "event_props")
    found = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}  # noqa: S608
    db.close()
    return found


def test_what_is_older_goes_whole(store: Store, path: Path) -> None:
    """With an event goes all that hangs on it; a younger one keeps all of its own."""
    for number, days in enumerate((30, 8, 6, 0)):
        store.append(story(number, days)).result()
    gone = store.prune(keep=WEEK)
    assert (gone.events, gone.spans, gone.signals) == (2, 4, 2)
    assert rows(path) == {"events": 2, "spans": 4, "signals": 2, "traces": 2, "event_props": 2}
    assert [summary.event.event_id for summary in store.events(9).summaries] == ["e3", "e2"]
    assert store.events(9, None, EventFilter(properties=(("n", "0"),))).summaries == ()
    again = store.prune(keep=WEEK)
    assert (again.events, again.spans, again.signals) == (0, 0, 0)


def test_what_has_no_event_goes_by_its_own_age(store: Store) -> None:
    """Old traces without an event go; waiting signals and users who were just identified stay."""
    bare = tuple(Span(trace_id=f"t{days}", span_id="s", name="n", start_time=ago(days)) for days in (30, 1))
    store.append(Batch(spans=bare, signals=(Signal(event_id="later", name="s"),), users=(User(user_id="u"),))).result()
    gone = store.prune(keep=WEEK)
    assert (gone.spans, gone.signals, gone.users) == (1, 0, 0)
    assert [trace.trace_id for trace in store.traces(9).items] == ["t1"]
    everything = store.prune(keep=timedelta(0))
    assert (everything.spans, everything.signals, everything.users) == (1, 1, 1)


def test_a_shared_trace_stays_with_who_is_left(store: Store) -> None:
    """Bare spans in a trace of two events belong to neither, and go with neither."""
    about = [Event(event_id=name, timestamp=ago(days)) for name, days in (("old", 30), ("young", 1))]
    spans = [Span(trace_id="t", span_id=event.event_id, name="n", about=event) for event in about]
    store.append(Batch(events=tuple(about), spans=(*spans, Span(trace_id="t", span_id="bare", name="n")))).result()
    assert store.prune(keep=WEEK).spans == 1
    assert {span.span_id for span in store.trace("t")} == {"young", "bare"}


def test_a_size_is_kept_by_deleting_the_oldest(store: Store, path: Path) -> None:
    """The data takes no more than asked for, the newest of it is there, and the file has shrunk."""
    for number in range(600):
        store.append(story(number, 600 - number, "x" * 5_000))
    store.append(Batch()).result()
    whole = store.prune().bytes_left
    gone = store.prune(max_bytes=whole // 2)
    assert gone.bytes_left <= whole // 2
    assert 0 < gone.events < 600
    left = [summary.event.event_id for summary in store.events(500).summaries]
    assert left == [f"e{number}" for number in reversed(range(gone.events, 600))]
    store.close()
    assert path.stat().st_size <= whole // 2
    again = open_store(path)
    assert again.prune(max_bytes=0).events == 600 - gone.events
    assert again.counts().events == 0
    again.close()


def test_writers_come_between_the_steps(store: Store) -> None:
    """Much is deleted in many jobs of the writer's, none of them large, so that others' jobs come between."""
    assert isinstance(store, SqliteStore)
    for number in range(3 * STEP):
        store.append(story(number, 30))
    steps: list[Any] = []

    def submit(work: Callable[[sqlite3.Connection], Any]) -> Future[Any]:
        done = store._writer.submit(work)
        steps.append(done.result())
        store.append(Batch(events=(Event(event_id=f"new{len(steps)}"),))).result()
        return done

    gone = prune(submit, ago(7), None)
    assert gone.events == 3 * STEP
    assert [step.events for step in steps if isinstance(step, Pruned)] == [0, STEP, STEP, STEP, 0]
    assert store.counts().events == len(steps)


def test_every_age_can_be_asked_for(store: Store) -> None:
    """An age beyond all calendars keeps everything."""
    store.append(story(0, 30)).result()
    assert store.prune(keep=timedelta(weeks=9_999 * 53)).events == 0


def test_it_is_kept_within_its_limits_while_it_runs(store: Store) -> None:
    """The first round comes at once, the next ones again and again; without limits there is none."""
    store.append(story(0, 30)).result()
    with kept_within(store, KEEP_ALL, print):
        pass
    assert store.event("e0") is not None
    with kept_within(store, Limits(keep=WEEK), print, every=0.01):
        for number in (0, 1):
            store.append(story(number, 30)).result()
            while store.event(f"e{number}") is not None:
                store.append(Batch()).result()


def test_a_round_that_fails_is_told_and_the_next_one_tried() -> None:
    """A store that cannot be used ends no Workshop."""
    store = open_store(":memory:")
    store.close()
    said: list[str] = []
    twice = threading.Event()

    def announce(line: str) -> None:
        said.append(line)
        if len(said) == 2:
            twice.set()

    with kept_within(store, Limits(max_bytes=1), announce, every=0.01):
        assert twice.wait(20)
    assert said[0] == "Nothing old was deleted this time: the store is closed"
