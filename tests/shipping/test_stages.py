"""The stages of a shipment one by one: which files, their lines, their positions, and what lines say."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging.errors import SettingsError
from raindrop_logging.shipping.inputs import Inputs, MissingInputError
from raindrop_logging.shipping.lines import Line, lines
from raindrop_logging.shipping.mapping import FieldMap
from raindrop_logging.shipping.opened import UnreadableError, look
from raindrop_logging.shipping.positions import Position, Positions, StateError, at
from raindrop_logging.shipping.records import RecordReader, Said, Unsaid

# ---- which files


def touch(path: Path, at_second: int, data: bytes = b"") -> Path:
    """A file that was written to at a time."""
    path.write_bytes(data)
    os.utime(path, (at_second, at_second))
    return path


def test_a_file_brings_what_it_was_rotated_to(tmp_path: Path) -> None:
    """Numbers, dates and packed files come along, the oldest first; a file of another name does not."""
    names = ["app.log.2.gz", "app.log.1", "app.log-20261125", "app.log.2026-11-25_18", "app.log"]
    for second, name in enumerate(names):
        touch(tmp_path / name, second)
    for other in ("app.log.bak", "app.log.lock", "myapp.log", "app.logs"):
        touch(tmp_path / other, 1)
    found = Inputs([str(tmp_path / "app.log")]).present()
    assert [path.name for path in found] == names
    assert Inputs([str(tmp_path / "app.log")], rotated=False).present() == [tmp_path / "app.log"]


def test_files_of_one_moment_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Where rotation is faster than the clock of the disk, the larger number is the older file."""
    for name in ("app.log", "app.log.1", "app.log.2", "app.log.10"):
        touch(tmp_path / name, 7)
    names = [path.name for path in Inputs([str(tmp_path / "app.log")]).present()]
    assert names == ["app.log.10", "app.log.2", "app.log.1", "app.log"]


def test_directories_and_patterns(tmp_path: Path) -> None:
    """Of a directory what is named like a log; of a pattern what fits; each file once."""
    for second, name in enumerate(
        ["a.log", "b.jsonl", "c.log.1", "notes.txt", ".hidden.log", "d.ndjson.gz", "conf.json"]
    ):
        touch(tmp_path / name, second)
    (tmp_path / "sub.log").mkdir()
    assert [path.name for path in Inputs([str(tmp_path)]).present()] == ["a.log", "b.jsonl", "c.log.1", "d.ndjson.gz"]
    pattern = Inputs([str(tmp_path / "*.log"), str(tmp_path / "a.log")])
    assert [path.name for path in pattern.present()] == ["a.log"]


def test_packed_and_not_is_one(tmp_path: Path) -> None:
    """While a file is being packed both are there; the packed one is left out until it is alone."""
    touch(tmp_path / "app.log.1", 1)
    touch(tmp_path / "app.log.1.gz", 2)
    inputs = Inputs([str(tmp_path / "app.log*")])
    assert [path.name for path in inputs.present()] == ["app.log.1"]
    (tmp_path / "app.log.1").unlink()
    assert [path.name for path in inputs.present()] == ["app.log.1.gz"]


@pytest.mark.parametrize(
    ("word", "said"), [("no.log", "there is no such file"), ("*.log", "no file fits"), (".", "no file in it is named")]
)
def test_words_that_mean_nothing(word: str, said: str, tmp_path: Path) -> None:
    """A word that means no file is refused at once; a file that is followed may come later."""
    with pytest.raises(MissingInputError, match=said):
        Inputs([str(tmp_path / word)])
    assert Inputs([str(tmp_path / word)], may_come=True).present() == []


@pytest.mark.parametrize(
    ("magic", "kind"), [(b"BZh9", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"\x28\xb5\x2f\xfd", "zstd")]
)
def test_other_packers_are_named(magic: bytes, kind: str, tmp_path: Path) -> None:
    """A file packed in a way that is not read says so, and is no thousand bad lines."""
    with pytest.raises(UnreadableError, match=f"packed by {kind}"):
        look(touch(tmp_path / "app.log.1", 1, magic + b"rest"))


