"""What goes out of an interaction, and when."""

from __future__ import annotations

from typing import Any

import pytest

from raindrop_logging._pipeline.assembler import Assembler
from raindrop_logging._pipeline.entries import Entry, Told
from raindrop_logging.vocabulary import Attachment
from raindrop_logging.wire import Lane
from tests.stages.entries_made import entry


def _assembler(**given: Any) -> Assembler:
    return Assembler(**{"interval": 1.0, "ttl": 3600.0, "max_open": 100, **given})


def _said(told: list[Told]) -> list[tuple[Lane, bool | None]]:
    return [(one.lane, one.pending) for one in told]


def test_a_short_interaction_is_one_complete_event() -> None:
    """Begun, changed and finished before its first partial was due, it goes out once and whole."""
    stage = _assembler()
    assert stage.feed(entry("begin", user_id="u", event="run", input="q", properties={"a": 1}), 0.0) == []
    assert stage.feed(entry("update", model="m", properties={"b": 2}), 0.5) == []
    (told,) = stage.feed(entry("finish", output="o", properties={"a": 3}), 0.9)
    assert (told.lane, told.pending, told.records) == (Lane.EVENTS, None, 3)
    block = told.block
    assert (block.user_id, block.event, block.input, block.model, block.output) == ("u", "run", "q", "m", "o")
    assert block.properties == {"a": 3, "b": 2}
    assert (len(stage), stage.records) == (0, 0)


def test_a_long_interaction_sends_what_is_new_as_pending_and_everything_at_its_end() -> None:
    """Pending partials are what changed, with the ids; the final one is the whole."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run", input="q", convo_id="c"), 0.0)
    assert stage.next_due() == 1.0
    (first,) = stage.tick(1.0)
    stage.feed(entry("update", properties={"b": 2}), 1.5)
    (second,) = stage.tick(2.5)
    (final,) = stage.feed(entry("finish", output="o"), 3.0)
    assert _said([first, second, final]) == [(Lane.PARTIALS, True), (Lane.PARTIALS, True), (Lane.PARTIALS, False)]
    assert (second.block.input, second.block.properties) == (None, {"b": 2})
    assert (second.block.user_id, second.block.event, second.block.convo_id) == ("u", "run", "c")
    assert (final.block.input, final.block.output, final.block.properties) == ("q", "o", {"b": 2})
    assert first.timestamp == second.timestamp == final.timestamp == 1_700_000_000.0
    assert [first.records, second.records, final.records] == [1, 1, 1]


def test_an_interaction_touched_all_the_time_still_sends_its_partials() -> None:
    """A change does not put the next partial off: it goes out an interval after the first change it tells."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run"), 0.0)
    sent = 0
    for step in range(1, 101):
        stage.feed(entry("update", properties={f"k{step}": step}), step / 10)
        sent += len(stage.tick(step / 10))
    assert sent == 9


