"""``raindrop-logging ship``: JSON log lines to Raindrop, later and from anywhere, resumable.

In: files of JSON lines, or stdin.  Out: a summary on stdout, progress and bad lines on stderr.  Touches: the files, to
read them; a state file and perhaps a rejects file; the network.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from msgspec import Struct
from msgspec.structs import asdict

from raindrop_logging.errors import SettingsError

if TYPE_CHECKING:
    from raindrop_logging.cli.arguments import Commands
    from raindrop_logging.shipping.delivery import Delivery
    from raindrop_logging.shipping.inputs import Inputs
    from raindrop_logging.shipping.mapping import FieldMap
    from raindrop_logging.shipping.progress import Progress
    from raindrop_logging.shipping.shipment import Report

_USAGE, _INTERRUPTED = 2, 130
_PATIENCE: Final = 60.0
_WORTH_A_RATE: Final = 1_000

_EPILOG: Final = """\
Lines of raindrop_logging.RaindropJsonFormatter are sent exactly as the handler would have sent their records, with the
same ids and times. Of other JSON lines with a "raindrop" block, and with --map of any JSON lines, the ids are made of
the lines themselves. Lines without a block are skipped. The write key is read from RAINDROP_WRITE_KEY; without one it
goes to the Workshop that RAINDROP_WORKSHOP names (1: the one at port 5899).

Where it got to is kept in a state file, by file and not by name: a second run sends nothing twice, also after rotation,
copytruncate or gzip, and after a kill only what was not confirmed is sent again, with the same ids. What a log rotates
away before it was read is lost to it. Standard input has no state. Bad lines are left behind in the rejects file with
the reason; once mended, 'jq -r .text REJECTS | raindrop-logging ship -' ships them.

exit codes: 0 everything was shipped, 1 something was rejected, refused or left, 2 wrong usage, 130 interrupted
(what was read by then is delivered and remembered; --follow always ends so, and exits with 0 or 1)
"""


class _Group(Protocol):
    """Where some of the arguments are declared; what argparse's `add_argument_group` returns."""

    def add_argument(self, *names: str, **said: Any) -> Any:
        """Declare one."""
        ...


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "ship",
        help="send JSON log lines from files or stdin, resumable",
        description="Send what JSON log lines hold to Raindrop, as if it were logged now, and remember what arrived.",
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("inputs", nargs="+", metavar="FILE|DIR|GLOB|-", help="log files, plain or gzip; -: stdin")
    _add_reading(parser.add_argument_group("what is read"))
    _add_destination(parser.add_argument_group("where to"))
    _add_memory(parser.add_argument_group("what is left behind"))
    _add_output(parser.add_argument_group("what is shown"))
    parser.set_defaults(run=run)


def _add_reading(group: _Group) -> None:
    group.add_argument("--follow", action="store_true", help="go on with what is written, until Ctrl-C or SIGTERM")
    group.add_argument(
        "--no-rotated", action="store_true", help="leave out what a FILE was rotated to (FILE.1, FILE.2.gz)"
    )
    group.add_argument("--max-lines", type=_count, metavar="N", help="stop after so many lines; the next run goes on")
    group.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=PATH",
        help="for lines without a block: where a field is, such as user_id=ctx.user or properties.region=geo.region",
    )
    group.add_argument(
        "--set", action="append", default=[], metavar="FIELD=TEXT", help="with --map: a field of every such line"
    )
    group.add_argument("--type", metavar="TYPE", help="with --map: their record type (default: as their fields say)")


def _add_destination(group: _Group) -> None:
    group.add_argument("--config", type=Path, metavar="FILE", help="dictConfig file whose RaindropHandler says how")
    group.add_argument("--endpoint", metavar="URL", help="address of Raindrop (default: as the handler's)")
    group.add_argument("--project-id", metavar="SLUG", help="the project (default: as the handler's)")
    group.add_argument("--workshop", metavar="URL", help="ship to this Workshop instead")
    group.add_argument(
        "--patience",
        type=_seconds,
        default=_PATIENCE,
        metavar="SECONDS",
        help="give up once nothing has arrived for so long (default: %(default)g)",
    )


