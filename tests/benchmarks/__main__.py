"""Measure, and print the table; see `tests.benchmarks`."""

from __future__ import annotations

import argparse
import difflib
import json
import os
import platform
import sys
import sysconfig
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tests.benchmarks.measures import MissingError, Ratio
from tests.benchmarks.rows import COUNTED, ROWS, Row
from tests.benchmarks.said import HANDLER

_REFERENCES = ("raindrop-ai", "sentry-sdk", "opentelemetry-sdk", "structlog", "httpx", "msgspec")


def main() -> int:
    """0 where every row holds, 1 where one does not, 2 where something needed is missing."""
    given = _given()
    if given.list:
        for row in ROWS:
            print(f"{row.name:13} {_promise(row):>8}  {row.compared}")
        return 0
    rows = [row for row in ROWS if not given.rows or row.name in given.rows]
    if given.counted:
        rows = [row for row in rows if row.noise == COUNTED]
    _print_heading()
    found = {row.name: _measured(row, place, len(rows)) for place, row in enumerate(rows, 1)}
    if given.json:
        said = {name: None if ratio is None else ratio.value for name, ratio in found.items()}
        Path(given.json).write_text(json.dumps(said, indent=1))
    missing = [row.name for row in rows if found[row.name] is None]
    missed = [row.name for row in rows if (ratio := found[row.name]) is not None and not row.holds(ratio.value)]
    print(f"\n{len(rows) - len(missing) - len(missed)} of {len(rows)} hold", end="")
    print(f"; missed: {', '.join(missed)}" * bool(missed) + f"; not measured: {', '.join(missing)}" * bool(missing))
    return 2 if missing else int(bool(missed))


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Ratios against what was measured in the same run; 1 where one is beyond its target and noise.",
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="only these; see --list")
    parser.add_argument(
        "--counted", action="store_true", help="only rows that count instructions, which time does not move"
    )
    parser.add_argument("--list", action="store_true", help="the rows, their targets, and what they compare")
    parser.add_argument("--json", metavar="FILE", help="write the ratios there as well")
    given = parser.parse_args()
    names = [row.name for row in ROWS]
    for unknown in set(given.rows) - set(names):
        near = difflib.get_close_matches(unknown, names, 1)
        parser.error(f"no row is called {unknown!r}" + (f": did you mean {near[0]!r}?" if near else "; see --list"))
    return given


def _print_heading() -> None:
    build = "with" if "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "") else "without"
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, {_processor()}, {platform.system()}")
    print(f"{platform.python_implementation()} {platform.python_version()}, built {build} profile-guided optimization")
    print(", ".join(f"{name} {_version(name)}" for name in _REFERENCES))
    print(f"handler: {HANDLER}, all else by default\n")
    print(f"{'row':13} {'measured':>10} {'target':>9} {'noise':>6}         made of")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "is missing"


def _promise(row: Row) -> str:
    sign = "<=" if row.at_most else ">="
    return f"{sign} {row.target:.3g} {row.unit}"


def _measured(row: Row, place: int, of: int) -> Ratio | None:
    """Measure a row and print it; None where what it needs is missing."""
    started = time.monotonic()
    if sys.stderr.isatty():
        print(f"\r\x1b[K{place} of {of}: {row.compared} ...", end="", file=sys.stderr, flush=True)
    ratio: Ratio | None = None
    try:
        ratio = row.measure()
    except (MissingError, ModuleNotFoundError) as error:
        said = f"{'-':>10} {_promise(row):>9} {row.noise:6.0%}  missing {error}"
    if ratio is not None:
        verdict = "ok    " if row.holds(ratio.value) else "MISSED"
        said = f"{ratio.value:9.3f}{row.unit} {_promise(row):>9} {row.noise:6.0%}  {verdict} {ratio.of}"
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    print(f"{row.name:13} {said}, {time.monotonic() - started:.0f} s\n{'':13} {row.compared}", flush=True)
    return ratio


if __name__ == "__main__":
    sys.exit(main())
