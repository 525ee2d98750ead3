"""Which request goes next, and what becomes of it."""

from __future__ import annotations

from collections import deque
from cProfile import Profile

import pytest

from raindrop_logging._pipeline.entries import Request, request_of
from raindrop_logging._pipeline.outbox import (
    MAX_REQUESTS,
    MAX_SPLIT_REQUESTS,
    Attempt,
    Outbox,
    Patience,
    Settled,
    Verdict,
    verdict_of,
)
from raindrop_logging.wire import Lane
from tests.stages.entries_made import item

PATIENCE = Patience(budget=300.0, base_delay=1.0, max_delay=30.0, jitter=0.2, max_attempts=None)


def _outbox(patience: Patience = PATIENCE, chance: float = 0.5) -> Outbox:
    return Outbox(patience, random=lambda: chance)


def _events(*keys: str, lane: Lane = Lane.EVENTS) -> Request:
    return request_of(lane, tuple(item(lane, b"{}", key) for key in keys))


def _taken(stage: Outbox, now: float = 0.0) -> Attempt:
    attempt = stage.take(now)
    assert attempt is not None
    return attempt


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.DELIVERED),
        (204, Verdict.DELIVERED),
        (301, Verdict.SETUP_REFUSED),
        (307, Verdict.SETUP_REFUSED),
        (400, Verdict.DATA_REFUSED),
        (401, Verdict.SETUP_REFUSED),
        (403, Verdict.SETUP_REFUSED),
        (404, Verdict.SETUP_REFUSED),
        (405, Verdict.SETUP_REFUSED),
        (408, Verdict.LATER),
        (413, Verdict.DATA_REFUSED),
        (422, Verdict.DATA_REFUSED),
        (429, Verdict.LATER),
        (500, Verdict.LATER),
        (503, Verdict.LATER),
    ],
)
def test_a_status_means_one_thing(status: int, verdict: Verdict) -> None:
    """Only a 2xx confirms; the rest blames the moment, the data or the set-up."""
    assert verdict_of(status) is verdict


def test_requests_that_share_an_event_never_overtake_each_other() -> None:
    """While one with the key is on its way, the next one with it waits, and others pass."""
    stage = _outbox()
    for request in (_events("a", "b"), _events("b", lane=Lane.SIGNALS), _events("c")):
        stage.add(request)
    first = _taken(stage)
    assert _taken(stage).request == _events("c")
    assert stage.take(0.0) is None
    stage.settle(first, Verdict.DELIVERED, 0.1)
    assert _taken(stage).request == _events("b", lane=Lane.SIGNALS)


def test_a_key_that_waits_holds_later_ones_back() -> None:
    """Not even a retry in the queue is overtaken by what came after it."""
    stage = _outbox()
    stage.add(_events("a", lane=Lane.PARTIALS))
    stage.settle(_taken(stage), Verdict.LATER, 0.0)
    stage.add(_events("a", lane=Lane.SIGNALS))
    assert stage.take(0.5) is None


def test_a_lane_in_trouble_lets_one_probe_through_and_others_pass() -> None:
    """A failing route waits with one request at a time, while the healthy ones go on."""
    stage = _outbox()
    stage.add(_events("a"))
    stage.add(_events("b"))
    stage.settle(_taken(stage), Verdict.LATER, 0.0)
    stage.add(_events("s", lane=Lane.SIGNALS))
    assert _taken(stage, 0.1).request.lane is Lane.SIGNALS
    assert stage.next_time(0.1) == 1.0
    probe = _taken(stage, 1.0)
    assert probe.request == _events("a")
    assert stage.take(1.0) is None
    stage.settle(probe, Verdict.DELIVERED, 1.1)
    assert _taken(stage, 1.1).request == _events("b")


def test_a_host_that_does_not_answer_stops_every_lane() -> None:
    """A refused connection is the whole host's; one probe at a time goes out, whatever its lane."""
    stage = _outbox()
    stage.add(_events("a"))
    stage.add(_events("s", lane=Lane.SIGNALS))
    stage.settle(_taken(stage), Verdict.UNREACHABLE, 0.0)
    assert stage.take(0.5) is None
    probe = _taken(stage, 1.0)
    assert stage.take(1.0) is None
    stage.settle(probe, Verdict.DELIVERED, 1.1)
    assert _taken(stage, 1.1).request.lane is Lane.SIGNALS


