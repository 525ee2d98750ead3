"""What a rule signal is: which text of an event it looks at, and what must stand there.

In: definitions as users and the data file write them.  Out: checked values.  Touches: nothing.
A signal is found by rules here, or sent by an SDK (`records.Signal`); only rules have definitions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from raindrop_logging.workshop.signals.patterns import compiled

Place = Literal["input", "output", "tool_error"]
On = Literal["input", "output", "either", "tool_error"]
Kind = Literal["keywords", "regex", "short_output", "tool_error", "instrumented"]
Sentiment = Literal["POSITIVE", "NEGATIVE"]
State = Literal["active", "backfilling", "paused"]
Origin = Literal["default", "user", "sdk"]

MAX_NAME: Final = 100
MAX_DESCRIPTION: Final = 1_000
MAX_KEYWORDS: Final = 2_000
MAX_KEYWORD: Final = 200
MAX_PATTERNS: Final = 50
MAX_PATTERN: Final = 2_000
MAX_SHORT: Final = 10_000

_PLACES: Final[dict[On, tuple[Place, ...]]] = {
    "input": ("input",),
    "output": ("output",),
    "either": ("input", "output"),
    "tool_error": ("tool_error",),
}


class SignalError(Exception):
    """What was asked of a signal cannot be done; the message says why."""


class UnknownSignalError(SignalError):
    """No signal has this id, or the event has no such signal."""


class SignalConflictError(SignalError):
    """This signal does not allow it, or its name is taken."""


class InvalidRuleError(SignalError):
    """A definition that cannot be; `field` names the part, such as ``definition.patterns[0]``."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Definition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text hits when one of the keywords or patterns is in it, or when it is an output that is too short.

    `keywords` are words or phrases: whole words, in any case. `patterns` are regular expressions of the library
    `regex`, in any case unless `case_sensitive`. `only_with` saves time: patterns are tried only in texts that hold
    one of these words. A text that holds one of the patterns of `unless` is no hit. `shorter_than` counts characters
    of a final output without the white space around it. On ``tool_error`` without keywords and patterns, each failed
    tool call is a hit.
    """

    on: On
    keywords: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    only_with: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    shorter_than: int | None = None
    case_sensitive: bool = False

    @property
    def places(self) -> tuple[Place, ...]:
        """The texts it looks at."""
        return _PLACES[self.on]

    @property
    def kind(self) -> Kind:
        """What it is mostly made of, in a word for people."""
        if self.patterns:
            return "regex"
        if self.keywords:
            return "keywords"
        return "tool_error" if self.on == "tool_error" else "short_output"


class Draft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule signal as someone writes it down."""

    name: str
    definition: Definition
    description: str = ""
    sentiment: Sentiment | None = None
    enabled: bool = True


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule signal as it is stored: each change of its definition makes a new version."""

    signal_id: str
    version: int
    draft: Draft
    origin: Origin = "user"
    state: State = "active"
    reason: str | None = None

    @property
    def applies(self) -> bool:
        """Whether it is asked of events that arrive."""
        return self.draft.enabled and self.state != "paused"


def checked(draft: Draft) -> Draft:
    """The draft, when it can be stored and judged with.

    Raises:
        InvalidRuleError: naming the field and the rule it breaks.
    """
    if not draft.name.strip() or len(draft.name) > MAX_NAME or not draft.name.isprintable():
        raise InvalidRuleError("name", f"name has 1 to {MAX_NAME} printable characters")
    if len(draft.description) > MAX_DESCRIPTION:
        raise InvalidRuleError("description", f"description has at most {MAX_DESCRIPTION} characters")
    checked_definition(draft.definition)
    return draft


def checked_definition(definition: Definition) -> Definition:
    """The definition, when it can be judged with.

    Raises:
        InvalidRuleError: naming the field and the rule it breaks.
    """
    for field, message in _problems(definition):
        raise InvalidRuleError(f"definition.{field}", message)
    return definition


def _problems(definition: Definition) -> Iterator[tuple[str, str]]:
    yield from _list_problems("keywords", definition.keywords, MAX_KEYWORDS, MAX_KEYWORD)
    yield from _list_problems("only_with", definition.only_with, MAX_KEYWORDS, MAX_KEYWORD)
    for number, word in enumerate(definition.only_with):
        if not re.fullmatch(r"\w+", word):
            yield f"only_with[{number}]", f"{word[:40]!r} is not one word"
    for field in ("patterns", "unless"):
        patterns: tuple[str, ...] = getattr(definition, field)
        yield from _list_problems(field, patterns, MAX_PATTERNS, MAX_PATTERN)
        for number, pattern in enumerate(patterns):
            problem = _pattern_problem(pattern)
            if problem:
                yield f"{field}[{number}]", problem
    yield from _condition_problems(definition)


def _list_problems(field: str, texts: tuple[str, ...], most: int, longest: int) -> Iterator[tuple[str, str]]:
    if len(texts) > most:
        yield field, f"{field} holds at most {most}"
    for number, text in enumerate(texts):
        if not text.strip() or len(text) > longest:
            yield f"{field}[{number}]", f"it has 1 to {longest} characters, not only white space"


def _pattern_problem(pattern: str) -> str | None:
    try:
        compiled(pattern)
    except ValueError as error:
        return str(error)
    return None


def _condition_problems(definition: Definition) -> Iterator[tuple[str, str]]:
    short = definition.shorter_than
    if short is not None and not 1 <= short <= MAX_SHORT:
        yield "shorter_than", f"shorter_than is a number of characters from 1 to {MAX_SHORT}"
    if short is not None and definition.on != "output":
        yield "shorter_than", 'shorter_than is asked of outputs: say "on": "output"'
    if not (definition.keywords or definition.patterns or short or definition.on == "tool_error"):
        yield "keywords", "a signal needs keywords, patterns or shorter_than"
