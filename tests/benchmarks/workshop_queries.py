"""How fast the Workshop's store answers and takes in: ``python -m tests.benchmarks.workshop_queries``.

It fills a file with generated events (and real conversations, where a file of them is named), asks every question
several times, and then measures ingest beside raw SQLite inserts of the same rows, while lists are being read.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from raindrop_logging.workshop import Store, open_store
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.records import Batch
from raindrop_logging.workshop.sqlite_schema import prepare
from tests.benchmarks.workshop_data import batches, conversations

UNDER_WAY = 4
"""Batches that wait for the disk at once, as from so many connections."""
RATE = 4_000
QUICK, LONGER = 100.0, 500.0


class Asked(NamedTuple):
    """One question, and the milliseconds that its median should stay under."""

    name: str
    limit: float
    ask: Callable[[Store], Any]


FEW = EventFilter(properties=(("build", "canary"),))
COMBINED = EventFilter(
    event=("plan",), model=("gpt-4o",), tool=("read_file",), properties=(("region", "eu"),), error=False
)
NONE = EventFilter(event=("plan",), tool=("read_file",), signal=("thumbs_up",), error=True, pending=False)

QUESTIONS = (
    Asked("list", QUICK, lambda store: store.events(50)),
    Asked("one event", QUICK, lambda store: store.event(f"{77:032x}")),
    Asked("filter: event", QUICK, lambda store: store.events(50, None, EventFilter(event=("plan",)))),
    Asked("filter: user", QUICK, lambda store: store.events(50, None, EventFilter(user_id=("user-7",)))),
    Asked("filter: model, rare", QUICK, lambda store: store.events(50, None, EventFilter(model=("rare-model",)))),
    Asked("filter: tool", QUICK, lambda store: store.events(50, None, EventFilter(tool=("read_file",)))),
    Asked("filter: signal", QUICK, lambda store: store.events(50, None, EventFilter(signal=("refusal",)))),
    Asked("filter: property", QUICK, lambda store: store.events(50, None, EventFilter(properties=(("region", "eu"),)))),
    Asked("filter: property, rare", QUICK, lambda store: store.events(50, None, FEW)),
    Asked("filter: error", QUICK, lambda store: store.events(50, None, EventFilter(error=True))),
    Asked("filter: attachment", QUICK, lambda store: store.events(50, None, EventFilter(attachment=True))),
    Asked("filter: five at once", QUICK, lambda store: store.events(50, None, COMBINED)),
    Asked("filter: four that none passes", QUICK, lambda store: store.events(50, None, NONE)),
    Asked("conversations", QUICK, lambda store: store.conversations(50)),
    Asked("conversations with an error", QUICK, lambda store: store.conversations(50, None, EventFilter(error=True))),
    Asked("turns of one", QUICK, lambda store: store.turns("convo-7", 50)),
    Asked("users", QUICK, lambda store: store.users(50)),
    Asked("traces without an event", QUICK, lambda store: store.traces(50)),
    Asked("failed tool calls", QUICK, lambda store: store.tool_errors(50)),
    Asked("failing tools", QUICK, lambda store: store.failing_tools()),
    Asked("counts", QUICK, lambda store: store.counts()),
    Asked("facets", LONGER, lambda store: store.facets()),
    Asked("facets: model", LONGER, lambda store: store.facets(EventFilter(model=("gpt-4o",)))),
    Asked("facets: five at once", LONGER, lambda store: store.facets(COMBINED)),
    Asked("events by day", LONGER, lambda store: store.timeseries()),
    Asked("users by day", LONGER, lambda store: store.timeseries(measure="users")),
    Asked("failures by day", LONGER, lambda store: store.timeseries(measure="failures")),
    Asked("failures by day and model", LONGER, lambda store: store.timeseries(measure="failures", split="model")),
    Asked("signals by day", LONGER, lambda store: store.timeseries(measure="signals", split="signal")),
    Asked(
        "one signal by day and model",
        LONGER,
        lambda store: store.timeseries(measure="signals", split="model", signal="refusal"),
    ),
    Asked(
        "failures by day and region",
        LONGER,
        lambda store: store.timeseries(measure="failures", split="property.region"),
    ),
)


def main() -> int:
    """0 where everything is within its limit, else 1."""
    given = _given()
    print(f"{os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}, ", end="")
    print(f"SQLite {sqlite3.sqlite_version}, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = given.db or Path(folder) / "workshop.db"
        with closing(open_store(path)) as store:
            held = store.counts().events
            if not held:
                _fill(store, given.events, given.conversations)
            missed = _ask_all(store, given.rounds)
        missed += _ingest(Path(folder), given.ingest)
    print(f"\n{missed or 'none'} beyond the limit")
    return int(missed > 0)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.workshop_queries", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="how many to generate (default: %(default)s)")
    parser.add_argument("--conversations", type=Path, metavar="FILE", help="real conversations as JSON lines")
    parser.add_argument("--db", type=Path, metavar="FILE", help="keep the filled file there, or use it again")
    parser.add_argument("--rounds", type=int, default=7, help="how often each question is asked (default: %(default)s)")
    parser.add_argument("--ingest", type=int, default=20_000, help="events per ingest measure (default: %(default)s)")
    return parser.parse_args()


def _fill(store: Store, events: int, real: Path | None) -> None:
    started = time.monotonic()
    _append_all(store, batches(events))
    if real:
        _append_all(store, conversations(real))
    seconds = time.monotonic() - started
    counts = store.counts()
    print(f"filled with {counts.events:,} events, {counts.spans:,} spans, {counts.signals:,} signals", end="")
    print(f" in {seconds:.0f} s ({counts.events / seconds:,.0f} events/s)\n")


def _append_all(store: Store, said: Iterable[Batch]) -> None:
    waiting: deque[Any] = deque()
    for batch in said:
        waiting.append(store.append(batch))
        if len(waiting) >= UNDER_WAY:
            waiting.popleft().result()
    for done in waiting:
        done.result()


def _ask_all(store: Store, rounds: int) -> int:
    """Print the table; how many questions took longer than they should."""
    print(f"{'question':32} {'median':>9} {'slowest':>9} {'limit':>7} {'of CPU':>9}")
    missed = 0
    for asked in QUESTIONS:
        taken, busy = [], []
        for _ in range(rounds):
            started, began = time.perf_counter(), time.thread_time()
            found = asked.ask(store)
            busy.append((time.thread_time() - began) * 1e3)
            taken.append((time.perf_counter() - started) * 1e3)
        median = statistics.median(taken)
        missed += median > asked.limit
        partial = any(getattr(facet, "partial", False) for facet in (found if isinstance(found, tuple) else (found,)))
        said = ("MISSED" if median > asked.limit else "") + (" partial" if partial else "")
        times = f"{median:6.1f} ms {max(taken):6.1f} ms {asked.limit:4.0f} ms {statistics.median(busy):6.1f} ms"
        print(f"{asked.name:32} {times} {said}")
    return missed


def _ingest(folder: Path, count: int) -> int:
    """Durable 100-event batches while lists are read, beside raw inserts of the very rows they became."""
    missed = 0
    print(f"\n{'ingest of 100-event batches':32} {'events/s':>9} {'raw rows':>9} {'ratio':>7} {'of CPU':>9}")
    for name, spans, limit in (("events", False, RATE), ("events, 2 spans, 0.3 signals", True, 0)):
        path = folder / f"ingest-{spans}.db"
        said = [*batches(count, spans=spans)]
        with closing(open_store(path)) as store:
            began = time.process_time()
            rate = count / _while_reading(store, said)
            busy = (time.process_time() - began) / count * 1e6
        raw = count / _raw_inserts(path, folder / f"raw-{spans}.db", 100)
        missed += rate < limit
        print(
            f"{name:32} {rate:9,.0f} {raw:9,.0f} {rate / raw:6.2f}x {busy:6.0f} µs{'  MISSED' if rate < limit else ''}"
        )
    return missed


def _while_reading(store: Store, said: Iterable[Batch]) -> float:
    """The seconds that these take to be stored while another thread reads ten lists a second."""
    ended = threading.Event()

    def read() -> None:
        while not ended.wait(0.1):
            msgspec.json.encode(store.events(50))

    reader = threading.Thread(target=read)
    reader.start()
    started = time.monotonic()
    _append_all(store, said)
    seconds = time.monotonic() - started
    ended.set()
    reader.join()
    return seconds


def _raw_inserts(source: Path, target: Path, size: int) -> float:
    """The seconds that SQLite takes to insert the rows of a file into another with the same tables and indexes.

    As many events in a commit as a batch has, with the rows that belong to them; nothing is looked up or merged.
    """
    with closing(sqlite3.connect(source)) as full, closing(prepare(target)) as empty:
        tables = ("events", "event_props", "spans", "traces", "signals", "users")
        rows = {name: _rows(full, name) for name in tables}
        commits = max(len(rows["events"][1]) // size, 1)
        started = time.monotonic()
        for number in range(commits):
            empty.execute("BEGIN IMMEDIATE")
            for name, (columns, held) in rows.items():
                part = held[number * len(held) // commits : (number + 1) * len(held) // commits]
                marks = ", ".join("?" * len(columns))
                empty.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", part)  # noqa: S608
            empty.execute("COMMIT")
        return time.monotonic() - started


def _rows(db: sqlite3.Connection, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    order = "rid" if table in {"events", "event_props"} else "rowid"
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]  # without those that are generated
    return columns, db.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}").fetchall()  # noqa: S608


if __name__ == "__main__":
    sys.exit(main())