# ---- lines


@given(st.binary(max_size=200).map(lambda data: data.replace(b"a", b"\n")), st.integers(1, 20))
def test_lines_are_all_that_is_there(data: bytes, most: int) -> None:
    """Whatever is read, places join end to end, no line is longer than may be, and what is not cut is whole."""
    found = list(lines(io.BytesIO(data), start=0, number=1, most=most))
    texts = data.removesuffix(b"\n").split(b"\n") if data else []
    assert [line.data for line in found] == [text[: most + 1].rstrip(b"\r") for text in texts]
    assert [line.is_cut for line in found] == [len(text) > most for text in texts]
    assert [line.start for line in found] == [0, *(line.end for line in found)][: len(found)]
    assert sum(line.end - line.start for line in found) == len(data)
    assert [line.number for line in found] == list(range(1, len(found) + 1))
    assert [line.is_whole for line in found][:-1] == [True] * (len(found) - 1)


def test_a_line_that_is_too_long_costs_itself() -> None:
    """Its beginning is there, the next line is whole, and no more than the bound was held."""
    cut, after = lines(io.BytesIO(b"x" * 1_000 + b"\nnext\n"), start=0, number=1, most=10)
    assert (cut.is_cut, len(cut.data), cut.end) == (True, 11, 1_001)
    assert (after.data, after.number, after.start) == (b"next", 2, 1_001)


# ---- positions


def shipped(path: Path, state: Path, offset: int, line: int = 2) -> None:
    """Have a file shipped up to an offset."""
    with Positions(state, "there") as positions:
        positions.save([at(look(path), offset, line)])


def found_at(state: Path, *paths: Path) -> list[int]:
    """Where a later run goes on in these files."""
    with Positions(state, "there") as positions:
        return [position.offset for position in positions.of([look(path) for path in paths])]


LOG = b'{"timestamp": "2026-11-26T10:00:00Z", "n": 1}\n{"timestamp": "2026-11-26T10:00:01Z", "n": 2}\n'
NEW = b'{"timestamp": "2026-11-26T11:00:00Z", "n": 3}\n'


def test_rotated_by_renaming(tmp_path: Path) -> None:
    """A file goes on where it was under its new name; what took its name is new."""
    log, state = touch(tmp_path / "app.log", 1, LOG), tmp_path / "s"
    shipped(log, state, 46)
    log.rename(tmp_path / "app.log.1")
    touch(log, 2, NEW)
    assert found_at(state, tmp_path / "app.log.1", log) == [46, 0]


def test_rotated_by_copytruncate(tmp_path: Path) -> None:
    """The copy goes on where the original was; the original is new, though it is the same inode."""
    log, state = touch(tmp_path / "app.log", 1, LOG), tmp_path / "s"
    shipped(log, state, 46)
    shutil.copy(log, tmp_path / "app.log.1")
    log.write_bytes(NEW)
    assert found_at(state, tmp_path / "app.log.1", log) == [46, 0]


def test_rotated_and_packed(tmp_path: Path) -> None:
    """A packed file goes on where it was before it was packed."""
    log, state = touch(tmp_path / "app.log", 1, LOG), tmp_path / "s"
    shipped(log, state, 46)
    (tmp_path / "app.log.1.gz").write_bytes(gzip.compress(LOG))
    log.unlink()
    assert found_at(state, tmp_path / "app.log.1.gz") == [46]


def test_grown_and_moved_twice(tmp_path: Path) -> None:
    """What was known of a file while it was short does not bring back its old offset once more is known."""
    log, state = touch(tmp_path / "app.log", 1, LOG[:46]), tmp_path / "s"
    shipped(log, state, 46)
    grown = touch(tmp_path / "app.log.1", 2, LOG + NEW)
    log.unlink()
    assert found_at(state, grown) == [46]
    shipped(grown, state, len(LOG + NEW))
    packed = touch(tmp_path / "app.log.1.gz", 3, gzip.compress(LOG + NEW))
    grown.unlink()
    assert found_at(state, packed) == [len(LOG + NEW)]


