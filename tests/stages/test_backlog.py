"""What is read back from disk: what earlier processes left, and what a shutdown of this one has put there."""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from raindrop_logging._pipeline import backlog as backlog_module
from raindrop_logging._pipeline.backlog import LOGGED, LOOK_AGAIN, PORTION_BYTES, Backlog, Portion
from raindrop_logging._pipeline.entries import Item, packed_block
from raindrop_logging._pipeline.spool import Spool
from raindrop_logging._pipeline.stored import ITEM, SNAPSHOT, item_bytes, snapshot_bytes
from raindrop_logging.wire import Lane
from tests.stages.entries_made import item, snapshot

MIB = 1024 * 1024


def _spool(directory: Path) -> Spool:
    return Spool(directory, "n", max_bytes=256 * MIB)


def _leave(directory: Path, *, logged: Iterable[int] = (), encoded: Iterable[int] = (), size: int = 0) -> None:
    """What a process leaves that logs, keeps some and ends."""
    with closing(_spool(directory)) as spool:
        for bits in logged:
            assert spool.stream(LOGGED).append(SNAPSHOT, bits, snapshot_bytes(snapshot(bits, input="x" * size)))
        for number in encoded:
            assert spool.stream("encoded-events").append(ITEM, number, item_bytes(_item(number)))


def _item(number: int) -> Item:
    return item(Lane.EVENTS, str(number).encode(), f"e{number}")


@contextmanager
def _reading(directory: Path) -> Iterator[Backlog]:
    mint = count(1 << 100).__next__
    with closing(_spool(directory)) as spool:
        yield Backlog(spool, mint)


def _portions(stage: Backlog, now: float = 0.0) -> list[Portion]:
    return list(iter(lambda: stage.read(now), None))


def _said(portions: Iterable[Portion]) -> list[int]:
    """The numbers of what was read, in order."""
    return [
        number
        for portion in portions
        for number in [*(int(one.body) for one in portion.items), *(one.bits for one in portion.snapshots)]
    ]


def _left(directory: Path) -> list[int]:
    """What a later process would still find."""
    with _reading(directory) as later:
        return _said(_portions(later))


def test_nothing_left_is_nothing_to_read(tmp_path: Path) -> None:
    """An empty directory, or none, has no portion, and is looked at again after a while."""
    with _reading(tmp_path / "none") as stage:
        assert not stage.has_more
        assert stage.next_due(5.0) == 5.0, "it was never looked at"
        assert stage.read(5.0) is None
        assert stage.next_due(5.0) == 5.0 + LOOK_AGAIN
        assert not (tmp_path / "none").exists()


def test_the_oldest_directory_comes_first(tmp_path: Path) -> None:
    """Processes are read back in the order in which they wrote."""
    for start in (10, 20, 30):
        _leave(tmp_path, logged=range(start, start + 3))
    with _reading(tmp_path) as stage:
        assert stage.has_more
        assert _said(_portions(stage)) == [10, 11, 12, 20, 21, 22, 30, 31, 32]
        assert not stage.has_more


def test_items_come_before_snapshots(tmp_path: Path) -> None:
    """What a process had encoded it had logged before what it had not."""
    _leave(tmp_path, logged=[3, 4], encoded=[1, 2])
    with _reading(tmp_path) as stage:
        portions = _portions(stage)
    assert _said(portions) == [1, 2, 3, 4]
    assert [(len(one.items), len(one.snapshots), one.own) for one in portions if one.items or one.snapshots] == [
        (2, 0, False),
        (0, 2, False),
    ]


