"""The process around: Python, the libraries, and variables that nothing reads.

In: the environment.  Out: checks.  Touches: nothing.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from raindrop_logging.cli.diagnosis.checks import Check, ok, warn
from raindrop_logging.errors import did_you_mean
from raindrop_logging.settings import variables

NEEDED: Final = ("httpx", "httpcore", "msgspec", "opentelemetry-sdk", "opentelemetry-proto")
OPTIONAL: Final[dict[str, tuple[str, ...]]] = {
    "the Workshop and the demo": ("starlette", "uvicorn", "jinja2", "markdown-it-py", "rich"),
    "YAML files": ("PyYAML",),
    "JSON lines": ("python-json-logger",),
    "structlog": ("structlog",),
    "SOCKS proxies": ("socksio",),
}

TESTED: Final = ((3, 11), (3, 13))
"""The oldest and the newest Python that the tests run on."""

_OTHERS: Final = frozenset({"RAINDROP_WORKSPACE_ID", "RAINDROP_WORKSPACE_NAME", "RAINDROP_WORKSPACE_ROOT"})


def checks(environ: Mapping[str, str] | None = None) -> Iterator[Check]:
    """What of it matters to logging."""
    yield _python()
    yield _libraries()
    yield _optional()
    yield from _unread(os.environ if environ is None else environ)


def _python() -> Check:
    said = f"{platform.python_implementation()} {platform.python_version()} on {platform.platform(terse=True)}"
    if os.name == "nt":
        return warn("python", said, "Windows is best effort: a spool needs POSIX file locks")
    if not TESTED[0] <= sys.version_info[:2] <= TESTED[1]:
        oldest, newest = (".".join(map(str, one)) for one in TESTED)
        return warn("python", said, f"the tests run on {oldest} to {newest}: look for a newer release of this package")
    return ok("python", said)


def _libraries() -> Check:
    found = {name: _version(name) for name in NEEDED}
    missing = [name for name, number in found.items() if number is None]
    said = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    if missing:
        return warn("libraries", f"{said}; without {', '.join(missing)}", "install raindrop-logging again, with pip")
    return ok("libraries", said, **found)


def _optional() -> Check:
    """Which optional parts have their libraries."""
    missing = {part: [one for one in names if _version(one) is None] for part, names in OPTIONAL.items()}
    there = [part for part, names in missing.items() if not names]
    absent = [f"{part} (without {', '.join(names)})" for part, names in missing.items() if names]
    said = f"ready: {', '.join(there) or 'none'}"
    return ok("optional", said + (f"; not: {', '.join(absent)}" if absent else ""))


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _unread(environ: Mapping[str, str]) -> Iterator[Check]:
    """Variables that look like ours, and that nobody reads."""
    known = variables() | _OTHERS
    for name in sorted(environ):
        near = did_you_mean(name, known) if name.startswith("RAINDROP") and name not in known else ""
        if near:
            yield warn("variable", f"nothing reads the variable {name}{near}", "rename it, or take it out")
