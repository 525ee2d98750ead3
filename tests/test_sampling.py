"""The keys ``sampling`` and ``budgets``: less of what there is too much of, but of failures."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging import RaindropHandler, begin, extra, tool_span
from raindrop_logging._pipeline.sampler import Budgets, Sampler
from tests.arrivals import complete, partials
from tests.stages.entries_made import SOURCE, told

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.wire.recorder import Recorder

log = logging.getLogger("shop.agent")
CONVERSATIONS = [f"c{number}" for number in range(40)]


@pytest.fixture
def listen(recorder: Recorder) -> Callable[..., RaindropHandler]:
    """Attaches a handler with these keys to the root logger."""

    def attach(**keys: Any) -> RaindropHandler:
        handler = RaindropHandler(write_key="rk_test", endpoint=recorder.endpoint, **keys)
        logging.root.addHandler(handler)
        logging.root.setLevel(logging.INFO)
        return handler

    return attach


def ai(event_id: str, **fields: Any) -> None:
    """Log one ai record."""
    log.info("ai", extra=extra.ai(user_id="u1", event="chat", event_id=event_id, output="Hi!", **fields))


def ids(recorder: Recorder) -> set[str]:
    """The events that arrived."""
    return {event["event_id"] for event in (*complete(recorder), *partials(recorder))}


def test_a_rate_keeps_its_part_and_counts_the_rest(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """A quarter is a quarter, near enough for a thousand; what does not go is counted as sampled, and nothing warns."""
    handler = listen(sampling={"ai": 0.25})
    for number in range(1_000):
        ai(f"e{number}")
    handler.flush()
    stats = handler.stats()
    assert 200 < stats.delivered < 300
    assert stats.dropped == {"sampled": 1_000 - stats.delivered}
    assert len(ids(recorder)) == stats.delivered


def test_whole_conversations_are_kept_or_left(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """Every turn of a conversation goes or none, of whatever type it is, and the rate of the type has no say."""
    handler = listen(sampling={"conversation": 0.5, "ai": 0.0, "interaction": 0.0, "span": 0.0})
    for convo_id in CONVERSATIONS:
        ai(f"{convo_id}-1", convo_id=convo_id)
        with begin(user_id="u1", event="chat", event_id=f"{convo_id}-2", convo_id=convo_id, input="Hi") as turn:
            with tool_span(f"tool of {convo_id}"):
                pass
            turn.finish(output="Hi!")
    ai("in none")
    handler.flush()
    arrived = ids(recorder)
    assert {(f"{convo_id}-1" in arrived) + (f"{convo_id}-2" in arrived) for convo_id in CONVERSATIONS} == {0, 2}
    kept = {convo_id for convo_id in CONVERSATIONS if f"{convo_id}-1" in arrived}
    assert {span["name"].removeprefix("tool of ") for span in recorder.spans()} == kept
    assert "in none" not in arrived


def test_what_tells_of_a_failure_always_goes(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """Signals, exceptions, failed spans and traits, at a rate of nothing."""
    handler = listen(sampling={"ai": 0, "event": 0, "interaction": 0, "span": 0, "conversation": 0})
    ai("e-fine")
    log.info("signal", extra=extra.signal(event_id="e-fine", name="thumbs_down"))
    log.info("identify", extra=extra.identify(user_id="u1", traits={"plan": "pro"}))
    with tool_span("works"):
        pass
    with pytest.raises(ValueError, match="bad"), tool_span("fails"):
        raise ValueError("bad")
    failed = extra.ai(user_id="u1", event="chat", event_id="e-bad", input="Hi")
    log.error("ai", extra=failed, exc_info=TimeoutError("no answer"))
    handler.flush()
    assert ids(recorder) == {"e-bad"}
    assert [signal["event_id"] for signal in recorder.items("signals/track")] == ["e-fine"]
    assert len(recorder.items("users/identify")) == 1
    assert [span["name"] for span in recorder.spans()] == ["fails"]


def test_an_interaction_that_fails_arrives_whole(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """It is known at its end only: what was left before, attachments included, comes with it."""
    handler = listen(sampling={"interaction": 0})
    for event_id, error in (("e-good", None), ("e-bad", TimeoutError("no answer"))):
        turn = begin(user_id="u1", event="chat", event_id=event_id, input="Hi")
        turn.add_attachments([{"type": "text", "value": "a note", "role": "input"}])
        handler.flush()  # a pending partial would go here
        block = extra.finish(event_id=event_id, output="Hi!")
        log.info("finish", extra=block, exc_info=error)
    handler.flush()
    (event,) = partials(recorder)
    assert (event["event_id"], event["is_pending"], event["ai_data"]["input"]) == ("e-bad", False, "Hi")
    assert [one["value"] for one in event["attachments"]] == ["a note"]
    assert event["properties"]["error"]["type"] == "TimeoutError"
    stats = handler.stats()
    assert stats.accepted == 6
    assert stats.accepted == stats.delivered + sum(stats.dropped.values())
    assert handler.flush()


def test_a_kept_interaction_ends(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """The finish goes wherever the begin went: one id, one decision."""
    handler = listen(sampling={"interaction": 0.5})
    for number in range(40):
        turn = begin(user_id="u1", event="chat", event_id=f"e{number}", input="Hi")
        handler.flush()
        turn.finish(output="Hi!")
    handler.flush()
    pending = {event["event_id"] for event in partials(recorder) if event["is_pending"]}
    final = {event["event_id"] for event in partials(recorder) if not event["is_pending"]}
    assert pending == final
    assert 5 < len(final) < 35


def test_what_has_begun_to_go_ends(recorder: Recorder, listen: Callable[..., Any]) -> None:
    """A conversation that is named only at the end does not leave a pending interaction behind."""
    handler = listen(sampling={"conversation": 0})
    begin(user_id="u1", event="chat", event_id="e1", input="Hi")
    handler.flush()
    log.info("finish", extra=extra.finish(event_id="e1", output="Hi!", convo_id="c1"))
    begin(user_id="u1", event="chat", event_id="e2", input="Hi", convo_id="c1")
    handler.flush()
    log.info("finish", extra=extra.finish(event_id="e2", output="Hi!"))
    assert handler.flush()
    assert [(event["event_id"], event["is_pending"]) for event in partials(recorder)] == [("e1", True), ("e1", False)]


LEAVE_OUT = """
import logging, os, sys
from raindrop_logging import RaindropHandler, extra
handler = RaindropHandler(
    write_key="rk_test", endpoint=sys.argv[1], spool_dir=sys.argv[2], durability="journal", sampling={"ai": 0}
)
log = logging.getLogger("shop.agent")
log.addHandler(handler)
for number in range(20):
    log.warning("ai", extra=extra.ai(user_id="u1", event="chat", event_id=f"e{number}", output="Hi!"))
