"""What is handed out: the wheel, its command, what its metadata claims, and the top level of the repository."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
TOP_LEVEL = {"pyproject.toml", "README.md", "LICENSE", "raindrop_logging", "tests", "examples", "configs"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The table [project] of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return table


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """Every file of the repository, as git has it."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a git checkout")
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listing.stdout.rstrip("\0").split("\0")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """The wheel as a release would build it."""
    target = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (built,) = target.glob("*.whl")
    return ZipFile(built)


def test_wheel_is_typed(wheel: ZipFile) -> None:
    """Type checkers read the package's own annotations."""
    assert "raindrop_logging/py.typed" in wheel.namelist()


def test_wheel_holds_the_package(wheel: ZipFile, tracked: list[str]) -> None:
    """Every tracked file of the package is in the wheel, static files too, and beside it only what pytest loads."""
    expected = {name for name in tracked if name.startswith("raindrop_logging/") and (ROOT / name).exists()}
    expected = {name.removeprefix("raindrop_logging/_pytest11/") for name in expected}
    assert expected <= set(wheel.namelist())
    folders = {name.partition("/")[0] for name in wheel.namelist()}
    assert {name for name in folders if not name.endswith(".dist-info")} == {
        "raindrop_logging",
        "raindrop_logging_pytest.py",
    }


def test_console_script(wheel: ZipFile) -> None:
    """The wheel brings the command `raindrop-logging`, and what it names can be called."""
    (declared,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert "raindrop-logging = raindrop_logging.cli:main" in wheel.read(declared).decode().splitlines()
    (script,) = entry_points(group="console_scripts", name="raindrop-logging")
    assert callable(script.load())


def test_pytest_plugin(wheel: ZipFile) -> None:
    """The wheel names what pytest loads, which is there, beside the package."""
    (declared,) = (name for name in wheel.namelist() if name.endswith("/entry_points.txt"))
    assert "raindrop = raindrop_logging_pytest" in wheel.read(declared).decode().splitlines()
    assert "raindrop_logging_pytest.py" in wheel.namelist()


def test_classifiers_list_what_ci_runs(project: dict[str, Any]) -> None:
    """The Pythons of the classifiers are those of the CI matrix that must pass, from `requires-python` on."""
    stem = "Programming Language :: Python :: 3."
    claimed = ["3." + name.removeprefix(stem) for name in project["classifiers"] if name.startswith(stem)]
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    matrix = re.search(r"^ +python: \[(.*)\]$", workflow, re.MULTILINE)
    assert matrix is not None
    assert claimed == re.findall(r'"([\d.]+)"', matrix[1])
    assert project["requires-python"] == f">={claimed[0]}"
    script = re.search(r"^readonly SUPPORTED=\((.*)\)$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert script is not None
    assert set(claimed) <= set(script[1].split())


def test_every_dependency_has_a_lower_bound(project: dict[str, Any]) -> None:
    """What the lowest run installs is said, not guessed."""
    extras = project["optional-dependencies"].values()
    unbound = [name for names in (project["dependencies"], *extras) for name in names if ">=" not in name]
    assert not unbound


def test_top_level_stays_small(tracked: list[str]) -> None:
    """The repository's top level holds the design's seven names and dotfiles, and no lock file."""
    names = {name.partition("/")[0] for name in tracked}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL
