"""Search: what a person types finds what they mean, in any language, quickly or not at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.records import Batch, Event
from raindrop_logging.workshop.search.bounded_regex import BoundedRegex, PatternError
from raindrop_logging.workshop.search.question import Found, Question
from raindrop_logging.workshop.search.regex_literals import literals
from raindrop_logging.workshop.sqlite.schema import prepare
from raindrop_logging.workshop.sqlite.search import find
from raindrop_logging.workshop.sqlite.search_index import fill
from raindrop_logging.workshop.sqlite.search_index import waiting as count_waiting
from raindrop_logging.workshop.sqlite.writes import BatchWriter
from raindrop_logging.workshop.store import Store, open_store
from tests.workshop.settling import settle

if TYPE_CHECKING:
    import httpx

TEXTS = {
    "late": ("My refund is late, says the café", "Sorry. The parcel is lost."),
    "never": ("Refunds are never late", "iOS版 is fine"),
    "chinese": ("数据库连接错误", "请退款"),
    "thai": ("สวัสดีครับ", "ลาก่อน"),
    "hindi": ("हिन्दी में लिखो", "ठीक है"),
    "code": ("what does x != y mean", 'it says "not equal" in order-42'),
    "nul": ("before\0after the zero", ""),
}


def stored(store: Store, **texts: tuple[str | None, str | None]) -> None:
    """Keep these events, and wait until all of them are in the index."""
    events = tuple(Event(event_id=name, input=said, output=answered) for name, (said, answered) in texts.items())
    store.append(Batch(events=events)).result()
    settle(store)


@pytest.fixture(scope="module")
def filled() -> Iterator[Store]:
    """A store with all of `TEXTS`, for tests that only look."""
    store = open_store(":memory:")
    stored(store, **TEXTS)
    yield store
    store.close()


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store of this test's own."""
    opened = open_store(":memory:")
    yield opened
    opened.close()


def found(store: Store, text: str, **said: Any) -> set[str]:
    """The ids of the hits."""
    return {hit.event_id for hit in store.search(Question(text=text, **said)).hits}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("refund", {"late"}),
        ("REFUND Late", {"late"}),
        ("refund*", {"late", "never"}),
        ("late -refund", {"never"}),
        ('"is late"', {"late"}),
        ('"late is"', set()),
        ("cafe", {"late"}),
        ("数据库", {"chinese"}),
        ("错误", {"chinese"}),
        ("误", {"chinese"}),
        ("退款", {"chinese"}),
        ("款", {"chinese"}),
        ("สวัสดี", {"thai"}),
        ("हिन्दी", {"hindi"}),
        ("iOS版", {"never"}),
        ("ios版 -数据库", {"never"}),
        ("!=", {"code"}),
        ('"!="', {"code"}),
        ("order-42", {"code"}),
        ("-late", {"chinese", "thai", "hindi", "code", "nul"}),
        ("x - y", {"code"}),
        ("", set()),
        ("   ", set()),
        ("nowhere", set()),
        ("错错", set()),
    ],
)
def test_what_is_typed_is_what_is_meant(filled: Store, typed: str, meant: set[str]) -> None:
    """Words, phrases, exclusions, beginnings, and text in languages that put no spaces between words."""
    assert found(filled, typed) == meant


def test_a_side(filled: Store) -> None:
    """A search may be restricted to what was asked or to what was answered."""
    assert found(filled, "late", sides=("output",)) == set()
    assert found(filled, "退款", sides=("input",)) == set()
    assert found(filled, "退款", sides=("output",)) == {"chinese"}
    assert found(filled, "ref.nd", mode="regex", sides=("input",)) == {"late"}


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        (r"ref\w+d", {"late"}),
        (r"(?i)refunds?\b.*late", {"late", "never"}),
        (r"order-\d+", {"code"}),
        (r"退.$", {"chinese"}),
        (r"after the zero", {"nul"}),
        (r"lost|fine", {"late", "never"}),
        ("", set()),
    ],
)
def test_patterns(filled: Store, pattern: str, meant: set[str]) -> None:
    """Regular expressions, with and without a literal that the index can look for."""
    assert found(filled, pattern, mode="regex") == meant


@settings(deadline=None)
@given(st.text(max_size=40) | st.text(alphabet="ab*\"-():^{}~ ANDORT数'\0;", max_size=30))
def test_any_text_has_an_answer(filled: Store, typed: str) -> None:
    """Nothing that can be typed is a mistake of language."""
    assert isinstance(filled.search(Question(text=typed)), Found)