def _add_memory(group: _Group) -> None:
    group.add_argument("--state", type=Path, metavar="PATH", help="state file (default: in your state directory)")
    group.add_argument("--rejects", type=Path, metavar="PATH", help="rejects file (default: beside the state file)")
    group.add_argument("--dry-run", action="store_true", help="read, check and count; send and change nothing")


def _add_output(group: _Group) -> None:
    group.add_argument("--json", action="store_true", help="the summary as one JSON object")
    group.add_argument("--quiet", action="store_true", help="no progress")


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"a number of lines is a whole number from 1, not {text!r}")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if 0 < seconds < float("inf"):
        return seconds
    raise argparse.ArgumentTypeError(f"a time is a number of seconds above 0, not {text!r}")


def run(arguments: argparse.Namespace) -> int:
    """Ship, and say what became of it."""
    from raindrop_logging.shipping.inputs import MissingInputError

    try:
        _check(arguments)
        report, places = _ship(arguments)
    except (SettingsError, MissingInputError) as error:
        print(f"raindrop-logging ship: {error}", file=sys.stderr)
        return _USAGE
    _print(arguments, report, places)
    if report.interrupted and not arguments.follow:
        return _INTERRUPTED
    return 0 if report.is_complete else 1


def _check(arguments: argparse.Namespace) -> None:
    """What argparse cannot see: options that do not go together."""
    rules = (
        ("-" in arguments.inputs and len(arguments.inputs) > 1, "'-' is standard input, and goes with no other input"),
        ("-" in arguments.inputs and arguments.follow, "--follow is for files; a pipe is read to its end anyway"),
        (arguments.dry_run and arguments.follow, "--dry-run and --follow do not go together"),
        (
            bool(arguments.set or arguments.type) and not arguments.map,
            "--set and --type need --map, which says what lines are meant",
        ),
    )
    for is_broken, rule in rules:
        if is_broken:
            raise SettingsError(rule)


class _Places(Struct, frozen=True):
    """Where a shipment goes, and where it leaves what it knows and what it could not ship."""

    destination: str
    state: Path | None
    rejects: Path | None


def _ship(arguments: argparse.Namespace) -> tuple[Report, _Places]:
    """Join the stages, and run them."""
    from raindrop_logging.shipping.destination import keys_of
    from raindrop_logging.shipping.inputs import Inputs
    from raindrop_logging.shipping.mapping import FieldMap
    from raindrop_logging.shipping.progress import progress

    field_map = FieldMap(arguments.map, arguments.set, arguments.type) if arguments.map else None
    inputs = None
    if arguments.inputs != ["-"]:
        inputs = Inputs(arguments.inputs, rotated=not arguments.no_rotated, may_come=arguments.follow)
    said = {"endpoint": arguments.endpoint, "project_id": arguments.project_id, "workshop": arguments.workshop}
    delivery = _delivery(keys_of(arguments.config, said), arguments)
    shown = progress(sys.stderr, quiet=arguments.quiet)
    try:
        with _operator(shown, delivery):
            places = _places(arguments, delivery)
            return _run(arguments, places, delivery, shown, (inputs, field_map)), places
    finally:
        shown.close()


def _run(
    arguments: argparse.Namespace,
    places: _Places,
    delivery: Delivery,
    shown: Progress,
    read: tuple[Inputs | None, FieldMap | None],
) -> Report:
    from raindrop_logging.shipping.positions import Positions
    from raindrop_logging.shipping.records import RecordReader
    from raindrop_logging.shipping.rejects import Rejects
    from raindrop_logging.shipping.shipment import Shipment
    from raindrop_logging.shipping.stopping import Stop

    inputs, field_map = read
    stop = Stop()
    with Positions(places.state, places.destination, write=not arguments.dry_run) as positions, stop.listening():
        shipment = Shipment(
            delivery=delivery,
            positions=positions,
            reader=RecordReader(field_map),
            rejects=Rejects(places.rejects, shown.tell),
            progress=shown,
            stop=stop,
            follow=arguments.follow,
            most=arguments.max_lines,
        )
        return shipment.ship_pipe(sys.stdin.fileno()) if inputs is None else shipment.ship(inputs)


