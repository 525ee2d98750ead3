"""Searching the stored events: words by rank, anything else from the last stored to the first.

In: a connection, a `Question`.  Out: a `Found`.  Touches: the connection, for reading; the clock.

The index says which events may match. Of whole words it has the last word; a text inside words and a pattern are looked
for in the event itself. Of what waits to be indexed the newest `TAIL_ROWS` are looked through one by one.
"""

from __future__ import annotations

import heapq
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, Protocol

from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.search.bounded_regex import BoundedRegex
from raindrop_logging.workshop.search.excerpts import MAX_HITS, Needle, Spans, disjoint, excerpt, matches, spans_of
from raindrop_logging.workshop.search.question import SIDES, Found, Hit, Part, Question, Side
from raindrop_logging.workshop.search.regex_literals import literals
from raindrop_logging.workshop.search.words import Term, any_of, parse, trigrams, words_expression
from raindrop_logging.workshop.sqlite.cursors import BEST_HIT, HitPlace, hit_place, written
from raindrop_logging.workshop.sqlite.deadline import OutOfTimeError, within
from raindrop_logging.workshop.sqlite.filter import select
from raindrop_logging.workshop.sqlite.search_index import waiting

RANKED_ROWS: Final = 5_000
"""Of a word that more events have, the last stored are ranked."""
TAIL_ROWS: Final = 2_000
MAX_TRIGRAMS: Final = 200
"""One or two signs that begin more trigrams are so common that reading the events is as quick."""
_LAST_SIGN: Final = "\U0010ffff"


class _Looked(Protocol):
    """How one event's texts are judged, and where in a text the hits are."""

    def matches(self, texts: list[str]) -> bool:
        """Whether the event is meant."""
        ...

    def spans(self, text: str) -> Spans:
        """What is to be marked."""
        ...


class _Terms:
    def __init__(self, terms: tuple[Term, ...]) -> None:
        self._needles = [Needle(term) for term in terms]

    def matches(self, texts: list[str]) -> bool:
        return matches(self._needles, texts)

    def spans(self, text: str) -> Spans:
        return spans_of(self._needles, text)


class _Pattern:
    def __init__(self, pattern: str, end: float) -> None:
        self._pattern = BoundedRegex(pattern)
        self._end = end

    def matches(self, texts: list[str]) -> bool:
        return any(self._pattern.matches(text, self._end) for text in texts)

    def spans(self, text: str) -> Spans:
        """None when the time is up: the event is found all the same."""
        try:
            return disjoint(self._pattern.spans(text, self._end, MAX_HITS))
        except TimeoutError:
            return []


def find(db: sqlite3.Connection, question: Question) -> Found:
    """See `Store.search`."""
    end = time.monotonic() + question.seconds
    place = hit_place(question.cursor)
    if question.mode == "regex":
        pattern = _Pattern(question.text, end)
        driver = _all_of([trigrams(text) for text in literals(question.text)])
        return _Search(db, question, pattern, end).newest(driver, place) if question.text else Found(hits=())
    terms = parse(question.text)
    if not terms:
        return Found(hits=())
    search = _Search(db, question, _Terms(terms), end)
    words = words_expression(terms, question.sides)
    if words and not any(term.anywhere for term in terms):
        return search.ranked(words, place)
    return search.newest(_pieces(db, terms), place)


