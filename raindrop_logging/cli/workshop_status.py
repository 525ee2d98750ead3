"""``raindrop-logging workshop status``: whether a Workshop runs on the port, and what it has.

In: a port.  Out: a few lines, or one JSON object; 0 when one runs, else 1.  Touches: the network of this machine.
"""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from raindrop_logging.cli.event_lines import harmless

if TYPE_CHECKING:
    from raindrop_logging.cli.arguments import Commands

_UNITS: Final = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_COUNTED: Final = {
    "events": ("event", "events"),
    "signals": ("signal sent", "signals sent"),
    "spans": ("span", "spans"),
    "users": ("identified user", "identified users"),
}


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    from raindrop_logging.cli.arguments import port

    parser = commands.add_parser(
        "status",
        help="say whether a Workshop runs, and what it has",
        description="Say whether a Workshop runs on the port, and what it has. Exits with 0 if one does, else with 1.",
    )
    parser.add_argument("--port", type=port, default=argparse.SUPPRESS, help="its port (default: 5899)")
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask it, and print the answer."""
    from raindrop_logging.cli.running_workshop import NotRunningError, RunningWorkshop

    try:
        told = RunningWorkshop(arguments.port).health()
    except NotRunningError as error:
        if not arguments.json:
            raise
        print(json.dumps({"running": False, "port": arguments.port, "message": str(error)}))
        return 1
    if arguments.json:
        print(json.dumps({"running": True, "port": arguments.port, **told}))
    else:
        print("\n".join(_lines(told, arguments.port)))
    return 0


def _lines(told: dict[str, Any], port: int) -> list[str]:
    ignored = told.get("ignored_keys") or {}
    held = ", ".join(_count(int(told[name]), *nouns) for name, nouns in _COUNTED.items())
    lines = [
        f"Workshop {harmless(str(told['version']))} runs on port {port}: http://127.0.0.1:{port}",
        f"database  {harmless(str(told['database']))} ({_size(int(told['database_bytes']))})",
        f"holds     {held}",
        f"received  {_count(int(told['received_bodies']), 'request', 'requests')} since {_moment(told['started_at'])}",
    ]
    if told.get("signals_without_event"):
        lines.append(f"waiting   {_count(int(told['signals_without_event']), 'signal', 'signals')} for an event")
    if told.get("unindexed"):
        lines.append(f"indexing  {_count(int(told['unindexed']), 'event', 'events')} not in the search index yet")
    if ignored:
        lines.append(f"ignored   keys that the contract does not know: {harmless(', '.join(sorted(ignored)))}")
    return lines


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _moment(started: Any) -> str:
    """Here, with its zone."""
    try:
        return datetime.fromisoformat(str(started)).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    except (ValueError, OverflowError):
        return harmless(str(started))


def _size(count: int) -> str:
    return next((f"{count / unit:.1f} {name}" for name, unit in _UNITS if count >= unit), f"{count} bytes")
