"""``raindrop-logging check``: what is wrong with logging configuration files, before a service runs on them."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

import msgspec

from raindrop_logging.checking.checker import check_file
from raindrop_logging.checking.configuration import Target
from raindrop_logging.checking.finding import Finding, Version
from raindrop_logging.checking.rules import RULES
from raindrop_logging.checking.versions import SUPPORTED

if TYPE_CHECKING:
    from raindrop_logging.cli.arguments import Commands

CLEAN, FOUND = 0, 1

_DESCRIPTION = """\
Check dictConfig files: JSON, YAML, TOML, and Python modules that name a dict such as LOGGING (as Django's settings do)
or give one to dictConfig. Nothing of them is imported or run; what only running them would tell is left alone."""

_EPILOG = """\
exit codes: 0 no errors (with --strict: nothing at all), 1 errors, 2 wrong usage
Without --python a file is checked for the Python that runs this command; what would differ on another supported one is
a warning. With --env it is checked for this machine: variables behind env:// must be set, and paths must exist."""


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "check", help="check dictConfig files for what will not work", description=_DESCRIPTION
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("files", nargs="*", metavar="FILE", help="a .json, .yaml, .yml, .toml or .py file")
    parser.add_argument("--json", action="store_true", help="print the findings as one JSON array")
    parser.add_argument("--strict", action="store_true", help="warnings fail too")
    parser.add_argument(
        "--python", type=_python, action="append", metavar="3.N", help="a Python that the service runs on; repeatable"
    )
    parser.add_argument("--env", action="store_true", help="look at this machine's variables and paths too")
    parser.add_argument(
        "--ignore", type=_codes, action="extend", default=[], metavar="CODE[,CODE]", help="rules to leave out"
    )
    parser.add_argument("--rules", action="store_true", help="list the rules, and check nothing")
    parser.set_defaults(run=run, refuse=parser.error)


def _python(text: str) -> Version:
    known = {f"{major}.{minor}": (major, minor) for major, minor in SUPPORTED}
    if text not in known:
        raise argparse.ArgumentTypeError(f"a supported Python is one of {', '.join(known)}, not {text!r}")
    return known[text]


def _codes(text: str) -> list[str]:
    codes = [code.strip().upper() for code in text.split(",") if code.strip()]
    for code in codes:
        if code not in RULES:
            raise argparse.ArgumentTypeError(f"there is no rule {code!r}; --rules lists them")
    return codes


def run(arguments: argparse.Namespace) -> int:
    """Check each file and print what was found."""
    if arguments.rules:
        _print_rules(as_json=arguments.json)
        return CLEAN
    if not arguments.files:
        arguments.refuse("name at least one FILE")
    target = _target(arguments.python, env=arguments.env)
    findings = [
        finding
        for file in dict.fromkeys(arguments.files)
        for finding in check_file(file, target)
        if finding.code not in arguments.ignore
    ]
    if arguments.json:
        print(json.dumps([msgspec.to_builtins(finding) for finding in findings], indent=2))
    else:
        _print_findings(findings, len(set(arguments.files)))
    failing = findings if arguments.strict else [finding for finding in findings if finding.severity == "error"]
    return FOUND if failing else CLEAN


def _target(chosen: Sequence[Version] | None, *, env: bool) -> Target:
    environ = os.environ if env else None
    if chosen:
        return Target(tuple(chosen), environ=environ)
    return Target((sys.version_info[:2],), SUPPORTED, environ)


# ---- output --------------------------------------------------------------------------------------------------------

_BOLD, _RED, _YELLOW, _DIM, _GREEN = "1", "31", "33", "2", "32"
_COLOURS: Final = {"error": _RED, "warning": _YELLOW}


def _print_findings(findings: Sequence[Finding], files: int) -> None:
    for _, of_one_file in groupby(findings, key=lambda finding: finding.file):
        for finding in of_one_file:
            print(_line(finding))
            print(f"    {_in(_DIM, 'fix:')} {finding.fix}")
        print()
    print(_summary(findings, files))


def _line(finding: Finding) -> str:
    place = finding.file if finding.line is None else f"{finding.file}:{finding.line}"
    path = f" {finding.path}:" if finding.path else ""
    severity = _in(_COLOURS[finding.severity], f"{finding.severity} {finding.code}")
    return f"{_in(_BOLD, place + ':')}{path} {severity} {finding.message}"


def _summary(findings: Sequence[Finding], files: int) -> str:
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    checked = f"{_counted(files, 'file')} checked"
    if not findings:
        return _in(_GREEN, f"{checked}, nothing found")
    return f"{checked}: {_counted(errors, 'error')}, {_counted(warnings, 'warning')}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _in(colour: str, text: str) -> str:
    """Coloured, on a terminal that wants it."""
    plain = os.environ.get("NO_COLOR") or not sys.stdout.isatty()
    return text if plain else f"\x1b[{colour}m{text}\x1b[0m"


def _print_rules(*, as_json: bool) -> None:
    if as_json:
        shown = [{key: getattr(rule, key) for key in ("code", "severity", "what", "why")} for rule in RULES.values()]
        print(json.dumps(shown, indent=2))
        return
    width = max(len(rule.what) for rule in RULES.values())
    for rule in RULES.values():
        severity = _in(_COLOURS[rule.severity], f"{rule.severity:<7}")
        print(f"{_in(_BOLD, rule.code)}  {severity}  {rule.what:<{width}}  {_in(_DIM, rule.why)}")
