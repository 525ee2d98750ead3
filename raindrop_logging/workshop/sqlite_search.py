"""Searching the stored events: words by rank, anything else from the last stored to the first.

In: a connection, a `Question`.  Out: a `Found`.  Touches: the connection, for reading; the clock.

The index says which events may match. Where only it knows how words are written it has the last word; a text inside
words and a pattern are looked for in the event itself. What waits to be indexed is looked through one by one, the newest
`TAIL_ROWS` of it.
"""

from __future__ import annotations

import heapq
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, NamedTuple

from raindrop_logging.workshop.bounded_regex import BoundedRegex
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.regex_literals import literals
from raindrop_logging.workshop.search import Found, Hit, Question
from raindrop_logging.workshop.search_query import Term, any_of, parse, trigrams, words_expression
from raindrop_logging.workshop.search_text import MAX_HITS, Needle, Spans, disjoint, excerpt, matches, spans_of
from raindrop_logging.workshop.sqlite_cursors import BEST_HIT, HitPlace, hit_place, written
from raindrop_logging.workshop.sqlite_deadline import OutOfTimeError, within
from raindrop_logging.workshop.sqlite_filter import select
from raindrop_logging.workshop.sqlite_search_index import waiting

RANKED_ROWS: Final = 5_000
"""Of a word that more events have, the last stored are ranked."""
TAIL_ROWS: Final = 2_000
MAX_TRIGRAMS: Final = 200
"""One or two signs that begin more trigrams are so common that reading the events is as quick."""
_LAST_SIGN: Final = "\U0010ffff"

_TAIL: Final = f"""
SELECT e.rid, e.input, e.output FROM (SELECT rid FROM search_queue ORDER BY rid DESC LIMIT {TAIL_ROWS}) AS q
JOIN events AS e ON e.rid = q.rid WHERE {{tests}} ORDER BY e.rid DESC
"""


class _Looked(NamedTuple):
    """How one event's texts are judged, and where in a text the hits are."""

    matches: Callable[[list[str]], bool]
    spans: Callable[[str], Spans]


class _Rows(NamedTuple):
    """The filter's conditions on `e`, with their arguments."""

    tests: str
    arguments: dict[str, Any]


def find(db: sqlite3.Connection, question: Question) -> Found:
    """See `Store.search`."""
    end = time.monotonic() + question.seconds
    place = hit_place(question.cursor)
    if question.mode == "regex":
        pattern = BoundedRegex(question.text)
        looked = _Looked(
            lambda texts: any(pattern.matches(text, end) for text in texts),
            lambda text: _pattern_spans(pattern, text, end),
        )
        driver = _all_of([trigrams(text) for text in literals(question.text)])
        return _newest(db, question, looked, driver, place, end) if question.text else Found(hits=())
    terms = parse(question.text)
    needles = [Needle(term) for term in terms]
    looked = _Looked(lambda texts: matches(needles, texts), lambda text: disjoint(spans_of(needles, text)))
    words = words_expression(terms, question.sides)
    if not terms:
        return Found(hits=())
    if words and not any(term.anywhere for term in terms):
        return _ranked(db, question, looked, words, place, end)
    return _newest(db, question, looked, _pieces(db, terms), place, end)


def _ranked(
    db: sqlite3.Connection, question: Question, looked: _Looked, words: str, place: HitPlace, end: float
) -> Found:
    """By rank; what is not in the index yet has none and comes first."""
    rows = _rows(db, question)
    joined = "" if question.where == EventFilter() else "JOIN events AS e ON e.rid = search_words.rowid"
    tests = rows.tests if joined else "TRUE"
    statement = (
        "SELECT search_words.rowid AS rid, bm25(search_words) AS score"  # noqa: S608 - own names only
        f" FROM search_words {joined} WHERE search_words MATCH :words AND {tests}"
        f" ORDER BY search_words.rowid DESC LIMIT {RANKED_ROWS + 1}"
    )
    places: list[tuple[float, int]] = []
    with suppress(OutOfTimeError, TimeoutError):
        places += [(BEST_HIT[0], row["rid"]) for row in _tail(db, question, rows, looked)]
    partial = True
    with suppress(OutOfTimeError), within(db, end - time.monotonic()):
        scored = db.execute(statement, {**rows.arguments, "words": words}).fetchall()
        partial = len(scored) > RANKED_ROWS
        places += [(row["score"], row["rid"]) for row in scored[:RANKED_ROWS]]
    behind = [(score, rid) for score, rid in places if (score, -rid) > (place[0], -place[1])]
    best = heapq.nsmallest(question.limit + 1, behind, key=lambda found: (found[0], -found[1]))
    shown = best[: question.limit]
    return Found(
        hits=_hits(db, [rid for _, rid in shown], looked, question),
        next_cursor=written(shown[-1]) if len(best) > len(shown) else None,
        partial=partial,
        ranked=True,
        unindexed=waiting(db),
    )