def test_a_route_that_does_not_answer_stops_itself_only() -> None:
    """Where the host took the connection, the other lanes go on."""
    stage = _outbox()
    stage.add(_events("a"))
    stage.add(_events("s", lane=Lane.SIGNALS))
    stage.settle(_taken(stage), Verdict.UNREACHABLE, 0.0, reached=True)
    assert _taken(stage).request.lane is Lane.SIGNALS
    assert stage.take(0.5) is None
    assert _taken(stage, 1.0).request.lane is Lane.EVENTS


def test_what_may_go_now_is_counted() -> None:
    """Held back are those behind another of their event, those of a pausing lane, and all but the probe of a failing
    one."""
    stage = _outbox()
    for request in (_events("a"), _events("b"), _events("c"), _events("a"), _events("s", lane=Lane.SIGNALS)):
        stage.add(request)
    assert stage.ready(0.0) == 4
    first = _taken(stage)
    assert stage.ready(0.0) == 3
    stage.settle(first, Verdict.LATER, 0.0)
    assert stage.ready(0.5) == 1, "the signal"
    assert stage.ready(1.0) == 2, "and one probe"
    stage.settle(_taken(stage, 1.0), Verdict.DELIVERED, 1.0)
    assert stage.ready(1.0) == 4


def test_the_next_request_costs_the_same_however_many_wait_for_one_event() -> None:
    """Ten thousand requests share keys, sixteen are on their way: work grows with their number, not its square."""
    small, large = (_calls_for(number) for number in (200, 2_000))
    assert large < 20 * small


def _calls_for(number: int) -> int:
    """Calls of functions that sending so many requests takes, by Python's own profiler."""
    profile = Profile()
    profile.runcall(_send_all, number)
    return sum(entry.callcount for entry in profile.getstats())


def _send_all(number: int) -> None:
    stage, flying = _outbox(), deque[Attempt]()
    for index in range(number):
        stage.add(_events(f"e{index % 3}", "shared" if index % 2 else "other"))
    while len(stage):
        attempt = stage.take(0.0) if len(flying) < 16 else None
        if attempt is None:
            stage.settle(flying.popleft(), Verdict.DELIVERED, 0.0)
            assert stage.has_until(number) is bool(len(stage))
        else:
            flying.append(attempt)


@pytest.mark.parametrize(("chance", "delays"), [(0.0, [0.8, 1.6, 3.2]), (0.5, [1.0, 2.0, 4.0])])
def test_delays_double_within_their_jitter(chance: float, delays: list[float]) -> None:
    """Each failure doubles the pause; the jitter moves it by at most its share."""
    stage, now = _outbox(chance=chance), 0.0
    stage.add(_events("a"))
    for delay in delays:
        stage.settle(_taken(stage, now), Verdict.LATER, now)
        until = stage.next_time(now)
        assert until is not None
        assert until - now == pytest.approx(delay)
        now = until


@pytest.mark.parametrize(("asked", "waited"), [(4.0, 4.0), (86_400.0, 30.0), (-5.0, 0.0)])
def test_retry_after_is_honoured_within_max_delay(asked: float, waited: float) -> None:
    """The server's word replaces the backoff, clamped on both sides."""
    stage = _outbox()
    stage.add(_events("a"))
    stage.settle(_taken(stage), Verdict.LATER, 0.0, retry_after=asked)
    assert waited == 0.0 or stage.take(waited - 0.001) is None
    assert stage.take(waited) is not None


def test_the_budget_ends_the_retries() -> None:
    """Past the budget a request is given up as expired, and the next one is tried."""
    stage = _outbox(Patience(2.5, 1.0, 30.0, 0.0, None))
    stage.add(_events("a"))
    now = 0.0
    for _ in range(2):
        assert not stage.settle(_taken(stage, now), Verdict.LATER, now).expired
        now = stage.next_time(now) or now
    assert len(stage.settle(_taken(stage, now), Verdict.LATER, now).expired) == 1
    assert (stage.records, len(stage)) == (0, 0)


def test_max_attempts_ends_the_retries_too() -> None:
    """A number of attempts, where one is set, is kept."""
    stage = _outbox(Patience(300.0, 1.0, 30.0, 0.0, 1))
    stage.add(_events("a"))
    assert stage.settle(_taken(stage), Verdict.UNREACHABLE, 0.0).expired


