"""What the doctor's tests start from: a visit, told as JSON, whose every word is searched for the write key."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CANARY = "rk_canary_5f1d0c7e"
FRAGMENT = CANARY[:10]

Check = dict[str, Any]


class Visit:
    """What the doctor said, and its exit code."""

    def __init__(self, code: int, report: dict[str, Any]) -> None:
        self.code = code
        self.report = report
        self.all: list[Check] = [*report["checks"], *(one for own in report["handlers"] for one in own["checks"])]

    def __getitem__(self, name: str) -> Check:
        (found,) = (check for check in self.all if check["name"] == name)
        return found

    def states(self, section: str) -> dict[str, str]:
        """State by name of the checks in one section."""
        return {check["name"]: check["state"] for check in self.all if check["section"] == section}

    @property
    def failed(self) -> list[str]:
        """Names of what failed."""
        return [check["name"] for check in self.all if check["state"] == "fail"]

    @property
    def warned(self) -> list[str]:
        """Names of what was warned of."""
        return [check["name"] for check in self.all if check["state"] == "warn"]

    @property
    def keys(self) -> dict[str, tuple[Any, str]]:
        """Value and origin of each key of the first handler."""
        return {name: (key["value"], key["from"]) for name, key in self.report["handlers"][0]["keys"].items()}


Ask = Callable[..., Visit]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Ask]:
    """Visits the doctor in this process with a key in the environment, as JSON and with a short patience."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("RAINDROP_WRITE_KEY", CANARY)

    def visit(*words: str, **environ: str | None) -> Visit:
        for name, value in environ.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        capsys.readouterr()
        patience = () if "--timeout" in words else ("--timeout", "2")
        code = main(["doctor", "--json", *patience, *words])
        told = capsys.readouterr()
        assert FRAGMENT not in told.out + told.err
        assert told.err == ""
        return Visit(code, json.loads(told.out))

    yield visit
    assert FRAGMENT not in "".join(capsys.readouterr())


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., str]:
    """Writes a dictConfig file: one handler of ours with these keys, on the root logger unless said otherwise."""

    def write(table: dict[str, Any] | None = None, /, **keys: Any) -> str:
        whole = {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"raindrop": {"class": "raindrop_logging.RaindropHandler", **keys}},
            "root": {"level": "INFO", "handlers": ["raindrop"]},
            **(table or {}),
        }
        path = tmp_path / "logging.json"
        path.write_text(json.dumps(whole))
        return str(path)

    return write