print(handler.flush(10).left, handler.stats().dropped)
sys.stdout.flush()
os._exit(0)
"""


def test_what_is_left_out_is_settled_on_disk_too(
    recorder: Recorder, listen: Callable[..., Any], tmp_path: Path
) -> None:
    """The next process does not find in the journal what this one has sampled away."""
    command = [sys.executable, "-c", LEAVE_OUT, recorder.endpoint, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "0 {'sampled': 20}\n"
    handler = listen(durability="journal", spool_dir=str(tmp_path))
    assert handler.flush()
    assert handler.stats().replayed == 0
    assert ids(recorder) == set()


@given(st.text(st.characters(codec="utf-8")), st.floats(0, 1), st.floats(0, 1))
def test_more_of_a_rate_keeps_all_that_less_of_it_keeps(event_id: str, one: float, other: float) -> None:
    """So that raising a rate never takes away, and the spans that are kept are those of events that are."""
    less, more = sorted((one, other))
    if Sampler({"interaction": less}).keeps_interaction(event_id, None):
        assert Sampler({"interaction": more}).keeps_interaction(event_id, None)
    assert Sampler({"interaction": 1.0}).keeps_interaction(event_id, None)
    assert not Sampler({"interaction": 0.0}).keeps_interaction(event_id, None)


def test_a_logger_past_its_budget_is_held_and_named(
    recorder: Recorder, listen: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What it sends stays within its bytes a minute, loggers below it share them, and others are not touched."""
    handler = listen(budgets={"shop": "4 KiB"})
    for number in range(50):
        ai(f"shop-{number}", input="x" * 400)
        logging.getLogger("other").info(
            "ai", extra=extra.ai(user_id="u1", event="chat", event_id=f"other-{number}", output="x" * 400)
        )
    handler.flush()
    arrived = ids(recorder)
    assert {name for name in arrived if name.startswith("other")} == {f"other-{number}" for number in range(50)}
    sent = sum(name.startswith("shop") for name in arrived)
    assert 3 <= sent <= 10
    assert handler.stats().dropped == {"over_budget": 50 - sent}
    assert "over_budget (" in caplog.text
    assert "logger 'shop.agent' says more than the key 'budgets' allows it a minute" in caplog.text


def test_a_budget_comes_back_with_time() -> None:
    """After half a minute there is room for half of it, and never for more than a minute's."""
    budgets = Budgets({"shop": 6_000})
    event = told("event", user_id="u1", event="chat")
    assert budgets.has_room(event, 6_000, 0.0)
    assert not budgets.has_room(event, 1, 0.0)
    assert not budgets.has_room(event, 3_001, 30.0)
    assert budgets.has_room(event, 3_000, 30.0)
    assert not budgets.has_room(event, 6_001, 1_000.0)
    assert budgets.has_room(event, 6_000, 1_000.0)


def test_an_end_goes_past_the_budget() -> None:
    """Interactions, signals and errors are taken off a budget that is used up, and leave no debt behind."""
    budgets = Budgets({"root": 6_000})
    for gone in (
        told("finish", event_id="e1", output="Hi!"),
        told("signal", event_id="e1", name="thumbs_down"),
        told("identify", user_id="u1", traits={}),
        told("span", kind="tool", name="search", error="bad"),
        told("ai", user_id="u1", event="chat", output="Hi!", properties={"error": {"type": "ValueError"}}),
    ):
        assert budgets.has_room(gone, 60_000, 0.0)
    assert not budgets.has_room(told("span", kind="tool", name="search"), 1, 0.0)
    assert budgets.has_room(told("span", kind="tool", name="search"), 6_000, 60.0)


def test_the_nearest_name_has_the_budget() -> None:
    """As with levels: a logger's own, else its parent's, else the root's."""
    budgets = Budgets({"shop": 1_024, "shop.agent.tools": 2_048, "root": 4_096})
    names = ("shop", SOURCE.logger, "shop.agent", "shop.agent.tools.web", "shopping", "other")
    assert [budgets.named_for(name) for name in names] == [
        "shop",
        "shop",
        "shop",
        "shop.agent.tools",
        "root",
        "root",
    ]
    assert Budgets({"shop": 1_024}).named_for("other") is None
