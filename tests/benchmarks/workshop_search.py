"""What a search costs: ingest beside the index, the index's own time and size, and the time of each kind of question.

Run: ``python -m tests.benchmarks.workshop_search EVENTS [CONVERSATIONS.jsonl]``
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import msgspec

from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.records import Batch
from raindrop_logging.workshop.search import Question
from raindrop_logging.workshop.store import Store, open_store
from tests.benchmarks.workshop_data import batches, conversations

BATCHES_AT_ONCE = 4
REPEATS = 15
QUESTIONS = {
    "a rare word": Question(text="zebrafish"),
    "a common word": Question(text="parcel"),
    "two words": Question(text="parcel w123"),
    "a phrase": Question(text='"zebrafish order"'),
    "a prefix": Question(text="zebraf*"),
    "a word, in inputs": Question(text="zebrafish", sides=("input",)),
    "a word, one model": Question(text="parcel", where=EventFilter(model=("rare-model",))),
    "three signs of Chinese": Question(text="数据库"),
    "two signs of Chinese": Question(text="退款"),
    "a regex with a rare literal": Question(text=r"zebrafish\s+\w+", mode="regex"),
    "a regex with a common literal": Question(text=r"parcel\s+w1\d\d", mode="regex"),
    "a regex without a literal": Question(text=r"z.b.a.i.h", mode="regex"),
    "a regex that explodes": Question(text=r"(w|ww)*(?:\w|\s)*(a|aa)+$", mode="regex"),
}


def main(count: int, path: str | None) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "workshop.db"
        store = open_store(file)
        began = time.perf_counter()
        _ingest(store, count, Path(path) if path else None)
        stored = time.perf_counter() - began
        print(f"stored {count:,} events, {count / stored:,.0f} a second durable; waiting for the index:", end=" ")
        print(f"{store.search(Question(text='x')).unindexed:,}")
        while store.search(Question(text="x", limit=1)).unindexed:
            time.sleep(0.5)
        later = time.perf_counter() - began - stored
        print(f"all indexed {later:.1f} s later; {file.stat().st_size / count:,.0f} B/event")
        for name, question in QUESTIONS.items():
            _ask(store, name, question)
        store.close()


def _ask(store: Store, name: str, question: Question) -> None:
    spent: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        found = store.search(question)
        spent.append(time.perf_counter() - began)
        if spent[0] > 1:
            break
    told = f"{len(found.hits)} hits{', partial' if found.partial else ''}"
    print(f"{name:32} median {statistics.median(spent) * 1e3:8.1f} ms  worst {max(spent) * 1e3:8.1f} ms  {told}")


def _ingest(store: Store, count: int, path: Path | None) -> None:
    waiting = []
    for batch in conversations(path) if path else ():
        store.append(batch).result()
    for batch in _worded(count):
        waiting.append(store.append(batch))
        if len(waiting) == BATCHES_AT_ONCE:
            wait(waiting)
            waiting.clear()
    wait(waiting)


def _worded(count: int) -> Iterator[Batch]:
    """The generated events with 2 KB of text from many words, some of them Chinese."""
    for batch in batches(count):
        events = tuple(msgspec.structs.replace(event, **_texts(int(event.event_id, 16))) for event in batch.events)
        yield msgspec.structs.replace(batch, events=events)


def _texts(number: int) -> dict[str, str]:
    dice = random.Random(number)  # noqa: S311 - the same data every time
    words = [f"w{min(int(dice.paretovariate(0.6)), 20_000)}" for _ in range(320)]
    words[7] = "parcel" if number % 2 else "letter"
    words[100] = "zebrafish order" if number % 2_000 == 9 else words[100]
    words[200] = "数据库连接错误" if number % 500 == 3 else words[200]
    words[220] = "请退款" if number % 5_000 == 3 else words[220]
    return {"input": " ".join(words[:64]), "output": " ".join(words[64:])}


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)
