"""A filter as it stands in an address."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging.workshop.event_filter import MOMENTS, NAMES, SWITCHES, EventFilter, parse

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)

_words = st.text(min_size=1, max_size=20)
_moments = st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(  # noqa: DTZ001 - parse says UTC
    lambda moment: moment.isoformat(timespec="microseconds") + "Z"
)


@given(
    st.fixed_dictionaries({name: st.lists(_words, unique=True, max_size=3).map(tuple) for name in NAMES}),
    st.lists(st.tuples(_words, _words), unique=True, max_size=3).map(tuple),
    st.fixed_dictionaries(dict.fromkeys(MOMENTS, _moments)),
    st.fixed_dictionaries({name: st.none() | st.booleans() for name in SWITCHES}),
)
def test_an_address_says_the_whole_filter(
    named: dict[str, Any], properties: tuple[tuple[str, str], ...], moments: dict[str, Any], switches: dict[str, Any]
) -> None:
    """Whatever the values hold, the filter that an address says is the one it was made of."""
    meant = EventFilter(**named, properties=properties, **moments, **switches)
    assert parse(parse_qsl(urlencode(meant.query()), keep_blank_values=True, errors="strict")) == meant


def test_values_of_one_name_gather_and_empty_ones_say_nothing() -> None:
    """A form sends every field: those left empty do not count, those said twice count once."""
    pairs = [("event", "chat"), ("event", "agent"), ("event", "chat"), ("model", ""), ("error", "1")]
    assert parse(pairs) == EventFilter(event=("chat", "agent"), error=True)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("24h", "2026-11-26T12:00:00.000000Z"),
        ("7d", "2026-11-20T12:00:00.000000Z"),
        ("2026-11-01", "2026-11-01T00:00:00.000000Z"),
        ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00.000000Z"),
    ],
)
def test_a_moment_is_a_date_a_time_or_how_long_ago(said: str, meant: str) -> None:
    """All of them become one form of time."""
    assert parse([("since", said)], NOW) == EventFilter(since=meant)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("evnt", "chat", "did you mean 'event'?"),
        ("nonsense", "1", "there are attachment, convo_id"),
        ("property.", "x", "no filter 'property.'"),
        ("error", "perhaps", "error is true or false, not 'perhaps'"),
        ("since", "soon", "since is a date, an ISO 8601 time or how long ago (24h, 7d), not 'soon'"),
        ("until", "999999w", "until is a date"),
    ],
)
def test_what_is_no_filter_is_refused_with_what_would_do(key: str, value: str, said: str) -> None:
    """The message names the key, the value and the rule."""
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the message is the point
        parse([(key, value)], NOW)
    assert said in str(raised.value)
