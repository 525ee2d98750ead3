"""The handler's key `redact`: nothing, everything, some categories, or a callable of the application's."""

from __future__ import annotations

from typing import Any

import pytest

from raindrop_logging.errors import SettingsError
from raindrop_logging.redaction import CATEGORIES, TOKENS, Redactor, read_redactor

SAID = "mail bob@example.com, password=hunter2"


def shout(text: str) -> str:
    """Stands for an application's own redaction."""
    return text.upper()


async def later(text: str) -> str:
    """What cannot be called from a log call."""
    return text


class Rules:
    """A holder of redactions."""

    @staticmethod
    def whisper(text: str) -> str:
        """Stands for one that is kept in a class."""
        return text.lower()


NOT_CALLABLE = "a text"


def _redact(said: Any, text: str) -> str:
    redactor = read_redactor(said)
    assert redactor is not None
    return redactor.text(text)


def test_false_is_none() -> None:
    """Without redaction there is no redactor to pass."""
    assert read_redactor(said=False) is None


def test_true_is_every_category() -> None:
    """The whole table."""
    assert _redact(True, SAID) == "mail <REDACTED_EMAIL>, password=<REDACTED_SECRET>"


@pytest.mark.parametrize("said", [["emails"], ("emails",), "emails"], ids=repr)
def test_a_list_is_those_categories(said: Any) -> None:
    """And no other; one may come as a text alone."""
    assert _redact(said, SAID) == "mail <REDACTED_EMAIL>, password=hunter2"


def test_order_is_the_categories_own() -> None:
    """However they are listed, a text comes out the same."""
    assert _redact(list(CATEGORIES), SAID) == _redact(list(reversed(CATEGORIES)), SAID)


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("tests.redaction.test_choosing:shout", "MAIL <REDACTED_EMAIL>, PASSWORD=<REDACTED_SECRET>"),
        ("tests.redaction.test_choosing.shout", "MAIL <REDACTED_EMAIL>, PASSWORD=<REDACTED_SECRET>"),
        ("tests.redaction.test_choosing:Rules.whisper", "mail <redacted_email>, password=<redacted_secret>"),
        ("html.escape", "mail &lt;REDACTED_EMAIL&gt;, password=&lt;REDACTED_SECRET&gt;"),
    ],
)
def test_a_path_is_every_category_and_then_that_callable(path: str, left: str) -> None:
    """With a colon or without one, as loggers and entry points write it."""
    assert _redact(path, SAID) == left


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (["email"], "'redact' names 'email'; did you mean 'emails'?"),
        (["emails", "Credit Cards"], "did you mean 'credit_cards'?"),
        (["everything"], r"the categories are credentials, .*, names"),
        ([7], "'redact' names 7"),
        ([], "it must be true, false, a list of categories, or the path of a callable"),
        (7, "'redact' is 7: it must be"),
        (None, "it must be"),
        ({"emails": True}, "it must be"),
        ("shop.redaction:clean", r"importing it failed, ModuleNotFoundError: No module named 'shop'"),
        ("tests.redaction.test_choosing:missing", "importing it failed, AttributeError"),
        ("not a path.", "'redact' is 'not a path.': importing it failed"),
        (":", "importing it failed"),
        ("tests.redaction.test_choosing:NOT_CALLABLE", "that is a str, and must be a callable"),
        ("tests.redaction.test_choosing:later", "that is a coroutine function"),
    ],
    ids=repr,
)
def test_what_cannot_work_says_why(said: Any, why: str) -> None:
    """The key, the value and the rule, with a guess where a category is misspelt."""
    with pytest.raises(SettingsError, match=why):
        read_redactor(said)


def test_a_redactor_knows_its_categories_too() -> None:
    """Made in code, it refuses the same."""
    with pytest.raises(SettingsError, match="did you mean 'ssns'"):
        Redactor(["ssn"])


def test_every_category_has_a_token_of_its_own() -> None:
    """The tokens are those of the official SDK."""
    assert list(TOKENS.values()) == [
        "<REDACTED_CREDENTIALS>",
        "<REDACTED_CREDIT_CARD>",
        "<REDACTED_EMAIL>",
        "<REDACTED_PHONE>",
        "<REDACTED_SSN>",
        "<REDACTED_SECRET>",
        "<REDACTED_ADDRESS>",
        "<REDACTED_NAME>",
    ]
