"""What one thread logs waits on disk or in memory, in order, until it is confirmed."""

from __future__ import annotations

import resource
import shutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from raindrop_logging._pipeline.backlog import LOGGED
from raindrop_logging._pipeline.bounded_queue import Bounds
from raindrop_logging._pipeline.entries import ErrorText, Snapshot
from raindrop_logging._pipeline.frames import IDENT_BYTES, MAX_PAYLOAD_BYTES, Frame, Scanner, mark_of
from raindrop_logging._pipeline.journal import Journal
from raindrop_logging._pipeline.spool import Spool
from raindrop_logging._pipeline.stats import Count
from raindrop_logging._pipeline.stored import SNAPSHOT, snapshot_of
from tests.stages.entries_made import PLACE, snapshot

MIB = 1024 * 1024


class Desk:
    """A journal, or a spilling queue, over real files, and what it counts."""

    def __init__(self, directory: Path, *, spill: bool, **given: Any) -> None:
        self.directory = directory
        self.overflowed, self.disk_full, self.damaged = Count(), Count(), 0
        max_bytes = given.pop("spool_max_bytes", 16 * MIB)
        self.spool = Spool(directory, "n", max_bytes=max_bytes, segment_bytes=given.pop("segment_bytes", 4 * MIB))
        usual: dict[str, Any] = {"max_size": 3, "max_bytes": MIB, "when_full": "drop_oldest", "block_timeout": 0.0}
        self.queue = Journal(
            Bounds(**(usual | {"wake_size": 100, "wake_bytes": MIB} | given)),
            self.overflowed,
            stream=self.spool.stream(LOGGED),
            only_when_full=spill,
            disk_full=self.disk_full,
            damaged=self._damaged,
        )

    def _damaged(self, records: int) -> None:
        self.damaged += records

    def put(self, *bits: int) -> None:
        """Put one snapshot for each number."""
        for one in bits:
            self.queue.put(snapshot(one))

    def take(self) -> list[int]:
        """The numbers of everything that can be taken."""
        return [one.bits for one in iter(self.queue.take, None)]

    def on_disk(self) -> list[int]:
        """The numbers of what another process would find now, were this one gone."""
        return [frame.ident for frame in self.frames()]

    def frames(self) -> list[Frame]:
        """What another process would find."""
        return [frame for path in sorted(self.directory.rglob("*.seg")) for frame in _unconfirmed(path)]


def _unconfirmed(path: Path) -> list[Frame]:
    data, acks = path.read_bytes(), path.with_suffix(".ack")
    said = acks.read_bytes() if acks.exists() else b""
    idents = {int.from_bytes(said[at : at + IDENT_BYTES], "big") for at in range(0, len(said), IDENT_BYTES)}
    pieces = Scanner(mark_of(path.parent.name, path.name)).pieces(
        lambda length, position: data[position : position + length], 0, len(data), last=True
    )
    return [frame for piece in pieces for frame in piece.frames if frame.ident not in idents]


@contextmanager
def _no_file_grows() -> Iterator[None]:
    """A disk that takes nothing: no file may grow beyond nothing at all."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Desk]:
    """Disk first."""
    desk = Desk(tmp_path / "spool", spill=False)
    with closing(desk.spool):
        yield desk


@pytest.fixture
def spill(tmp_path: Path) -> Iterator[Desk]:
    """Memory first, which has room for three."""
    desk = Desk(tmp_path / "spool", spill=True)
    with closing(desk.spool):
        yield desk


# ---- a journal


def test_a_snapshot_is_on_disk_before_put_returns(journal: Desk) -> None:
    """Whoever reads the files after a put finds the snapshot whole, and nothing of it is in memory."""
    for bits in range(1, 6):
        before = Snapshot(1.5, bits, b"\x80", "ai", {"user_id": "u"}, ErrorText("E", "m", "s"), *PLACE, 400)
        journal.queue.put(before)
        last = journal.frames()[-1]
        assert (last.kind, snapshot_of(last.ident, last.payload)) == (SNAPSHOT, before)
    assert (len(journal.queue), journal.queue.in_memory, journal.queue.unkept) == (5, 0, 0)


def test_a_journal_is_not_bounded_by_the_queues_bounds(journal: Desk) -> None:
    """However many wait beyond the memory's bounds, none is given up."""
    journal.put(*range(1, 101))
    assert journal.take() == list(range(1, 101))
    assert (int(journal.overflowed), int(journal.disk_full), int(journal.queue.unwritable)) == (0, 0, 0)


