"""The signals that every Workshop has from the start, read from `defaults.toml`.

In: the data file beside this module.  Out: drafts by their id.  Touches: that file.
What the vendor calls Forgetting has no rule: it takes a judgement over several turns.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, Final

import msgspec

from raindrop_logging.workshop.signals.rules import Definition, Draft, checked

HEURISTIC: Final = "heuristic"
"""What pages and API write beside a signal that only word lists and patterns carry."""

TOOL_ERROR: Final = "tool_error"

_BRACES: Final = re.compile(r"\{([^{}]*)\}")


@cache
def default_drafts() -> Mapping[str, Draft]:
    """Each default signal by its id, which is its name as well."""
    text = files("raindrop_logging.workshop.signals").joinpath("defaults.toml").read_text("utf-8")
    return {name: _draft(name, table) for name, table in tomllib.loads(text).items()}


def expanded(phrase: str) -> tuple[str, ...]:
    """The phrases that one with alternatives in braces stands for: ``"{a,b} c"`` is ``"a c"`` and ``"b c"``."""
    pieces = _BRACES.split(phrase)  # outside and inside take turns
    choices = [piece.split(",") if number % 2 else [piece] for number, piece in enumerate(pieces)]
    return tuple("".join(chosen) for chosen in product(*choices))


def _draft(name: str, table: dict[str, Any]) -> Draft:
    about = {key: table.pop(key) for key in ("description", "sentiment") if key in table}
    keywords = [phrase for written in table.pop("keywords", ()) for phrase in expanded(written)]
    definition = msgspec.convert({**table, "keywords": tuple(dict.fromkeys(keywords))}, Definition)
    return checked(Draft(name=name, definition=definition, **about))