def test_a_wrong_set_up_pauses_the_lane_and_keeps_its_data() -> None:
    """401 and the like: nothing is lost however long it takes, and the lane is probed every max_delay."""
    stage, now = _outbox(), 0.0
    stage.add(_events("a"))
    for _ in range(50):
        assert stage.settle(_taken(stage, now), Verdict.SETUP_REFUSED, now) == Settled()
        assert stage.take(now + 29.9) is None
        now += 30.0
    assert stage.settle(_taken(stage, now), Verdict.DELIVERED, now).delivered


def test_the_time_of_a_wrong_set_up_is_no_requests_own() -> None:
    """A request that was tried before the pause still has its budget after it, though another one probed."""
    stage = _outbox(Patience(10.0, 1.0, 30.0, 0.0, None))
    for key in "ab":
        stage.add(_events(key))
    first, second = _taken(stage), _taken(stage)
    stage.settle(second, Verdict.LATER, 0.0)
    stage.settle(first, Verdict.SETUP_REFUSED, 0.0)
    for now in (30.0, 60.0):
        stage.settle(_taken(stage, now), Verdict.SETUP_REFUSED, now)
    stage.settle(_taken(stage, 90.0), Verdict.DELIVERED, 90.0)
    assert stage.settle(_taken(stage, 90.0), Verdict.LATER, 91.0) == Settled()
    assert stage.settle(_taken(stage, 101.0), Verdict.LATER, 101.0).expired


def test_parts_of_a_split_batch_keep_their_place() -> None:
    """What came later and shares an event with either half waits for that half, though the other one is through."""
    stage = _outbox()
    stage.add(_events("a", "b"))
    stage.add(_events("b", lane=Lane.SIGNALS))
    stage.add(_events("a", lane=Lane.SIGNALS))
    stage.settle(_taken(stage), Verdict.DATA_REFUSED, 0.0)
    left, right = _taken(stage), _taken(stage)
    assert (left.request, right.request) == (_events("a"), _events("b"))
    assert stage.take(0.0) is None
    stage.settle(right, Verdict.DELIVERED, 0.0)
    assert _taken(stage).request == _events("b", lane=Lane.SIGNALS)
    assert stage.take(0.0) is None
    stage.settle(left, Verdict.DATA_REFUSED, 0.0)
    assert _taken(stage).request == _events("a", lane=Lane.SIGNALS)


def test_a_refused_batch_is_split_down_to_the_culprit() -> None:
    """Of eight events one is bad: that one is refused, the others are delivered, in order."""
    stage = _outbox()
    stage.add(_events(*"abcdXefg"))
    delivered, refused = "", ""
    while (attempt := stage.take(0.0)) is not None:
        keys = [one.key or "" for one in attempt.request.items]
        settled = stage.settle(attempt, Verdict.DATA_REFUSED if "X" in keys else Verdict.DELIVERED, 0.0)
        delivered += "".join(one.key or "" for one in settled.delivered)
        refused += "".join(one.key or "" for one in settled.refused)
    assert (delivered, refused) == ("abcdefg", "X")


def test_a_batch_that_is_refused_in_every_part_costs_a_bounded_number_of_requests() -> None:
    """Five hundred refusals are not five hundred requests: the rest is refused as a whole."""
    stage = _outbox()
    stage.add(_events(*(f"e{number}" for number in range(500))))
    stage.add(_events("other"))
    tried, refused = 0, 0
    while (attempt := stage.take(0.0)) is not None and attempt.request != _events("other"):
        tried += 1
        refused += len(stage.settle(attempt, Verdict.DATA_REFUSED, 0.0).refused)
    assert refused == 500
    assert tried <= MAX_SPLIT_REQUESTS


def test_giving_up_names_everything_that_was_left() -> None:
    """What waits and what is on its way is handed back to be counted."""
    stage = _outbox()
    stage.add(_events("a", "b"))
    stage.add(_events("c"))
    _taken(stage)
    assert [item.key for request in stage.abandon() for item in request.items] == ["a", "b", "c"]
    assert (stage.records, stage.nbytes, len(stage)) == (0, 0, 0)


def test_the_oldest_of_a_lane_can_be_given_up() -> None:
    """A bound on waiting spans drops the oldest requests first, never one on its way."""
    stage = _outbox()
    for key in "abc":
        stage.add(_events(key, lane=Lane.TRACES))
    _taken(stage)
    assert [one.key for one in stage.drop_oldest(Lane.TRACES, 1)] == ["b"]
    assert stage.items_waiting(Lane.TRACES) == 2