def _places(arguments: argparse.Namespace, delivery: Delivery) -> _Places:
    from raindrop_logging.shipping.destination import name_of
    from raindrop_logging.shipping.positions import default_state

    destination = name_of(delivery.settings)
    state: Path = arguments.state or default_state(arguments.inputs, destination)
    rejects = arguments.rejects or state.with_suffix(".rejects.jsonl")
    is_pipe = arguments.inputs == ["-"]
    return _Places(destination, None if is_pipe else state, None if arguments.dry_run else rejects)


def _delivery(keys: dict[str, Any], arguments: argparse.Namespace) -> Delivery:
    from raindrop_logging.shipping.delivery import Rehearsal, Road

    return Rehearsal(keys) if arguments.dry_run else Road(keys, patience=arguments.patience)


class _Told(logging.Handler):
    """Shows what the road tells the operator, beside the progress."""

    def __init__(self, shown: Progress) -> None:
        super().__init__()
        self._shown = shown

    def emit(self, record: logging.LogRecord) -> None:
        self._shown.tell(record.getMessage())


@contextmanager
def _operator(shown: Progress, delivery: Delivery) -> Generator[None]:
    """Tell here what the road tells the operator, and at the end nothing: what is lost to it is in its file."""
    logger, handler = logging.getLogger("raindrop_logging"), _Told(shown)
    propagates = logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        handler.addFilter(lambda _: False)
        delivery.close()
        logger.removeHandler(handler)
        logger.propagate = propagates


# ---- the summary -----------------------------------------------------------------------------------------------------


def _print(arguments: argparse.Namespace, report: Report, places: _Places) -> None:
    state = None if arguments.dry_run else places.state
    rejects = places.rejects if report.rejected else None
    if arguments.json:
        paths = {"state": state and str(state), "rejects": rejects and str(rejects)}
        print(json.dumps({**asdict(report), **paths, "complete": report.is_complete, "dry_run": arguments.dry_run}))
        return
    for name, text in _summary(arguments, report, state, rejects):
        print(f"{name:<10} {text}")


def _summary(
    arguments: argparse.Namespace, report: Report, state: Path | None, rejects: Path | None
) -> Generator[tuple[str, str]]:
    rate = (
        f", {report.lines / report.seconds:,.0f} a second" if report.lines >= _WORTH_A_RATE and report.seconds else ""
    )
    if report.lines or not report.looked_at:
        read = f"{_number(report.lines, 'line')} of {_number(report.files, 'file')}"
        yield "read", f"{read} in {report.seconds:.1f} s{rate}"
    else:
        yield "read", f"nothing new in {_number(report.looked_at, 'file')}"
    yield ("would ship" if arguments.dry_run else "delivered"), _number(report.delivered, "record")
    summed_up = f", {report.summaries:,} of them with a summary only (the formatter's block: summary)"
    yield "skipped", f"{_number(report.skipped, 'line')} without a block{summed_up if report.summaries else ''}"
    if report.rejected:
        yield "rejected", f"{_number(report.rejected, 'line')}{f', left in {rejects}' if rejects else ''}"
    if report.left:
        left = _number(report.left, "record")
        yield "left", f"{left} may not have arrived; the next run sends what is left, with the same ids"
    if report.unfinished:
        yield (
            "unfinished",
            f"{_number(report.unfinished, 'file')} with a last line that has no end yet; the next run looks again",
        )
    for trouble in report.troubles:
        yield "trouble", trouble
    if report.stopped or report.interrupted:
        yield "stopped", report.stopped or "when asked to"
    if state is not None:
        yield "state", str(state)


def _number(count: int, of: str) -> str:
    return f"{count:,} {of}{'s' * (count != 1)}"
