"""How fast the Workshop takes in and answers: ``python -m tests.benchmarks.workshop``.

The server runs as a user starts it. One process posts to it while another reads pages; then every question is asked
over HTTP. A figure is the median by the clock; beside it is the server's own CPU time, which other programs on the
machine do not move, and how many raw SQLite inserts take as long: the same rows into the same tables in the same run,
with nothing looked up or merged.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from raindrop_logging.workshop.sqlite.schema import prepare
from tests.benchmarks.workshop_parties import Client, Server, reading, send, serving
from tests.benchmarks.workshop_questions import QUESTIONS, Asked

RATE = 4_000
BATCH = 100
INGESTED = 20_000
"""Events that are sent while the rate is measured."""
POLL_SECONDS = 0.5
ENOUGH_SECONDS = 3.0
"""A question that takes longer is not asked again and again."""


class Raw(NamedTuple):
    """Microseconds that a raw insert of one event takes: by the clock, and of the CPU."""

    clock: float
    busy: float


def main() -> int:
    """0 where everything is within its target, else 1."""
    given = _given()
    print(f"{os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}, ", end="")
    print(f"SQLite {sqlite3.sqlite_version}, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = given.db or Path(folder) / "workshop.db"
        is_new = not path.exists()
        with serving(Path(folder) / "ingest.db") as server:
            raw, missed = _ingest(server, Path(folder))
        with serving(path) as server:
            if is_new:
                _fill(server, path, given.events, given.conversations)
            missed += _ask_all(server, given.rounds, raw)
    print(f"\n{missed or 'none'} beyond the target; load {os.getloadavg()[0]:.1f}")
    return int(missed > 0)


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.workshop", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="how many to generate (default: %(default)s)")
    parser.add_argument("--conversations", type=Path, metavar="FILE", help="real conversations as JSON lines")
    parser.add_argument("--db", type=Path, metavar="FILE", help="keep the filled file there, or use it again")
    parser.add_argument("--rounds", type=int, default=7, help="how often each question is asked (default: %(default)s)")
    return parser.parse_args()


def _ingest(server: Server, folder: Path) -> tuple[Raw, int]:
    """Events in batches while pages are read; then the raw inserts of the very rows they became."""
    send(server, "events", 0, BATCH)  # what the reader asks for is there, and all code is loaded
    with reading(server.port) as taken:
        sent = send(server, "events", BATCH, INGESTED)
    each = sent.server / sent.events * 1e6
    waiting = _health(Client(server.port))["unindexed"]
    raw = _raw_inserts(folder / "ingest.db", folder / "raw.db")
    rate, possible = sent.events / sent.seconds, 1e6 / each
    print(f"{'ingest of 100-event batches, pages read':40} {'measured':>12} {'target':>12}")
    verdict = _verdict(RATE, rate, possible)
    print(f"{'events a second, durable':40} {rate:12,.0f} {RATE:12,}  {verdict}")
    print(f"{'events a second of server CPU':40} {possible:12,.0f}")
    print(f"{'raw inserts a second':40} {1e6 / raw.clock:12,.0f} {'':12}  ingest is {rate * raw.clock / 1e6:.2f} of it")
    print(f"{'raw inserts a second of CPU':40} {1e6 / raw.busy:12,.0f} {'':12}  ingest is {raw.busy / each:.2f} of it")
    print(f"{'sender, CPU µs an event':40} {sent.sender / sent.events * 1e6:12,.0f}")
    print(f"{'a page meanwhile, median ms':40} {statistics.median(taken) * 1e3:12,.0f}")
    print(f"{'waiting for the index afterwards':40} {waiting:12,}\n", flush=True)
    return raw, int(verdict == "MISSED")


def _verdict(target: float, rate: float, possible: float) -> str:
    return "ok" if rate >= target else "ok by CPU" if possible >= target else "MISSED"


def _fill(server: Server, path: Path, events: int, real: Path | None) -> None:
    sent = send(server, "all", 0, events, real)
    busy = sent.server
    before = server.busy()
    client = Client(server.port)
    left = _health(client)["unindexed"]
    print(f"filled with {sent.events:,} events, 2 spans and 0.3 signals each, in {sent.seconds:.0f} s", end="")
    print(f" ({sent.events / sent.seconds:,.0f} a second; server {busy / sent.events * 1e6:.0f} µs of CPU each)")
    began = time.monotonic()
    while _health(client)["unindexed"] or _backfilling(client):
        time.sleep(POLL_SECONDS)
    later = server.busy() - before
    size = path.stat().st_size / sent.events
    print(f"{left:,} waited for the index, all in it {time.monotonic() - began:.0f} s later", end="")
    print(f" ({later / max(left, 1) * 1e6:.0f} µs of CPU each); {size:,.0f} bytes an event\n", flush=True)


def _health(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(client.get("/api/health"))
    return found


def _backfilling(client: Client) -> bool:
    return any(
        signal["state"] == "backfilling" for signal in msgspec.json.decode(client.get("/api/signals"))["signals"]
    )


def _ask_all(server: Server, rounds: int, raw: Raw) -> int:
    """Print the table; how many questions took longer than they should."""
    print(f"{'question':32} {'median':>10} {'slowest':>10} {'CPU':>10} {'target':>8} {'':10} {'in raw inserts':>14}")
    client = Client(server.port)
    return sum(_ask(server, client, asked, rounds, raw) for asked in QUESTIONS)


def _ask(server: Server, client: Client, asked: Asked, rounds: int, raw: Raw) -> bool:
    taken: list[float] = []
    busy: list[float] = []
    body = b""
    while len(taken) < rounds and sum(taken) < ENOUGH_SECONDS * 1e3:
        began, before = time.perf_counter(), server.busy()
        body = client.get(asked.path)
        taken.append((time.perf_counter() - began) * 1e3)
        busy.append((server.busy() - before) * 1e3)
    median, cpu = statistics.median(taken), statistics.median(busy)
    verdict = _verdict(-asked.target, -median, -cpu)
    partial = " partial" if b'"partial":true' in body else ""
    if b'"error":"too_slow"' in body:
        verdict, partial = "MISSED", " no answer"
    print(
        f"{asked.name:32} {median:7.1f} ms {max(taken):7.1f} ms {cpu:7.1f} ms {asked.target:5.0f} ms {verdict:10}"
        f" {cpu * 1e3 / raw.busy:14,.0f}{partial}",
        flush=True,
    )
    return verdict == "MISSED"


def _raw_inserts(source: Path, target: Path) -> Raw:
    """Insert the rows of a file into another with the same tables and indexes, in commits of as many as a batch has."""
    with closing(sqlite3.connect(source)) as full, closing(prepare(target)) as empty:
        rows = {name: _rows(full, name) for name in ("events", "event_props")}
        events = len(rows["events"][1])
        commits = max(events // BATCH, 1)
        began, before = time.monotonic(), time.process_time()
        for number in range(commits):
            empty.execute("BEGIN IMMEDIATE")
            for name, (columns, held) in rows.items():
                part = held[number * len(held) // commits : (number + 1) * len(held) // commits]
                marks = ", ".join("?" * len(columns))
                empty.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", part)  # noqa: S608
            empty.execute("COMMIT")
        return Raw((time.monotonic() - began) / events * 1e6, (time.process_time() - before) / events * 1e6)


def _rows(db: sqlite3.Connection, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]  # without those that are generated
    return columns, db.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY rid").fetchall()  # noqa: S608


if __name__ == "__main__":
    sys.exit(main())
