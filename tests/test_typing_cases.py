"""`tests/typing`, which mypy and pyright check, leaves no builder and no TypedDict out, used right and wrong."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, Required, get_origin, get_type_hints, is_typeddict

import pytest

from raindrop_logging import extra, vocabulary

TYPING = Path(__file__).parent / "typing"
SHOULD_BE = {"right", "wrong key", "wrong type"}
IGNORED = re.compile(r"# type: ignore\[[a-z-]+\]  # pyright: ignore\[\w+\]  # (wrong|missing)")

BUILDERS = {name: function for name, function in inspect.getmembers(extra, inspect.isfunction) if name[0] != "_"}
BLOCKS = {name: found for name, found in vars(vocabulary).items() if is_typeddict(found)}


def _cases(path: Path, use: str) -> set[str]:
    """The labels of a file's lines that have this use."""
    lines = [line for line in path.read_text().splitlines() if re.match(use, line)]
    return {line.rpartition("# ")[2] for line in lines}


def _needs(fields: Any) -> set[str]:
    hints = get_type_hints(fields, include_extras=True).values()
    return {"missing key"} if any(get_origin(hint) is Required for hint in hints) else set()


@pytest.mark.parametrize("name", BUILDERS)
def test_every_builder_has_its_cases(name: str) -> None:
    """A right use, a wrong key, a wrong type and, where one is needed, a missing key."""
    (fields,) = inspect.get_annotations(BUILDERS[name], eval_str=True)["fields"].__args__
    assert _cases(TYPING / "builders.py", rf"extra\.{name}\(") == SHOULD_BE | _needs(fields)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_typed_dict_has_its_cases(name: str) -> None:
    """As for the builders."""
    assert _cases(TYPING / "blocks.py", rf"\w+: {name} = ") == SHOULD_BE | _needs(BLOCKS[name])


def test_there_is_something_to_look_at() -> None:
    """All eight builders and the shapes they take are among what is checked here."""
    assert set(BUILDERS) == set(vocabulary.RECORD_TYPES)
    assert {"AiDict", "AttachmentDict", "MessageDict", "SpanDict"} <= set(BLOCKS)


@pytest.mark.parametrize("file", ["builders.py", "blocks.py"])
def test_every_wrong_use_is_said_to_both(file: str) -> None:
    """The error is named for mypy and for pyright; both refuse a name for what is no error."""
    wrong = [line for line in (TYPING / file).read_text().splitlines() if re.search(r"# (wrong|missing) \w+$", line)]
    assert wrong
    assert [line for line in wrong if not IGNORED.search(line)] == []
