"""What goes out of an interaction, and when."""

from __future__ import annotations

from typing import Any

from raindrop_logging._pipeline.assembler import Assembler
from raindrop_logging._pipeline.entries import Told
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
