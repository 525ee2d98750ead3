"""Rule signals in the store: found as events are written and over what is stored, marked, counted."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging.workshop import Store, open_store
from raindrop_logging.workshop.records import Batch, Event, Signal, Span
from raindrop_logging.workshop.signals.rules import (
    Definition,
    Draft,
    InvalidRuleError,
    SignalConflictError,
    UnknownSignalError,
)
from raindrop_logging.workshop.sqlite.backfill import STEP_EVENTS
from raindrop_logging.workshop.sqlite.schema import connect
from tests.workshop.settling import settle

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = "2026-05-0{}T12:00:00.000000Z"


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store, once in memory and once in a file."""
    opened = open_store(":memory:" if request.param == "memory" else tmp_path / "w.db")
    yield opened
    opened.close()


def write(store: Store, *events: Event, **rest: Any) -> None:
    """Store a batch."""
    store.append(Batch(events=events, **rest)).result()


def turn(event_id: str, said: str, **more: Any) -> Event:
    """An event whose input is this."""
    return Event(event_id=event_id, input=said, **more)


def draft(name: str = "apples", *, enabled: bool = True, **definition: Any) -> Draft:
    """A rule signal; it looks for apples in inputs unless told otherwise."""
    made = Definition(**(definition or {"on": "input", "keywords": ("apple",)}))
    return Draft(name=name, definition=made, sentiment="POSITIVE", enabled=enabled)


def hit(store: Store, signal_id: str) -> list[str]:
    """The events that have a signal, newest first."""
    return [found.event.event_id for found in store.signals.hits(signal_id, 500).hits]


def named(store: Store, event_id: str) -> list[str]:
    """The rule signals of an event."""
    return [found.name for found in store.signals.of_event(event_id)]


def test_a_rule_is_asked_of_events_as_they_arrive(store: Store) -> None:
    """The hit is there when the write is answered, with what was found and where."""
    signal_id = store.signals.create(draft()).result()
    write(store, turn("a", "An APPLE a day"), turn("b", "pears"))
    (found,) = store.signals.hits(signal_id, 9).hits
    assert (found.event.event_id, found.place, found.matched, found.wrong) == ("a", "input", "apple", None)
    assert named(store, "a") == ["apples"]
    assert named(store, "b") == []


