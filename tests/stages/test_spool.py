"""Frames on disk: kept until they are confirmed, through every way in which a process or a disk may fail."""

from __future__ import annotations

import gc
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import pytest

from raindrop_logging._pipeline.frames import MAX_PAYLOAD_BYTES, PREAMBLE, Frame, encode
from raindrop_logging._pipeline.spool import MOST_ADOPTED, MOST_TRIED, Spool, Stream, _Appender, _locks
from raindrop_logging.errors import SettingsError

MIB = 1024 * 1024
PAYLOAD = b"p" * 100
SEGMENT = 1_000
"""Bytes of a segment in which the eighth frame of that payload is the last."""


def _spool(directory: Path, **given: Any) -> Spool:
    return Spool(directory, "events-of-one-key", **({"max_bytes": 16 * MIB} | given))


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """A spool with small segments."""
    with closing(_spool(tmp_path, segment_bytes=SEGMENT)) as running:
        yield running


def _append(stream: Stream, idents: range, payload: bytes = PAYLOAD) -> None:
    for ident in idents:
        assert stream.append(1, ident, payload)


def _read(*streams: Stream, most: int = MIB) -> list[int]:
    """The idents of all unread frames."""
    return [frame.ident for stream in streams for frame in _frames(stream, most)]


def _frames(stream: Stream, most: int = MIB) -> list[Frame]:
    found: list[Frame] = []
    for _ in range(100_000):
        if not (frames := stream.read(most)):
            return found
        found += frames
    raise AssertionError("it never ends")


def _files(directory: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in directory.rglob(pattern) if path.is_file() and path.name != "lock")


def _sizes(directory: Path) -> int:
    return sum(path.stat().st_size for path in _files(directory))


def _owners(directory: Path) -> list[Path]:
    return [path for path in (directory / "events-of-one-key").glob("*-*") if path.is_dir()]


# ---- other processes


class Child:
    """A process forked from this one, for a function that may `say` bytes and `wait` to go on; it ends with that."""

    def __init__(self, work: Callable[[Child], object]) -> None:
        self._heard, said = os.pipe()
        gate, self._gate = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of other tests may be about to end
            self.pid = os.fork()
        if self.pid:
            os.close(said)
            os.close(gate)
            return
        self._said, self._waiting = said, gate
        os.close(self._gate)
        code = 1
        try:
            work(self)
            code = 0
        except BaseException:  # noqa: BLE001 -- whatever it is, this process must not go on as the test
            traceback.print_exc()
        finally:
            os._exit(code)

    def say(self, text: bytes) -> None:
        """In the child: tell the test."""
        os.write(self._said, text)

    def wait(self) -> None:
        """In the child: until the test says `go`, or is gone."""
        os.read(self._waiting, 1)

    def hear(self, most: int = 65_536) -> bytes:
        """In the test: what the child says next; nothing once it is gone."""
        return os.read(self._heard, most)

    def hear_all(self) -> bytes:
        """In the test: what the child says until it is gone."""
        return b"".join(iter(self.hear, b""))

    def go(self) -> None:
        """In the test: let the child go on."""
        os.write(self._gate, b".")

    def ended(self) -> int:
        """In the test: its exit code."""
        os.close(self._gate)
        os.close(self._heard)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _run(work: Callable[[Child], object]) -> bytes:
    """Run a function in a process of its own, to the end; what it said."""
    child = Child(work)
    said = child.hear_all()
    assert child.ended() == 0
    return said


@contextmanager
def _living(work: Callable[[Child], object]) -> Iterator[Child]:
    """A process that has done something, and lives until the test leaves the block."""

    def work_and_wait(child: Child) -> None:
        work(child)
        child.say(b"done")
        child.wait()

    child = Child(work_and_wait)
    try:
        assert child.hear() == b"done"
        yield child
    finally:
        os.kill(child.pid, signal.SIGKILL)
        assert child.ended() == -signal.SIGKILL


def _leave(directory: Path, idents: range, name: str = "events", **given: Any) -> None:
    """Frames of a process that is gone."""
    _run(lambda _: _append(_spool(directory, **given).stream(name), idents))


# ---- one process


def test_frames_are_read_once_in_the_order_they_were_appended(spool: Spool) -> None:
    """Kind, ident and payload come back as they were, over any number of segments."""
    stream = spool.stream("events")
    given = [Frame(number % 256, number << 90, bytes([number % 256]) * number) for number in range(300)]
    for frame in given:
        assert stream.append(frame.kind, frame.ident, frame.payload)
    assert (stream.unread, _frames(stream, 5_000), stream.unread) == (True, given, False)
    assert stream.read(MIB) == []
    assert stream.append(1, 1, b"later")
    assert (stream.unread, _read(stream)) == (True, [1])


def test_streams_are_apart(spool: Spool) -> None:
    """What one holds the other does not, and the same name is the same stream."""
    _append(spool.stream("events"), range(3))
    _append(spool.stream("traces"), range(3, 5))
    assert _read(spool.stream("traces")) == [3, 4]
    assert _read(spool.stream("events")) == [0, 1, 2]


def test_a_read_gives_about_as_much_as_was_asked_for(spool: Spool) -> None:
    """At least one frame, however large; never more than one beyond."""
    stream = spool.stream("events")
    _append(stream, range(10))
    assert [frame.ident for frame in stream.read(1)] == [0]
    assert [frame.ident for frame in stream.read(200)] == [1, 2]
    assert stream.append(1, 10, bytes(MIB))
    assert _read(stream, most=1) == list(range(3, 11))


