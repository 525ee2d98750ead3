"""Files of earlier versions, and several processes on one file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging.workshop import StoreError, open_store
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.records import Batch, Event
from raindrop_logging.workshop.search.question import Question
from raindrop_logging.workshop.sqlite.migrations import SCHEMA_VERSION
from raindrop_logging.workshop.sqlite.schema import prepare
from raindrop_logging.workshop.sqlite.search import find
from raindrop_logging.workshop.sqlite.search_index import fill, waiting
from tests.workshop import version_1

if TYPE_CHECKING:
    from pathlib import Path


def dump(path: Path) -> list[str]:
    """Everything a file holds, as SQL."""
    db = sqlite3.connect(path)
    text = [*db.iterdump()]
    db.close()
    return text


def test_a_file_of_version_1_keeps_all_and_answers_the_new_questions(tmp_path: Path) -> None:
    """Every event, span, signal and user is there, and is found by what only later versions ask."""
    path = tmp_path / "old.db"
    version_1.make(path)
    store = open_store(path)
    counts = store.counts()
    assert (counts.events, counts.spans, counts.signals, counts.users) == (20, 20, 20, 1)

    def found(**said: Any) -> list[str]:
        return [summary.event.event_id for summary in store.events(99, None, EventFilter(**said)).summaries]

    assert found(properties=(("region", "us"),)) == ["e16", "e12", "e8", "e4", "e0"]
    assert found(properties=(("n", "7"),)) == found(pending=True) == ["e7"]
    assert found(attachment=True) == ["e3"]
    assert len(found(tool=("look",), signal=("s",), error=True)) == 20
    assert [facet.name for facet in store.facets(names=("properties",), seconds=60)] == [
        "property.n",
        "property.region",
    ]
    assert [conversation.turn_count for conversation in store.conversations(9).items] == [5, 5, 5, 5]
    assert store.failing_tools()[0].errors == 20
    assert [(person.user_id, person.traits) for person in store.users(9).items] == [("u1", {}), ("u0", {"plan": "pro"})]
    store.append(Batch(events=(Event(event_id="e0", properties={"region": "ap"}),))).result()
    assert found(properties=(("region", "ap"),)) == ["e0"]
    assert "e0" not in found(properties=(("region", "us"),))
    store.close()
    again = open_store(path)
    assert again.counts() == counts
    again.close()


def test_old_and_new_files_meet_in_the_same_tables(tmp_path: Path) -> None:
    """A file that was made by version 1 and one that was never anything else have the same tables and indexes."""
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    version_1.make(old)
    schemas = []
    for path in (old, new):
        open_store(path).close()
        db = sqlite3.connect(path)
        rows = db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        version = db.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()[0]
        db.close()
        schemas.append({name: "".join((sql or "").split()).partition("--")[0] for name, sql in rows})
        assert version == str(SCHEMA_VERSION)
    assert schemas[0] == schemas[1]


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """Half a migration is none: what cannot be migrated is refused by name, and whole."""
    path = tmp_path / "old.db"
    version_1.make(path)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE saved_filters (mine TEXT)")  # in the way of the last statements
    db.commit()
    db.close()
    before = dump(path)
    with pytest.raises(StoreError, match=r"saved_filters already exists.*--db names another") as caught:
        open_store(path)
    assert str(path) in str(caught.value)
    assert dump(path) == before


WRITE = """
import sys
from raindrop_logging.workshop import open_store
from raindrop_logging.workshop.records import Batch, Event
sys.stdin.readline()
store = open_store(sys.argv[1])
for number in range(40):
    events = tuple(Event(event_id=f"{sys.argv[2]}-{number}-{n}", properties={"of": sys.argv[2]}) for n in range(5))
    store.append(Batch(events=events)).result()
store.close()
"""


@pytest.mark.parametrize("made", [False, True], ids=["new", "version 1"])
def test_processes_that_start_at_once_on_one_file(tmp_path: Path, *, made: bool) -> None:
    """One makes or migrates the file, all write to it, none fails, and a reader sees what each of them wrote."""
    path = tmp_path / "w.db"
    if made:
        version_1.make(path)
    names = ("a", "b", "c")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, path, name], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for name in names
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    store = open_store(path)
    said = [writer.communicate(timeout=50)[1] for writer in writers]
    assert [(writer.returncode, text) for writer, text in zip(writers, said, strict=True)] == [(0, b"")] * 3
    for name in names:
        where = EventFilter(properties=(("of", name),))
        assert len(store.events(500, None, where).summaries) == 200
    store.close()


def test_what_an_earlier_version_held_is_found(tmp_path: Path) -> None:
    """Events from before there was a search wait for the index at once, and are found, before it has them and after."""
    path = tmp_path / "workshop.db"
    version_1.make(path)
    db = prepare(path)
    try:
        held = db.execute("SELECT count(*) AS n FROM events").fetchone()["n"]
        assert waiting(db) == held > 0
        (text,) = db.execute("SELECT input FROM events WHERE input IS NOT NULL LIMIT 1").fetchone()
        word = text.split()[0]
        early = {hit.event_id for hit in find(db, Question(text=word)).hits}
        while fill(db):
            pass
        assert {hit.event_id for hit in find(db, Question(text=word)).hits} == early != set()
    finally:
        db.close()
