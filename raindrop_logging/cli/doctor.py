"""``raindrop-logging doctor``: what a process would be told, whether the receiver can be reached, and what it answers.

In: a dictConfig file, or none; the environment.  Out: a check list.  Touches: the process's logging configuration, the
network, stdout.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from raindrop_logging.cli.arguments import seconds
from raindrop_logging.errors import RaindropLoggingError

if TYPE_CHECKING:
    from raindrop_logging._pipeline.sender import Receiver
    from raindrop_logging.cli.arguments import Commands
    from raindrop_logging.cli.diagnosis.checks import Section
    from raindrop_logging.cli.diagnosis.configured import Configured
    from raindrop_logging.cli.diagnosis.report import Examined, Report, Style

STEP_SECONDS: Final = 5.0

_WIDEST: Final = 120


def add_to(commands: Commands) -> None:
    """Declare the command and its arguments."""
    parser = commands.add_parser(
        "doctor",
        help="say what the configuration comes to, reach the receiver step by step, and send one of each record",
        description=(
            "Say what a process with this configuration would do: each key and where its value comes from, whether the "
            "receiver can be reached, and what it answers to one record of each type, sent as the handler sends "
            "them. The records are marked: user_id 'raindrop-logging-doctor', properties {doctor: true}. The write key "
            "is never shown. Exits with 0 only if all of it is good."
        ),
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        help="a dictConfig file, which is loaded as a process would (default: RAINDROP_* variables and defaults)",
    )
    parser.add_argument(
        "--no-send", "--dry-run", action="store_true", dest="no_send", help="send no record; only reach the receiver"
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=STEP_SECONDS,
        metavar="SECONDS",
        help="for each step and for each request (default: %(default)g)",
    )
    parser.add_argument("--verbose", "-v", action="store_true", help="name the keys that nobody has set, too")
    parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look at everything, and print it."""
    from raindrop_logging.cli.diagnosis.report import as_json, as_lines, masked

    configured, found = _resolved(arguments.config)
    report = masked(_examined(arguments, configured, found), _secrets(configured))
    if arguments.json:
        print(as_json(report))
    else:
        encoding = sys.stdout.encoding or "utf-8"
        for line in as_lines(report, _style(), verbose=arguments.verbose):
            print(line.encode(encoding, "backslashreplace").decode(encoding))
    return 0 if report.good else 1


def _resolved(path: Path | None) -> tuple[list[Configured], Section]:
    """The handlers, and whether they could be made at all."""
    from raindrop_logging.cli.diagnosis import configured
    from raindrop_logging.cli.diagnosis.checks import Section, fail, ok

    title = "Configuration"
    try:
        found = configured.without_file() if path is None else configured.of_file(path)
    except RaindropLoggingError as error:
        is_missing = path is not None and not path.is_file()
        todo = _NAME_ONE if is_missing else _CORRECT if path is None else f"raindrop-logging check {path} says where"
        return [], Section(title=title, checks=(fail("loads", str(error), todo),))
    if not found:
        todo = 'add {"class": "raindrop_logging.RaindropHandler"} to its handlers, and name it in the root logger'
        return [], Section(title=title, checks=(fail("loads", f"{path} holds no RaindropHandler", todo),))
    said = "variables and defaults; name a file with --config" if path is None else f"{path} can be loaded"
    return found, Section(title=title, checks=(ok("loads", said),))


_CORRECT: Final = "correct it; the table of keys in the README says what each one takes"
_NAME_ONE: Final = "name the file that the process loads; without --config the RAINDROP_* variables alone are looked at"


def _examined(arguments: argparse.Namespace, configured: list[Configured], loaded: Section) -> Report:
    from raindrop_logging.cli.diagnosis import surroundings
    from raindrop_logging.cli.diagnosis.checks import Section
    from raindrop_logging.cli.diagnosis.report import Report
    from raindrop_logging.version import __version__

    around = Section(title="Process", checks=tuple(surroundings.checks()))
    handlers = [_handler(one, arguments.timeout, sends=not arguments.no_send) for one in configured]
    config = None if arguments.config is None else str(arguments.config)
    return Report(version=__version__, config=config, sections=(around, loaded), handlers=tuple(handlers))