def test_nothing_is_created_before_the_first_append(tmp_path: Path) -> None:
    """A spool that is configured and never used leaves no trace, also when it is read, adopts and closes."""
    spool = _spool(tmp_path / "below" / "it")
    stream = spool.stream("events")
    assert (stream.read(MIB), stream.unread, stream.nbytes, spool.adopt()) == ([], False, 0, [])
    stream.confirm([1])
    spool.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_what_it_creates_is_for_this_user_only(tmp_path: Path, umask: int) -> None:
    """Directories 0700 and files 0600, whatever the umask: segments, confirmations, rewritten segments, the lock."""

    def work(_: Child) -> None:
        os.umask(umask)
        stream = _spool(tmp_path / "new" / "spool", segment_bytes=SEGMENT).stream("events")
        _append(stream, range(21))
        stream.confirm([*_read(stream)[:6], 8])

    _run(work)
    made = [tmp_path / "new", *(tmp_path / "new").rglob("*")]
    modes = Counter((path.suffix, path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in made)
    assert modes == {("", True, 0o700): 4, ("", False, 0o600): 1, (".seg", False, 0o600): 3, (".ack", False, 0o600): 1}


def test_a_stream_may_be_opened_before_it_is_needed(tmp_path: Path) -> None:
    """So that the first log call does not make directories, and a disk that cannot be used is known at set-up."""
    with closing(_spool(tmp_path)) as spool:
        assert spool.stream("events").open()
        assert spool.stream("events").open()
        assert len(_files(tmp_path, "*.seg")) == 1
        assert (_read(spool.stream("events")), spool.stream("events").unread) == ([], False)
    assert not spool.stream("events").open()
    assert _owners(tmp_path) == []
    refused = _spool(tmp_path / "below")
    (tmp_path / "below").touch()
    assert not refused.stream("events").open()


def test_a_segment_goes_once_all_of_it_is_confirmed(spool: Spool, tmp_path: Path) -> None:
    """In any order of confirming; the one that is still appended to stays."""
    stream = spool.stream("events")
    _append(stream, range(21))
    assert len(_files(tmp_path, "*.seg")) == 3
    read = _read(stream)
    stream.confirm(reversed(read[:10]))
    assert len(_files(tmp_path, "*.seg")) == 2
    stream.confirm([*read[10:], 12345])
    assert len(_files(tmp_path, "*.seg")) == 1
    assert stream.nbytes == spool.nbytes == _sizes(tmp_path)


def test_one_long_lived_frame_does_not_keep_its_neighbours(tmp_path: Path) -> None:
    """A segment less than half of which is unconfirmed is rewritten, in its place: the order stays."""
    with closing(_spool(tmp_path, segment_bytes=100_000)) as spool:
        stream = spool.stream("events")
        _append(stream, range(3_000))
        assert spool.nbytes > 380_000
        long_lived = {70, 71, 2_000, 2_999}
        stream.confirm(set(_read(stream)) - long_lived)
        sizes = [path.stat().st_size for path in _files(tmp_path, "*.seg")]
        assert [size for size in sizes if size < 1_000] == [17 + 2 * 129, 17 + 129]
        assert spool.nbytes == _sizes(tmp_path)
        stream.confirm({2_000})
    with closing(_spool(tmp_path)) as later:
        assert _read(*later.adopt()) == [70, 71, 2_999]


def test_what_cannot_be_written_is_said_and_never_raised(spool: Spool, tmp_path: Path) -> None:
    """A payload above the limit, a kind or an ident that no frame can hold."""
    stream = spool.stream("events")
    assert stream.append(1, 1, bytes(MAX_PAYLOAD_BYTES)) is False, "the bound of 16 MiB"
    assert stream.append(256, 1, b"") is False
    assert stream.append(1, 1 << 128, b"") is False
    assert stream.append(1, -1, b"") is False
    large = _spool(tmp_path, max_bytes=64 * MIB)
    assert large.stream("events").append(1, 1, bytes(MAX_PAYLOAD_BYTES + 1)) is False
    assert large.stream("events").append(1, 1, bytes(MAX_PAYLOAD_BYTES)) is True
    assert [len(frame.payload) for frame in _frames(large.stream("events"))] == [MAX_PAYLOAD_BYTES]
    large.close()


# ---- the bound


def test_the_bound_is_over_all_streams_and_what_was_adopted(tmp_path: Path) -> None:
    """Beyond it nothing is appended; what is confirmed makes room, whosoever it was."""
    _leave(tmp_path, range(200))  # 26 kB
    with closing(_spool(tmp_path, max_bytes=40_000)) as spool:
        (left,) = spool.adopt()
        events, traces = spool.stream("events"), spool.stream("traces")
        taken = [(events, traces)[number % 2].append(1, number, PAYLOAD) for number in range(200)]
        assert taken == [True] * sum(taken) + [False] * (200 - sum(taken))
        assert 39_000 < spool.nbytes <= 40_000
        left.confirm(_read(left))
        assert spool.nbytes == _sizes(tmp_path) < 14_500
        assert events.append(1, 1_000, PAYLOAD)


@pytest.mark.parametrize("size", [100, 3_000, 9_000])
def test_a_full_spool_takes_more_once_it_is_confirmed(tmp_path: Path, size: int) -> None:
    """Whatever the frames' size is beside the bound, and however small the bound beside a usual segment."""
    with closing(_spool(tmp_path, max_bytes=10_000)) as spool:
        stream = spool.stream("events")
        for _ in range(5):
            idents = [ident for ident in range(1_000) if stream.append(1, ident, bytes(size))]
            assert len(idents) >= max(1, (10_000 - 2_000) // (size + 29))
            assert _read(stream) == idents
            stream.confirm(idents)


# ---- damage


def _damaged(directory: Path, mend: Callable[[bytearray], object]) -> tuple[list[int], int]:
    """Something happens to a segment of a process that is gone: which of its seven frames are read, what is counted."""
    _leave(directory, range(7))
    (segment,) = _files(directory, "*.seg")
    data = bytearray(segment.read_bytes())
    mend(data)
    segment.write_bytes(data)
    with closing(_spool(directory)) as spool:
        streams = spool.adopt()
        read = _read(*streams)
        corrupt = sum(stream.corrupt for stream in streams)
        for stream in streams:
            stream.confirm(read)
        assert _files(directory) == []
    return read, corrupt


FRAME = 129
START = len(PREAMBLE)
DAMAGE: dict[str, tuple[Callable[[bytearray], object], list[int], int]] = {
    "none": (lambda _: None, [0, 1, 2, 3, 4, 5, 6], 0),
    "a flipped byte": (lambda data: data.__setitem__(START + 2 * FRAME + 60, 0), [0, 1, 3, 4, 5, 6], 1),
    "a zeroed region": (
        lambda data: data.__setitem__(slice(START + FRAME + 5, START + 3 * FRAME + 5), bytes(2 * FRAME)),
        [0, 4, 5, 6],
        1,
    ),
    "a hole": (lambda data: data.__delitem__(slice(START + FRAME + 9, START + FRAME + 50)), [0, 2, 3, 4, 5, 6], 1),
    "a torn tail": (lambda data: data.__delitem__(slice(START + 7 * FRAME - 1, None)), [0, 1, 2, 3, 4, 5], 1),
    "no preamble": (lambda data: data.__delitem__(slice(0, START)), [0, 1, 2, 3, 4, 5, 6], 0),
    "half a preamble": (lambda data: data.__delitem__(slice(0, 9)), [0, 1, 2, 3, 4, 5, 6], 1),
    "junk in front": (lambda data: data.__setitem__(slice(0, 0), b"junk"), [0, 1, 2, 3, 4, 5, 6], 1),
    "all zeroed": (lambda data: data.__setitem__(slice(0, None), bytes(len(data))), [], 1),
    "all gone": (lambda data: data.clear(), [], 0),
}


@pytest.mark.parametrize(("mend", "read", "corrupt"), DAMAGE.values(), ids=DAMAGE)
def test_damage_costs_the_frames_it_touches(
    tmp_path: Path, mend: Callable[[bytearray], object], read: list[int], corrupt: int
) -> None:
    """All others are read, the damage is counted, and the files go once those are confirmed."""
    assert _damaged(tmp_path, mend) == (read, corrupt)


def test_a_frame_that_is_being_written_is_waited_for(spool: Spool, tmp_path: Path) -> None:
    """Half of it is neither read nor damage nor a reason to look again; the rest makes it whole."""
    stream = spool.stream("events")
    _append(stream, range(2))
    (segment,) = _files(tmp_path)
    whole = segment.read_bytes()
    os.truncate(segment, len(whole) - FRAME)
    assert _read(stream) == [0]
    with segment.open("ab") as other:
        other.write(whole[-FRAME:-40])
        other.flush()
        assert stream.unread
        assert (stream.read(MIB), stream.unread, stream.corrupt) == ([], False, 0)
        other.write(whole[-40:])
    assert (_read(stream), stream.corrupt) == ([1], 0)


def test_a_segment_of_another_version_is_left_alone(tmp_path: Path) -> None:
    """It stays as it is, is named, and keeps neither its neighbours nor a later process from being read."""
    _leave(tmp_path, range(20), segment_bytes=SEGMENT)
    first, *_ = _files(tmp_path)
    newer = b"raindrop-spool 2\n" + bytes(1_000)
    first.write_bytes(newer)
    for expected in ([*range(8, 20)], []):
        with closing(_spool(tmp_path)) as spool:
            streams = spool.adopt()
            assert _read(*streams) == expected
            assert spool.adopt() == []
            assert spool.foreign == [first]
            for stream in streams:
                stream.confirm(expected)
            assert spool.nbytes == 0
    assert _files(tmp_path) == [first]
    assert first.read_bytes() == newer


def test_leftovers_of_a_crash_are_removed(tmp_path: Path) -> None:
    """Confirmations without their segment, a half rewritten one, an empty one: the directory goes with them."""
    _leave(tmp_path, range(1))
    (segment,) = _files(tmp_path)
    for name in ("events-00000002.ack", "events-00000001.tmp", "events-00000009.tmp", "traces-00000003.seg"):
        (segment.parent / name).touch()
    with closing(_spool(tmp_path)) as spool:
        (stream,) = spool.adopt()
        assert _files(tmp_path) == [segment]
        stream.confirm(_read(stream))
        assert _owners(tmp_path) == []


def test_what_is_no_file_of_a_spool_is_not_touched(tmp_path: Path) -> None:
    """A directory, a pipe or a link in a segment's place, and files of others: neither read, waited for nor removed."""
    _leave(tmp_path, range(1))
    (segment,) = _files(tmp_path)
    (tmp_path / "secret").write_bytes(segment.read_bytes())
    (segment.parent / "events-00000002.seg").mkdir()
    os.mkfifo(segment.parent / "events-00000003.seg")
    (segment.parent / "events-00000004.seg").symlink_to(tmp_path / "secret")
    (segment.parent / "notes.txt").write_text("mine")
    (segment.parent.parent / "lost+found").mkdir()
    (segment.parent.parent / "7-0123456789abcdef").write_text("a file in a directory's place")
    (segment.parent.parent / "7-0123456789abcdee").mkdir()
    (segment.parent.parent / "7-0123456789abcdee" / "lock").mkdir()
    with closing(_spool(tmp_path)) as spool:
        (stream,) = spool.adopt()
        assert _read(stream) == [0]
        stream.confirm([0])
    left = {path.name for path in segment.parent.iterdir()}
    assert left == {"lock", "notes.txt", *(f"events-0000000{number}.seg" for number in (2, 3, 4))}
    assert len(list(segment.parent.parent.iterdir())) == 4


def test_a_segment_that_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    """The others are read, it is neither asked again nor removed, and a later process may have more luck."""
    _leave(tmp_path, range(20), segment_bytes=SEGMENT)
    first, *_ = _files(tmp_path)
    with closing(_spool(tmp_path)) as spool:
        (stream,) = spool.adopt()
        first.rename(tmp_path / "away")
        first.symlink_to(tmp_path / "away")
        assert (_read(stream), stream.unread) == ([*range(8, 20)], False)
        stream.confirm(range(8, 20))
        assert _files(tmp_path / "events-of-one-key") == [first]
    (tmp_path / "away").rename(first)
    with closing(_spool(tmp_path)) as spool:
        assert _read(*spool.adopt()) == [*range(8)]


# ---- what other processes left


def test_what_was_not_confirmed_is_read_by_the_next_process(tmp_path: Path) -> None:
    """Also what the process that is gone had read; what it had confirmed does not come back."""

    def work(_: Child) -> None:
        stream = _spool(tmp_path, segment_bytes=SEGMENT).stream("events")
        _append(stream, range(30))
        stream.confirm(_read(stream, most=1)[2:11:2])
        _append(stream, range(30, 33))

    _run(work)
    with closing(_spool(tmp_path)) as spool:
        (stream,) = spool.adopt()
        assert (stream.name, stream.unread, stream.nbytes) == ("events", True, _sizes(tmp_path))
        assert _read(stream) == [number for number in range(33) if number not in range(2, 11, 2)]


def test_a_directory_goes_with_the_last_of_its_streams(tmp_path: Path) -> None:
    """What is partly confirmed by one process is read on by the next, until nothing is left at all."""

    def work(_: Child) -> None:
        spool = _spool(tmp_path)
        _append(spool.stream("traces"), range(5, 8))
        _append(spool.stream("events"), range(5))

    _run(work)
    with closing(_spool(tmp_path)) as spool:
        events, traces = spool.adopt()
        assert (_read(events), _read(traces)) == ([0, 1, 2, 3, 4], [5, 6, 7])
        traces.confirm([5, 6, 7])
        events.confirm([0, 2])
        assert not events.append(1, 9, b""), "what was adopted is to read and confirm only"
    with closing(_spool(tmp_path)) as spool:
        (events,) = spool.adopt()
        assert _read(events) == [1, 3, 4]
        events.confirm([1, 3, 4])
        assert events.nbytes == spool.nbytes == 0
        assert _owners(tmp_path) == []


def test_the_oldest_directory_comes_first(tmp_path: Path) -> None:
    """So that what waits longest is sent first."""
    for number in range(5):
        _leave(tmp_path, range(number, number + 1))
    for path in _files(tmp_path, "*.seg"):
        os.utime(path, ns=(0, path.stat().st_mtime_ns))
    with closing(_spool(tmp_path)) as spool:
        assert _read(*spool.adopt()) == [0, 1, 2, 3, 4]


def test_a_process_that_lives_keeps_its_directory(tmp_path: Path) -> None:
    """It is adopted once that process is gone, however it went."""
    with closing(_spool(tmp_path)) as spool:
        with _living(lambda _: _append(_spool(tmp_path).stream("events"), range(3))):
            before = {path: path.stat() for path in tmp_path.rglob("*")}
            assert spool.adopt() == []
            assert {path: path.stat().st_ctime_ns for path in tmp_path.rglob("*")} == {
                path: status.st_ctime_ns for path, status in before.items()
            }
        assert _read(*spool.adopt()) == [0, 1, 2]


def test_what_is_adopted_is_locked(tmp_path: Path) -> None:
    """Another process gets nothing, until this one gives it up with something left."""
    _leave(tmp_path, range(3))
    with closing(_spool(tmp_path)) as spool:
        assert _read(*spool.adopt()) == [0, 1, 2]
        assert _run(lambda child: child.say(bytes(_read(*_spool(tmp_path).adopt())))) == b""
    assert _run(lambda child: child.say(bytes(_read(*_spool(tmp_path).adopt())))) == bytes([0, 1, 2])


def test_processes_that_adopt_at_once_share_out(tmp_path: Path) -> None:
    """Every directory goes to exactly one of them, also while new ones come and finished ones are removed."""
    for number in range(40):
        _leave(tmp_path, range(number, number + 1))

    def work(child: Child) -> None:
        spool = _spool(tmp_path)
        child.say(b"ready")
        child.wait()
        for _ in range(20):
            for stream in spool.adopt():
                child.say(bytes(idents := _read(stream)))
                stream.confirm(idents)
            assert spool.stream("events").append(1, 255, b"")
        child.wait()

    children = [Child(work) for _ in range(4)]
    assert [child.hear() for child in children] == [b"ready"] * 4
    for child in children:
        child.go()
        child.go()
    heard = b"".join(child.hear_all() for child in children)
    assert [child.ended() for child in children] == [0] * 4
    assert Counter(ident for ident in heard if ident < 255) == Counter(range(40))


def test_two_spools_of_one_process_leave_each_other_alone(tmp_path: Path) -> None:
    """Neither adopts the other's, by whatever path, nor takes its lock away by looking."""
    (tmp_path / "link").symlink_to(tmp_path)
    with closing(_spool(tmp_path)) as one, closing(_spool(tmp_path / "link")) as other:
        _append(one.stream("events"), range(3))
        _append(other.stream("events"), range(3, 5))
        assert (one.adopt(), other.adopt()) == ([], [])
        assert _run(lambda child: child.say(bytes(_read(*_spool(tmp_path).adopt())))) == b""


def test_a_crowd_of_directories_costs_a_bounded_piece_of_work(tmp_path: Path) -> None:
    """Of three thousand empty ones a thousand a call are removed, and none is in the way for ever."""
    for number in range(3_000):
        owner = tmp_path / "events-of-one-key" / f"{number}-0123456789abcdef"
        owner.mkdir(parents=True)
        (owner / "lock").touch()
    with closing(_spool(tmp_path)) as spool:
        left = []
        for _ in range(3):
            assert spool.adopt() == []
            left.append(len(_owners(tmp_path)))
    assert left == [2_000, 1_000, 0]
    assert MOST_TRIED == 1_000


def test_a_bounded_number_of_directories_is_held(tmp_path: Path) -> None:
    """The rest comes as soon as the first are done with."""

    def work(_: Child) -> None:
        for number in range(100):
            assert _spool(tmp_path).stream("events").append(1, number, b"")

    _run(work)
    with closing(_spool(tmp_path)) as spool:
        first = spool.adopt()
        assert (len(first), spool.adopt()) == (MOST_ADOPTED, [])
        read = _read(*first)
        for stream in first:
            stream.confirm(read)
        assert sorted(read + _read(*spool.adopt())) == list(range(100))


def test_a_directory_whose_lock_file_was_deleted_belongs_to_nobody(tmp_path: Path) -> None:
    """What it holds is sent by the next process all the same."""
    _leave(tmp_path, range(3))
    (lock,) = tmp_path.rglob("lock")
    lock.unlink()
    (tmp_path / "events-of-one-key" / "1-0123456789abcdef").mkdir()
    with closing(_spool(tmp_path)) as spool:
        assert _read(*spool.adopt()) == [0, 1, 2]
        assert len(_owners(tmp_path)) == 1


def test_confirmations_that_were_torn_cost_nothing_but_themselves(tmp_path: Path) -> None:
    """What a crash left of one is cut off, so that those of the next process are read by the one after."""

    def work(_: Child) -> None:
        stream = _spool(tmp_path).stream("events")
        _append(stream, range(5))
        stream.confirm(_read(stream)[:2])

    _run(work)
    (acks,) = _files(tmp_path, "*.ack")
    os.truncate(acks, 16 + 5)

    def confirm_another(_: Child) -> None:
        (stream,) = _spool(tmp_path).adopt()
        assert _read(stream) in ([1, 2, 3, 4], [0, 2, 3, 4])
        stream.confirm([3])

    _run(confirm_another)
    with closing(_spool(tmp_path)) as spool:
        read = _read(*spool.adopt())
    assert read in ([1, 2, 4], [0, 2, 4])


def test_a_confirmation_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    """As soon as there is room, and whole: it is not lost, nor are those behind it."""

    def work(_: Child) -> None:
        stream = _spool(tmp_path).stream("events")
        _append(stream, range(20))
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        stream.confirm(_read(stream)[:10])
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert stream.nbytes == _sizes(tmp_path)
        stream.confirm([12])

    _run(work)
    with closing(_spool(tmp_path)) as spool:
        assert _read(*spool.adopt()) == [10, 11, *range(13, 20)]


# ---- life and death


def test_closing_removes_what_is_empty_and_leaves_the_rest(tmp_path: Path) -> None:
    """After it nothing is taken, and nothing raises."""
    done, left = _spool(tmp_path), _spool(tmp_path)
    for spool in (done, left):
        _append(spool.stream("events"), range(3))
    done.stream("events").confirm(_read(done.stream("events")))
    left.stream("events").confirm(_read(left.stream("events"))[:1])
    for spool in (done, left):
        spool.close()
        spool.close()
        stream = spool.stream("events")
        assert (stream.append(1, 9, b""), stream.read(MIB), stream.unread, spool.adopt()) == (False, [], False, [])
        stream.confirm([1, 2])
    assert len(_owners(tmp_path)) == 1
    with closing(_spool(tmp_path)) as later:
        assert _read(*later.adopt()) == [1, 2]


def test_a_forked_child_has_nothing_of_its_parents(tmp_path: Path) -> None:
    """It can neither write, read nor adopt what the parent has, nor take its lock away; it has a spool of its own."""
    with closing(_spool(tmp_path)) as spool:
        stream = spool.stream("events")
        _append(stream, range(3))

        def work(child: Child) -> None:
            assert (stream.append(1, 9, b""), stream.read(MIB), stream.unread, spool.adopt()) == (False, [], False, [])
            stream.confirm([0])
            spool.close()
            own = _spool(tmp_path)
            assert own.adopt() == []
            _append(own.stream("events"), range(3, 5))
            child.say(b"left")

        assert _run(work) == b"left"
        assert _run(lambda child: child.say(bytes(_read(*_spool(tmp_path).adopt())))) == bytes([3, 4])
        _append(stream, range(5, 6))
        assert _read(stream) == [0, 1, 2, 5]


def test_a_forked_child_never_closes_what_may_be_somebody_elses_by_then(tmp_path: Path) -> None:
    """A daemon closes every number it inherited and opens files of its own; those stay open."""
    spools = [_spool(tmp_path)]
    _append(spools[0].stream("events"), range(1))
    inherited = [spools[0].stream("events")._tail.appender, *_locks.of_this_process().values()]
    numbers = [one.fd for one in inherited if one is not None]
    del inherited

    def work(_: Child) -> None:
        with open(os.devnull, "rb") as own:  # noqa: PTH123 -- for its number
            for each in numbers:
                os.dup2(own.fileno(), each)
        spools.clear()
        _locks.of_this_process()
        gc.collect()
        assert [os.fstat(number).st_rdev for number in numbers] == [Path(os.devnull).stat().st_rdev] * len(numbers)

    assert len(numbers) >= 2
    _run(work)
    spools[0].close()


def test_a_child_that_outlives_its_parent_adopts_what_that_left(tmp_path: Path) -> None:
    """Also what it had inherited the descriptors of, and its lock on it holds."""

    def grandchild(child: Child) -> None:
        child.wait()  # until the parent is gone, and with it the other end
        spool = _spool(tmp_path)
        child.say(bytes(_read(*spool.adopt())))
        gc.collect()
        child.say(_run(lambda other: other.say(b"%d" % len(_spool(tmp_path).adopt()))))

    def parent(child: Child) -> None:
        spool = _spool(tmp_path)
        _append(spool.stream("events"), range(3))
        inner = Child(grandchild)
        os.set_inheritable(inner._heard, True)
        reader = os.fork()
        if reader == 0:
            os.close(inner._gate)
            del spool
            child.say(inner.hear_all())

    assert _run(parent) == bytes([0, 1, 2]) + b"0"


def _append_for_ever(directory: Path, child: Child) -> None:
    """Three threads append as fast as they can, and say so of each; a fourth confirms most of it."""
    stream = _spool(directory, segment_bytes=20_000).stream("events")

    def work(thread: int) -> None:
        for number in count():
            ident = thread << 64 | number
            if stream.append(thread, ident, b"%d" % number * (number % 50)):
                child.say(b"a" + ident.to_bytes(16, "big"))

    for thread in range(1, 4):
        threading.Thread(target=work, args=(thread,), daemon=True).start()
    while True:
        confirmed = [frame.ident for frame in stream.read(10_000) if frame.ident % 100]
        child.say(b"".join(b"i" + ident.to_bytes(16, "big") for ident in confirmed[:200]))
        stream.confirm(confirmed[:200])
        child.say(b"".join(b"c" + ident.to_bytes(16, "big") for ident in confirmed[:200]))


@pytest.mark.slow
@pytest.mark.parametrize("run", range(20))
def test_a_killed_process_leaves_whatever_it_had_appended(tmp_path: Path, run: int) -> None:
    """Whenever kill -9 strikes, a frame whose append returned is confirmed or read, in the order of its thread."""
    child = Child(lambda one: _append_for_ever(tmp_path, one))
    said = b""
    while len(said) < 17 * random.Random(run).randrange(1, 8_000):  # noqa: S311 -- a moment, not a secret
        said += child.hear()
    os.kill(child.pid, signal.SIGKILL)
    said += child.hear_all()
    assert child.ended() == -signal.SIGKILL
    told: dict[str, set[int]] = {"a": set(), "i": set(), "c": set()}
    for start in range(0, len(said) - 16, 17):
        told[chr(said[start])].add(int.from_bytes(said[start + 1 : start + 17], "big"))
    with closing(_spool(tmp_path)) as spool:
        (stream,) = spool.adopt()
        read = _read(stream)
        assert stream.corrupt <= 1
    assert told["a"] - told["i"] <= set(read)
    assert not told["c"] & set(read)
    for thread in range(1, 4):
        own = [ident for ident in read if ident >> 64 == thread]
        assert own == sorted(set(own))


# ---- many threads, signals


def _append_from_threads(stream: Stream, threads: int, frames: int) -> list[threading.Thread]:
    def work(thread: int) -> None:
        for number in range(frames):
            assert stream.append(thread, thread << 64 | number, b"%d" % number * 20)

    running = [threading.Thread(target=work, args=(thread,)) for thread in range(threads)]
    for one in running:
        one.start()
    return running


def test_threads_that_append_at_once_lose_and_mix_nothing(tmp_path: Path) -> None:
    """Sixteen of them, through many segments and with a reader that confirms: whole, once, in their own order."""
    with closing(_spool(tmp_path, segment_bytes=20_000)) as spool:
        stream = spool.stream("events")
        running = _append_from_threads(stream, 16, 1_000)
        read: list[Frame] = []
        while any(one.is_alive() for one in running) or stream.unread:
            frames = stream.read(50_000)
            stream.confirm(frame.ident for frame in frames)
            read += frames
        assert stream.corrupt == 0
        assert len(_files(tmp_path, "*.seg")) <= 2
        assert spool.nbytes == _sizes(tmp_path)
    for thread in range(16):
        own = [frame for frame in read if frame.kind == thread]
        assert [frame.ident for frame in own] == [thread << 64 | number for number in range(1_000)]
        assert [frame.payload for frame in own] == [b"%d" % number * 20 for number in range(1_000)]


def test_threads_may_open_a_stream_at_once(tmp_path: Path) -> None:
    """Where the first appends of many come together, one directory and one segment are picked, and nothing is lost."""
    for attempt in range(20):
        with closing(_spool(tmp_path / str(attempt))) as spool:
            for one in _append_from_threads(spool.stream("events"), 16, 3):
                one.join()
            assert len(_owners(tmp_path / str(attempt))) == 1
            assert len(_files(tmp_path / str(attempt))) == 1
            assert len(_read(spool.stream("events"))) == 48
            assert spool.stream("events").corrupt == 0


class _Interrupted(_Appender):
    """An appender during whose use by the reader other threads get on: the worst that switching threads can do."""

    __slots__ = ()
    meanwhile: ClassVar[list[Callable[[], object]]] = []

    @property
    def fd(self) -> int:  # type: ignore[override]
        """The descriptor, a moment later."""
        while self.meanwhile:
            self.meanwhile.pop()()
        return super().fd


def _hold(stream: Stream) -> _Appender:
    """What a thread has in its hands that is about to write to the newest segment."""
    appender = stream._tail.appender
    assert appender is not None
    return appender


def _write(appender: _Appender, ident: int) -> None:
    """What that thread then does."""
    os.write(appender.fd, encode(appender.mark, 1, ident, PAYLOAD))


def test_a_thread_that_writes_late_to_a_full_segment_is_read_in_its_order(spool: Spool) -> None:
    """What it writes to the next one while the reader measures both comes after."""
    stream = spool.stream("events")
    _append(stream, range(1))
    late = _hold(stream)
    _append(stream, range(1, 9))
    newest = _hold(stream)
    newest.__class__ = _Interrupted
    assert _read(stream) == list(range(9))
    _Interrupted.meanwhile[:] = [lambda: _write(newest, 10), lambda: _write(late, 9)]
    assert _read(stream) == [9, 10]


def test_a_segment_waits_for_the_last_that_writes_to_it(spool: Spool, tmp_path: Path) -> None:
    """A frame that comes while the reader asks whether any can come is read, before the segment goes."""
    stream = spool.stream("events")
    _append(stream, range(1))
    late = [_hold(stream)]
    _append(stream, range(1, 9))
    stream.confirm(_read(stream))
    assert len(_files(tmp_path, "*.seg")) == 2
    answers = iter(late)

    def writers() -> _Appender | None:
        if (answer := next(answers, None)) is None and late:
            _write(late.pop(), 9)
        return answer

    stream._in_order()[0]._writers = writers  # type: ignore[assignment]  # asked twice: once alive, then just gone
    assert _read(stream) == [9]
    stream.confirm([9])
    assert len(_files(tmp_path, "*.seg")) == 1


def test_full_segments_keep_no_descriptor(spool: Spool) -> None:
    """However many wait to be read or confirmed."""
    stream = spool.stream("events")
    _append(stream, range(1))
    before = len(list(Path("/dev/fd").iterdir()))
    _append(stream, range(1, 500))
    assert len(list(Path("/dev/fd").iterdir())) == before
    assert _read(stream) == list(range(500))
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_signal_handlers_may_append_while_anything_is_going_on(tmp_path: Path) -> None:
    """They interrupt appends, rotations, reads and confirmations of the same thread, and nothing waits or is lost."""
    with closing(_spool(tmp_path, segment_bytes=2_000)) as spool:
        stream = spool.stream("events")
        handled: list[int] = []

        def handle(*_: object) -> None:
            ident = 1 << 64 | len(handled)
            handled.append(ident)
            assert stream.append(2, ident, PAYLOAD)

        before = signal.signal(signal.SIGVTALRM, handle)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)
        appended, read = 0, []
        try:
            while len(handled) < 300:
                assert stream.append(1, appended, PAYLOAD)
                appended += 1
                if appended % 20 == 0:
                    read += [frame.ident for frame in stream.read(MIB)]
                    stream.confirm(read[-15:])
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)
        read += _read(stream)
        assert sorted(read) == [*range(appended), *handled]