class _Search:
    """One question, asked until `end`, a moment of `time.monotonic`."""

    def __init__(self, db: sqlite3.Connection, question: Question, looked: _Looked, end: float) -> None:
        self._db = db
        self._question = question
        self._looked = looked
        self._end = end
        self._chosen = select(db, question.where)
        self._tests, self._arguments = self._chosen.tests(), self._chosen.arguments

    def ranked(self, words: str, place: HitPlace) -> Found:
        """By rank; what is not in the index yet has none and comes first."""
        places = [(BEST_HIT[0], rid) for rid in self._unindexed()]
        partial = True
        with suppress(OutOfTimeError), within(self._db, self._left):
            scored = self._scored(words)
            partial = len(scored) > RANKED_ROWS
            places += scored[:RANKED_ROWS]
        behind = [(score, rid) for score, rid in places if (score, -rid) > (place[0], -place[1])]
        best = heapq.nsmallest(self._question.limit + 1, behind, key=lambda found: (found[0], -found[1]))
        shown = best[: self._question.limit]
        unindexed = waiting(self._db)
        return Found(
            hits=self._hits(rid for _, rid in shown),
            next_cursor=written(shown[-1]) if len(best) > len(shown) else None,
            partial=partial or unindexed > TAIL_ROWS,
            ranked=True,
            unindexed=unindexed,
        )

    def newest(self, driver: str | None, place: HitPlace) -> Found:
        """The last stored first, up to the limit or until the time is up; then the cursor goes on from there."""
        found: list[int] = []
        last = place[1]
        partial = False
        try:
            with within(self._db, self._left):
                for row in self._candidates(driver, place[1]):
                    if self._looked.matches(self._texts(row)):
                        found.append(row["rid"])
                    if len(found) > self._question.limit:
                        break
                    last = row["rid"]
                    self._keep_to_the_time()
        except (OutOfTimeError, TimeoutError):
            partial = True
        more = partial or len(found) > self._question.limit
        unindexed = waiting(self._db)
        return Found(
            hits=self._hits(found[: self._question.limit]),
            next_cursor=written((0.0, last)) if more else None,
            partial=partial or (driver is not None and unindexed > TAIL_ROWS),
            unindexed=unindexed,
        )

    def _scored(self, words: str) -> list[tuple[float, int]]:
        filtered = self._question.where != EventFilter()
        joined = f"JOIN events AS e ON e.rid = search_words.rowid AND {self._tests}" if filtered else ""
        # The sign keeps SQLite from asking the index of words anew for each of the few.
        among = " AND +search_words.rowid IN (SELECT rid FROM few)" if self._chosen.head else ""
        rows = self._db.execute(
            f"{self._chosen.head} SELECT bm25(search_words), search_words.rowid FROM search_words {joined}"  # noqa: S608
            f" WHERE search_words MATCH :words{among} ORDER BY search_words.rowid DESC LIMIT {RANKED_ROWS + 1}",
            {**self._arguments, "words": words},
        )
        return [(score, rid) for score, rid in rows]

    def _unindexed(self) -> list[int]:
        found: list[int] = []
        with suppress(OutOfTimeError, TimeoutError), within(self._db, self._left):
            for row in self._tail("TRUE", {}):
                if self._looked.matches(self._texts(row)):
                    found.append(row["rid"])
                self._keep_to_the_time()
        return found

    def _candidates(self, driver: str | None, before: int) -> Iterator[sqlite3.Row]:
        """Events that may match, the last stored first; without a driver all of them."""
        arguments = {**self._arguments, "before": before}
        if driver is None:
            return self._db.execute(
                "SELECT e.rid, e.input, e.output FROM events AS e NOT INDEXED"  # noqa: S608 - own names only
                f" WHERE e.rid < :before AND {self._tests} ORDER BY e.rid DESC",
                arguments,
            )
        indexed = self._db.execute(
            "SELECT e.rid, e.input, e.output FROM search_trigrams"  # noqa: S608 - own names only
            f" CROSS JOIN events AS e ON e.rid = search_trigrams.rowid AND {self._tests}"
            " WHERE search_trigrams MATCH :driver AND search_trigrams.rowid < :before"
            " ORDER BY search_trigrams.rowid DESC",
            {**arguments, "driver": driver},
        )
        return heapq.merge(self._tail("e.rid < :before", {"before": before}), indexed, key=lambda row: -row["rid"])

    def _tail(self, test: str, arguments: dict[str, Any]) -> Iterator[sqlite3.Row]:
        """The newest of what waits for the index."""
        return self._db.execute(
            "SELECT e.rid, e.input, e.output FROM"  # noqa: S608 - own names only
            f" (SELECT rid FROM search_queue ORDER BY rid DESC LIMIT {TAIL_ROWS}) AS q CROSS JOIN events AS e"
            f" ON e.rid = q.rid WHERE {test} AND {self._tests} ORDER BY e.rid DESC",
            {**self._arguments, **arguments},
        )

    def _hits(self, rids: Iterable[int]) -> tuple[Hit, ...]:
        asked = "SELECT event_id, input, output FROM events WHERE rid = ?"
        rows = [self._db.execute(asked, (rid,)).fetchone() for rid in rids]
        return tuple(
            Hit(event_id=row["event_id"], **{side: self._excerpt(row[side] or "", side) for side in SIDES})
            for row in rows
            if row
        )

    def _excerpt(self, text: str, side: Side) -> tuple[Part, ...]:
        return excerpt(text, self._looked.spans(text) if side in self._question.sides else [])

    def _texts(self, row: sqlite3.Row) -> list[str]:
        return [row[side] for side in self._question.sides if row[side]]

    @property
    def _left(self) -> float:
        return self._end - time.monotonic()

    def _keep_to_the_time(self) -> None:
        if self._left <= 0:
            raise TimeoutError


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
    return (
        any_of([row["term"] for row in begin]) if begin else '"\ufdd0\ufdd0\ufdd0"'
    )  # in no text: only the tail is left


def _all_of(expressions: list[str | None]) -> str | None:
    return " AND ".join(expression for expression in expressions if expression) or None