def _handler(configured: Configured, timeout: float, *, sends: bool) -> Examined:
    from raindrop_logging.cli.diagnosis import disk
    from raindrop_logging.cli.diagnosis.checks import Section
    from raindrop_logging.cli.diagnosis.configured import checks_of
    from raindrop_logging.cli.diagnosis.report import Examined

    settings = configured.settings
    own = Section(title="Set-up", checks=(*checks_of(configured), *disk.checks(settings)))
    sections = [own]
    if settings.write_key is not None or settings.workshop is not None:
        sections += _network(configured, timeout, sends=sends)
    return Examined(handler=configured.name, keys=_keys(configured), sections=tuple(sections))


def _network(configured: Configured, timeout: float, *, sends: bool) -> Iterator[Section]:
    from raindrop_logging._pipeline import parts
    from raindrop_logging.cli.diagnosis import reach
    from raindrop_logging.cli.diagnosis.checks import Section, skip
    from raindrop_logging.cli.diagnosis.loggers import HTTP_CLIENT, set_apart

    for logger in HTTP_CLIENT:
        set_apart(logger)
    receiver: Receiver = parts.primary(configured.settings)
    reached = Section(title="Network", checks=tuple(reach.checks(receiver, timeout)))
    yield reached
    why = _why_not_sent(configured, reached, sends=sends)
    if why is None:
        from raindrop_logging.cli.diagnosis import sent, trial

        tried = trial.send_one_of_each(configured.keys or {}, configured.settings, timeout)
        yield Section(title="Records", checks=tuple(sent.checks(tried, configured.settings)))
    else:
        yield Section(title="Records", checks=(skip("records", why),))


def _why_not_sent(configured: Configured, reached: Section, *, sends: bool) -> str | None:
    if not sends:
        return "none is sent, as asked"
    if not configured.settings.enabled or configured.settings.mode == "off":
        return "none is sent, since the handler is off"
    if configured.keys is None:
        return "none is sent: code of the application's makes this handler, with keys that are not in the file"
    return "none is sent, since the receiver cannot be reached" if reached.failed else None


# ---- what may be shown ---------------------------------------------------------------------------------------------

_SET: Final = "set"
_HIDDEN: Final = frozenset({"write_key", "wizard_session"})


def _keys(configured: Configured) -> dict[str, Any]:
    from raindrop_logging.cli.diagnosis.report import Key

    settings, origins = configured.settings, configured.origins
    keys: dict[str, Key] = {}
    for name in settings.__struct_fields__:
        origin = origins.get(name)
        value = _shown(name, getattr(settings, name))
        said = "code" if origin is None else str(origin)
        if said == "default" and name == "durability" and settings.durability != "memory":
            said = "since there is a spool_dir"
        keys[name] = Key(value, said, said == "default")
    return keys


def _shown(name: str, value: Any) -> Any:
    """A value as it may be shown: of a secret only that there is one, of a proxy its place."""
    from urllib.parse import urlsplit

    from raindrop_logging.redaction import Redactor
    from raindrop_logging.settings import Secret

    if value is None:
        return None
    if name in _HIDDEN:
        return _SET
    if isinstance(value, Secret):
        proxy = urlsplit(value.reveal())
        return f"{proxy.scheme}://{proxy.netloc.rpartition('@')[2]}"
    if name == "breadcrumbs":
        names = {level: word for word, level in logging.getLevelNamesMapping().items()}
        return {"level": names.get(value.level, value.level), "max": value.max}
    if name == "defaults":  # what is shown here is pasted elsewhere
        return Redactor().block(dict(value)) or None
    if name in {"sampling", "budgets"}:
        return dict(value) or None
    return list(value) if isinstance(value, tuple) else value


def _secrets(configured: list[Configured]) -> Iterator[str]:
    """Every text that may stand nowhere in what is printed."""
    from raindrop_logging._pipeline import parts
    from raindrop_logging._pipeline.sender import proxy_of, secrets_of

    yield os.environ.get("RAINDROP_WRITE_KEY", "").strip()
    for one in configured:
        settings = one.settings
        yield settings.wizard_session or ""
        for receiver in (parts.primary(settings), parts.mirror(settings)):
            if receiver is not None:
                yield from secrets_of(receiver)
                user, at, _ = (proxy_of(receiver) or "").partition("://")[2].rpartition("@")
                yield from (user, user.partition(":")[2]) if at else ()


def _style() -> Style:
    from raindrop_logging.cli.diagnosis.report import Style

    is_terminal = sys.stdout.isatty()
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Style(min(shutil.get_terminal_size((100, 24)).columns, _WIDEST), is_terminal and not plain)