def test_pending_partials_wait_while_the_sender_is_behind() -> None:
    """Finals come first: what is pending is looked at again an interval later."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run"), 0.0)
    assert stage.tick(1.0, behind=True) == []
    assert stage.next_due() == 2.0
    assert _said(stage.tick(2.0)) == [(Lane.PARTIALS, True)]


def _begun(stage: Assembler, number: int) -> None:
    for one in range(number):
        stage.feed(entry("begin", event_id=f"e{one}", user_id="u", event="run", input="q"), 0.0)


def _ids(told: list[Told]) -> list[str]:
    return [one.event_id for one in told]


def test_no_more_interactions_begin_to_be_sent_than_can_end_in_time() -> None:
    """The others end as complete events, which share their request; those that are known already go on."""
    stage = _assembler()
    _begun(stage, 3)
    assert _ids(stage.tick(1.0, most_sent=2)) == ["e0", "e1"]
    stage.feed(entry("update", event_id="e1", model="m"), 1.1)
    assert _ids(stage.tick(2.2, most_sent=2)) == ["e1"]
    assert _said(stage.feed(entry("finish", event_id="e2", output="o"), 3.0)) == [(Lane.EVENTS, None)]


def test_one_that_ends_makes_room_for_another_to_be_sent() -> None:
    """However it ends: by its finish, or by one that was refused."""
    for is_finished in (True, False):
        stage = _assembler()
        _begun(stage, 2)
        assert _ids(stage.tick(1.0, most_sent=1)) == ["e0"]
        if is_finished:
            stage.feed(entry("finish", event_id="e0"), 1.5)
        else:
            stage.end("e0")
        assert _ids(stage.tick(2.0, most_sent=1)) == ["e1"]


def test_one_that_is_open_for_long_is_shown_however_many_there_are() -> None:
    """Somebody may be watching it."""
    stage = _assembler()
    _begun(stage, 2)
    assert _ids(stage.tick(1.0, most_sent=1)) == ["e0"]
    assert [stage.tick(float(second), most_sent=1) for second in range(2, 10)] == [[]] * 8
    assert _ids(stage.tick(11.0, most_sent=1)) == ["e1"]


def test_a_signal_waits_for_the_event_it_names() -> None:
    """A signal on an interaction that was never sent goes out right behind it."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run", input="q"), 0.0)
    assert stage.feed(entry("signal", name="thumbs_up"), 0.1) == []
    assert stage.records == 2
    told = stage.feed(entry("finish", output="o"), 0.2)
    assert [one.lane for one in told] == [Lane.EVENTS, Lane.SIGNALS]
    assert stage.records == 0


def test_a_signal_on_an_interaction_that_was_sent_goes_at_once() -> None:
    """Once a partial is out, nothing holds its signals back."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run", input="q"), 0.0)
    stage.tick(1.0)
    assert _said(stage.feed(entry("signal", name="thumbs_up"), 1.1)) == [(Lane.SIGNALS, None)]


def test_each_attachment_goes_out_once_and_keeps_its_id() -> None:
    """In partials an attachment is sent when it is new, under an id that a repeated request repeats."""
    picture, page = Attachment(type="image", value="http://x/1"), Attachment(type="iframe", value="http://x/2")
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run", attachments=[picture]), 0.0)
    (first,) = stage.tick(1.0)
    stage.feed(entry("update", attachments=[page]), 1.1)
    (final,) = stage.feed(entry("finish", output="o"), 1.2)
    assert [one.value for one in first.block.attachments] == ["http://x/1"]
    assert [one.value for one in final.block.attachments] == ["http://x/2"]
    ids = {first.block.attachments[0].attachment_id, final.block.attachments[0].attachment_id}
    assert len(ids) == 2
    assert None not in ids


def test_a_complete_event_keeps_every_attachment_as_it_was_given() -> None:
    """A short interaction sends all attachments, with no ids made up."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run", attachments=[Attachment(value="a")]), 0.0)
    stage.feed(entry("update", attachments=[Attachment(value="b")]), 0.1)
    (told,) = stage.feed(entry("finish", output="o", attachments=[Attachment(value="c", attachment_id="x")]), 0.2)
    assert [(one.value, one.attachment_id) for one in told.block.attachments] == [("a", None), ("b", None), ("c", "x")]


def test_what_comes_after_the_end_never_opens_it_again() -> None:
    """Late updates and a second finish are final partials with the ids they need."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run", convo_id="c"), 0.0)
    stage.feed(entry("finish", output="o"), 0.1)
    late = stage.feed(entry("update", properties={"x": 1}), 5.0) + stage.feed(entry("finish", output="better"), 6.0)
    assert _said(late) == [(Lane.PARTIALS, False), (Lane.PARTIALS, False)]
    assert [(one.block.user_id, one.block.event, one.block.convo_id) for one in late] == [("u", "run", "c")] * 2
    assert len(stage) == 0


def test_a_finish_whose_begin_is_unknown_is_a_final_partial() -> None:
    """Begun in another process, it is finished by its id alone, and its begin's time is not overwritten."""
    (told,) = _assembler().feed(entry("finish", output="o", user_id="u", event="run"), 0.0)
    assert (told.lane, told.pending, told.timestamp) == (Lane.PARTIALS, False, None)