def test_failures_at_the_same_time_are_one_failure() -> None:
    """Three requests that fail together make one pause, not one of eight seconds."""
    stage = _outbox(Patience(300.0, 1.0, 30.0, 0.0, None))
    for key in "abc":
        stage.add(_events(key))
    for attempt in [_taken(stage), _taken(stage), _taken(stage)]:
        stage.settle(attempt, Verdict.LATER, 0.0)
    assert stage.next_time(0.0) == 1.0


def test_a_success_does_not_end_a_pause_that_the_server_asked_for() -> None:
    """What was on its way already may still be taken; nothing new leaves before Retry-After is over."""
    stage = _outbox()
    for key in "abc":
        stage.add(_events(key))
    first, second = _taken(stage), _taken(stage)
    stage.settle(first, Verdict.LATER, 0.0, retry_after=2.0)
    stage.settle(second, Verdict.DELIVERED, 0.1)
    assert stage.take(1.9) is None
    assert stage.take(2.0) is not None


def test_at_the_end_every_pause_is_over_once() -> None:
    """Before the process ends, what waits is tried once more at once."""
    stage = _outbox()
    stage.add(_events("a"))
    stage.settle(_taken(stage), Verdict.SETUP_REFUSED, 0.0)
    stage.hurry()
    assert stage.take(0.1) is not None


def test_a_mirror_keeps_nothing_for_a_set_up_that_is_wrong() -> None:
    """Whatever else listens on the Workshop's port gets one request, not a thousand."""
    stage = _outbox(Patience(0.0, 0.001, 0.001, 0.0, 1, keeps=False))
    stage.add(_events("a"))
    assert stage.settle(_taken(stage), Verdict.SETUP_REFUSED, 0.0).expired
    assert len(stage) == 0


def _fill(stage: Outbox, lane: Lane, requests: int) -> None:
    for number in range(requests):
        stage.add(_events(f"{lane}{number}", lane=lane))


def test_a_lane_that_is_down_alone_is_crowded_at_its_share() -> None:
    """Once it holds an eighth, and another lane has delivered since it began to fail."""
    stage = _outbox()
    _fill(stage, Lane.TRACES, MAX_REQUESTS // 8)
    stage.settle(_taken(stage), Verdict.SETUP_REFUSED, 1.0)
    assert not stage.is_crowded(Lane.TRACES), "nobody knows yet whether it is this lane alone"
    stage.add(_events("a"))
    stage.settle(_taken(stage, 2.0), Verdict.DELIVERED, 2.0)
    assert stage.is_crowded(Lane.TRACES)
    assert not stage.is_crowded(Lane.EVENTS)
    stage.drop_oldest(Lane.TRACES, 1)
    assert not stage.is_crowded(Lane.TRACES)


def test_a_lane_that_is_down_takes_no_room_from_the_others() -> None:
    """What it holds counts up to its share, until all of it together is twice what may wait."""
    stage = _outbox()
    full = []
    _fill(stage, Lane.TRACES, MAX_REQUESTS)
    full.append(stage.is_full)
    stage.settle(_taken(stage), Verdict.SETUP_REFUSED, 1.0)
    full.append(stage.is_full)
    _fill(stage, Lane.EVENTS, MAX_REQUESTS * 7 // 8)
    full.append(stage.is_full)
    assert full == [True, False, True]
    alone = _outbox()
    _fill(alone, Lane.TRACES, MAX_REQUESTS)
    alone.settle(_taken(alone), Verdict.SETUP_REFUSED, 1.0)
    _fill(alone, Lane.TRACES, MAX_REQUESTS)
    assert alone.is_full


def test_what_was_refused_as_a_whole_is_never_tried_again() -> None:
    """Parts that were given up below an older request, which waits, are passed over when that one is through."""
    stage = _outbox(Patience(300.0, 0.0, 0.0, 0.0, None))
    stage.add(_events("old"))
    stage.add(_events(*(f"e{number}" for number in range(500))))
    old, refused = _taken(stage), 0
    while (attempt := stage.take(0.0)) is not None and refused < 400:
        if stage._open[2].tried == MAX_SPLIT_REQUESTS:
            assert stage.settle(old, Verdict.LATER, 0.0) == Settled()
        refused += len(stage.settle(attempt, Verdict.DATA_REFUSED, 0.0).refused)
    assert refused == 500
    assert attempt is not None
    assert attempt.request == _events("old")
    assert stage.settle(attempt, Verdict.DELIVERED, 0.0).delivered
    assert (stage.take(0.0), len(stage), stage.records, stage.ready(0.0)) == (None, 0, 0, 0)
