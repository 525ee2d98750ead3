"""``raindrop-logging demo``: the main job on this machine alone, from log call to page, checked by itself.

In: nothing.  Out: the service's lines, and what was logged beside what arrived.  Touches: a socket on loopback, the
process's logging configuration and ``RAINDROP_*`` variables while it runs, stdout.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
import webbrowser
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from raindrop_logging.cli.arguments import port
from raindrop_logging.cli.arrived import Arrived, read_back
from raindrop_logging.cli.comparison import compare
from raindrop_logging.cli.logged import Logged, Witness
from raindrop_logging.cli.support_agent import serve_everyone
from raindrop_logging.config import load_config
from raindrop_logging.handler import RaindropHandler

if TYPE_CHECKING:
    from rich.console import Console

    from raindrop_logging._pipeline.stats import Stats
    from raindrop_logging.cli.arguments import Commands
    from raindrop_logging.workshop.server import Running

CONFIG: Final = Path(__file__).with_name("demo.json")
WRITE_KEY: Final = "rk_made_up_for_the_demo"
SERVICE: Final = "shop"
"""Top-level logger of the service."""

PATIENCE: Final = 10.0


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "demo",
        help="run a made-up service against a local receiver and compare what it logged with what arrived",
        description=(
            "Start a receiver on this machine, run a small support agent whose log calls are sent there, and show what "
            "was logged beside what arrived. Needs no account and no network, takes a few seconds, and exits with 0 "
            "only if everything arrived exactly as it was logged."
        ),
    )
    parser.add_argument("--serve", action="store_true", help="afterwards keep the page up until Ctrl-C")
    parser.add_argument("--no-open", action="store_true", help="with --serve: do not open the page in a browser")
    parser.add_argument("--port", type=port, default=0, help="port of the receiver and its page (default: a free one)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the service, compare, and with ``--serve`` stay."""
    from raindrop_logging.cli.report import console
    from raindrop_logging.workshop.server import running

    out = console()
    with running(port=arguments.port) as receiver:
        out.print(f"Receiver: [bold]{receiver.url}[/] (this machine only, kept in memory)")
        out.print(f"Logging:  {CONFIG}\n\n[bold]A shop's support agent at work:[/]")
        logged, stats = perform(receiver.endpoint)
        code = conclude(out, logged, read_back(receiver.url, logged.users), stats)
        if arguments.serve:
            _stay(out, receiver, open_browser=not arguments.no_open)
        else:
            out.print(f"Page: {receiver.url} (now gone; [bold]raindrop-logging demo --serve[/] keeps it)")
    return code


def perform(endpoint: str) -> tuple[Logged, Stats]:
    """Run the service with the demo's configuration towards a receiver; what it logged, and what became of it."""
    with _configured(endpoint) as (handler, witness):
        serve_everyone()
        handler.flush(PATIENCE)
        return witness.logged(), handler.stats()


def conclude(out: Console, logged: Logged, arrived: Arrived, stats: Stats) -> int:
    """Print what was logged beside what arrived; the exit code, 0 only if all of it arrived as it was logged."""
    from raindrop_logging.cli.report import print_rows

    rows = compare(logged, arrived)
    out.print("\n[bold]What it logged, and what the receiver tells when asked over HTTP:[/]")
    print_rows(out, rows)
    good = not any(row.differences for row in rows) and stats.delivered == stats.accepted
    said = "[green]Everything" if good else "[red]Not everything"
    counts = f"{stats.delivered} of {stats.accepted} records, in {stats.requests} requests"
    out.print(f"{said} arrived as it was logged[/]: {counts}.")
    return 0 if good else 1


def _has_screen() -> bool:
    """Whether a browser can show itself; without a screen `webbrowser` would start a text browser in this terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _stay(out: Console, receiver: Running, *, open_browser: bool) -> None:
    out.print(f"The page is on [bold]{receiver.url}[/] (Ctrl-C ends it).")
    if open_browser and _has_screen():
        threading.Thread(target=webbrowser.open, args=(receiver.url,), daemon=True).start()
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


@contextmanager
def _configured(endpoint: str) -> Generator[tuple[RaindropHandler, Witness]]:
    """Logging as the demo's file says, with a witness beside the handler, until the block ends."""
    with _environment(RAINDROP_WRITE_KEY=WRITE_KEY, RAINDROP_ENDPOINT=endpoint):
        load_config(CONFIG)
    service = logging.getLogger(SERVICE)
    (handler,) = (one for one in service.handlers if isinstance(one, RaindropHandler))
    witness = Witness()
    service.addHandler(witness)
    try:
        yield handler, witness
    finally:
        service.removeHandler(witness)
        service.removeHandler(handler)
        handler.shutdown()


@contextmanager
def _environment(**variables: str) -> Generator[None]:
    """These variables and no other that would lead the demo's records elsewhere, such as a Workshop's."""
    before = {name: value for name, value in os.environ.items() if name.startswith("RAINDROP_")}
    for name in before:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)
