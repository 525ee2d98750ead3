"""``raindrop-logging workshop``: the local receiver and its page, until Ctrl-C."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from raindrop_logging.cli.arguments import age, port, size
from raindrop_logging.wire import WORKSHOP_PORT

if TYPE_CHECKING:
    from raindrop_logging.cli.arguments import Commands


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "workshop",
        help="run the local receiver and its page until Ctrl-C",
        description=(
            "Run a receiver on this machine that keeps and shows what any Raindrop SDK sends. "
            "It listens on 127.0.0.1 only and needs no account."
        ),
    )
    parser.add_argument(
        "--port", type=port, default=WORKSHOP_PORT, help="port to listen on; 0: a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--db",
        metavar="PATH",
        help="SQLite file for the data; :memory: keeps none (default: in your data directory)",
    )
    parser.add_argument(
        "--keep",
        type=age,
        metavar="AGE",
        help="delete what happened longer ago, such as 12h, 30d or 8w, while it runs (default: keep all)",
    )
    parser.add_argument(
        "--max-size",
        type=size,
        metavar="SIZE",
        help="delete the oldest when the data takes more, such as 500MB or 2GB, while it runs (default: no limit)",
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the page in a browser")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from raindrop_logging.workshop.retention import Limits
    from raindrop_logging.workshop.server import serve

    limits = Limits(keep=arguments.keep, max_bytes=arguments.max_size)
    serve(arguments.port, arguments.db, limits=limits, open_browser=not arguments.no_open, announce=_announce)
    return 0


def _announce(line: str) -> None:
    print(line, flush=True)
