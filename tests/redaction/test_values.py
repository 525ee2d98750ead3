"""Values of any shape: what is redacted wherever it stands, and a shape that stays."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from raindrop_logging.redaction import MAX_DEPTH, WHOLE, Redactor

REDACTOR = Redactor()
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("mail bob@example.com", "mail <REDACTED_EMAIL>"),
        (["bob@example.com", 1, None], ["<REDACTED_EMAIL>", 1, None]),
        (("bob@example.com", True), ("<REDACTED_EMAIL>", True)),
        ({"a": {"b": ["x", "bob@example.com"]}}, {"a": {"b": ["x", "<REDACTED_EMAIL>"]}}),
        (b"mail bob@example.com", b"mail <REDACTED_EMAIL>"),
        (b"\xff\xfe bob@example.com \x80", b"\xff\xfe <REDACTED_EMAIL> \x80"),
        (4111111111111111, "<REDACTED_CREDIT_CARD>"),
        (4111111111111111.0, "<REDACTED_CREDIT_CARD>"),
        ({4111111111111111: "x"}, {"<REDACTED_CREDIT_CARD>": "x"}),
        ({b"bob@example.com": 1}, {b"<REDACTED_EMAIL>": 1}),
        ({("bob@example.com", 1): 1}, {("<REDACTED_EMAIL>", 1): 1}),
    ],
    ids=repr,
)
def test_a_text_is_found_wherever_it_stands(value: Any, left: Any) -> None:
    """In lists, tuples, tables, bytes of any encoding, numbers and keys."""
    assert REDACTOR.value(value) == left


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, 7, -1, 1.5, float("inf"), 2**70, -(2**70), NOW, "", b"", [], {}, (), {None: 1, True: 2}],
    ids=repr,
)
def test_what_says_nothing_stays_the_very_value(value: Any) -> None:
    """Truth values, numbers, times and empty values come back as they are, and of their own type."""
    left = REDACTOR.value(value)
    assert left == value
    assert type(left) is type(value)


def test_what_was_given_is_not_changed() -> None:
    """The application's own value keeps its secrets to itself."""
    given = {"password": "hunter2", "list": ["bob@example.com"]}
    REDACTOR.value(given)
    assert given == {"password": "hunter2", "list": ["bob@example.com"]}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"to":"bob@example.com","n":1}', '{"to":"<REDACTED_EMAIL>","n":1}'),
        ('{ "to" : "bob\\u0040example.com",\n\t"n": 1.50 }', '{ "to" : "<REDACTED_EMAIL>",\n\t"n": 1.50 }'),
        ('{"password": {"old": [1, "}"]}, "n": 1}', '{"password": "<REDACTED_SECRET>", "n": 1}'),
        ('{"password": ["a", {"b": 2}]}', '{"password": "<REDACTED_SECRET>"}'),
        ('{"token": 12, "n": [4111111111111111]}', '{"token": "<REDACTED_SECRET>", "n": ["<REDACTED_CREDIT_CARD>"]}'),
        ('["caf\\u00e9 bob@example.com", "é"]', '["caf\\u00e9 <REDACTED_EMAIL>", "é"]'),
        ('["é bob@example.com"]', '["é <REDACTED_EMAIL>"]'),
        ('["\\ud800 bob@example.com é"]', '["\\ud800 <REDACTED_EMAIL> \\u00e9"]'),
        ('"mail \\"bob@example.com\\""', '"mail \\"<REDACTED_EMAIL>\\""'),
        ('{"bob@example.com": 1, "x": {"y": []}}', '{"<REDACTED_EMAIL>": 1, "x": {"y": []}}'),
        (
            '{"a@b.co": 1, "c@d.co": 2, "a@b.co": 3}',
            '{"<REDACTED_EMAIL>": 1, "<REDACTED_EMAIL> 2": 2, "<REDACTED_EMAIL> 3": 3}',
        ),
        ('{"args": "{\\"password\\": \\"hunter2\\"}"}', '{"args": "{\\"password\\": \\"<REDACTED_SECRET>\\"}"}'),
        ('["--password", "swordfish"]', '["--password", "<REDACTED_SECRET>"]'),
        ('[{"name": "Cookie", "value": "a=b"}]', '[{"name": "Cookie", "value": "<REDACTED_SECRET>"}]'),
        (
            '{"phone": 4155552671, "n": 123456789012345678901}',
            '{"phone": "<REDACTED_PHONE>", "n": 123456789012345678901}',
        ),
    ],
)
def test_json_in_a_text_is_read_and_keeps_its_own_hand(text: str, left: str) -> None:
    """Escapes hide nothing, and only the literals that are taken out are written anew."""
    assert REDACTOR.value(text) == left
    assert REDACTOR.value(text.encode()) == left.encode()
    json.loads(left)


