"""Whatever is put and whatever is full: each record is taken or given up once, in order, the precious ones last."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from raindrop_logging._pipeline.bounded_queue import BoundedQueue, Bounds
from raindrop_logging._pipeline.stats import Count
from tests.stages.entries_made import snapshot

WORDS = ("ai", "signal", "update", "finish", "begin")
MIB = 1024 * 1024


def _queue(size: int, when_full: str, overflowed: Count) -> BoundedQueue:
    return BoundedQueue(Bounds(size, MIB, when_full, 0.0, 1_000, MIB), overflowed)


def _is_precious(word: str) -> bool:
    return word in {"signal", "finish"}


@given(
    size=st.integers(1, 5),
    when_full=st.sampled_from(["drop_oldest", "drop_newest", "block"]),
    steps=st.lists(st.one_of(st.sampled_from(WORDS), st.just("take")), max_size=60),
)
def test_what_is_put_is_taken_in_order_or_counted(size: int, when_full: str, steps: list[str]) -> None:
    """One after the other: the bound holds, sums hold, and no precious one goes while there is chatter."""
    overflowed = Count()
    queue = _queue(size, when_full, overflowed)
    waiting: list[tuple[int, str]] = []
    taken: list[int] = []
    for bits, word in enumerate(steps):
        if word == "take":
            found = queue.take()
            assert (found.bits if found else None) == (waiting.pop(0)[0] if waiting else None)
            taken += [found.bits] if found else []
            continue
        lost = int(overflowed)
        queue.put(snapshot(bits, word))
        waiting.append((bits, word))
        if int(overflowed) > lost:
            waiting.remove(_gives_way(waiting, when_full))
        assert len(queue) == len(waiting) <= size
    assert taken == sorted(taken)
    assert queue.nbytes == 400 * len(waiting)


def _gives_way(waiting: list[tuple[int, str]], when_full: str) -> tuple[int, str]:
    """Of all with the newest: chatter if there is any, at the end that the setting names."""
    chatter = [one for one in waiting if not _is_precious(one[1])]
    among = chatter or waiting
    if when_full != "drop_oldest":
        return among[-1]
    return chatter[0] if chatter else waiting[0]


@pytest.fixture
def _eager_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.parametrize("when_full", ["drop_oldest", "drop_newest", "block"])
@pytest.mark.parametrize("size", [1, 4, 64])
@pytest.mark.usefixtures("_eager_threads")
def test_many_threads_lose_and_double_nothing(size: int, when_full: str) -> None:
    """Four threads put, the queue drops, one takes: all are taken or counted, each thread's in order, none twice."""
    overflowed = Count()
    queue = _queue(size, when_full, overflowed)
    numbers = count()
    callers = [threading.Thread(target=_put, args=(queue, numbers, caller << 32)) for caller in range(4)]
    taken: list[int] = []
    for caller in callers:
        caller.start()
    while any(caller.is_alive() for caller in callers) or len(queue):
        taken += [one.bits for one in iter(queue.take, None)]
    assert len(taken) + int(overflowed) == 4 * 1_500
    assert len(set(taken)) == len(taken)
    for number in range(4):
        own = [bits for bits in taken if bits >> 32 == number]
        assert own == sorted(own)
    queue.settle()
    assert queue.nbytes == 0


def _put(queue: BoundedQueue, numbers: Iterator[int], first: int) -> None:
    for bits in range(first, first + 1_500):
        queue.put(replace(snapshot(next(numbers), WORDS[bits % len(WORDS)]), ident=bits))