def test_truncated_in_place(tmp_path: Path) -> None:
    """A file that is shorter than what was shipped of it was begun anew, even with the same first lines."""
    log, state = touch(tmp_path / "app.log", 1, LOG * 40), tmp_path / "s"
    shipped(log, state, len(LOG * 40))
    log.write_bytes(LOG * 20)
    assert found_at(state, log) == [0]


def test_a_copy_beside_the_original_is_new(tmp_path: Path) -> None:
    """While the original is there the copy is another file: what is sent again for it has the same ids."""
    log, state = touch(tmp_path / "app.log", 1, LOG), tmp_path / "s"
    shipped(log, state, 46)
    copied = touch(tmp_path / "copy.log", 2, LOG)
    assert found_at(state, copied, log) == [0, 46]


def test_state_is_of_one_destination(tmp_path: Path) -> None:
    """Another destination is another state: what one has got the other one has not."""
    log, state = touch(tmp_path / "app.log", 1, LOG), tmp_path / "s"
    shipped(log, state, 46)
    with pytest.raises(StateError, match="another destination"):
        Positions(state, "elsewhere")


@pytest.mark.parametrize("said", ["", "{}", "not JSON", '{"version": 9, "destination": "there"}'])
def test_state_that_is_none(said: str, tmp_path: Path) -> None:
    """A file that is no state is refused, and is left as it is."""
    state = tmp_path / "s"
    state.write_text(said)
    with pytest.raises(StateError, match=r"no state|newer version"):
        Positions(state, "there")
    assert state.read_text() == said


def test_state_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """It is for its owner only, and nothing is left beside it but the lock."""
    log, state = touch(tmp_path / "app.log", 1, LOG), tmp_path / "s"
    shipped(log, state, 46)
    shipped(log, state, len(LOG))
    assert state.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"app.log", "s", "s.lock"}


