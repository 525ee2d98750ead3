"""What is shown meanwhile: a bar on a terminal, a plain line every few seconds anywhere else."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from raindrop_logging.shipping.progress import Bar, Seen, progress
from tests.shipping.conftest import write
from tests.test_cli import EXTRA, WITHOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.wire.recorder import Recorder


def shown_on_a_terminal(recorder: Recorder, tmp_path: Path, *command: str) -> str:
    """What a person sees of a shipment of two lines, one of them bad."""
    pty = pytest.importorskip("pty", reason="no terminals to make on this system")
    (tmp_path / "[bold]").mkdir()
    path = write(tmp_path / "[bold]" / "app.log", "e1")
    path.write_text(path.read_text() + "bad\n")
    ours, theirs = pty.openpty()
    environ = {**os.environ, "RAINDROP_WRITE_KEY": "rk_test", "RAINDROP_ENDPOINT": recorder.endpoint, "TERM": "xterm"}
    words = ["ship", str(path), "--state", str(tmp_path / "s")]
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run(
            [sys.executable, *command, *words],
            env=environ,
            stderr=theirs,
            stdout=subprocess.DEVNULL,
            check=False,
            timeout=30,
        )
        os.close(theirs)
        return b"".join(_all_of(terminal)).decode()


def _all_of(terminal: io.RawIOBase | io.FileIO) -> Iterator[bytes]:
    """What was written to a terminal, which ends in an error once nobody has it open."""
    with suppress(OSError):
        while data := terminal.read(4_096):
            yield data


def test_bar_on_a_terminal(recorder: Recorder, tmp_path: Path) -> None:
    """With rich a bar, with what was delivered; bad lines stand above it as they are."""
    shown = shown_on_a_terminal(recorder, tmp_path, "-m", "raindrop_logging")
    assert "shipping" in shown
    assert "1 delivered" in shown
    assert "━" in shown
    assert "[bold]/app.log:2: not JSON" in shown


def test_the_last_bar_is_how_it_ended() -> None:
    """However soon after another one it comes, the last state is what stays on the terminal."""
    out = io.StringIO()
    shown = Bar(out, lambda: 7.0)
    shown.show(Seen(lines=0, delivered=0, read=0, total=9))
    shown.show(Seen(lines=3, delivered=3, read=9, total=9))
    shown.close()
    assert "3 delivered" in out.getvalue()


def test_lines_on_a_terminal_without_rich(recorder: Recorder, tmp_path: Path) -> None:
    """Without rich there is no bar, and everything else is the same."""
    shown = shown_on_a_terminal(recorder, tmp_path, "-c", WITHOUT.format(missing=set(EXTRA)))
    assert "app.log:2: not JSON" in shown
    assert "\x1b" not in shown


def test_a_line_every_few_seconds() -> None:
    """Each says how much, how fast, and what is left; between them nothing is said."""
    out, now = io.StringIO(), [100.0]
    shown = progress(out, clock=lambda: now[0])
    shown.show(Seen(lines=0, delivered=0, read=0, total=10_000_000))
    for second in (101, 104, 105, 107, 110):
        now[0] = float(second)
        done = (second - 100) * 200_000
        shown.show(Seen(lines=(second - 100) * 1_000, delivered=(second - 100) * 900, read=done, total=10_000_000))
    assert out.getvalue().splitlines() == [
        "4,500 records delivered, 5,000 lines read (1,000 a second), 9.0 MB of 10.0 MB left, about 0:45 to go",
        "9,000 records delivered, 10,000 lines read (1,000 a second), 8.0 MB of 10.0 MB left, about 0:40 to go",
    ]


def test_a_pipe_has_no_end_in_sight() -> None:
    """Where the end is not known nothing is said of it."""
    out, now = io.StringIO(), [0.0]
    shown = progress(out, clock=lambda: now[0])
    shown.show(Seen(lines=0, delivered=0, read=0, total=None))
    now[0] = 5.0
    shown.show(Seen(lines=50, delivered=40, read=900, total=None))
    assert out.getvalue() == "40 records delivered, 50 lines read (10 a second)\n"


def test_quiet() -> None:
    """--quiet leaves out the progress, and not what went wrong."""
    out = io.StringIO()
    shown = progress(out, quiet=True, clock=lambda: 0.0)
    shown.show(Seen(lines=1, delivered=1, read=1, total=None))
    shown.tell("app.log:2: not JSON")
    assert out.getvalue() == "app.log:2: not JSON\n"