def test_a_disk_that_takes_nothing_is_counted_once_a_record_and_memory_helps_out(journal: Desk) -> None:
    """While the disk fails snapshots wait in memory, each put counts it once, and they are said to be unkept."""
    with _no_file_grows():
        journal.put(1, 2)
    assert (len(journal.queue), journal.queue.in_memory, journal.queue.unkept) == (2, 2, 2)
    assert int(journal.queue.unwritable) == 1, "the second one did not ask the disk: memory was not empty"
    assert journal.take() == [1, 2]
    assert journal.queue.unkept == 2, "taken is not delivered"
    journal.queue.confirm([1, 2])
    assert journal.queue.unkept == 0


def test_the_disk_is_used_again_once_memory_is_empty(journal: Desk) -> None:
    """What came while the disk failed goes first, so that order holds; then the disk comes first again."""
    journal.put(1)
    with _no_file_grows():
        journal.put(2)
    journal.put(3)
    assert (journal.on_disk(), journal.queue.in_memory) == ([1], 2)
    assert journal.take() == [1, 2, 3]
    journal.put(4)
    assert (journal.on_disk(), journal.queue.in_memory) == ([1, 4], 0)


def test_memory_is_bounded_while_the_disk_fails(journal: Desk) -> None:
    """A broken disk does not make the memory grow: when_full rules there, and counts."""
    with _no_file_grows():
        journal.put(*range(1, 11))
    assert journal.take() == [8, 9, 10]
    assert int(journal.overflowed) == 7
    assert journal.queue.unkept == 3, "what was given up is nothing that could be kept"


def test_beyond_spool_max_bytes_a_snapshot_is_dropped_and_counted(tmp_path: Path) -> None:
    """A journal that is full loses the newest, says disk_full, and puts nothing into memory instead."""
    desk = Desk(tmp_path / "spool", spill=False, spool_max_bytes=1_000)
    with closing(desk.spool):
        desk.put(*range(1, 31))
        kept = desk.on_disk()
        assert kept == list(range(1, len(kept) + 1))
        assert 0 < len(kept) < 30
        assert int(desk.disk_full) == 30 - len(kept)
        assert (int(desk.overflowed), int(desk.queue.unwritable), desk.queue.in_memory) == (0, 0, 0)
        assert len(desk.queue) == len(kept)


def test_room_that_was_confirmed_is_room_again(tmp_path: Path) -> None:
    """Delivered records free the disk for later ones."""
    desk = Desk(tmp_path / "spool", spill=False, spool_max_bytes=4_000)
    with closing(desk.spool):
        for start in range(1, 1_000, 10):
            desk.put(*range(start, start + 10))
            taken = desk.take()
            assert taken == list(range(start, start + 10))
            desk.queue.confirm(taken)
        assert int(desk.disk_full) == 0


@pytest.mark.parametrize("mode", ["journal", "spill"])
def test_what_is_confirmed_is_not_found_by_the_next_process(mode: str, tmp_path: Path) -> None:
    """Confirming removes exactly what was confirmed; what was taken and not confirmed is found again."""
    desk = Desk(tmp_path / "spool", spill=mode == "spill", max_size=1)
    with closing(desk.spool):
        desk.put(*range(1, 7))
        assert desk.take() == [1, 2, 3, 4, 5, 6]
        first = 1 if mode == "journal" else 2
        assert desk.on_disk() == list(range(first, 7))
        desk.queue.confirm([2, 3, 5])
        assert desk.on_disk() == [one for one in range(first, 7) if one not in {2, 3, 5}]
        desk.queue.confirm([1, 4, 6])
        assert desk.on_disk() == []


