"""The reference that pdoc makes of the docstrings: without a warning, with every public name and what it says."""

from __future__ import annotations

import inspect
import pkgutil
import re
import subprocess
import sys
from html import unescape
from importlib import import_module
from pathlib import Path
from typing import TypeVar

import pdoc.doc
import pytest

from raindrop_logging import contrib

MODULES = [
    "raindrop_logging",
    *(f"raindrop_logging.{name}" for name in ("contrib", "formatter", "otel", "structlog", "testing")),
]
"""What the command names; pdoc adds what is below contrib, and `extra`, which the front names."""

PAGES = [
    *MODULES,
    "raindrop_logging.extra",
    *(f"raindrop_logging.contrib.{module.name}" for module in pkgutil.iter_modules(contrib.__path__)),
]


def _names(module: str) -> list[str]:
    """The public names of a module: what it lists, else what it defines."""
    found = import_module(module)
    if hasattr(found, "__all__"):
        return [name for name in found.__all__ if name != "__version__"]
    own = {name: one for name, one in vars(found).items() if getattr(one, "__module__", "") == module}
    return [name for name, one in own.items() if name[0] != "_" and not isinstance(one, TypeVar)]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, made by the one command; a warning would have ended it."""
    target = tmp_path_factory.mktemp("reference")
    command = [sys.executable, "-W", "error", "-m", "pdoc", "-d", "google", *MODULES, "-o", str(target)]
    subprocess.run(command, check=True, timeout=50)
    return target


@pytest.mark.parametrize("module", PAGES)
def test_every_public_name_is_in_it(reference: Path, module: str) -> None:
    """Each has its place on the page of its module, with what its docstring says first."""
    page = (reference / f"{module.replace('.', '/')}.html").read_text(encoding="utf-8")
    text = _plain(re.sub(r"<[^>]+>", "", page))
    found = import_module(module)
    assert _plain(str(found.__doc__).splitlines()[0]) in text
    for name in _names(module):
        one = getattr(found, name)
        assert f'id="{name}"' in page or inspect.ismodule(one), name
        if inspect.isclass(one) or inspect.isfunction(one):
            assert _plain(str(inspect.getdoc(one)).splitlines()[0]) in text, name


def test_what_a_function_takes_is_a_list(reference: Path) -> None:
    """Arguments, attributes and errors are read as such, and not as one paragraph."""
    pages = {page.name: page.read_text(encoding="utf-8") for page in reference.rglob("*.html")}
    headings = re.compile(r"<p>(Args|Arguments|Attributes|Raises|Returns):")
    assert [name for name, page in pages.items() if headings.search(page)] == []
    assert "Arguments:" in pages["testing.html"]


def _plain(text: str) -> str:
    """Words alone: Markdown takes marks away, and makes quotes and dashes of others."""
    return " ".join(re.findall(r"\w+", unescape(text)))


@pytest.mark.parametrize("module", PAGES)
def test_every_method_of_a_public_class_says_what_it_does(module: str) -> None:
    """Those that the package defines."""
    silent = [
        method.fullname
        for one in pdoc.doc.Module(import_module(module)).classes
        for method in one.methods
        if method.name[0] != "_" and method.taken_from[0].startswith("raindrop_logging") and not method.docstring
    ]
    assert silent == []


@pytest.mark.parametrize("module", PAGES)
def test_docstrings_are_read_as_they_are_written(module: str) -> None:
    """Columns and code are indented: Markdown would make one paragraph of them."""
    found = pdoc.doc.Module(import_module(module))
    docstrings = [
        found.docstring,
        *(one.docstring for one in found.classes),
        *(one.docstring for one in found.functions),
    ]
    lines = [line for docstring in docstrings for line in docstring.splitlines() if re.search(r"\S {3,}\S", line)]
    assert [line for line in lines if not line.startswith("    ")] == []