def test_json_as_deep_as_it_gets() -> None:
    """A text that nobody could read is no way past the redactor, nor out of it."""
    deep = "[" * 200 + '"bob@example.com"' + "]" * 200
    assert json.loads(REDACTOR.value(deep))
    assert "bob" not in REDACTOR.value(deep)
    assert "bob" not in REDACTOR.value("[" * 200_000 + '"bob\\u0040example.com"' + "]" * 200_000)
    assert REDACTOR.value("[" * 200_000) == "[" * 200_000


def test_a_value_deeper_than_is_read_is_cut_there() -> None:
    """What lies below the last level that is read is taken out; everything above stays."""
    value: Any = "bob"
    for _ in range(MAX_DEPTH + 10):
        value = [value]
    left = REDACTOR.value(value)
    for _ in range(MAX_DEPTH):
        (left,) = left
    assert left == WHOLE


def test_a_value_deeper_than_the_stack_goes_whole() -> None:
    """A list in a list in a list, more often than Python can follow, does not raise."""
    value: Any = "bob@example.com"
    for _ in range(100_000):
        value = [value]
    assert "bob" not in repr(REDACTOR.value(value))
    while value.__class__ is list:  # taken apart by hand: deallocating it in one go is as deep
        value = value[0]


def test_two_keys_that_come_to_read_alike_stay_two() -> None:
    """Each keeps its value; what was there already keeps its name."""
    left = REDACTOR.value({"a@b.co": 1, "<REDACTED_EMAIL>": 2, "c@d.co": 3, "x": 4})
    assert left == {"<REDACTED_EMAIL> 2": 1, "<REDACTED_EMAIL>": 2, "<REDACTED_EMAIL> 3": 3, "x": 4}
    assert REDACTOR.value(left) == left
    assert REDACTOR.value({b"a@b.co": 1, b"c@d.co": 2}) == {b"<REDACTED_EMAIL>": 1, b"<REDACTED_EMAIL> 2": 2}


def test_the_callable_gets_every_text_once() -> None:
    """Keys and values, JSON as the text it is, after the categories."""
    heard: list[str] = []

    def hear(text: str) -> str:
        heard.append(text)
        return text.replace("ACME", "<CUSTOMER>")

    said = {"ACME": ["of ACME", b"ACME", '{"to": "bob@example.com"}'], "password": "ACME", "n": 1}
    assert Redactor(also=hear).value(said) == {
        "<CUSTOMER>": ["of <CUSTOMER>", b"<CUSTOMER>", '{"to": "<REDACTED_EMAIL>"}'],
        "password": "<REDACTED_SECRET>",
        "n": 1,
    }
    assert heard == ["ACME", "of ACME", "ACME", '{"to": "<REDACTED_EMAIL>"}', "password", "n"]


def test_a_failing_callable_costs_the_texts_it_fails_on() -> None:
    """The rest of the value stays, and so does its shape."""

    def fail_on_x(text: str) -> str:
        if "x" in text:
            raise LookupError
        return text

    said = {"a": ["x", "y"], "b": b"x", "x": 1}
    assert Redactor(also=fail_on_x).value(said) == {"a": [WHOLE, "y"], "b": WHOLE.encode(), WHOLE: 1}


def test_a_callable_that_answers_what_utf_8_cannot_say() -> None:
    """Bytes that it spoils are taken out whole."""
    assert Redactor(also=lambda text: text + "\ud800").value(b"x") in (WHOLE, WHOLE.encode())
