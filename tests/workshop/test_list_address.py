"""Addresses of lists: what a form sends becomes an address to keep, and what is wrong is said."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raindrop_logging.workshop.event_filter import KEYS, FilterError
from raindrop_logging.workshop.pages.list_address import Asked, read, tidied, words, written

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.sampled_from(["event", "model", "user_id", "tool", "property.region"]) | TEXT.map("property.{}".format)
PAIRS = st.lists(st.tuples(NAMES, TEXT), unique=True, max_size=5).map(tuple)


@given(PAIRS)
def test_written_and_read(pairs: tuple[tuple[str, str], ...]) -> None:
    """Whatever the conditions hold, the address that is written says them."""
    query = parse_qsl(urlsplit(written("/events", pairs)).query)
    assert read("/events", query).pairs == pairs


@given(PAIRS, st.tuples(NAMES, TEXT))
def test_added_and_taken_away(pairs: tuple[tuple[str, str], ...], pair: tuple[str, str]) -> None:
    """Taking away what was added leads back, unless it was there before."""
    asked = Asked(path="/users", pairs=pairs)
    query = parse_qsl(urlsplit(asked.added(pair)).query)
    again = read("/users", query)
    assert pair in again.pairs
    assert again.without(pair) == written("/users", tuple(other for other in pairs if other != pair))


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", ()),
        ("model=gpt-4o error", (("model", "gpt-4o"), ("error", "true"))),
        ("-pending user=u1", (("pending", "false"), ("user_id", "u1"))),
        ('event="two words" property.a=b=c', (("event", "two words"), ("property.a", "b=c"))),
    ],
)
def test_words(text: str, pairs: tuple[tuple[str, str], ...]) -> None:
    """One line says several conditions."""
    assert words(text) == pairs


@pytest.mark.parametrize(("text", "said"), [("refund", "no condition"), ("model=", "no condition"), ('a="b', "quote")])
def test_words_that_say_nothing(text: str, said: str) -> None:
    """A word that is no condition is refused with an example of one."""
    with pytest.raises(FilterError, match=said):
        words(text)


def test_a_form_leads_to_an_address_to_keep() -> None:
    """Empty fields go, the free field and the property become conditions, a cursor does not outlive its filter."""
    sent = [("add", "error"), ("event", ""), ("model", "m"), ("property", "region=eu"), ("cursor", "x"), ("model", "m")]
    assert tidied("/events", sent) == "/events?model=m&error=true&property.region=eu"
    assert tidied("/events", [("event", "")]) == "/events"
    assert tidied("/events", [("model", "m")]) is None


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (("add", "moddel=x"), "model"),
        (("add", "since=soon"), "24h"),
        (("property", "region"), "region=eu"),
    ],
)
def test_a_form_that_says_nothing(sent: tuple[str, str], said: str) -> None:
    """What is wrong is told with what would do, and what was right stays."""
    asked = tidied("/events", [("model", "m"), sent])
    assert isinstance(asked, Asked)
    assert said in (asked.problem or "")
    assert ("model", "m") in asked.pairs


def test_relative_times_stay_relative() -> None:
    """`since=24h` in an address means the day before whenever it is opened."""
    asked = read("/events", [("since", "24h")])
    assert asked.here == "/events?since=24h"
    assert asked.where.since is not None
    assert asked.where.since.endswith("Z")


def test_every_condition_has_a_field() -> None:
    """The form offers all that a filter knows."""
    from raindrop_logging.workshop.pages.filter_bar import CHOICES, TEXTS

    assert {field.name for field in (*TEXTS, *CHOICES)} == KEYS
