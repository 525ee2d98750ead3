"""``raindrop-logging workshop export``: what a Workshop keeps, as lines of JSON.

In: the Workshop's database, whether or not one runs on it.  Out: a file, or stdout; a summary on stderr.
Touches: both.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from raindrop_logging.cli.event_filter_options import add_filter, pairs_of
from raindrop_logging.errors import RaindropLoggingError

if TYPE_CHECKING:
    from raindrop_logging.cli.arguments import Commands

_USAGE = 2


class ExportError(RaindropLoggingError):
    """The file cannot be written, or there is no database to read."""


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "export",
        help="write stories as lines of JSON",
        description=(
            "Write every story that the Workshop keeps, or those that the filters let through, as lines of JSON: "
            "events with their signals and spans, and the traits of their users. 'workshop import' reads them."
        ),
    )
    parser.add_argument("--db", default=argparse.SUPPRESS, metavar="PATH", help="the Workshop's SQLite file")
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="where to (default: -, stdout)")
    parser.add_argument("--gzip", action="store_true", help="compressed; a FILE that ends in .gz always is")
    parser.add_argument("--quiet", action="store_true", help="no progress and no summary")
    add_filter(parser.add_argument_group("which events"), moments=True)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write them, and say how many."""
    from raindrop_logging.shipping.progress import Seen, progress
    from raindrop_logging.workshop.event_filter import FilterError, parse
    from raindrop_logging.workshop.store import default_path, open_store
    from raindrop_logging.workshop.transfer import lines_of

    try:
        where = parse(pairs_of(arguments))
    except FilterError as error:
        print(f"raindrop-logging workshop export: {error}", file=sys.stderr)
        return _USAGE
    file = Path(arguments.db or default_path()).expanduser()
    if not file.exists():
        raise ExportError(f"there is no Workshop database {file}; --db names another")
    count = written = 0
    shown = progress(sys.stderr, quiet=arguments.quiet, doing="exporting")
    try:
        with ExitStack() as stack:
            store = open_store(file)
            stack.callback(store.close)
            out = stack.enter_context(_written(arguments))
            for count, line in enumerate(lines_of(store, where), 1):
                out.write(line + b"\n")
                written += len(line) + 1
                shown.show(Seen(count, count, written, None))
    finally:
        shown.close()
    if not arguments.quiet:
        print(f"exported {count:,} lines ({written:,} bytes before any compression)", file=sys.stderr)
    return 0


@contextmanager
def _written(arguments: argparse.Namespace) -> Generator[IO[bytes]]:
    """Where the lines go; a file appears only once it is whole."""
    packed = arguments.gzip or arguments.output.endswith(".gz")
    if arguments.output == "-":
        with _packed(sys.stdout.buffer, packed=packed) as out:
            yield out
        return
    target = Path(arguments.output)
    unfinished = target.with_name(f"{target.name}.part")
    try:
        with _private(unfinished) as raw, _packed(raw, packed=packed) as out:
            yield out
        unfinished.replace(target)
    except OSError as error:
        raise ExportError(f"cannot write {target}: {error.strerror}") from error
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _packed(raw: IO[bytes], *, packed: bool) -> Generator[IO[bytes]]:
    if not packed:
        yield raw
        return
    with gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, compresslevel=6) as zipped, io.BufferedWriter(zipped) as out:
        yield out


def _private(path: Path) -> IO[bytes]:
    """Conversations are read by their owner alone, as in the database."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