def test_a_stream_says_when_it_has_ended(tmp_path: Path) -> None:
    """One portion of each stream says that nothing more of it follows, and that is its last."""
    _leave(tmp_path, logged=range(100, 130), encoded=[1], size=PORTION_BYTES // 4)
    with _reading(tmp_path) as stage:
        portions = _portions(stage)
    ended = [one.ended for one in portions]
    assert ended.count(True) == 2
    assert ended[-1]
    assert ended[0], "the items were one portion"


def test_what_is_read_at_once_is_bounded(tmp_path: Path) -> None:
    """Portions are about PORTION_BYTES, however much is left; all of it comes in the end."""
    size = PORTION_BYTES // 4
    _leave(tmp_path, logged=range(1, 31), size=size)
    with _reading(tmp_path) as stage:
        portions = _portions(stage)
    assert len(portions) >= 6
    assert (
        max(sum(len(packed_block(one)) for one in portion.snapshots) for portion in portions)
        <= PORTION_BYTES + 2 * size
    )
    assert _said(portions) == list(range(1, 31))


def test_what_is_confirmed_does_not_come_back(tmp_path: Path) -> None:
    """The next process finds what was read and not confirmed; a directory with nothing left is removed."""
    _leave(tmp_path, logged=range(10, 14), encoded=range(1, 4))
    with _reading(tmp_path) as stage:
        _portions(stage)
        stage.confirm([1, 3, 11, 12, 999])
    assert _left(tmp_path) == [2, 10, 13]
    with _reading(tmp_path) as stage:
        _portions(stage)
        stage.confirm([2, 10, 13])
        assert list((tmp_path / "n").iterdir()) == []
    assert _left(tmp_path) == []


def test_what_a_shutdown_keeps_is_this_processs_own(tmp_path: Path) -> None:
    """Items put there are counted as waiting until they are read, and are not taken for an earlier process's."""
    with _reading(tmp_path) as stage:
        assert stage.keep(_item(1))
        assert stage.keep(Item(Lane.PARTIALS, b"2", "e2", 5, _item(2).source))
        assert (stage.records, stage.has_more, stage.next_due(7.0)) == (6, True, 7.0)
        found = _portions(stage, 7.0)
        assert [(_said([one]), one.own, one.ended) for one in found] == [([1], True, False), ([2], True, False)]
        items = [item for one in found for item in one.items]
        assert ([one.records for one in items], stage.records) == ([1, 5], 0)
        stage.confirm([ident for one in items for ident in one.idents])
        assert not stage.has_more
    assert _left(tmp_path) == []


def test_what_a_shutdown_keeps_is_for_the_next_process_if_this_one_ends(tmp_path: Path) -> None:
    """Kept and not sent, an item is found by whoever comes next, as one of an earlier process."""
    with _reading(tmp_path) as stage:
        assert stage.keep(_item(1))
    with _reading(tmp_path) as later:
        (portion,) = [one for one in _portions(later) if one.items]
        assert (_said([portion]), portion.own) == ([1], False)


def test_own_items_come_before_those_of_others(tmp_path: Path) -> None:
    """What this process has promised goes first, also in the middle of another one's."""
    _leave(tmp_path, logged=range(1, 31), size=PORTION_BYTES // 4)
    with _reading(tmp_path) as stage:
        first = stage.read(0.0)
        assert first is not None
        assert not first.own
        assert stage.keep(_item(99))
        second = stage.read(0.0)
        assert second is not None
        assert (second.own, _said([second])) == (True, [99])
        assert _said([first, *_portions(stage)]) == list(range(1, 31))


def test_a_disk_that_takes_nothing_keeps_nothing(tmp_path: Path) -> None:
    """Whoever asks is told that it is not there, and nothing is counted as waiting."""
    with _reading(tmp_path) as stage:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            assert not stage.keep(_item(1))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (stage.records, stage.has_more) == (0, False)


def test_own_items_that_somebody_destroyed_do_not_wait_for_ever(tmp_path: Path) -> None:
    """What was kept and cannot be read back is damaged, by its number of records, and waits no longer."""
    with _reading(tmp_path) as stage:
        assert stage.keep(Item(Lane.PARTIALS, b"2", "e2", 5, _item(2).source))
        (segment,) = tmp_path.rglob("*.seg")
        segment.write_bytes(b"")
        portions = _portions(stage)
        assert sum(portion.damaged for portion in portions) == 5
        assert (stage.records, all(portion.own for portion in portions)) == (0, True)


BAD: dict[str, tuple[int, bytes]] = {
    "a snapshot that is none": (SNAPSHOT, b"\xc1"),
    "a snapshot that is an item": (SNAPSHOT, item_bytes(_item(1))),
    "an item that is none": (ITEM, b""),
    "an item for another lane": (ITEM, item_bytes(_item(1)).replace(b"\xa6events", b"\xa6dreams")),
    "of a kind that there is not": (77, msgspec.msgpack.encode({"a": 1})),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_is_none_is_counted_and_confirmed(bad: tuple[int, bytes], tmp_path: Path) -> None:
    """Whole bytes that say nothing are counted once, cost nothing else, and are not found again."""
    with closing(_spool(tmp_path)) as spool:
        stream = spool.stream(LOGGED)
        stream.append(SNAPSHOT, 1, snapshot_bytes(snapshot(1)))
        stream.append(bad[0], 2, bad[1])
        stream.append(SNAPSHOT, 3, snapshot_bytes(snapshot(3)))
    with _reading(tmp_path) as stage:
        portions = _portions(stage)
        assert (_said(portions), sum(portion.damaged for portion in portions)) == ([1, 3], 1)
    with _reading(tmp_path) as later:
        assert sum(portion.damaged for portion in _portions(later)) == 0


def test_regions_that_are_no_frames_are_told_once_at_the_end(tmp_path: Path) -> None:
    """Noise in a file is skipped; the portion that ends its stream says how many regions that were."""
    _leave(tmp_path, logged=range(1, 11))
    (segment,) = tmp_path.rglob("*.seg")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20] = b"#" * 20
    segment.write_bytes(data)
    with _reading(tmp_path) as stage:
        portions = _portions(stage)
    assert len(_said(portions)) in {8, 9}
    assert [portion.skipped for portion in portions if portion.ended] == [1]
    assert sum(portion.skipped for portion in portions) == 1


def test_processes_that_end_later_are_found_when_it_is_looked_for_again(tmp_path: Path) -> None:
    """What is left while this process lives is read LOOK_AGAIN seconds after the last look."""
    with _reading(tmp_path) as stage:
        assert stage.read(100.0) is None
        _leave(tmp_path, logged=[1])
        assert stage.read(100.0 + LOOK_AGAIN / 2) is None
        assert stage.next_due(101.0) == 100.0 + LOOK_AGAIN
        assert _said(_portions(stage, 100.0 + LOOK_AGAIN)) == [1]


def test_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    """Nothing of a directory in use is read, and it is no reason to go on."""
    with closing(_spool(tmp_path)) as alive:
        assert alive.stream(LOGGED).append(SNAPSHOT, 1, snapshot_bytes(snapshot(1)))
        with _reading(tmp_path) as stage:
            assert _portions(stage) == []
            assert not stage.has_more
    assert _left(tmp_path) == [1]


@contextmanager
def _no_file_opens() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_disk_that_cannot_be_read_right_now_rests(tmp_path: Path) -> None:
    """Without a descriptor to spare nothing is read, nothing is lost, and it is tried again a moment later."""
    _leave(tmp_path, logged=range(1, 31), size=PORTION_BYTES // 4)
    with _reading(tmp_path) as stage:
        first = stage.read(0.0)
        assert first is not None
        with _no_file_opens():
            assert stage.read(1.0) is None
        due: Any = stage.next_due(1.0)
        assert due == 1.0 + backlog_module._REST
        assert _said([first, *_portions(stage, due)]) == list(range(1, 31))
