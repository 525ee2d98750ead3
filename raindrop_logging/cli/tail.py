"""``raindrop-logging tail``: what a running Workshop receives, as it comes, until Ctrl-C.

In: the Workshop's stream.  Out: a line or two an event on stdout.  Touches: the network of this machine, stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from raindrop_logging.cli.arguments import port
from raindrop_logging.cli.event_filter_options import add_filter, pairs_of
from raindrop_logging.cli.event_lines import lines_of
from raindrop_logging.wire import WORKSHOP_PORT

if TYPE_CHECKING:
    from raindrop_logging.cli.arguments import Commands
    from raindrop_logging.cli.running_workshop import RunningWorkshop

_PAUSE_SECONDS: Final = 1.0
_USAGE = 2


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "tail",
        help="show what a running Workshop receives, until Ctrl-C",
        description=(
            "Show every event that the Workshop on this machine receives or hears more about, as it comes, until "
            "Ctrl-C. If the Workshop ends, it waits for it to come back; what came meanwhile is not shown."
        ),
    )
    parser.add_argument("--port", type=port, default=WORKSHOP_PORT, help="the Workshop's port (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="a JSON object a line, as the Workshop's stream has it")
    add_filter(parser.add_argument_group("which events"), moments=False)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Follow the stream, and again when it is broken."""
    from raindrop_logging.cli.running_workshop import NotRunningError, RefusedQuestionError, RunningWorkshop

    workshop = RunningWorkshop(arguments.port)
    workshop.health()  # a Workshop that never ran is an error, one that went away is waited for
    try:
        while True:
            with suppress(NotRunningError):
                _follow(workshop, arguments)
            print(f"the Workshop on port {arguments.port} is gone: waiting for it", file=sys.stderr, flush=True)
            _wait_for(workshop)
    except RefusedQuestionError as error:
        print(f"raindrop-logging tail: {error}", file=sys.stderr)
        return _USAGE


def _follow(workshop: RunningWorkshop, arguments: argparse.Namespace) -> None:
    with workshop.changes(pairs_of(arguments)) as changes:
        print(f"following the Workshop on port {arguments.port} (Ctrl-C ends)", file=sys.stderr, flush=True)
        for event in changes:
            _show(event, as_json=arguments.json)


def _wait_for(workshop: RunningWorkshop) -> None:
    from raindrop_logging.cli.running_workshop import NotRunningError

    while True:
        time.sleep(_PAUSE_SECONDS)
        try:
            workshop.health()
        except NotRunningError:
            continue
        return


def _show(event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(event), flush=True)  # all beyond ASCII is escaped, so that nothing in it moves a terminal
        return
    width = shutil.get_terminal_size((100, 24)).columns
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines_of(event, width, colour=_is_coloured()):
        print(line.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()


def _is_coloured() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