def test_beyond_the_bound_the_longest_idle_goes_out_as_it_stands() -> None:
    """Open interactions are bounded; the one that leaves is sent pending, and its signals with it."""
    stage = _assembler(max_open=2)
    stage.feed(entry("begin", "a", user_id="u", event="run"), 0.0)
    stage.feed(entry("signal", "a", name="s"), 0.0)
    stage.feed(entry("begin", "b", user_id="u", event="run"), 0.1)
    told = stage.feed(entry("begin", "c", user_id="u", event="run"), 0.2)
    assert [(one.event_id, one.lane) for one in told] == [("a", Lane.PARTIALS), ("a", Lane.SIGNALS)]
    assert (len(stage), stage.records) == (2, 2)


def test_idle_interactions_are_let_go() -> None:
    """After its time to live an interaction is forgotten; nothing of it is sent twice."""
    stage = _assembler(ttl=10.0)
    stage.feed(entry("begin", user_id="u", event="run"), 0.0)
    assert len(stage.tick(1.0)) == 1
    assert stage.tick(9.9) == []
    assert stage.tick(10.0) == []
    assert len(stage) == 0


def test_draining_sends_what_is_not_sent_and_keeps_it_open() -> None:
    """A flush brings open interactions to the receiver without ending them."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run", input="q"), 0.0)
    assert _said(stage.drain()) == [(Lane.PARTIALS, True)]
    assert stage.drain() == []
    assert _said(stage.feed(entry("finish", output="o"), 0.5)) == [(Lane.PARTIALS, False)]


def test_an_interaction_without_any_text_is_still_sent() -> None:
    """Nothing is lost for being empty: a final partial has room for its model and conversation."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run", model="m", convo_id="c"), 0.0)
    (told,) = stage.feed(entry("finish", properties={"outcome": "none"}), 0.1)
    assert (told.lane, told.pending) == (Lane.PARTIALS, False)
    assert (told.block.model, told.block.convo_id, told.block.properties) == ("m", "c", {"outcome": "none"})


def test_a_complete_event_ends_the_interaction_of_its_id() -> None:
    """An ai record with the id of an open interaction is its end, and nothing is pending afterwards."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run"), 0.0)
    stage.tick(1.0)
    (told,) = stage.feed(entry("ai", user_id="u", event="run", output="o"), 1.1)
    assert (told.lane, told.pending, len(stage)) == (Lane.PARTIALS, False, 0)
    assert stage.tick(99.0) == []


def test_a_change_to_a_complete_event_is_not_pending() -> None:
    """An update that follows a complete event under the caller's own id revises it."""
    stage = _assembler()
    complete = entry("ai", user_id="u", event="run", output="o", convo_id="c")
    complete.block.event_id = "e1"
    stage.feed(complete, 0.0)
    (told,) = stage.feed(entry("update", properties={"late": True}), 0.1)
    assert (told.pending, told.block.user_id, told.block.convo_id, len(stage)) == (False, "u", "c", 0)


def test_attachments_never_share_an_id_however_their_interaction_went() -> None:
    """Evicted and begun again, or changed after the end: each attachment keeps an id of its own."""
    stage = _assembler(max_open=1)
    told = stage.feed(entry("begin", "a", user_id="u", event="run", attachments=[Attachment(value="1")]), 0.0)
    told += stage.feed(entry("begin", "b", user_id="u", event="run"), 0.1)
    told += stage.feed(entry("update", "a", attachments=[Attachment(value="2"), Attachment(value="3")]), 0.2)
    told += stage.feed(entry("finish", "a", output="o"), 0.3)
    told += stage.feed(entry("update", "a", attachments=[Attachment(value="4")]), 0.4)
    ids = [one.attachment_id for each in told for one in each.block.attachments or ()]
    assert len(ids) == len(set(ids)) == 4
    assert None not in ids