def test_a_rule_is_asked_of_what_is_stored(store: Store) -> None:
    """In steps, newest first, with progress; events that arrive meanwhile are judged at once."""
    count = 2 * STEP_EVENTS + 50
    write(store, *(turn(str(number), "apple" if number % 3 == 0 else "pear") for number in range(count)))
    signal_id = store.signals.create(draft()).result()
    write(store, turn("new", "apple"))
    settle(store)
    info = store.signals.get(signal_id)
    assert info is not None
    assert (info.hits, info.state, info.progress) == (-(-count // 3) + 1, "active", 1.0)


def test_a_backfill_goes_on_after_a_restart(tmp_path: Path) -> None:
    """How far it came is stored with the hits: nothing is lost, and nothing judged twice."""
    path = tmp_path / "w.db"
    store = open_store(path)
    write(store, *(turn(str(number), "apple") for number in range(5 * STEP_EVENTS)))
    signal_id = store.signals.create(draft()).result()
    store.close()
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM signal_hits WHERE signal_id = ?", (signal_id,))
        half = "UPDATE signal_rules SET backfill_from = ?, backfill_next = ? WHERE signal_id = ?"
        db.execute(half, (5 * STEP_EVENTS, 2 * STEP_EVENTS, signal_id))
    db.close()
    store = open_store(path)
    settle(store)
    assert len(hit(store, signal_id)) == min(500, 2 * STEP_EVENTS)
    info = store.signals.get(signal_id)
    assert info is not None
    assert info.hits == 2 * STEP_EVENTS
    store.close()


def test_an_event_that_grows_is_judged_again(store: Store) -> None:
    """Partials add a hit or take it back; a short output counts only once the event is final."""
    apples = store.signals.create(draft()).result()
    short = store.signals.create(draft("short", on="output", shorter_than=5)).result()
    write(store, turn("a", "apple", output="ok", is_pending=True))
    assert (hit(store, apples), hit(store, short)) == (["a"], [])
    write(store, turn("a", "pear", output="ok", is_pending=True))
    assert hit(store, apples) == []
    write(store, Event(event_id="a"))
    assert hit(store, short) == ["a"]


def test_a_new_definition_is_a_new_version(store: Store) -> None:
    """Stored events are judged again, and hits of the old version are gone; a new name changes no version."""
    write(store, turn("a", "apple"), turn("b", "pear"))
    signal_id = store.signals.create(draft()).result()
    settle(store)
    store.signals.change(signal_id, draft("fruit")).result()
    settle(store)
    info = store.signals.get(signal_id)
    assert info is not None
    assert (info.name, info.version, info.hits) == ("fruit", 1, 1)
    store.signals.change(signal_id, draft("fruit", on="input", keywords=("pear",))).result()
    settle(store)
    info = store.signals.get(signal_id)
    assert info is not None
    assert (info.version, hit(store, signal_id)) == (2, ["b"])


def test_a_rule_that_is_off_is_not_asked(store: Store) -> None:
    """Its hits are hidden; switched on again, it catches up."""
    signal_id = store.signals.create(draft()).result()
    write(store, turn("a", "apple"))
    store.signals.change(signal_id, draft(enabled=False)).result()
    write(store, turn("b", "apple"))
    assert named(store, "a") == []
    store.signals.change(signal_id, draft()).result()
    settle(store)
    assert sorted(hit(store, signal_id)) == ["a", "b"]
    assert named(store, "b") == ["apples"]


def test_a_pattern_that_explodes_is_paused_and_ingest_goes_on(store: Store) -> None:
    """The events are stored, the state says why, and saving a better pattern starts it again."""
    signal_id = store.signals.create(draft(on="input", patterns=(r"(x+x+)+y",))).result()
    write(store, turn("a", "x" * 5000))
    write(store, turn("b", "xxy"))
    info = store.signals.get(signal_id)
    assert info is not None
    assert info.state == "paused"
    assert "simpler" in (info.reason or "")
    assert store.counts().events == 2
    store.signals.change(signal_id, draft(on="input", patterns=(r"x+y",))).result()
    settle(store)
    assert hit(store, signal_id) == ["b"]


def test_a_pattern_that_explodes_on_stored_events_is_paused(store: Store) -> None:
    """The back-fill ends with the reason."""
    write(store, turn("a", "x" * 5000))
    signal_id = store.signals.create(draft(on="input", patterns=(r"(x+x+)+y",))).result()
    settle(store)
    info = store.signals.get(signal_id)
    assert info is not None
    assert info.state == "paused"


def test_failed_tools_give_their_event_a_signal(store: Store) -> None:
    """By the span's event or its trace, whichever comes first; a span that turns out well takes it back."""
    failed = Span(trace_id="t", span_id="s", name="search", kind="tool", status="error", error="time out")
    write(store, spans=(failed,))
    write(store, Event(event_id="a", properties={"trace_id": "t"}))
    (found,) = store.signals.hits("tool_error", 9).hits
    assert (found.event.event_id, found.place, found.matched) == ("a", "tool_error", "search: time out")
    about = Event(event_id="b", is_pending=True)
    write(store, spans=(Span(trace_id="u", span_id="s", name="n", kind="tool", status="error", about=about),))
    assert sorted(hit(store, "tool_error")) == ["a", "b"]
    write(store, spans=(Span(trace_id="u", span_id="s", name="n", kind="tool", about=about),))
    assert hit(store, "tool_error") == ["a"]


def test_a_rule_may_look_at_tool_errors(store: Store) -> None:
    """As events arrive and over what is stored."""
    spans = tuple(
        Span(trace_id=name, span_id="s", name=name, kind="tool", status="error", error=said, about=Event(event_id=name))
        for name, said in (("a", "rate limit reached"), ("b", "not found"))
    )
    write(store, spans=spans[:1])
    signal_id = store.signals.create(draft(on="tool_error", keywords=("rate limit", "not found"))).result()
    settle(store)
    write(store, spans=spans[1:])
    assert sorted(hit(store, signal_id)) == ["a", "b"]


def test_marks_make_precision_and_hide_what_is_wrong(store: Store) -> None:
    """Right over right and wrong; a mark can be changed and taken back; a new version keeps marks of its own hits."""
    signal_id = store.signals.create(draft()).result()
    write(store, *(turn(name, "apple", timestamp=DAY.format(1)) for name in "abcd"))
    for name, wrong in (("a", False), ("b", False), ("c", True), ("d", True)):
        store.signals.mark(signal_id, name, wrong=wrong).result()
    store.signals.unmark(signal_id, "d").result()
    info = store.signals.get(signal_id)
    assert info is not None
    assert (info.right, info.wrong, info.precision, info.hits) == (2, 1, 2 / 3, 3)
    (rate,) = store.signals.rates(signal_id)
    assert (rate.hits, rate.events, rate.rate) == (3, 4, 0.75)
    assert {found.event.event_id: found.wrong for found in store.signals.hits(signal_id, 9).hits} == {
        "a": False, "b": False, "c": True, "d": None,
    }  # fmt: skip
    with pytest.raises(UnknownSignalError):
        store.signals.mark(signal_id, "nobody", wrong=True).result()


def test_what_sdks_send_is_a_signal_like_others(store: Store) -> None:
    """With marks, hits and rates under its name; two of one name on an event are one hit."""
    sent = tuple(
        Signal(event_id=event_id, name="thumbs_down", sentiment="NEGATIVE", properties={"n": number})
        for number, event_id in enumerate("aab")
    )
    write(store, turn("a", "q", model="m1"), turn("b", "q", model="m2"), turn("c", "q", model="m2"), signals=sent)
    signal_id = "instrumented:thumbs_down"
    info = store.signals.get(signal_id)
    assert info is not None
    assert (info.kind, info.origin, info.hits, info.sentiment) == ("instrumented", "sdk", 2, "NEGATIVE")
    assert [(rate.value, rate.hits, rate.events) for rate in store.signals.rates(signal_id, "model")] == [
        ("m2", 1, 2), ("m1", 1, 1),
    ]  # fmt: skip
    store.signals.mark(signal_id, "b", wrong=True).result()
    info = store.signals.get(signal_id)
    assert info is not None
    assert (info.hits, info.wrong) == (1, 1)
    for doomed in (store.signals.delete(signal_id), store.signals.change(signal_id, draft())):
        assert isinstance(doomed.exception(), SignalConflictError)


def test_rates_by_day_model_event_and_property(store: Store) -> None:
    """Hits of all events in each group; days in order, the rest with most events first, all within the time asked."""
    signal_id = store.signals.create(draft()).result()
    write(
        store,
        turn(
            "a", "apple", event="chat", model="m1", properties={"region": "eu", "beta": True}, timestamp=DAY.format(1)
        ),
        turn("b", "pear", event="chat", model="m1", properties={"region": "eu"}, timestamp=DAY.format(2)),
        turn("c", "apple", event="agent", properties={'odd"key': {"x": 1}}, timestamp=DAY.format(2)),
    )
    seen = {
        by: [(rate.value, rate.hits, rate.events) for rate in store.signals.rates(signal_id, by)]
        for by in ("day", "model", "event", "property.region", "property.beta", 'property.odd"key')
    }
    assert seen == {
        "day": [("2026-05-01", 1, 1), ("2026-05-02", 1, 2)],
        "model": [("m1", 1, 2), (None, 1, 1)],
        "event": [("chat", 1, 2), ("agent", 1, 1)],
        "property.region": [("eu", 1, 2), (None, 1, 1)],
        "property.beta": [(None, 1, 2), ("true", 1, 1)],
        'property.odd"key': [(None, 1, 2), ('{"x":1}', 1, 1)],
    }
    assert [rate.value for rate in store.signals.rates(signal_id, since=DAY.format(2))] == ["2026-05-02"]
    assert [rate.value for rate in store.signals.rates(signal_id, until=DAY.format(2))] == ["2026-05-01"]
    with pytest.raises(ValueError, match="rates are by day, model, event or property"):
        store.signals.rates(signal_id, "weather")
    write(store, *(turn(f"many {number}", "pear") for number in range(3000)))
    with pytest.raises(TimeoutError, match="within 0 s"):
        store.signals.rates(signal_id, "property.region", seconds=0)


def test_preview_tells_what_a_definition_would_find(store: Store) -> None:
    """Newest first, and as far as the time reaches; nothing is stored."""
    write(store, *(turn(str(number), "apple" if number % 2 else "pear") for number in range(1000)))
    tried = Definition(on="input", keywords=("apple",))
    seen = store.signals.preview(tried, samples=3)
    assert (seen.count, seen.scanned, seen.events, seen.complete) == (500, 1000, 1000, True)
    assert [found.event.event_id for found in seen.samples] == ["999", "997", "995"]
    hurried = store.signals.preview(tried, seconds=0)
    assert (hurried.complete, 0 < hurried.scanned < 1000, hurried.count) == (False, True, hurried.scanned // 2)
    assert {info.origin for info in store.signals.all()} == {"default"}
    with pytest.raises(InvalidRuleError):
        store.signals.preview(Definition(on="input", patterns=("(",)))


def test_preview_says_that_a_pattern_is_too_slow(store: Store) -> None:
    """Instead of an answer that would take for ever."""
    write(store, turn("a", "x" * 5000))
    seen = store.signals.preview(Definition(on="input", patterns=(r"(x+x+)+y",)))
    assert "simpler" in (seen.problem or "")
    assert not seen.complete


def test_deleting_takes_hits_and_marks_along(store: Store) -> None:
    """The name is free at once; a signal of the same name starts with nothing."""
    signal_id = store.signals.create(draft()).result()
    write(store, turn("a", "apple"))
    store.signals.mark(signal_id, "a", wrong=True).result()
    store.signals.delete(signal_id).result()
    again = store.signals.create(draft(on="input", keywords=("cherry",))).result()
    settle(store)
    info = store.signals.get(again)
    assert info is not None
    assert (info.hits, info.wrong, named(store, "a")) == (0, 0, [])
    assert store.signals.get(signal_id) is None
    assert isinstance(store.signals.delete(signal_id).exception(), UnknownSignalError)


def test_names_are_taken_once_and_defaults_are_kept(store: Store) -> None:
    """A default signal can only be switched off."""
    store.signals.create(draft()).result()
    for refused in (
        store.signals.create(draft()),
        store.signals.create(draft("wins")),
        store.signals.delete("wins"),
        store.signals.change("wins", draft()),
    ):
        assert isinstance(refused.exception(), SignalConflictError)
    assert isinstance(store.signals.create(draft(" ")).exception(), InvalidRuleError)


def test_a_switched_off_default_stays_off(tmp_path: Path) -> None:
    """Opening the file again keeps each switch, and judges nothing again."""
    path = tmp_path / "w.db"
    store = open_store(path)
    wins = store.signals.get("wins")
    assert wins is not None
    assert wins.definition is not None
    said = {"name": wins.name, "description": wins.description, "sentiment": wins.sentiment}
    off = Draft(definition=wins.definition, enabled=False, **said)  # type: ignore[arg-type]
    store.signals.change("wins", off).result()
    store.close()
    store = open_store(path)
    wins = store.signals.get("wins")
    assert wins is not None
    assert (wins.enabled, wins.version, wins.label) == (False, 1, "heuristic")
    store.close()


def test_an_older_file_gets_the_signals_of_today(tmp_path: Path) -> None:
    """A default signal whose definition was another one becomes a new version and is back-filled."""
    path = tmp_path / "w.db"
    store = open_store(path)
    write(store, turn("a", "thank you so much"))
    store.close()
    with sqlite3.connect(path) as db:
        older = '{"name":"wins","definition":{"on":"input","keywords":["hooray"]}}'
        db.execute("UPDATE signal_rules SET draft = ? WHERE signal_id = 'wins'", (older,))
        db.execute("DELETE FROM signal_hits")
    db.close()
    store = open_store(path)
    settle(store)
    wins = store.signals.get("wins")
    assert wins is not None
    assert (wins.version, hit(store, "wins")) == (2, ["a"])
    store.close()


def test_two_processes_share_their_rules(tmp_path: Path) -> None:
    """A rule that one made is asked of what the other one writes."""
    one, two = open_store(tmp_path / "w.db"), open_store(tmp_path / "w.db")
    write(two, turn("before", "pear"))
    signal_id = one.signals.create(draft()).result()
    write(two, turn("a", "apple"))
    assert hit(one, signal_id) == ["a"]
    one.close()
    two.close()


def test_one_view_unites_all_signals(tmp_path: Path) -> None:
    """`event_signals` has what SDKs sent and what rules found, without what is off or marked wrong."""
    store = open_store(tmp_path / "w.db")
    apples = store.signals.create(draft()).result()
    write(store, turn("a", "apple"), turn("b", "apple"), signals=(Signal(event_id="a", name="up"),))
    store.signals.mark(apples, "b", wrong=True).result()
    store.close()
    db = connect(tmp_path / "w.db")
    rows = db.execute("SELECT event_id, name, sentiment, signal_id, origin FROM event_signals ORDER BY name")
    assert [tuple(row) for row in rows] == [
        ("a", "apples", "POSITIVE", apples, "user"),
        ("a", "up", None, "instrumented:up", "sdk"),
    ]
    db.execute("DELETE FROM events WHERE event_id = 'b'")
    assert tuple(db.execute("SELECT count(*) FROM signal_marks").fetchone()) == (0,)
    db.close()


def test_hits_walk_page_by_page(store: Store) -> None:
    """Newest first; a cursor that the list did not make is refused."""
    signal_id = store.signals.create(draft()).result()
    write(store, *(turn(str(day), "apple", timestamp=DAY.format(day)) for day in (2, 3, 1)))
    first = store.signals.hits(signal_id, 2)
    rest = store.signals.hits(signal_id, 2, first.next_cursor)
    assert [found.event.event_id for found in (*first.hits, *rest.hits)] == ["3", "2", "1"]
    assert rest.next_cursor is None
    with pytest.raises(ValueError, match="not a cursor"):
        store.signals.hits(signal_id, 2, "x")


def test_what_stood_for_a_trace_leaves_no_hit_behind(store: Store) -> None:
    """An event known only by its trace becomes part of the event that owns it, and its hits with it."""
    signal_id = store.signals.create(draft()).result()
    store.append(Batch(of_traces=(turn("t", "apple", is_pending=True),))).result()
    write(store, Event(event_id="a", properties={"trace_id": "t"}))
    assert hit(store, signal_id) == ["a"]


def test_old_hits_are_swept_away_in_steps(tmp_path: Path) -> None:
    """Those of a deleted rule and of an earlier version take no room for long."""
    path = tmp_path / "w.db"
    store = open_store(path)
    kept, gone = store.signals.create(draft()).result(), store.signals.create(draft("gone")).result()
    write(store, *(turn(str(number), "apple") for number in range(2 * STEP_EVENTS + 1)))
    store.signals.delete(gone).result()
    store.signals.change(kept, draft(on="input", keywords=("pear",))).result()
    settle(store)
    deadline = time.monotonic() + 20
    with sqlite3.connect(path) as db:
        while db.execute("SELECT count(*) FROM signal_hits").fetchone() != (0,):
            assert time.monotonic() < deadline
            store.append(Batch()).result()
        store.close()
        assert db.execute("SELECT count(*) FROM signal_rules WHERE version = 0 OR sweeping").fetchone() == (0,)
    db.close()
