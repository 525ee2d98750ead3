"""The work grows with the length of a text and no faster, whatever the text is made of.

Measured in this thread's own processor time, as the ratio between a text and one eight times as long: a pattern that
goes back over what it has read would need 64 times as much.
"""

from __future__ import annotations

import time

import pytest

from raindrop_logging.redaction import Redactor

REDACTOR = Redactor()
TIMES_LONGER, AT_MOST = 8, 24
TRIES = 5
"""A collection of garbage may fall into a measurement; what grows too fast does so each time."""

REPEATED = [
    *(
        "a",
        "A ",
        "1",
        "1 ",
        "1-",
        "0 1 ",
        "é",
        "_",
        "-",
        "=",
        ":",
        "'",
        '"',
        "`",
        "\\",
        "\\'",
        "<b>",
        "</b>",
        "{",
        "[",
        "(",
    ),
    *(
        " ",
        "\t",
        "\n",
        "a b=",
        "a b-c.d ",
        "key:\n",
        "</td><td>",
        "<REDACTED",
        "<REDACTED_EMAIL>",
        "a_",
        "_-",
        "=>",
        "\u2e80",
    ),
    *("password:", "password=", 'password="', "password: <b>", "password is ", "password for a ", "password='a"),
    *(
        "token=(",
        "token='",
        "token=a,",
        "token=a;",
        "token=\\'",
        '\\"token\\": \\"',
        "api key ",
        "--token ",
        "auth:\n a:",
    ),
    *("sk-", "sk-a1B2c3D4e5F6a1B2c3D4 ", "ghp_", "xoxb-", "AKIA", "12345678:AA", "MAAA.", "SG.aaaaaaaaaaaaaaaa."),
    *("eyJ-", "eyJa.", "Bearer ", "bearer a1", "basic aaaaaa", "-----BEGIN PRIVATE KEY-----", "curl ", "curl -u "),
    *("http://a:", "http://a:b", "://", "?sig=", "Cookie: a=", "pin: 1"),
    *("a@", "@a.", ".@", "a.a.", "@a.b", "a@b.co ", "%40", "4111 ", "4111-", "4111111111111111 "),
    *("+1", "+44 ", "555-", "(415) ", "call ", "123-45-", "123 45 6789 ", "ssn "),
    *(
        "1 Aaaa ",
        "12 Main ",
        "A straße ",
        "PO Box 1 ",
        "1 rue A ",
        "Calle A ",
        "Via A ",
        "Am A ",
        "A, AL ",
        "i live at 1 a ",
    ),
    *("Dear ", "Hi Bob and ", "Thanks,\n", "my name is A ", "Mr. A", "I'm A ", "Mr. A van ", "我叫", "A-"),
    *('{"a":', "[1,", '"a" ', '{"password": ['),
]
"""What a pattern of some category begins with, or goes on with, over and over."""

RUNS = [
    *(
        "password=",
        'password="',
        "token: ",
        "Bearer ",
        "sk-",
        "eyJ",
        "Cookie: a=",
        "https://u:",
        "mail ",
        "Dear ",
        "12 ",
    ),
    *(
        "password is ",
        "my name is ",
        "-----BEGIN PRIVATE KEY-----\n",
        "Authorization: Digest a=",
        "+1 ",
        "PO Box ",
        '{"',
    ),
]


def _seconds(text: str, times: int = 2) -> float:
    def once() -> float:
        before = time.thread_time()
        REDACTOR.value(text)
        return time.thread_time() - before

    return min(once() for _ in range(times))


def _growth(unit: str, length: int, times: int = 2) -> float:
    text = unit * (TIMES_LONGER * length // len(unit) + 1)
    return _seconds(text[: TIMES_LONGER * length], times) / max(_seconds(text[:length]), 2e-4)


@pytest.mark.parametrize("unit", REPEATED)
def test_repeating_what_a_pattern_looks_for_costs_no_more_than_its_length(unit: str) -> None:
    """Beginnings without an end, ends without a beginning, and things to find one after another."""
    assert any(_growth(unit, 1_000) < AT_MOST for _ in range(TRIES))


@pytest.mark.parametrize("start", RUNS)
@pytest.mark.parametrize("unit", ["a", "1", "a1", "A b ", "a.", "-", "/", "é@"])
def test_a_run_behind_what_a_pattern_looks_for_costs_no_more_than_its_length(start: str, unit: str) -> None:
    """One beginning, and then what could go on for ever."""
    short, long = start + unit * (1_000 // len(unit)), start + unit * (TIMES_LONGER * 1_000 // len(unit))
    assert any(_seconds(long) / max(_seconds(short), 2e-4) < AT_MOST for _ in range(TRIES))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand_characters_cost_no_more_than_their_length() -> None:
    """The same for texts as long as a conversation gets."""
    growing = {unit: ratio for unit in REPEATED if (ratio := _growth(unit, 12_500, times=1)) >= AT_MOST}
    assert growing == {}
