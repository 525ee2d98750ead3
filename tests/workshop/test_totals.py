"""The totals that are kept beside the rows are what counting the rows would say."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from raindrop_logging.workshop import open_store
from raindrop_logging.workshop.records import Batch, Event, Signal, Span, User

COUNTING = """
SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM signals),
    (SELECT count(*) FROM signals WHERE event_id NOT IN (SELECT event_id FROM events)),
    (SELECT count(*) FROM spans), (SELECT count(*) FROM users)
"""
IDS = st.sampled_from(("a", "b", "c", "t1", "t2"))
TRACES = st.sampled_from(("t1", "t2"))
OLD = "2001-01-01T00:00:00.000000Z"

BATCHES = st.one_of(
    st.builds(
        lambda event_id, trace_id, at: Batch(
            events=(Event(event_id=event_id, timestamp=at, properties={"trace_id": trace_id} if trace_id else {}),)
        ),
        IDS,
        st.one_of(st.none(), TRACES),
        st.sampled_from((OLD, None)),
    ),
    st.builds(lambda trace_id: Batch(of_traces=(Event(event_id=trace_id),)), TRACES),
    st.builds(
        lambda event_id, name: Batch(signals=(Signal(event_id=event_id, name=name),)), IDS, st.sampled_from("xy")
    ),
    st.builds(lambda user_id: Batch(users=(User(user_id=user_id),)), IDS),
    st.builds(
        lambda event_id, trace_id, span_id: Batch(
            spans=(Span(trace_id=trace_id, span_id=span_id, name="look", about=Event(event_id=event_id)),)
        ),
        IDS,
        TRACES,
        st.sampled_from("pq"),
    ),
)


@settings(max_examples=25, deadline=None)
@given(said=st.lists(BATCHES, max_size=14), pruned=st.booleans())
def test_totals_are_what_counting_says(said: list[Batch], pruned: bool) -> None:
    """Whatever came, in any order, twice or as part of another event, and after the oldest were deleted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "w.db"
        with closing(open_store(path)) as store:
            for done in [store.append(batch) for batch in said]:
                done.result()
            if pruned:
                store.prune(timedelta(days=1))
            counts = store.counts()
        with closing(sqlite3.connect(path)) as db:
            counted = db.execute(COUNTING).fetchone()
    found = (counts.events, counts.signals, counts.signals_without_event, counts.spans, counts.users)
    assert found == counted
