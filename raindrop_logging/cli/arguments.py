"""What every command of the command line shares: how it declares itself, and values checked as they are read."""

from __future__ import annotations

import argparse
from typing import Protocol

_PORTS = range(65536)
_INDENTS = range(17)
_HOUR = 3_600.0


class Commands(Protocol):
    """Where a command adds its own parser; what argparse's `add_subparsers` returns."""

    def add_parser(self, name: str, *, help: str, description: str) -> argparse.ArgumentParser:  # noqa: A002 -- argparse's
        """The parser of one command."""
        ...


def port(text: str) -> int:
    """A TCP port; 0 takes a free one."""
    if text.isascii() and text.isdigit() and int(text) in _PORTS:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")


def spaces(text: str) -> int:
    """A number of spaces to indent by; 0 puts everything on one line."""
    if text.isascii() and text.isdigit() and int(text) in _INDENTS:
        return int(text)
    raise argparse.ArgumentTypeError(f"an indent is a number from 0 to 16, not {text!r}")


def seconds(text: str) -> float:
    """A time above 0, up to an hour."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if 0.0 < number <= _HOUR:
        return number
    raise argparse.ArgumentTypeError(f"a time is a number of seconds, above 0 and at most {_HOUR:g}, not {text!r}")
