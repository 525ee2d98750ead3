"""What import-linter cannot see of the architecture: what is loaded when, and how files are named and opened."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "raindrop_logging"
MODULES = sorted(PACKAGE.rglob("*.py"))
STAGES = sorted(path for path in PACKAGE.glob("_pipeline/*.py") if path.name != "__init__.py")

LATE = {
    "httpx",
    "jinja2",
    "markdown_it",
    "opentelemetry",
    "pythonjsonlogger",
    "rich",
    "starlette",
    "structlog",
    "uvicorn",
    "yaml",
}
VAGUE = {"common", "helpers", "manager", "misc", "utils"}
SHARED_WITH_THE_WORKSHOP = {"errors", "version", "vocabulary", "wire", "workshop"}
LABELS = ["In:", "Out:", "Touches:"]


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE.parent).as_posix()


def test_import_is_light() -> None:
    """`import raindrop_logging` loads none of the libraries that only some services need."""
    listing = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import raindrop_logging"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    imported = {line.rpartition("|")[2].strip() for line in listing.splitlines()}
    assert "raindrop_logging" in imported
    assert not {name for name in imported if name.partition(".")[0] in LATE}


def test_there_is_a_road() -> None:
    """The checks of every stage below have stages to check."""
    assert {"wiring", "listener", "capture", "router", "sender"} <= {path.stem for path in STAGES}


@pytest.mark.parametrize("path", STAGES, ids=_name)
def test_stage_opens_with_its_contract(path: Path) -> None:
    """The docstring of a stage says what goes in, what comes out and what it touches, in this order."""
    lines = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
    assert [label for line in lines for label in LABELS if line.startswith(label)] == LABELS


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_module_name_says_something(path: Path) -> None:
    """No module, and no package, is called by a word that would fit anything."""
    assert VAGUE.isdisjoint(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("path", [path for path in MODULES if path != PACKAGE / "__init__.py"], ids=_name)
def test_package_does_not_use_its_own_front(path: Path) -> None:
    """A module imports another module by its name: the names of `raindrop_logging/__init__.py` are for users."""
    modules = {entry.stem for entry in PACKAGE.iterdir()}
    assert _own_imports(path) <= modules


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("workshop/**/*.py")), ids=_name)
def test_workshop_stands_alone(path: Path) -> None:
    """The workshop knows the wire and the words; what a later module brings is not shared by accident."""
    assert _own_imports(path) <= SHARED_WITH_THE_WORKSHOP


def _own_imports(path: Path) -> set[str]:
    """What a module imports from the package, wherever in the file: the first name after `raindrop_logging`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    own = (name.split(".") for name in found)
    return {parts[1] if parts[1:] else "" for parts in own if parts[0] == "raindrop_logging"}
