"""What the files in `bad/` and `good/` say about themselves, in their first lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

from msgspec import Struct

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad").iterdir())
GOOD = sorted((HERE / "good").iterdir())


class Expected(Struct, frozen=True):
    """The findings that a file must give, as ``CODE path``, and what it is checked for."""

    findings: list[str]
    python: tuple[int, int] | None
    env: bool


def expected_of(path: Path) -> Expected:
    """What a file says about itself: keys with an underscore in JSON, else comments at the top."""
    text = path.read_text()
    if path.suffix == ".json":
        said = json.loads(text)
        python = said.get("_python")
        return Expected(said.get("_expect", []), _version(python), said.get("_env", False))
    findings = re.search(r"^# must find: (.*)$", text, re.MULTILINE)
    python = re.search(r"^# on Python (.*)$", text, re.MULTILINE)
    listed = findings[1].split("; ") if findings else []
    return Expected(listed, _version(python[1] if python else None), env=False)


def _version(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    major, minor = text.split(".")
    return int(major), int(minor)