def _append_while_struck(stream: Stream) -> list[int]:
    """Append while every millisecond of computing a signal raises TimeoutError in the middle of it; what was taken."""

    def strike(_: int, frame: FrameType | None) -> None:
        while frame is not None:
            if frame.f_code is Stream.append.__code__:
                raise TimeoutError
            frame = frame.f_back

    signal.signal(signal.SIGVTALRM, strike)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)
    kept = []
    for ident in range(5_000):
        with suppress(TimeoutError):
            if stream.append(1, ident, PAYLOAD):
                kept.append(ident)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return kept


def test_an_exception_out_of_a_signal_handler_leaves_the_spool_as_good_as_before(tmp_path: Path) -> None:
    """A limit of time that strikes in the middle of an append or a rotation costs at most that frame."""

    def work(_: Child) -> None:
        sys.unraisablehook = lambda _: None  # it strikes in finalizers, too
        stream = _spool(tmp_path, segment_bytes=500).stream("events")
        kept = _append_while_struck(stream)
        _append(stream, range(5_000, 5_010))
        read = _read(stream)
        assert set(kept) <= set(read)
        assert read == sorted(read)
        stream.confirm(read[:-10])

    _run(work)
    with closing(_spool(tmp_path)) as later:
        streams = later.adopt()
        read = _read(*streams)
        for stream in streams:
            stream.confirm(read)
        assert (read, _files(tmp_path)) == (list(range(5_000, 5_010)), [])


