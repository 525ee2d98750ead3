"""One file through all the rules.

In: the name of a file.  Out: findings, in the order of its lines.  Touches: the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from raindrop_logging.checking import handler_keys, objects, routes, structure, versions
from raindrop_logging.checking.configuration import Configuration, Target
from raindrop_logging.checking.document import Document, UnreadableError
from raindrop_logging.checking.finding import Fault, Finding, Severity, Version, said
from raindrop_logging.checking.reading import read
from raindrop_logging.checking.rules import RULES

_ALWAYS: Final[tuple[Callable[[Configuration], Iterator[Fault]], ...]] = (structure.faults,)
_OF_WHOLE_FILES: Final = (objects.faults, handler_keys.faults, routes.faults, versions.faults)


def check_file(file: str, target: Target) -> list[Finding]:
    """What is wrong with a file.

    Args:
        file: a JSON, YAML, TOML or Python file, by a path; findings name it as it is given.
        target: what it is meant for.
    """
    try:
        documents = read(file)
    except UnreadableError as error:
        severity = RULES[error.code].severity
        return [Finding(file, error.line, "", error.code, severity, error.message, error.fix)]
    return [finding for document in documents for finding in check_document(document, target)]


def check_document(document: Document, target: Target) -> list[Finding]:
    """What is wrong with one configuration; see `check_file`."""
    config = Configuration(document, target)
    groups = _ALWAYS if config.incremental else (*_ALWAYS, *_OF_WHOLE_FILES)
    found = [_finding(document, target, fault) for group in groups for fault in group(config)]
    return sorted(filter(None, found), key=lambda one: one.line or 0)


def _finding(document: Document, target: Target, fault: Fault) -> Finding | None:
    rule = RULES[fault.code]
    severity: Severity = rule.severity
    message = fault.message
    if fault.versions:
        concerned = [one for one in target.both() if one in fault.versions]
        if not concerned:
            return None
        message = f"on Python {_listed(concerned)}: {message}"
        if not set(concerned) & set(target.versions):
            severity = "warning"
    where = fault.where if document.name is None else (document.name, *fault.where)
    return Finding(document.file, document.line(fault.where), said(where), fault.code, severity, message, fault.fix)


def _listed(versions: list[Version]) -> str:
    return ", ".join(f"{major}.{minor}" for major, minor in versions)
