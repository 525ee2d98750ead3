"""The demo's words: a table of what was logged beside what arrived, and what to do next.

In: rows.  Out: text on stdout, in colour where it is a terminal.  Touches: stdout.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raindrop_logging.cli.comparison import Row
from raindrop_logging.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.console import Console

MAX_DIFFERENCES = 5
"""Shown of each row; a lost interaction alone makes a dozen."""


def console() -> Console:
    """What prints; lines that are longer than the terminal are left to it, so that addresses stay whole.

    Raises:
        MissingExtraError: rich is not installed.
    """
    try:
        from rich.console import Console
    except ImportError:
        raise MissingExtraError("the demo", "rich", "workshop") from None
    return Console(highlight=False, soft_wrap=True, emoji=False)


def print_rows(out: Console, rows: Sequence[Row]) -> None:
    """The table, and below it what differs."""
    from rich import box
    from rich.table import Table

    good, bad = ("✓", "✗") if _can_say(out, "✓✗") else ("ok", "NO")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("logged")
    table.add_column("records", justify="right")
    table.add_column("arrived")
    table.add_column("count", justify="right")
    table.add_column("")
    for row in rows:
        mark = f"[red]{bad}[/]" if row.differences else f"[green]{good}[/]"
        table.add_row(row.logged, row.logged_count, row.arrived, row.arrived_count, mark)
    out.print(table)
    for row in rows:
        shown, more = row.differences[:MAX_DIFFERENCES], len(row.differences) - MAX_DIFFERENCES
        for text in [*shown, f"and {more} more of '{row.logged.strip()}'"] if more > 0 else shown:
            out.print(f"  {bad} {text}", markup=False)


def _can_say(out: Console, text: str) -> bool:
    """Whether the encoding of what is printed to knows these characters."""
    try:
        text.encode(out.encoding)
    except UnicodeEncodeError:
        return False
    return True