# ---- disks that fail


def test_files_that_somebody_deletes_are_made_again(spool: Spool, tmp_path: Path) -> None:
    """What was in them is gone with them; what is appended afterwards is kept, for the next process too."""
    stream = spool.stream("events")
    _append(stream, range(10))
    read = [frame.ident for frame in stream.read(1)]
    subprocess.run(["rm", "-rf", *_owners(tmp_path)], check=True)
    _append(stream, range(10, 12))
    assert [*read, *_read(stream)][-2:] == [10, 11]
    stream.confirm(range(12))
    _append(stream, range(12, 14))
    subprocess.run(["rm", *_files(tmp_path)], check=True)
    _append(stream, range(14, 16))
    spool.close()
    with closing(_spool(tmp_path)) as later:
        assert _read(*later.adopt()) == [14, 15]


def test_a_file_that_somebody_cuts_is_written_on(spool: Spool, tmp_path: Path) -> None:
    """What is appended afterwards is read."""
    stream = spool.stream("events")
    _append(stream, range(5))
    assert _read(stream) == [0, 1, 2, 3, 4]
    os.truncate(_files(tmp_path)[0], 0)
    assert _read(stream) == []
    _append(stream, range(5, 7))
    assert _read(stream) == [5, 6]


def test_a_limit_of_the_file_size_tears_one_frame_and_no_other(tmp_path: Path) -> None:
    """A short write is said, and what is appended when there is room again is read by the next process."""

    def work(child: Child) -> None:
        stream = _spool(tmp_path).stream("events")
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        for limit in (1_000, 1_000, 2_050):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            child.say(bytes([stream.append(1, number, PAYLOAD) for number in range(10)]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        _append(stream, range(100, 102))
        child.say(b"." + bytes([frame.ident for frame in _frames(stream)]))

    said, _, read = _run(work).partition(b".")
    assert said == bytes([1] * 7 + [0] * 3 + [0] * 10 + [1] * 8 + [0] * 2)
    assert list(read) == [*range(7), *range(8), 100, 101]
    with closing(_spool(tmp_path)) as spool:
        (stream,) = spool.adopt()
        assert (_read(stream), stream.corrupt) == (list(read), 2)


def test_a_process_without_descriptors_left_goes_on_with_what_it_has(tmp_path: Path) -> None:
    """A full segment is appended to all the same; what cannot be opened now is read when it can."""
    _leave(tmp_path, range(3))

    def work(child: Child) -> None:
        spool = _spool(tmp_path, segment_bytes=SEGMENT)
        (left,) = spool.adopt()
        stream = spool.stream("events")
        _append(stream, range(5))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with open(os.devnull, "rb") as next_one:  # noqa: PTH123 -- for its number
            number = next_one.fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
        _append(stream, range(5, 20))
        child.say(bytes(_read(stream)) + b"." + bytes(_read(left)) + b"." + bytes([left.unread]))
        stream.confirm(range(3))
        assert not _spool(tmp_path).stream("events").append(1, 1, b"")
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert len(_owners(tmp_path)) == 2, "and what could not be begun leaves nothing behind"
        child.say(b"." + bytes(_read(left)))
        stream.confirm(())

    said = _run(work)
    assert said.split(b".") == [bytes(range(20)), b"", b"\x01", bytes(range(3))]
    with closing(_spool(tmp_path)) as spool:
        assert sorted(_read(*spool.adopt())) == sorted([*range(3, 20), *range(3)])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = _system("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory))
    if mounted is not None:
        pytest.skip(f"a small file system cannot be mounted here: {mounted}")
    try:
        yield directory
    finally:
        assert _system("umount", "--lazy", str(directory)) is None


def _system(*command: str) -> str | None:
    """Run a command; what it complains of."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return ended.stderr.strip() or "it failed" if ended.returncode else None


def test_a_full_disk_is_said_and_drained_without_any_space(small_disk: Path) -> None:
    """Reading, confirming and deleting need none; then there is room again."""
    with closing(_spool(small_disk, segment_bytes=100_000)) as spool:
        stream = spool.stream("events")
        kept = [ident for ident in range(20_000) if stream.append(1, ident, PAYLOAD)]
        assert 7_000 < len(kept) < 8_200
        (small_disk / "filled").write_bytes(b"")
        with suppress(OSError), (small_disk / "filled").open("ab", buffering=0) as rest:
            while rest.write(b"x"):
                pass
        read = _read(stream)
        assert read == kept
        stream.confirm(read[::7])  # where a confirmation cannot be written, or a segment be rewritten, it is owed
        stream.confirm(read[1::2])
        stream.confirm(read[: len(read) // 2])
        assert stream.append(1, 1 << 64, PAYLOAD)
        assert spool.nbytes == _sizes(small_disk)
        stream.confirm(read)
        assert spool.nbytes < 200_000
        stream.confirm(_read(stream))
    assert sorted(path.name for path in small_disk.rglob("*")) == ["events-of-one-key", "filled"]


def test_confirmations_that_did_not_fit_are_written_when_there_is_room(small_disk: Path) -> None:
    """Then they do not come back; without room they do, which is all the harm."""
    filler = small_disk / "filler"

    def work(_: Child) -> None:
        stream = _spool(small_disk, segment_bytes=2 * MIB).stream("events")
        _append(stream, range(1_000))
        with suppress(OSError):
            filler.write_bytes(bytes(2 * MIB))
        stream.confirm(_read(stream)[:10])
        assert not any(path.stat().st_size for path in _files(small_disk, "*.ack"))
        filler.unlink()
        stream.confirm([10])

    _run(work)
    with closing(_spool(small_disk)) as spool:
        assert _read(*spool.adopt()) == list(range(11, 1_000))


def test_a_disk_that_becomes_read_only_raises_nothing(small_disk: Path) -> None:
    """Appends are refused; what is there is still read; a process that starts now is told so at set-up."""
    with closing(_spool(small_disk, segment_bytes=SEGMENT)) as spool:
        stream = spool.stream("events")
        _append(stream, range(7))
        stream.confirm([frame.ident for frame in stream.read(1)])
    _leave(small_disk, range(3))
    late = _spool(small_disk)
    assert _system("mount", "-o", "remount,ro", str(small_disk)) is None
    assert not late.stream("events").append(1, 1, b"")
    assert late.adopt() == []
    late.close()
    with pytest.raises(SettingsError, match="may not write"):
        _spool(small_disk)
    assert _system("mount", "-o", "remount,rw", str(small_disk)) is None


# ---- what cannot work is said at set-up


def test_a_file_in_the_directorys_place_is_refused(tmp_path: Path) -> None:
    """The message names the key, what was given and the rule; below a file, the file."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "nowhere")
    for given, named in (("file", "file"), ("file/below", "file"), ("loop", "loop")):
        with pytest.raises(SettingsError) as refused:
            _spool(tmp_path / given)
        assert str(refused.value) == f"'spool_dir' is '{tmp_path / given}': {tmp_path / named} is not a directory"


def test_a_directory_that_this_user_may_not_write_is_refused() -> None:
    """Before the first record, not at it."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)

        def work(_: Child) -> None:
            if os.getuid() == 0:
                os.setuid(65_534)
            for directory in (Path(name), Path(name) / "below"):
                with pytest.raises(SettingsError, match=rf"'spool_dir' is '{directory}': .* may not write in {name}$"):
                    _spool(directory)

        _run(work)


def test_a_platform_without_posix_locks_is_refused() -> None:
    """The package can be imported there; the setting cannot be used, and says why."""
    program = """
import sys
from pathlib import Path
sys.modules["fcntl"] = None
from raindrop_logging._pipeline.spool import Spool
Spool(Path("."), "n", max_bytes=1)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "SettingsError: 'spool_dir' is '.': a spool needs POSIX file locks" in ended.stderr


def test_a_relative_directory_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that changes its directory later, as daemons do, keeps its spool."""
    monkeypatch.chdir(tmp_path)
    with closing(_spool(Path("spool"))) as spool:
        monkeypatch.chdir("/")
        _append(spool.stream("events"), range(1))
        assert len(_files(tmp_path / "spool")) == 1
