"""Whatever happens to a journal, in whatever order: what was put is taken once, in order, and kept until confirmed."""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from raindrop_logging._pipeline.backlog import LOGGED
from raindrop_logging._pipeline.bounded_queue import Bounds
from raindrop_logging._pipeline.journal import Journal
from raindrop_logging._pipeline.spool import Spool
from raindrop_logging._pipeline.stats import Count
from tests.stages.entries_made import snapshot

MIB = 1024 * 1024
some = st.integers(1, 12)


class JournalModel(RuleBasedStateMachine):
    """One caller and one listener; the disk fails at times and else has room for all, memory has room for few."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.overflowed, self.disk_full, self.damaged = Count(), Count(), 0
        self.bits = count(1)
        self.waiting: deque[int] = deque()
        self.taken: set[int] = set()
        self.on_disk: set[int] = set()
        self.limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    @initialize(spill=st.booleans(), size=st.integers(1, 4))
    def start(self, *, spill: bool, size: int) -> None:
        """Memory or disk first; a queue that gives up what is new can be followed without a look inside."""
        self.spill, self.size = spill, size
        self.spool = Spool(self.directory, "n", max_bytes=16 * MIB, segment_bytes=600)
        self.queue = Journal(
            Bounds(size, MIB, "drop_newest", 0.0, 100, MIB),
            self.overflowed,
            stream=self.spool.stream(LOGGED),
            only_when_full=spill,
            disk_full=self.disk_full,
            damaged=self._damaged,
        )

    def _damaged(self, records: int) -> None:
        self.damaged += records

    @rule(number=some)
    def put(self, number: int) -> None:
        """Some snapshots, one after the other."""
        for bits in [next(self.bits) for _ in range(number)]:
            before, lost = self.queue.in_memory, int(self.overflowed)
            self.queue.put(snapshot(bits))
            if int(self.overflowed) == lost:
                self.waiting.append(bits)
                self.on_disk |= {bits} if self.queue.in_memory == before else set()

    @rule(number=some)
    def take(self, number: int) -> None:
        """As many as there are, up to a number."""
        for _ in range(number):
            found = self.queue.take()
            assert (found.bits if found else None) == (self.waiting.popleft() if self.waiting else None)
            self.taken |= {found.bits} if found else set()

    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        """Some of those that were taken, and one that never was."""
        chosen = {one for one in self.taken if data.draw(st.booleans())}
        self.queue.confirm([*chosen, 0])
        self.taken -= chosen
        self.on_disk -= chosen

    @precondition(lambda self: not self.spill)  # else what has no room on disk goes before what is there already
    @rule()
    def break_disk(self) -> None:
        """From now on no file grows."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, self.limits[1]))

    @rule()
    def mend_disk(self) -> None:
        """As it was."""
        resource.setrlimit(resource.RLIMIT_FSIZE, self.limits)

    @invariant()
    def nothing_is_lost_uncounted(self) -> None:
        """What waits is what was put and neither given up nor taken; memory stays within its bound."""
        if not hasattr(self, "queue"):
            return
        assert len(self.queue) == len(self.waiting)
        assert self.queue.in_memory <= self.size
        assert (self.damaged, int(self.disk_full)) == (0, 0)
        kept = self.taken | set(self.waiting)
        assert self.queue.unkept == (0 if self.spill else len(kept - self.on_disk))

    def teardown(self) -> None:
        """What is on disk and was not confirmed is what the next process finds."""
        self.mend_disk()
        if hasattr(self, "spool"):
            self.queue.confirm(())
            self.spool.close()
            with_next = Spool(self.directory, "n", max_bytes=16 * MIB)
            found = {frame.ident for stream in with_next.adopt() for frame in stream.read(16 * MIB)}
            with_next.close()
            assert found >= self.on_disk
            assert found <= self.on_disk | self.taken | set(self.waiting)
        shutil.rmtree(self.directory, ignore_errors=True)


TestJournal = JournalModel.TestCase
TestJournal.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("spill", [False, True], ids=["journal", "spill"])
@pytest.mark.usefixtures("eager_threads")
def test_a_thread_that_fills_the_memory_while_it_is_emptied_stays_in_order(*, spill: bool, tmp_path: Path) -> None:
    """Between two looks of the listener memory may be filled and the disk begun: the older ones still come first."""
    for attempt in range(8):
        spool = Spool(tmp_path / str(attempt), "n", max_bytes=16 * MIB)
        queue = Journal(
            Bounds(1, MIB, "drop_oldest", 0.0, 100, MIB),
            Count(),
            stream=spool.stream(LOGGED),
            only_when_full=spill,
            disk_full=Count(),
            damaged=lambda _: None,
        )
        caller = threading.Thread(target=_put_in_order, args=(queue,))
        taken = []
        caller.start()
        while caller.is_alive() or len(queue):
            taken += [one.bits for one in iter(queue.take, None)]
        spool.close()
        assert taken == list(range(1_000))


def _put_in_order(queue: Journal) -> None:
    for bits in range(1_000):
        queue.put(snapshot(bits))