# ---- spill


def test_spill_uses_memory_first_and_the_disk_while_memory_is_full(spill: Desk) -> None:
    """Nothing touches the disk while there is room in memory; what comes after it is full is on disk and not lost."""
    spill.put(1, 2, 3)
    assert not spill.directory.exists()
    spill.put(4, 5)
    assert (spill.queue.in_memory, spill.on_disk(), len(spill.queue)) == (3, [4, 5], 5)
    assert spill.take() == [1, 2, 3, 4, 5]
    assert int(spill.overflowed) == 0


def test_spill_stays_with_the_disk_until_that_is_read(spill: Desk) -> None:
    """Room in memory is not used while older ones wait on disk, so that what a thread logs stays in order."""
    spill.put(1, 2, 3, 4)
    assert [one.bits for one in (spill.queue.take(), spill.queue.take()) if one] == [1, 2]
    spill.put(5)
    assert spill.on_disk() == [4, 5]
    assert spill.take() == [3, 4, 5]
    spill.put(6)
    assert (spill.queue.in_memory, spill.take()) == (1, [6])


@pytest.mark.parametrize("given", [{"max_size": 100, "max_bytes": 800}, {"max_size": 2, "max_bytes": MIB}])
def test_spill_begins_at_either_bound(given: dict[str, int], tmp_path: Path) -> None:
    """Full is full by number or by bytes."""
    desk = Desk(tmp_path / "spool", spill=True, **given)
    with closing(desk.spool):
        desk.put(1, 2, 3)
        assert (desk.queue.in_memory, desk.on_disk()) == (2, [3])


@pytest.mark.parametrize(("when_full", "kept"), [("drop_oldest", [3, 4, 5]), ("drop_newest", [1, 2, 3])])
def test_spill_without_a_disk_does_as_when_full_says(when_full: str, kept: list[int], tmp_path: Path) -> None:
    """Where neither memory nor disk has room the setting rules, and each loss is counted as the queue's."""
    desk = Desk(tmp_path / "spool", spill=True, when_full=when_full)
    with closing(desk.spool), _no_file_grows():
        desk.put(1, 2, 3, 4, 5)
        assert desk.take() == kept
        assert (int(desk.overflowed), int(desk.queue.unwritable), int(desk.disk_full)) == (2, 2, 0)
        assert desk.queue.unkept == 0, "spill never said that it would keep what is in memory"


def test_spill_beyond_spool_max_bytes_does_as_when_full_says(tmp_path: Path) -> None:
    """A full disk is no fault of the disk: only the queue's own losses are counted."""
    desk = Desk(tmp_path / "spool", spill=True, spool_max_bytes=1)
    with closing(desk.spool):
        desk.put(1, 2, 3, 4, 5)
        assert desk.take() == [3, 4, 5]
        assert (int(desk.overflowed), int(desk.queue.unwritable), int(desk.disk_full)) == (2, 0, 0)


@pytest.mark.parametrize("mode", ["journal", "spill"])
@pytest.mark.parametrize("size", [1, 3, 50])
def test_what_each_thread_logs_stays_in_order(mode: str, size: int, tmp_path: Path) -> None:
    """Four threads put while one takes, over small segments: each thread's come out complete and in its order."""
    desk = Desk(tmp_path / "spool", spill=mode == "spill", max_size=size, segment_bytes=2_000)
    threads = [
        threading.Thread(target=desk.put, args=range(number << 32, (number << 32) + 1_500)) for number in range(1, 5)
    ]
    with closing(desk.spool):
        taken: list[int] = []
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) or len(desk.queue):
            taken += desk.take()
        for number in range(1, 5):
            assert [one for one in taken if one >> 32 == number] == list(range(number << 32, (number << 32) + 1_500))
        desk.queue.confirm(taken)
        assert (len(taken), desk.on_disk(), desk.damaged, int(desk.overflowed)) == (6_000, [], 0, 0)


