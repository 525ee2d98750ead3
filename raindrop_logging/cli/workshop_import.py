"""``raindrop-logging workshop import``: exported lines back into a Workshop.

In: files of lines, plain or gzip, or stdin.  Out: a summary on stdout, bad lines on stderr.
Touches: the files, to read them; the Workshop's database, whether or not one runs on it.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from msgspec import Struct
from msgspec.structs import replace

from raindrop_logging.errors import RaindropLoggingError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from raindrop_logging.cli.arguments import Commands
    from raindrop_logging.shipping.progress import Progress
    from raindrop_logging.workshop.store import Store

_AHEAD: Final = 64
"""Lines on their way into the store at a time."""


class ImportFileError(RaindropLoggingError):
    """A file cannot be read."""


class Imported(Struct, frozen=True):
    """Lines stored, and lines left out."""

    stored: int = 0
    bad: int = 0


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "import",
        help="read what export wrote",
        description=(
            "Read lines that 'workshop export' wrote into the Workshop's database. What is there already stays as it "
            "is, so a file may be read again. Exits with 1 when a line was left out."
        ),
    )
    parser.add_argument("files", nargs="+", metavar="FILE|-", help="lines of JSON, compressed if it ends in .gz")
    parser.add_argument("--db", default=argparse.SUPPRESS, metavar="PATH", help="the Workshop's SQLite file")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read every file, and say what became of it."""
    from raindrop_logging.shipping.progress import progress
    from raindrop_logging.workshop.store import open_store

    with ExitStack() as stack:
        shown = progress(sys.stderr, quiet=arguments.quiet, doing="importing")
        stack.callback(shown.close)
        store = open_store(arguments.db)
        stack.callback(store.close)
        done = Imported()
        for name in arguments.files:
            done = _file(store, name, shown, done)
    print(f"imported {done.stored:,} lines into {store.location}, left out {done.bad:,}")
    return 1 if done.bad else 0


def _file(store: Store, name: str, shown: Progress, done: Imported) -> Imported:
    from raindrop_logging.shipping.progress import Seen
    from raindrop_logging.workshop.story_lines import LineError, read
    from raindrop_logging.workshop.transfer import unknown

    coming: deque[Future[tuple[str, ...]]] = deque()
    seen = 0
    for number, line, at, total in _lines(name):
        seen = number
        if line.strip():
            try:
                coming.append(store.append(unknown(store, read(line))))
                done = replace(done, stored=done.stored + 1)
            except LineError as error:
                shown.tell(f"{name}:{number}: left out: {error}")
                done = replace(done, bad=done.bad + 1)
        while len(coming) > _AHEAD:
            coming.popleft().result()
        shown.show(Seen(seen, done.stored, at, total))
    for future in coming:
        future.result()
    return done


def _lines(name: str) -> Iterator[tuple[int, bytes, int, int | None]]:
    """Each line with its number, where in the file it ends, and the file's size, both as they are on disk."""
    from raindrop_logging.workshop.story_lines import MAX_LINE_BYTES

    try:
        with ExitStack() as stack:
            raw: IO[bytes] = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
            total = None if name == "-" else Path(name).stat().st_size
            plain: IO[bytes] = raw
            if name.endswith(".gz"):
                plain = cast("IO[bytes]", stack.enter_context(gzip.GzipFile(fileobj=raw, mode="rb")))
            number = 0
            while line := plain.readline(MAX_LINE_BYTES):
                number += 1
                yield number, line, raw.tell() if total is not None else 0, total
    except (OSError, EOFError, zlib.error) as error:
        raise ImportFileError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error