def test_lock_ends_with_its_process(tmp_path: Path) -> None:
    """While one works with a state file another is refused; a process that died holds nothing up."""
    state = tmp_path / "s"
    holds = """
import sys, pathlib
from raindrop_logging.shipping.positions import Positions
held = Positions(pathlib.Path(sys.argv[1]), "there")
print("held", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", holds, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(StateError, match=rf"another shipment works with it \(process {other.pid}\)"):
            Positions(state, "there")
        other.kill()
        other.wait(20)
    Positions(state, "there").close()


def test_what_is_gone_is_remembered_within_bounds(tmp_path: Path) -> None:
    """Files that are gone are remembered for when they come back, at most so many."""
    state = tmp_path / "s"
    with Positions(state, "there") as positions:
        for number in range(3):
            positions.save(
                Position(f"{number}.{n}", 1, 1_000 * number + n, f"{number}.{n}", 9, 9, 2) for n in range(900)
            )
    kept = json.loads(state.read_text())["positions"]
    assert len(kept) == 1_900
    assert kept[-1]["path"] == "2.899"


# ---- what lines say


def read(said: Any, field_map: FieldMap | None = None, start: int = 0) -> Said | Unsaid:
    """What a line says."""
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    line = Line(1, start, start + len(data) + 1, data, is_whole=True, is_cut=False)
    return RecordReader(field_map).read(line, "app.log", b"origin")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"Traceback (most recent call last):", "not JSON"),
        (b'{"a": ', "not JSON"),
        (b"[1]", "not a JSON object but a list"),
        (b"null", "not a JSON object but null"),
        ({"raindrop": {"input": "q"}}, "nothing says when it was logged"),
        ({"raindrop": {"input": "q"}, "time": "yesterday"}, "'time' is 'yesterday': allowed is ISO 8601"),
        (
            {"raindrop": {}, "raindrop_record": {"bits": "xyz", "created": 1.0}},
            "'raindrop_record' is not as RaindropJsonFormatter writes it",
        ),
        (
            {"raindrop": {}, "raindrop_record": {"bits": 1}},
            "'raindrop_record' is not as RaindropJsonFormatter writes it",
        ),
        (b"\xff\xfe{", "not JSON"),
    ],
)
def test_lines_that_are_bad(said: Any, why: str) -> None:
    """Each says why, and what would be right."""
    found = read(said)
    assert isinstance(found, Unsaid)
    assert why in str(found.why)


def test_lines_without_a_block_are_no_fault() -> None:
    """A plain log line says nothing to ship, nor does one whose formatter wrote a summary."""
    assert read({"message": "plain"}) == Unsaid()
    assert read({"message": "ai", "raindrop_summary": {"type": "ai"}}) == Unsaid(is_summary=True)


@pytest.mark.parametrize(
    ("key", "value", "seconds"),
    [
        ("timestamp", "2026-11-26T10:00:00+00:00", 1_795_687_200.0),
        ("@timestamp", "2026-11-26T10:00:00.500Z", 1_795_687_200.5),
        ("asctime", "2026-11-26 10:00:00,250", 1_795_687_200.25),
        ("time", 1_795_687_200_123, 1_795_687_200.123),
        ("ts", 1_795_687_200.75, 1_795_687_200.75),
    ],
)
def test_times_of_other_formatters(key: str, value: Any, seconds: float) -> None:
    """The usual keys and forms are understood; a number that large is milliseconds."""
    found = read({key: value, "message": "ai", "name": "shop", "raindrop": {"input": "q"}})
    assert isinstance(found, Said)
    assert (found.record.created, found.record.name, found.record.msg) == (seconds, "shop", "ai")


def test_python_and_its_json() -> None:
    """NaN and half characters, which Python's own encoder writes, are read."""
    found = read(b'{"time": 1, "raindrop": {"input": "\\ud800", "properties": {"n": NaN}}}')
    assert isinstance(found, Said)


def test_ids_of_other_lines_are_theirs() -> None:
    """The same line at the same place has the same bits; the same line elsewhere is another record."""
    line = {"time": 1, "raindrop": {"input": "q"}}
    first, again, later = read(line), read(line), read(line, start=60)
    stamps = [found.record.__dict__["_raindrop_stamp"] for found in (first, again, later) if isinstance(found, Said)]
    assert stamps[0] == stamps[1] != stamps[2]


def test_map() -> None:
    """Fields are found where the map says, a path that a key holds whole as well; numbers become the texts ids are."""
    places = ["user_id=ctx.user", "input=llm.prompt", "properties.region=geo.region", "convo_id=nowhere.at.all"]
    field_map = FieldMap([*places, "model=labels.model.name"], ["event=chat", "user_id=nobody"], "ai")
    line = {"ctx": {"user": 42}, "llm": {"prompt": "q"}, "geo.region": "eu", "labels": {"model.name": "m"}, "time": 1}
    found = read(line, field_map)
    assert isinstance(found, Said)
    assert found.record.__dict__["raindrop"] == {
        "type": "ai",
        "event": "chat",
        "user_id": "42",
        "input": "q",
        "properties": {"region": "eu"},
        "model": "m",
    }
    assert read({"time": 1, "message": "of something else"}, field_map) == Unsaid()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("user_id", "a field of the block, '=', and what it is"),
        ("usr_id=ctx.user", "a block has no field 'usr_id'; did you mean 'user_id'?"),
        ("input.text=ctx.user", "a block has no field 'input.text'"),
        ("properties.=x", "a block has no field 'properties.'"),
    ],
)
def test_map_that_is_wrong(place: str, said: str) -> None:
    """A map that cannot work is refused at once."""
    with pytest.raises(SettingsError) as refused:
        FieldMap([place], [], None)
    assert said in str(refused.value)
    with pytest.raises(SettingsError, match=r"type 'aii'.*did you mean 'ai'"):
        FieldMap([], [], "aii")
