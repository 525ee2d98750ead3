"""``raindrop-logging workshop``: the local receiver and its page, until Ctrl-C."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from raindrop_logging.cli import workshop_export, workshop_import, workshop_status
from raindrop_logging.cli.arguments import age, body_size, data_size, port
from raindrop_logging.wire import WORKSHOP_PORT
from raindrop_logging.workshop.limits import MAX_BODY_BYTES

if TYPE_CHECKING:
    from raindrop_logging.cli.arguments import Commands


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "workshop",
        help="run the local receiver and its page until Ctrl-C",
        description=(
            "Run a receiver on this machine that keeps and shows what any Raindrop SDK sends. "
            "It listens on 127.0.0.1 only and needs no account. "
            "In sizes, M or MiB is 1024 times 1024 bytes, MB is 1000 times 1000; so for K, G and T."
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
        type=data_size,
        metavar="SIZE",
        help="delete the oldest when the data takes more, such as 500MB or 2GB, while it runs (default: no limit)",
    )
    parser.add_argument("--no-open", action="store_true", help="do not open the page in a browser")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="answer 400, naming the rule, for whatever the wire contract does not allow: for SDK authors and tests",
    )
    parser.add_argument(
        "--max-body",
        metavar="BYTES",
        type=body_size,
        default=MAX_BODY_BYTES,
        help="largest request, as sent and once inflated; such as 5000000, 50M or 50MB (default: 50M)",
    )
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="instead of running one")
    for action in (workshop_status, workshop_export, workshop_import):
        action.add_to(actions)


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from raindrop_logging.workshop.retention import Limits
    from raindrop_logging.workshop.server import serve

    serve(
        arguments.port,
        arguments.db,
        limits=Limits(keep=arguments.keep, max_bytes=arguments.max_size),
        open_browser=not arguments.no_open,
        announce=_announce,
        strict=arguments.strict,
        max_body=arguments.max_body,
    )
    return 0


def _announce(line: str) -> None:
    print(line, flush=True)