def test_the_time_to_live_is_a_time_to_wake_for() -> None:
    """An idle interaction that was sent has no partial due, but an end."""
    stage = _assembler(ttl=10.0)
    stage.feed(entry("begin", user_id="u", event="run"), 0.0)
    stage.tick(1.0)
    assert stage.next_due() == 10.0


# ---- what is on disk, and what was read back from it


def _bits(entries: list[Entry]) -> tuple[int, ...]:
    return tuple(one.bits for one in entries)


def test_a_record_alone_names_itself() -> None:
    """An event, a user, a span and a signal each settle their own record."""
    stage = _assembler(on_disk=True)
    for made in (
        entry("ai", user_id="u", event="run", output="o"),
        entry("identify", user_id="u", traits={}),
        entry("span", kind="tool", name="t"),
        entry("signal", name="s"),
    ):
        (told,) = stage.feed(made, 0.0)
        assert told.idents == (made.bits,)


def test_a_pending_partial_settles_nothing_and_the_final_all() -> None:
    """Until its final is delivered an interaction has to be whole on disk, for another process to put together."""
    stage = _assembler(on_disk=True)
    entries = [entry("begin", user_id="u", event="run"), entry("update", model="m"), entry("finish", output="o")]
    stage.feed(entries[0], 0.0)
    stage.feed(entries[1], 0.1)
    (pending,) = stage.tick(1.1)
    (drained, *_) = [*stage.feed(entry("update", "other", user_id="u", event="run"), 1.2), *stage.drain()]
    (final,) = stage.feed(entries[2], 1.3)
    assert (pending.idents, drained.idents) == ((), ())
    assert final.idents == _bits(entries)


def test_a_short_interaction_settles_all_of_its_records() -> None:
    """One complete event speaks for begin, change and finish; a signal that waited for it speaks for itself."""
    stage = _assembler(on_disk=True)
    entries = [entry("begin", user_id="u", event="run", input="q"), entry("finish", output="o")]
    signal = entry("signal", name="s")
    told = [*stage.feed(entries[0], 0.0), *stage.feed(signal, 0.1), *stage.feed(entries[1], 0.2)]
    assert [one.idents for one in told] == [_bits(entries), (signal.bits,)]


def test_what_comes_after_the_end_settles_itself() -> None:
    """A revision is delivered for itself."""
    stage = _assembler(on_disk=True)
    stage.feed(entry("begin", user_id="u", event="run"), 0.0)
    stage.feed(entry("finish", output="o"), 0.1)
    late = entry("update", properties={"a": 1})
    (told,) = stage.feed(late, 0.2)
    assert told.idents == (late.bits,)


@pytest.mark.parametrize("sent", [False, True], ids=["unsent", "sent"])
def test_who_is_let_go_settles_all(sent: bool) -> None:
    """Evicted or expired, an interaction goes out a last time as it stands, with all that is kept of it."""
    stage = _assembler(on_disk=True, ttl=10.0, max_open=1)
    first = [entry("begin", "a", user_id="u", event="run"), entry("update", "a", model="m")]
    for made in first:
        stage.feed(made, 0.0)
    if sent:
        stage.tick(1.0)
    second = entry("begin", "b", user_id="u", event="run")
    (evicted,) = stage.feed(second, 2.0)
    assert (evicted.event_id, evicted.pending, evicted.idents) == ("a", True, _bits(first))
    if sent:
        stage.tick(3.0)
    (expired,) = stage.tick(12.0)
    assert (expired.event_id, expired.idents, len(stage)) == ("b", (second.bits,), 0)


def test_without_a_disk_an_interaction_holds_no_idents() -> None:
    """What is kept nowhere needs no settling: a long interaction does not grow by its records' numbers."""
    stage = _assembler()
    stage.feed(entry("begin", user_id="u", event="run", input="q"), 0.0)
    (told,) = stage.feed(entry("finish", output="o"), 0.1)
    assert told.idents == ()


