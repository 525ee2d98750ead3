"""Whatever happens to a spool, in whatever order: what was appended is read until it is confirmed, and not after."""

from __future__ import annotations

import re
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from raindrop_logging._pipeline.frames import HEADER_BYTES, PREAMBLE
from raindrop_logging._pipeline.spool import Spool, Stream, _locks

MAX_BYTES = 20_000
PLACE_OF_IDENT = 5
UNIQUE = 0xD1C2_B3A4_9586_7788 << 64
"""The upper half of every ident, so that frames can be found in a file without reading it as one."""

names = st.sampled_from(["events", "traces"])
indices = st.integers(0, 99)
fractions = st.floats(0, 1, exclude_max=True)


@contextmanager
def _room(nbytes: int) -> Iterator[None]:
    """No file can grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class SpoolModel(RuleBasedStateMachine):
    """One process after another uses a directory.

    What the model knows of an ident: ``kept`` must be read until it is confirmed; ``touched`` by a crash or damage may
    be gone; ``confirmed`` must not come back, unless its confirmation was ``forgotten``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.sizes: dict[int, int] = {}
        self.place: dict[int, tuple[int, str]] = {}  # which process's stream it is in
        self.kept: set[int] = set()
        self.touched: set[int] = set()
        self.confirmed: set[int] = set()
        self.forgotten: set[int] = set()
        self.idents = count(UNIQUE + 1)
        self.lives = count()
        self.homes: dict[str, int] = {}
        self._start()

    # ---- a process

    def _start(self) -> None:
        self.life = next(self.lives)
        self.spool = Spool(self.directory, "n", max_bytes=MAX_BYTES, segment_bytes=400)
        self.streams: list[tuple[Stream, tuple[int, str]]] = []
        self.read: dict[tuple[int, str], list[int]] = {}
        for _ in range(100):
            adopted = self.spool.adopt()
            self.streams += [(one, (self.homes[_owner(one)], one.name)) for one in adopted]
            if not adopted:
                break
        self.streams += [(self.spool.stream(name), (self.life, name)) for name in ("events", "traces")]
        self.streams.sort(key=lambda stream: stream[1])

    def _die(self) -> None:
        """As kill -9: the kernel closes what the process had, and nothing else happens."""
        for name, lock in _locks.of_this_process().copy().items():
            if (self.directory / "n" / name).exists():
                lock.close()
                del _locks.of_this_process()[name]
        self.streams.clear()

    def _forget(self, idents: set[int]) -> None:
        self.forgotten |= idents & self.confirmed

    # ---- what it does

    @rule(name=names, size=st.integers(0, 500))
    def append(self, name: str, size: int) -> None:
        """Refused only at the bound."""
        ident = self._append(name, size)
        assert ident in self.kept or self.spool.nbytes + HEADER_BYTES + size > MAX_BYTES

    @rule(name=names, size=st.integers(0, 500), room=st.integers(0, 600))
    def append_with_little_room(self, name: str, size: int, room: int) -> None:
        """It is taken whole or refused."""
        with _room(room):
            self._append(name, size)

    def _append(self, name: str, size: int) -> int:
        ident = next(self.idents)
        if self.spool.stream(name).append(len(self.sizes) % 256, ident, b"p" * size):
            self.kept.add(ident)
            self.place[ident] = (self.life, name)
        self.sizes[ident] = size
        for home in self.spool._homes.values():
            self.homes[home.path.name] = self.life
        return ident

    @rule(chosen=indices, most=st.integers(1, 3_000))
    def read_some(self, chosen: int, most: int) -> None:
        """In order, nothing twice, nothing that was confirmed; and nothing is left out before the end."""
        stream, place = self.streams[chosen % len(self.streams)]
        frames = stream.read(most)
        before = self.read.setdefault(place, [])
        for frame in frames:
            assert frame.payload == b"p" * self.sizes[frame.ident]
            assert frame.ident in self.kept | self.touched | self.forgotten
            assert not before or frame.ident > before[-1]
            before.append(frame.ident)
        assert sum(frame.nbytes for frame in frames[:-1]) < most
        if not frames:
            assert not stream.unread
            assert {ident for ident in self.kept if self.place[ident] == place} <= set(before)
        elif self.kept:
            assert not any(
                ident < before[-1] and self.place[ident] == place and ident not in before for ident in self.kept
            )

    @rule(chosen=indices, start=fractions, step=st.integers(1, 4))
    def confirm_some(self, chosen: int, start: float, step: int) -> None:
        """What was read, in any order."""
        stream, place = self.streams[chosen % len(self.streams)]
        read = self.read.get(place, [])
        idents = set(read[int(start * len(read)) :: step])
        stream.confirm(idents)
        self._confirmed(idents)
        self.forgotten -= idents

    @rule(chosen=indices, step=st.integers(1, 3), room=st.integers(0, 200))
    def confirm_some_with_little_room(self, chosen: int, step: int, room: int) -> None:
        """What was read is confirmed for this process; a later one may read it again."""
        stream, place = self.streams[chosen % len(self.streams)]
        idents = set(self.read.get(place, [])[::-step])
        with _room(room):
            stream.confirm(idents)
        self._confirmed(idents)
        self._forget(idents)

    def _confirmed(self, idents: set[int]) -> None:
        self.kept -= idents
        self.touched -= idents
        self.confirmed |= idents

    # ---- how it ends

    @rule()
    def close(self) -> None:
        """The next process reads what was not confirmed."""
        self.spool.close()
        self._start()

    @rule()
    def crash(self) -> None:
        """As `close`."""
        self._die()
        self._start()

    @precondition(lambda self: self.kept)
    @rule(chosen=indices, at=fractions)
    def crash_in_a_write(self, chosen: int, at: float) -> None:
        """The newest segment of a stream ends anywhere."""
        self._die()
        if segments := self._files("*.seg"):
            segment = segments[chosen % len(segments)]
            segments = sorted(segment.parent.glob(f"{segment.name.partition('-')[0]}-*.seg"))
            data = segments[-1].read_bytes()
            self._change(segments[-1], data[: int(at * len(data))], int(at * len(data)), len(data))
        self._start()

    @precondition(lambda self: self.kept)
    @rule(chosen=indices, at=fractions, length=st.integers(1, 700), value=st.binary(min_size=1, max_size=1))
    def crash_and_corrupt(self, chosen: int, at: float, length: int, value: bytes) -> None:
        """A region of any segment holds something else."""
        self._die()
        if segments := self._files("*.seg"):
            segment = segments[chosen % len(segments)]
            data = segment.read_bytes()
            start, end = int(at * len(data)), min(int(at * len(data)) + length, len(data))
            self._change(segment, data[:start] + value * (end - start) + data[end:], start, end)
        self._start()

    @rule(chosen=indices, kept=st.integers(0, 40))
    def crash_and_lose_confirmations(self, chosen: int, kept: int) -> None:
        """A file of confirmations ends anywhere."""
        self._die()
        if acks := self._files("*.ack"):
            lost = acks[chosen % len(acks)]
            lost.write_bytes(lost.read_bytes()[:kept])
            segment = lost.with_suffix(".seg")
            self._forget(set(self._places(segment.read_bytes())) if segment.exists() else set())
        self._start()

    def _files(self, pattern: str) -> list[Path]:
        """In an order that does not depend on the random names of their directories."""
        return sorted(self.directory.rglob(pattern), key=lambda path: (self.homes[path.parent.name], path.name))

    def _places(self, data: bytes) -> dict[int, tuple[int, int]]:
        """Where the frames are in a segment, as far as their idents are."""
        pattern = b"(?=(" + re.escape((UNIQUE >> 64).to_bytes(8, "big")) + b".{8}))"  # torn frames' may overlap others
        found = ((int.from_bytes(match[1], "big"), match.start()) for match in re.finditer(pattern, data, re.DOTALL))
        starts = {ident: start - PLACE_OF_IDENT for ident, start in found if ident in self.sizes}
        return {ident: (start, start + HEADER_BYTES + self.sizes[ident]) for ident, start in starts.items()}

    def _change(self, segment: Path, data: bytes, start: int, end: int) -> None:
        """Write a segment anew, and note which of its frames lie where it changed."""
        before = segment.read_bytes()
        segment.write_bytes(data)
        foreign = re.match(rb"raindrop-spool \d+\n", data) and not data.startswith(PREAMBLE)
        if data != before:
            for ident, (first, after) in self._places(before).items():
                if foreign or (first < end and start < after):
                    self.touched |= {ident} & self.kept
                    self.kept.discard(ident)

    # ---- always

    @invariant()
    def counts_what_is_on_disk(self) -> None:
        """Neither more nor less, and never much more than the bound."""
        files = [path for kind in ("seg", "ack") for path in self.directory.rglob(f"*.{kind}")]
        assert self.spool.nbytes == sum(path.stat().st_size for path in files if path not in self.spool.foreign)
        assert self.spool.nbytes < MAX_BYTES + 16 * len(self.sizes)

    def teardown(self) -> None:
        """In the end all that was kept is read, and once it is confirmed nothing is left."""
        try:
            self.close()
            for index, (stream, _) in enumerate(self.streams):
                for _ in range(1_000):
                    before = stream.unread
                    self.read_some(index, 500)
                    if not before:
                        break
                self.confirm_some(index, 0, 1)
            assert not self.kept
            foreign = self.spool.foreign
            self.spool.close()
            assert {path.name for path in self.directory.rglob("*.*")} == {path.name for path in foreign}
        finally:
            self._die()
            shutil.rmtree(self.directory)


def _owner(stream: Stream) -> str:
    assert stream._owner is not None
    return stream._owner.path.name


TestSpool = SpoolModel.TestCase
TestSpool.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
