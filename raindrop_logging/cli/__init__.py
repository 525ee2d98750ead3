"""The command ``raindrop-logging``: one file a command, each with `add_to` (its arguments) and `run` (its work).

In: the arguments of the command line.  Out: an exit code.  Touches: stdout for results, stderr for what went wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from raindrop_logging.cli import check, demo, doctor, schema, ship, tail, workshop
from raindrop_logging.errors import MissingExtraError, RaindropLoggingError

GOOD, FAILED = 0, 1
INTERRUPTED = 130
"""What a shell reports for Ctrl-C: 128 and the number of SIGINT."""

_OF_WORKSHOP = frozenset({"starlette", "uvicorn", "jinja2", "markdown_it", "regex"})
_EXIT_CODES = "exit codes: 0 good, 1 failed or not everything arrived, 2 wrong usage, 130 interrupted"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after the program's name; the process's own by default.

    Returns:
        int: the exit code.

    Raises:
        SystemExit: by argparse, for ``--help``, ``--version`` and wrong usage.
    """
    arguments = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.run
    try:
        code = command(arguments)
        sys.stdout.flush()
    except RaindropLoggingError as error:
        print(f"raindrop-logging {arguments.command}: {error}", file=sys.stderr)
        return FAILED
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _OF_WORKSHOP:
            raise
        print(
            f"raindrop-logging {arguments.command}: {MissingExtraError('the Workshop', library, 'workshop')}",
            file=sys.stderr,
        )
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read stdout has gone, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="raindrop-logging",
        description="Log calls become Raindrop events, signals, interactions and spans.",
        epilog=f"{_EXIT_CODES}\n'raindrop-logging COMMAND --help' tells more of one command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"raindrop-logging {version('raindrop-logging')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for command in (demo, workshop, tail, check, doctor, ship, schema):
        command.add_to(commands)
    return parser