# ---- marks, and what cannot be read back


def test_a_mark_is_passed_when_all_before_it_was_taken(journal: Desk) -> None:
    """What comes after a mark does not matter to it, what came before does."""
    assert journal.queue.is_past(journal.queue.mark())
    journal.put(1, 2)
    mark = journal.queue.mark()
    journal.put(3)
    assert not journal.queue.is_past(mark)
    journal.queue.take()
    assert not journal.queue.is_past(mark)
    journal.queue.take()
    assert journal.queue.is_past(mark)
    assert len(journal.queue) == 1


def test_a_directory_that_somebody_swept_away_costs_what_was_in_it_and_no_more(journal: Desk) -> None:
    """What was there is counted, what comes later has a new directory."""
    journal.put(1, 2, 3)
    shutil.rmtree(journal.directory)
    journal.put(4, 5)
    assert (journal.take(), journal.damaged, journal.on_disk()) == ([4, 5], 3, [4, 5])
    assert len(journal.queue) == 0


@pytest.mark.parametrize("mode", ["journal", "spill"])
def test_files_that_somebody_emptied_are_counted_as_damaged(mode: str, tmp_path: Path) -> None:
    """What was on disk and cannot be read back is counted once each; nothing waits for it, later ones go on."""
    desk = Desk(tmp_path / "spool", spill=mode == "spill", max_size=1)
    kept, lost = ([], 5) if mode == "journal" else ([1], 4)
    with closing(desk.spool):
        desk.put(*range(1, 6))
        (segment,) = desk.directory.rglob("*.seg")
        segment.write_bytes(b"")
        assert desk.take() == kept
        assert (desk.damaged, len(desk.queue)) == (lost, 0)
        desk.put(6)
        assert (desk.take(), desk.damaged) == ([6], lost)


def test_files_that_were_overwritten_are_counted_as_damaged(journal: Desk) -> None:
    """A region of noise costs the snapshots in it and no other."""
    journal.put(*range(1, 21))
    (segment,) = journal.directory.rglob("*.seg")
    data = bytearray(segment.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = b"#" * 40
    with segment.open("r+b") as file:
        file.write(data)

    taken = journal.take()

    assert taken == sorted(taken)
    assert 17 <= len(taken) < 20
    assert (len(taken) + journal.damaged, len(journal.queue)) == (20, 0)


def test_a_frame_that_is_no_snapshot_is_counted_and_need_not_be_kept(journal: Desk) -> None:
    """Bytes that are whole on disk and say no snapshot cost themselves only."""
    journal.put(1)
    stream = journal.spool.stream(LOGGED)
    journal.queue._appended.one()
    assert stream.append(SNAPSHOT, 2, b"\xc1")
    journal.put(3)
    assert journal.take() == [1, 3]
    assert (journal.damaged, journal.on_disk()) == (1, [1, 3])


def test_a_snapshot_too_large_for_a_frame_is_dropped_and_counted(journal: Desk) -> None:
    """What no frame can hold has no room on disk, whatever the bound."""
    journal.queue.put(Snapshot(0.0, 1, bytes(MAX_PAYLOAD_BYTES), "ai", None, None, *PLACE, MAX_PAYLOAD_BYTES))
    assert (int(journal.disk_full), len(journal.queue)) == (1, 0)


def test_a_closed_spool_takes_nothing_and_memory_helps_out(journal: Desk) -> None:
    """After the end of the spool a put still keeps its snapshot for this process."""
    journal.put(1)
    journal.spool.close()
    journal.put(2)
    assert (journal.queue.in_memory, int(journal.queue.unwritable)) == (1, 1)


def test_the_errors_of_a_disk_never_reach_the_caller(journal: Desk) -> None:
    """A directory that cannot be made costs the disk, not the log call."""
    journal.directory.write_text("not a directory any more")
    journal.put(1, 2, 3)
    assert journal.take() == [1, 2, 3]