def _newest(
    db: sqlite3.Connection, question: Question, looked: _Looked, driver: str | None, place: HitPlace, end: float
) -> Found:
    """The last stored first, up to the limit or until the time is up; then the cursor goes on from there."""
    rows = _rows(db, question)
    found: list[int] = []
    last = place[1]
    partial = False
    try:
        with within(db, end - time.monotonic()):
            for row in _candidates(db, rows, driver, place[1]):
                if looked.matches(_texts(row, question)):
                    found.append(row["rid"])
                    if len(found) > question.limit:
                        break
                last = row["rid"]
                if time.monotonic() > end:
                    raise TimeoutError
    except (OutOfTimeError, TimeoutError):
        partial = True
    more = partial or len(found) > question.limit
    shown = found[: question.limit]
    return Found(
        hits=_hits(db, shown, looked, question),
        next_cursor=written((0.0, last)) if more and last != place[1] else None,
        partial=partial,
        unindexed=waiting(db),
    )


def _candidates(db: sqlite3.Connection, rows: _Rows, driver: str | None, before: int) -> Iterator[sqlite3.Row]:
    """Events that may match, the last stored first; without a driver all of them."""
    arguments = {**rows.arguments, "before": before}
    if driver is None:
        statement = (
            "SELECT e.rid, e.input, e.output FROM events AS e NOT INDEXED"  # noqa: S608
            f" WHERE e.rid < :before AND {rows.tests} ORDER BY e.rid DESC"
        )
        yield from db.execute(statement, arguments)
        return
    indexed = db.execute(
        "SELECT e.rid, e.input, e.output FROM search_trigrams CROSS JOIN events AS e ON e.rid = search_trigrams.rowid"  # noqa: S608
        f" WHERE search_trigrams MATCH :driver AND search_trigrams.rowid < :before AND {rows.tests}"
        " ORDER BY search_trigrams.rowid DESC",
        {**arguments, "driver": driver},
    )
    tail = db.execute(_TAIL.format(tests=f"e.rid < :before AND {rows.tests}"), arguments)
    yield from heapq.merge(tail, indexed, key=lambda row: -row["rid"])


def _tail(db: sqlite3.Connection, question: Question, rows: _Rows, looked: _Looked) -> Iterator[sqlite3.Row]:
    for row in db.execute(_TAIL.format(tests=rows.tests), rows.arguments):
        if looked.matches(_texts(row, question)):
            yield row


def _pieces(db: sqlite3.Connection, terms: tuple[Term, ...]) -> str | None:
    """What the index of trigrams must hold; whole words say nothing here, as accents count in it."""
    wanted = [term for term in terms if not term.exclude]
    inside = [trigrams(term.text) or _beginning(db, term.text) for term in wanted if term.anywhere]
    return _all_of(inside)


def _beginning(db: sqlite3.Connection, short: str) -> str | None:
    """Any of the trigrams that begin with one or two signs without case."""
    if short.lower() != short.upper():
        return None
    begin = db.execute(
        "SELECT term FROM search_vocabulary WHERE term >= ? AND term < ? LIMIT ?",
        (short, short + _LAST_SIGN, MAX_TRIGRAMS + 1),
    ).fetchall()
    if len(begin) > MAX_TRIGRAMS:
        return None
    return any_of([row["term"] for row in begin]) if begin else '"\ufdd0\ufdd0\ufdd0"'  # in no text: only the tail is left


def _all_of(expressions: list[str | None]) -> str | None:
    return " AND ".join(expression for expression in expressions if expression) or None


def _rows(db: sqlite3.Connection, question: Question) -> _Rows:
    chosen = select(db, question.where)
    return _Rows(chosen.tests(), chosen.arguments)


def _texts(row: sqlite3.Row, question: Question) -> list[str]:
    return [row[side] for side in question.sides if row[side]]


def _hits(db: sqlite3.Connection, rids: list[int], looked: _Looked, question: Question) -> tuple[Hit, ...]:
    hits: list[Hit] = []
    for rid in rids:
        row = db.execute("SELECT event_id, input, output FROM events WHERE rid = ?", (rid,)).fetchone()
        if row:
            parts = {
                side: excerpt(row[side] or "", looked.spans(row[side] or "") if side in question.sides else [])
                for side in ("input", "output")
            }
            hits.append(Hit(event_id=row["event_id"], **parts))
    return tuple(hits)


def _pattern_spans(pattern: BoundedRegex, text: str, end: float) -> Spans:
    """None where the time is up: the event is found all the same."""
    try:
        return disjoint(pattern.spans(text, end, MAX_HITS))
    except TimeoutError:
        return []
