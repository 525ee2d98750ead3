"""Whatever the history of an interaction, what arrives adds up to it."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging._pipeline.assembler import Assembler
from raindrop_logging._pipeline.entries import Told
from raindrop_logging.vocabulary import Attachment
from raindrop_logging.wire import Lane
from tests.stages.entries_made import entry

words = st.text("abc", min_size=1, max_size=3)
changes = st.fixed_dictionaries(
    {},
    optional={
        "input": words,
        "model": words,
        "convo_id": words,
        "properties": st.dictionaries(words, st.integers(0, 9), min_size=1, max_size=3),
        "attachments": st.lists(st.builds(lambda value: Attachment(value=value), words), min_size=1, max_size=2),
    },
)
gaps = st.integers(0, 24).map(lambda eighths: eighths / 8)  # exact as floats, so that sums of them are


def _history(steps: list[tuple[float, dict[str, Any]]], finish: dict[str, Any]) -> tuple[list[Told], Assembler]:
    """Begin, these updates after these gaps, finish; with a tick before each step, as the listener does."""
    stage, now, told = Assembler(interval=1.0, ttl=3600.0, max_open=10), 0.0, []
    told += stage.feed(entry("begin", user_id="u", event="run"), now)
    for gap, change in steps:
        now += gap
        told += stage.tick(now)
        told += stage.feed(entry("update", **change), now)
    told += stage.tick(now)
    told += stage.feed(entry("finish", output="o", **finish), now)
    return told, stage


def _expected(steps: list[tuple[float, dict[str, Any]]], finish: dict[str, Any]) -> dict[str, Any]:
    total: dict[str, Any] = {"properties": {}, "attachments": []}
    for change in [change for _, change in steps] + [finish]:
        total |= {key: value for key, value in change.items() if isinstance(value, str)}
        total["properties"] = {**total["properties"], **change.get("properties", {})}
        total["attachments"] = total["attachments"] + [one.value for one in change.get("attachments", ())]
    return total


@given(st.lists(st.tuples(gaps, changes), max_size=8), changes)
def test_the_last_word_is_the_whole_and_attachments_arrive_once(
    steps: list[tuple[float, dict[str, Any]]], finish: dict[str, Any]
) -> None:
    """Any split into any number of records gives the same final state, each attachment once, in order."""
    total = _expected(steps, finish)
    told, stage = _history(steps, finish)
    final = told[-1]
    assert (final.block.input, final.block.model, final.block.convo_id) == (
        total.get("input"),
        total.get("model"),
        total.get("convo_id"),
    )
    assert (final.block.properties or {}) == total["properties"]
    assert [one.value for each in told for one in each.block.attachments or ()] == total["attachments"]
    assert sum(each.records for each in told) == len(steps) + 2
    assert stage.records == 0


@given(st.lists(st.tuples(gaps, changes), max_size=8), changes)
def test_nothing_is_pending_after_the_final(steps: list[tuple[float, dict[str, Any]]], finish: dict[str, Any]) -> None:
    """One end, last; before it only pending partials; alone it is a complete event."""
    told, _ = _history(steps, finish)
    assert [each.pending for each in told[:-1]] == [True] * (len(told) - 1)
    assert told[-1].pending is (None if len(told) == 1 else False)
    assert told[-1].lane is (Lane.EVENTS if len(told) == 1 else Lane.PARTIALS)


@given(st.lists(st.tuples(gaps, changes), max_size=12))
def test_partials_of_one_interaction_keep_their_distance(steps: list[tuple[float, dict[str, Any]]]) -> None:
    """However often it changes, an interaction sends at most one partial an interval."""
    stage, now, sent_at = Assembler(interval=1.0, ttl=3600.0, max_open=10), 0.0, []
    stage.feed(entry("begin", user_id="u", event="run"), now)
    for gap, change in steps:
        now += gap
        sent_at += [now for _ in stage.tick(now)]
        stage.feed(entry("update", **change), now)
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(sent_at))
