"""However it is written, and however a value holds it, a secret does not survive; and nothing else is touched."""

# ruff: noqa: RUF001 -- people write in their own signs

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from raindrop_logging.redaction import TOKENS, WHOLE, Redactor
from tests.redaction.test_left_alone import LEFT_ALONE
from tests.redaction.test_texts import CAUGHT

REDACTOR = Redactor()
TOKEN = re.compile("|".join(re.escape(token) for token in TOKENS.values()))

# ---- what must not survive ----

letters = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
emails = st.builds(
    "{}{}{}@{}.{}".format,
    letters,
    st.sampled_from(["", ".", "+", "_", "-", "%"]),
    letters,
    letters.map(lambda label: f"mail.{label}"),
    st.sampled_from(["com", "co.uk", "museum", "xn--p1ai", "рф"]),
)


def _with_check_digit(digits: str) -> str:
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[::-2])
    return digits + str(-(doubled + sum(map(int, digits[-2::-2]))) % 10)


cards = st.builds(
    lambda issuer, rest: _with_check_digit((issuer[0] + rest)[: issuer[1] - 1]),
    st.sampled_from(
        [("4", 16), ("51", 16), ("2221", 16), ("2720", 16), ("34", 15), ("6011", 16), ("3589", 16), ("36", 14)]
    ),
    st.text("0123456789", min_size=18, max_size=18),
)
keys = st.builds(
    "{}{}7x".format,
    st.sampled_from(["sk-", "sk-proj-", "ghp_", "github_pat_", "glpat-", "xoxb-", "rk_", "sk_live_", "npm_", "hf_"]),
    st.text("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=34, max_size=60),
)
secrets = emails | cards | keys

# ---- what a value may be ----

texts = st.text(max_size=40)
around = texts.map(lambda text: text.replace("<", "").replace("\ud800", ""))
fragments = st.sampled_from([*LEFT_ALONE, *(text for table in CAUGHT.values() for text, _ in table)]) | texts
anything = st.lists(fragments, max_size=5).map("".join)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | anything
    | st.text(st.characters(exclude_categories=()), max_size=20)
    | st.binary(max_size=20)
    | st.datetimes()
)
names = anything | st.sampled_from(
    ["password", "api_key", "token", "first_name", "phone", "value", "name", "a@b.co", "c@d.co"]
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names | st.integers(), inner, max_size=4)
)

Wrapping = Callable[[Any], Any]
wrappings: st.SearchStrategy[list[Wrapping]] = st.lists(
    st.sampled_from(
        [
            lambda said: [1, said, None],
            lambda said: (said,),
            lambda said: {"said": said, "n": 1},
            lambda said: {said: 1, "x": [said]} if isinstance(said, str | bytes) else {"said": [said]},
            lambda said: said.encode() if isinstance(said, str) else [said],
            lambda said: json.dumps(_plain(said)),
            lambda said: json.dumps({"said": _plain(said), "_": "é"}, ensure_ascii=False, indent=2),
            lambda said: json.dumps([_plain(said), {}], separators=(",", ":")),
        ]
    ),
    max_size=5,
)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_plain(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value.decode() if isinstance(value, bytes) else value


def _said(value: Any) -> Iterator[str]:
    """Every text in a value, as whoever receives it can read it."""
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _said(entry)
        return
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    yield text
    try:
        parsed = json.loads(text)
    except ValueError:
        return
    if isinstance(parsed, str | list | dict):
        yield from _said(parsed)


@given(secrets, around, around, st.sampled_from([" ", "\n", ", ", "(", "：", "：“"]), wrappings)
@settings(max_examples=300, deadline=None)
def test_a_planted_secret_never_survives(
    secret: str, before: str, after: str, gap: str, wrapped: list[Wrapping]
) -> None:
    """In any text, in any nesting of lists, tables, keys, bytes and JSON, written in any way."""
    value: Any = f"{before}{gap}{secret} {after}"
    for wrap in wrapped:
        value = wrap(value)
    assert not [text for text in _said(REDACTOR.value(value)) if secret in text]


@given(cards, wrappings)
@settings(deadline=None)
def test_a_card_as_a_number_never_survives(card: str, wrapped: list[Wrapping]) -> None:
    """A number is a text without quotes."""
    value: Any = int(card)
    for wrap in wrapped:
        value = wrap(value)
    assert not [text for text in _said(REDACTOR.value(value)) if card in text]


@given(texts.filter(str.strip), st.sampled_from(["password", "API_KEY", "x-access-token", "clientSecret"]), wrappings)
@settings(deadline=None)
def test_nothing_survives_under_a_secret_name(secret: str, name: str, wrapped: list[Wrapping]) -> None:
    """Whatever the secret looks like, a name is enough."""
    value: Any = {name: f"#{secret}#"}
    for wrap in wrapped:
        value = wrap(value)
    assert not [text for text in _said(REDACTOR.value(value)) if f"#{secret}#" in text]


@given(anything)
@settings(max_examples=300, deadline=None)
def test_text_around_is_untouched(text: str) -> None:
    """What is left between the tokens stands in the text, in that order, from its beginning to its end."""
    first, *between = TOKEN.split(REDACTOR.text(text))
    assert text.startswith(first)
    at = len(first)
    for piece in between:
        found = text.find(piece, at)
        assert found >= at
        at = found + len(piece)
    assert text.endswith(between[-1] if between else first)


@given(anything)
@settings(max_examples=300, deadline=None)
@example("Dear Mr. Smith and Mrs. Jones and Bob, password: <REDACTED_EMAIL>x")
def test_redacting_a_text_twice_is_redacting_it_once(text: str) -> None:
    """The second time nothing is found, because the first went on until nothing was."""
    once = REDACTOR.text(text)
    assert REDACTOR.text(once) == once


@given(values)
@settings(max_examples=200, deadline=None)
@example({'{"cookies": []}': None})
@example({"Authorization: Bearer sk-123": 0, "token: <REDACTED_PHONE>": "4155552671"})
def test_redacting_a_value_twice_is_redacting_it_once(value: Any) -> None:
    """The same for values, keys included."""
    once = REDACTOR.value(value)
    assert repr(REDACTOR.value(once)) == repr(once)


@given(values)
@settings(max_examples=200, deadline=None)
def test_a_value_keeps_its_shape(value: Any) -> None:
    """Containers keep their kind, their length and their order; a leaf stays what it is or becomes a text."""
    assert _fits(REDACTOR.value(value), value)


def _fits(left: Any, value: Any) -> bool:
    if left in (*TOKENS.values(), WHOLE):
        return True
    if isinstance(value, dict):
        return len(left) == len(value) and all(map(_fits, left.values(), value.values()))
    if isinstance(value, list):
        return len(left) == len(value) and all(map(_fits, left, value))
    return type(left) is type(value)


@given(
    st.dictionaries(
        names | st.sampled_from(["input", "properties", "attachments", "messages", "tools"]), values, max_size=6
    )
)
@settings(max_examples=200, deadline=None)
def test_a_block_of_anything_never_raises(block: dict[Any, Any]) -> None:
    """Right or wrong, a block comes back with as many fields."""
    assert len(REDACTOR.block(block)) == len(block)