def test_an_interaction_that_was_read_back_is_never_pending() -> None:
    """Its final may have arrived already, so nothing of it is told before all was read, whatever asks."""
    stage = _assembler(on_disk=True)
    assert stage.feed(entry("begin", user_id="u", event="run", input="q"), 0.0, replayed=True) == []
    assert stage.feed(entry("update", model="m"), 0.1, replayed=True) == []
    assert stage.tick(99.0) == []
    assert stage.drain() == []
    assert stage.next_due() == 0.1 + 3600.0
    assert stage.records == 2


def test_a_finish_that_is_read_back_ends_it_as_ever() -> None:
    """Begun and finished before the process ended, it is the same complete event."""
    stage = _assembler(on_disk=True)
    entries = [entry("begin", user_id="u", event="run", input="q"), entry("finish", output="o")]
    stage.feed(entries[0], 0.0, replayed=True)
    (told,) = stage.feed(entries[1], 0.1, replayed=True)
    assert (told.lane, told.pending, told.idents) == (Lane.EVENTS, None, _bits(entries))


def test_once_all_was_read_what_is_open_is_let_go() -> None:
    """Nobody will finish it: it goes out as it stands, its signals behind it, and all of it is settled."""
    stage = _assembler(on_disk=True)
    entries = [entry("begin", user_id="u", event="run", input="q"), entry("update", model="m")]
    signal = entry("signal", name="s")
    for made in (*entries, signal):
        assert stage.feed(made, 0.0, replayed=True) == []
    told = stage.let_go()
    assert [(one.lane, one.pending, one.idents) for one in told] == [
        (Lane.PARTIALS, True, _bits(entries)),
        (Lane.SIGNALS, None, (signal.bits,)),
    ]
    assert (told[0].block.input, told[0].block.model) == ("q", "m")
    assert (len(stage), stage.records, stage.let_go()) == (0, 0, [])


def test_an_interaction_of_this_process_is_not_let_go_by_what_was_read() -> None:
    """Records of an earlier process join one that is open here, and it stays open."""
    stage = _assembler(on_disk=True)
    own, read = entry("begin", user_id="u", event="run"), entry("update", model="m")
    stage.feed(own, 0.0)
    stage.feed(read, 0.1, replayed=True)
    assert stage.let_go() == []
    (final,) = stage.feed(entry("finish", output="o"), 0.2)
    assert set(final.idents) > {own.bits, read.bits}


def test_what_was_read_back_goes_on_here_once_a_record_of_this_process_joins() -> None:
    """Somebody has resumed it: it stays open, says what is pending as ever, and its finish settles all of it."""
    stage = _assembler(on_disk=True)
    read, own = entry("begin", user_id="u", event="run"), entry("update", model="m")
    stage.feed(read, 0.0, replayed=True)
    stage.feed(own, 0.1)
    assert stage.let_go() == []
    assert [one.pending for one in stage.tick(99.0)] == [True]
    (final,) = stage.feed(entry("finish", output="o"), 100.0)
    assert set(final.idents) > {read.bits, own.bits}


def test_a_busy_sender_is_looked_at_again_later_whatever_the_interval() -> None:
    """With an interval of none, what is left for later is due later, and not at once and for ever."""
    stage = _assembler(interval=0.0)
    stage.feed(entry("begin", user_id="u", event="run"), 0.0)
    assert stage.tick(1.0, behind=True) == []
    due = stage.next_due()
    assert due is not None
    assert due > 1.0
    assert len(stage.tick(due)) == 1


def test_a_finish_that_was_refused_ends_its_interaction_as_it_stands() -> None:
    """Nothing else will come: what there is goes out as final, and is settled."""
    stage = _assembler(on_disk=True)
    begun = entry("begin", user_id="u", event="run")
    stage.feed(begun, 0.0)
    (told,) = stage.end("e1")
    assert (told.pending, told.idents, stage.end("e1")) == (False, (begun.bits,), [])
