"""``raindrop-logging schema``: the JSON Schema of the block, for editors, linters and other languages."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from raindrop_logging.cli.arguments import spaces
from raindrop_logging.vocabulary import json_schema

if TYPE_CHECKING:
    from raindrop_logging.cli.arguments import Commands


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "schema",
        help="print the JSON Schema of the block in extra={'raindrop': {...}}",
        description='Print the JSON Schema (2020-12) of what extra={"raindrop": {...}} may hold.',
    )
    parser.add_argument(
        "--indent", type=spaces, default=2, metavar="N", help="spaces a level; 0: all on one line (default: 2)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    print(json.dumps(json_schema(), indent=arguments.indent or None))
    return 0