@settings(deadline=None)
@given(st.text(alphabet='ab数据 *-"!é', max_size=8), st.lists(st.text(alphabet="ab数据 !é", max_size=12), max_size=4))
def test_the_index_changes_no_answer(typed: str, texts: list[str]) -> None:
    """What waits for the index is found as it is found once indexed."""
    db = prepare(":memory:")
    try:
        events = tuple(Event(event_id=f"e{number}", input=text) for number, text in enumerate(texts))
        BatchWriter(db).write(Batch(events=events))
        waiting = find(db, Question(text=typed))
        assert count_waiting(db) == len(texts)
        while fill(db):
            pass
        indexed = find(db, Question(text=typed))
        assert count_waiting(db) == 0
        assert {hit.event_id: hit for hit in waiting.hits} == {hit.event_id: hit for hit in indexed.hits}
    finally:
        db.close()


def test_hits_are_parts_and_never_markup(filled: Store) -> None:
    """An excerpt says which of its parts were searched for; together they are the text."""
    (hit,) = filled.search(Question(text="cafe refund")).hits
    assert [part.text for part in hit.input if part.hit] == ["refund", "café"]
    assert "".join(part.text for part in hit.input) == TEXTS["late"][0]
    (hit,) = filled.search(Question(text="x")).hits
    assert [part.text for part in hit.input if part.hit] == ["x"]


def test_a_long_text_is_cut_around_its_hit(store: Store) -> None:
    """An excerpt begins shortly before the first hit."""
    stored(store, long=("word " * 5_000 + "needle" + " word" * 5_000, None))
    (hit,) = store.search(Question(text="needle")).hits
    assert sum(len(part.text) for part in hit.input) < 300
    assert [part.text for part in hit.input if part.hit] == ["needle"]
    assert hit.input[0].text == "…"


def test_the_best_hit_is_first(store: Store) -> None:
    """An event that is all about a word comes before one that mentions it, whichever is newer."""
    stored(store, about=("refund refund refund", "refund"), mentions=("refund " + "other words " * 50, "nothing"))
    answer = store.search(Question(text="refund"))
    assert answer.ranked
    assert [hit.event_id for hit in answer.hits] == ["about", "mentions"]


@pytest.mark.parametrize(("text", "mode"), [("number", "text"), (r"num.er", "regex"), ("数字", "text")])
def test_pages_hold_each_hit_once(store: Store, text: str, mode: Any) -> None:
    """Page by page a search shows every hit, none twice."""
    stored(store, **{f"e{at}": (f"number {'x ' * at} 数字", None) for at in range(25)})
    shown: list[str] = []
    cursor = None
    while True:
        answer = store.search(Question(text=text, mode=mode, limit=10, cursor=cursor))
        shown += [hit.event_id for hit in answer.hits]
        cursor = answer.next_cursor
        if cursor is None:
            break
    assert sorted(shown) == sorted(f"e{at}" for at in range(25))


def test_a_filter_holds_too(store: Store) -> None:
    """A search combines with every filter."""
    events = [Event(event_id=name, input="refund 数据库", model=name) for name in ("m1", "m2")]
    store.append(Batch(events=tuple(events))).result()
    settle(store)
    only = EventFilter(model=("m2",))
    assert found(store, "refund", where=only) == {"m2"}
    assert found(store, "数据库", where=only) == {"m2"}
    assert found(store, "ref", mode="regex", where=only) == {"m2"}


def test_a_changed_event_is_found_by_what_it_says_now(store: Store) -> None:
    """What an event no longer says finds nothing, indexed or not."""
    stored(store, e=("first words 数据库", None))
    stored(store, e=("second words 退款单", None))
    assert found(store, "first") == found(store, "数据库") == set()
    assert found(store, "second") == found(store, "退款单") == {"e"}


def test_an_exploding_pattern_ends_in_time(store: Store) -> None:
    """A pattern that would take for ever is stopped, and the answer says that it is not whole."""
    stored(store, bomb=("a" * 60 + "b", None), plain=("aab", None))
    answer = store.search(Question(text=r"(a|aa)+$", mode="regex", seconds=0.2))
    assert answer.partial
    assert answer.next_cursor


