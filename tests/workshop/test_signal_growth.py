"""Judging with the built-in signals costs no more than a text's length, whatever the text is made of.

Nobody measures these rules while they are asked, so this must hold of them. Measured in this thread's own processor
time, as the ratio between a text and one eight times as long: a pattern that goes back over what it has read would need
64 times as much. Long runs are cut at `MAX_JUDGED`, so both lengths stay below it.
"""

from __future__ import annotations

import time
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raindrop_logging.workshop.signals.defaults import default_drafts
from raindrop_logging.workshop.signals.judge import MAX_JUDGED, Judge
from raindrop_logging.workshop.signals.rules import Definition, Draft, Rule

RULES: Final = tuple(
    Rule(signal_id=name, version=1, draft=draft, origin="default") for name, draft in default_drafts().items()
)
PATTERNS: Final = [
    (name, pattern)
    for name, draft in default_drafts().items()
    for pattern in (*draft.definition.patterns, *draft.definition.unless)
]
LONG: Final = MAX_JUDGED
TIMES_LONGER, AT_MOST = 8, 24
SHORT: Final = LONG // TIMES_LONGER
TRIES: Final = 5
"""A collection of garbage may fall into a measurement; what grows too fast does so each time."""
LEAST_SECONDS: Final = 1e-3
"""Below it a ratio tells nothing."""

MEETING: Final = " ".join(dict.fromkeys(word for rule in RULES for word in rule.draft.definition.only_with))
"""Words that make every pattern worth asking: in front of a text, so that none is left out."""

REPEATED: Final = [
    "a", "A ", "1", ".", "...", "!", "?", "-", "_", "'", "\u2019", '"', "`", "[", "]", "[insert ", "(", "{",
    " ", "\n", "\t", "\r\n", " \n", "a.", "a, ", "a\n", "\u00e9", "\u65e5", "\u65e5\u672c", "\u0e01",
    "\U0001f600", "\ud800", "\0", "n/a ", "none ", "no output ", "ok ", "done.", "placeholder", "TODO ",
    "insert a-b ", "[insert a b c d ", "i ", "i am ", "i'm ", "i can't ", "i cannot ", "sorry ",
    "sorry, but i ", "as an ai ", "unable to ", "not able to ", "you ", "you are ", "you're not ",
    "that's not ", "that is not what ", "wrong ", "again ", "told you ", "already ", "thanks ", "thank you ",
    "works ", "it worked ", "perfect ", "great ", "not great ", "exactly ", "ignore ", "ignore all ",
    "ignore previous ", "instructions ", "system prompt ", "pretend ", "act as ", "dan ", "<|", "kill ",
    "kill myself ", "sex ", "naked ", "suicide ", "fuck ", "don't ", "not ", "no ", "never ",
]  # fmt: skip
"""What some pattern or keyword begins with, or goes on with, over and over."""


def _seconds(judge: Judge, text: str) -> float:
    begun = time.thread_time()
    judge.judge({"input": text, "output": text, "tool_error": text})
    return time.thread_time() - begun


def _grows_too_fast(judge: Judge, start: str, unit: str) -> bool:
    """Whether each try needs more than `AT_MOST` times as much for a text that is `TIMES_LONGER` as long."""
    long = (start + unit * (LONG // len(unit) + 1))[:LONG]
    return all(
        _seconds(judge, long) > AT_MOST * max(_seconds(judge, long[:SHORT]), LEAST_SECONDS) for _ in range(TRIES)
    )


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("start", ["", MEETING + " "])
def test_repeated_pieces_cost_no_more_than_their_length(start: str) -> None:
    """Beginnings without an end, ends without a beginning, in texts of a hundred thousand characters."""
    judge = Judge(RULES)
    assert [unit for unit in REPEATED if _grows_too_fast(judge, start, unit)] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(REPEATED), min_size=2, max_size=4).map("".join),
    st.sampled_from(["", MEETING + " ", "[", "\n"]),
)
def test_mixed_pieces_cost_no_more_than_their_length(unit: str, start: str) -> None:
    """The same for what no one thought of: several such pieces in turn."""
    assert not _grows_too_fast(Judge(RULES), start, unit)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("name", "pattern"), PATTERNS, ids=[f"{name}-{at}" for at, (name, _) in enumerate(PATTERNS)])
def test_each_pattern_alone(name: str, pattern: str) -> None:
    """No other rule's hit, and no missing word, keeps a pattern from the text."""
    definition = Definition(on="input", patterns=(pattern,))
    judge = Judge([Rule(signal_id=name, version=1, draft=Draft(name=name, definition=definition), origin="default")])
    assert [unit for unit in REPEATED if _grows_too_fast(judge, "", unit)] == []


def test_a_pattern_that_goes_back_is_noticed() -> None:
    """What these tests look for is something they find."""
    definition = Definition(on="input", patterns=("a+[^a!]",))
    judge = Judge(
        [Rule(signal_id="slow", version=1, draft=Draft(name="slow", definition=definition), origin="default")]
    )
    short, long = _seconds(judge, "a" * 500 + "!"), _seconds(judge, "a" * TIMES_LONGER * 500 + "!")
    assert long > AT_MOST * short
