"""The counts of every way out, and how trouble is gathered into one line."""

from __future__ import annotations

import threading

import pytest
from msgspec.structs import replace

from raindrop_logging._pipeline.stats import Count, Diagnostics, FlushResult, Ledger, Stats
from tests.wire.harness import Heard, diagnostics

TERMS = [name for name in Stats.__struct_fields__ if name != "dropped"]


def _stats(ledger: Ledger, *, waiting: int = 0, open_interactions: int = 0, unheard_reason: str = "off") -> Stats:
    return ledger.stats(waiting=waiting, open_interactions=open_interactions, unheard_reason=unheard_reason)


@pytest.mark.parametrize("term", TERMS)
def test_each_term_of_two_pipelines_is_added(term: str) -> None:
    """Every figure of the sum is the sum of that figure, and of no other."""
    total = replace(Stats(), **{term: 3}).added(replace(Stats(), **{term: 4}))
    assert {name: getattr(total, name) for name in TERMS} == {name: 7 if name == term else 0 for name in TERMS}


def test_reasons_are_added_one_by_one() -> None:
    """What both have dropped for one reason is added, what only one has is kept, and neither is changed."""
    one, other = Stats(dropped={"exit": 1, "invalid": 2}), Stats(dropped={"invalid": 3, "off": 4})
    assert one.added(other).dropped == {"exit": 1, "invalid": 5, "off": 4}
    assert (one.dropped, other.dropped) == ({"exit": 1, "invalid": 2}, {"invalid": 3, "off": 4})


CALLERS = {"overflowed": "queue_full", "disk_full": "spool_full", "unheard": "no_destination", "uncaptured": "internal"}


@pytest.mark.parametrize(("counter", "reason"), CALLERS.items())
def test_what_callers_count_is_a_reason_of_its_own(counter: str, reason: str) -> None:
    """Each counter that a log call raises ends in one reason, beside what the pipeline's own threads count."""
    ledger = Ledger()
    assert _stats(ledger).dropped == {}
    getattr(ledger, counter).one()
    getattr(ledger, counter).one()
    ledger.drop(reason, 5)
    assert _stats(ledger, unheard_reason="no_destination").dropped == {reason: 7}


@pytest.mark.parametrize("name", ["delivered", "refused", "requests", "retries", "truncated", "mirrored"])
def test_what_the_pipeline_counts_is_the_figure_of_that_name(name: str) -> None:
    """Added figures are summed under their own name."""
    ledger = Ledger()
    ledger.add(name, 2)
    ledger.add(name, 0)
    ledger.add(name, 3)
    figures = _stats(ledger)
    assert {term: getattr(figures, term) for term in TERMS if getattr(figures, term)} == {name: 5}


def test_what_was_read_back_is_accepted_as_well() -> None:
    """Records of an earlier process count as accepted and as replayed; those of this one as accepted alone."""
    ledger = Ledger()
    ledger.accepted.one()
    ledger.add("replayed", 4)
    figures = _stats(ledger)
    assert (figures.accepted, figures.replayed) == (5, 4)


def test_what_waits_is_as_the_pipeline_says() -> None:
    """Waiting and open interactions are measured, not counted."""
    figures = _stats(Ledger(), waiting=3, open_interactions=2)
    assert (figures.waiting, figures.open_interactions, figures.accepted) == (3, 2, 0)


def test_nothing_is_lost_when_many_count_at_once() -> None:
    """Eight threads raise the same figures: the sum is exact."""
    ledger, count = Ledger(), Count()

    def work() -> None:
        for _ in range(1_000):
            count.one()
            ledger.add("delivered", 1)
            ledger.drop("exit", 1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    figures = _stats(ledger)
    assert (int(count), figures.delivered, figures.dropped) == (8_000, 8_000, {"exit": 8_000})


@pytest.mark.parametrize(("left", "timed_out", "truth"), [(0, False, True), (0, True, True), (1, False, False)])
def test_an_answer_of_flush_is_true_when_nothing_is_left(left: int, timed_out: bool, truth: bool) -> None:
    """Whether all is sent is one question, whatever the clock said."""
    assert bool(FlushResult(sent=9, left=left, timed_out=timed_out)) is truth


# ---- diagnostics


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Now."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """It stands still unless it is set."""
    return Clock()


@pytest.fixture
def told(clock: Clock) -> tuple[Diagnostics, Heard]:
    """Diagnostics with an interval of a minute, and what is heard of them."""
    return Diagnostics(clock, every=60.0), diagnostics()


def test_the_first_trouble_is_told_at_once_and_the_next_after_the_interval(
    told: tuple[Diagnostics, Heard], clock: Clock
) -> None:
    """One line a minute at most, in which each kind has its count and the detail of its first."""
    stage, heard = told
    stage.note("waiting", "no server", 2)
    assert stage.next_due() == clock.now
    stage.tell(wait=10.0)
    stage.note("waiting", "still no server", 3)
    stage.note("waiting", "no server at all", 1)
    stage.note("invalid", "a block without a type", 1)
    stage.tell(wait=10.0)
    assert heard.lines == ["waiting (2 records): no server"]
    assert stage.next_due() == clock.now + 60.0
    clock.now += 60.0
    stage.tell(wait=10.0)
    assert heard.lines[1:] == ["waiting (4 records): still no server; invalid (1 record): a block without a type"]
    assert stage.next_due() is None


def test_the_last_chance_does_not_wait_for_the_interval(told: tuple[Diagnostics, Heard]) -> None:
    """What is left at the end of the process is told whatever the clock says."""
    stage, heard = told
    for detail in ("first", "second"):
        stage.note("lost at exit", detail)
        stage.tell(last_chance=True, wait=10.0)
    assert heard.lines == ["lost at exit (1 record): first", "lost at exit (1 record): second"]


def test_trouble_without_records_has_no_count(told: tuple[Diagnostics, Heard]) -> None:
    """Where all were told before, the line gives no number."""
    stage, heard = told
    stage.note("waiting", "still", 0)
    stage.tell(wait=10.0)
    assert heard.lines == ["waiting: still"]


def test_nothing_to_tell_is_no_line_and_no_thread(told: tuple[Diagnostics, Heard]) -> None:
    """Without trouble nobody is bothered."""
    stage, heard = told
    before = threading.active_count()
    stage.tell(last_chance=True, wait=10.0)
    assert (heard.lines, threading.active_count()) == ([], before)
