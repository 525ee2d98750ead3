"""What every command of the command line shares: how it declares itself, and values checked as they are read."""

from __future__ import annotations

import argparse
import re
from datetime import timedelta
from typing import Protocol

from raindrop_logging.byte_sizes import bytes_of

_PORTS = range(65536)
_INDENTS = range(17)
_HOUR = 3_600.0
_AGE_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_LEAST_KEPT = 10**6


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


def age(text: str) -> timedelta:
    """How long ago: a whole number of hours, days or weeks, such as ``30d``."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})([hdw])", text.strip().lower(), re.ASCII)
    if found:
        return timedelta(**{_AGE_UNITS[found[2]]: int(found[1])})
    raise argparse.ArgumentTypeError(f"an age is a number of hours, days or weeks such as 12h, 30d or 8w, not {text!r}")


def body_size(text: str) -> int:
    """Bytes of a request, at least one, such as ``5000000``, ``50M`` or ``50MB``."""
    number = bytes_of(text)
    if number:
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is no number of bytes, such as 5000000 or 50M")


def data_size(text: str) -> int:
    """Bytes of stored data, at least a million, such as ``500MB``, ``2GB`` or ``1.5GiB``."""
    number = bytes_of(text)
    if number is not None and number >= _LEAST_KEPT:
        return number
    raise argparse.ArgumentTypeError(f"a size is at least 1MB, such as 500MB, 2GB or 1.5GiB, not {text!r}")