@pytest.mark.parametrize("pattern", ["(a", "a{99999}{99999}", "x" * 2_000, "(" * 900 + ")" * 900])
def test_a_pattern_that_is_none_is_refused(filled: Store, pattern: str) -> None:
    """What cannot be a pattern, or only an endless one, is a mistake that is named."""
    with pytest.raises(PatternError, match=r"pattern|regular expression"):
        filled.search(Question(text=pattern, mode="regex"))


_PIECES = st.sampled_from(
    ["abc", "refund", "i", "K", "ß", "\\.", "\\d", ".", "a?", "bc*", "d+", "e{2}", "f{0,1}", "(gh)", "(?:x|y)", "[ab]",
     "[^]a]", "[]a]", "(?=q)", "|", "^", "$", "\\x41", "\\b", "{e<=1}", "[[:alpha:]]", "(?i)", "()",
     "(?#c)", " ", "数据库"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(_PIECES, max_size=6).map("".join), st.text(alphabet="abcdefghiIKkK refundßxyqA.1数据库s", max_size=30))
def test_a_literal_is_in_every_match(pattern: str, text: str) -> None:
    """The index is only asked for what no match can be without."""
    try:
        compiled = regex.compile(pattern)
    except regex.error:
        return
    if compiled.search(text):
        low = text.lower()
        assert all(literal.lower() in low for literal in literals(pattern))


def test_literals_are_found() -> None:
    """Patterns that people write have a literal to look for."""
    assert literals(r"refund(ed)?\s+order-\d+") == ("refund", "order-")
    assert literals(r"(?i)error: .*timeout") == ("error: ", "meout")
    assert literals(r"cats?|dogs") == ()


def test_a_bounded_pattern_says_where() -> None:
    """Matches have places; a limit in the past stops the first."""
    pattern = BoundedRegex(r"a+")
    assert pattern.spans("baab a", time.monotonic() + 5, most=9) == [(1, 3), (5, 6)]
    with pytest.raises(TimeoutError):
        pattern.matches("a", time.monotonic() - 1)


def test_over_http(client: httpx.Client) -> None:
    """The API's search: hits as the stream has them, with excerpts; mistakes name their parameter."""
    body = {"event_id": "e", "user_id": "u", "event": "chat", "ai_data": {"input": "<b>refund</b>", "output": "no"}}
    client.post("/v1/events/track", json=[body])
    told = client.get("/api/search", params={"q": "refund", "in": "input", "event": "chat"}).json()
    (hit,) = told["hits"]
    assert hit["event_id"] == "e"
    assert {"text": "refund", "hit": True} in hit["excerpts"]["input"]
    assert told["partial"] is False
    assert client.get("/api/search", params={"q": "refund", "event": "other"}).json()["hits"] == []
    for wrong, field in (({"mode": "x"}, "mode"), ({"in": "x"}, "in"), ({"cursor": "x"}, "cursor")):
        refused = client.get("/api/search", params={"q": "refund", **wrong})
        assert (refused.status_code, refused.json()["field"]) == (400, field)
    refused = client.get("/api/search", params={"q": "(a", "mode": "regex"})
    assert (refused.status_code, refused.json()["field"]) == (400, "q")


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["say", "index", "forget"]), st.integers(0, 3), st.sampled_from(["aa bb", "cc 数据库", ""])
    ),
    max_size=25,
)


@settings(deadline=None)
@given(_STEPS)
def test_the_index_is_whole_after_whatever_happens(steps: list[tuple[str, int, str]]) -> None:
    """Events come, change and go, indexed or not: the index holds what they say and nothing else."""
    db = prepare(":memory:")
    says: dict[str, str] = {}
    try:
        for step, number, text in steps:
            name = f"e{number}"
            if step == "say":
                BatchWriter(db).write(Batch(events=(Event(event_id=name, input=text),)))
                says[name] = text
            elif step == "forget":
                db.execute("DELETE FROM events WHERE event_id = ?", (name,))
                says.pop(name, None)
            else:
                fill(db, rows=2)
        while fill(db):
            pass
        for sought in ("aa", "cc", "数据库"):
            hits = {hit.event_id for hit in find(db, Question(text=sought)).hits}
            assert hits == {name for name, text in says.items() if sought in text}
        db.execute("INSERT INTO search_words (search_words) VALUES ('integrity-check')")
        assert db.execute("SELECT count(*) AS n FROM search_words WHERE search_words MATCH 'aa OR cc'").fetchone()[
            "n"
        ] == sum(bool(text) for text in says.values())
    finally:
        db.close()
