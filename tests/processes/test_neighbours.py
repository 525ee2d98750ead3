"""Several processes share one spool_dir: what one leaves another sends, once, whatever state the disk is in."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.processes.children import (
    Child,
    closed_endpoint,
    each_once,
    items,
    keys_of,
    names,
    restart,
    run,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.wire.recorder import Recorder, Request

LEAVING: Final = """
who = "WHO"
for number in range(50):
    say(f"{who}-{number}")
told("done")
sys.stdin.readline()
"""

STAYING: Final = """
say("WHO")
told("done")
sys.stdin.readline()
"""

FILLING: Final = """
for number in range(60):
    say(f"e{number}", "x" * 2_000)
told("done")
sys.stdin.readline()
assert raindrop_logging.flush(20)
assert raindrop_logging.stats().dropped == {}
"""


def _late(_: Request) -> None:
    time.sleep(0.05)  # a server that is some way off


def _leave(who: str, directory: Path, *, durability: str = "journal", **more: object) -> None:
    """Have a process log 50 records, whose server is down, and be killed."""
    with closed_endpoint() as nowhere:
        keys = keys_of(durability, directory, endpoint=nowhere, **more)
        with Child(LEAVING.replace("WHO", who), **keys) as child:
            child.read_until(lambda lines: lines == ["done"])
            child.kill(signal.SIGKILL)
            child.ended()


def _said(*whose: str) -> list[str]:
    return sorted(f"{who}-{number}" for who in whose for number in range(50))


def _files(directory: Path) -> list[Path]:
    return [path for path in (directory / "spool").rglob("*") if path.is_file()]


# ---- who sends what


def test_processes_that_start_at_once_send_no_file_twice(recorder: Recorder, tmp_path: Path) -> None:
    """What four processes left is divided among four others, each record sent once, and nothing is left."""
    recorder.judge = _late
    for who in "abcd":
        _leave(who, tmp_path)
    keys = keys_of("journal", tmp_path, endpoint=recorder.endpoint)
    with ExitStack() as stack:
        started = [stack.enter_context(Child(STAYING.replace("WHO", f"s{number}"), **keys)) for number in range(4)]
        assert [child.ended().code for child in started] == [0] * 4
    assert sorted(each_once(recorder)) == sorted([*_said(*"abcd"), *(f"s{number}" for number in range(4))])
    assert _files(tmp_path) == []


def test_a_process_that_lives_keeps_what_is_its_own(recorder: Recorder, tmp_path: Path) -> None:
    """Those that start beside it leave its files alone, however long its server has been down."""
    with closed_endpoint() as nowhere:
        keys = keys_of("journal", tmp_path, endpoint=nowhere)
        with Child(LEAVING.replace("WHO", "living"), **keys) as child:
            child.read_until(lambda lines: lines == ["done"])
            restart(**{**keys, "endpoint": recorder.endpoint})
            assert recorder.requests == []
            child.kill(signal.SIGKILL)
            child.ended()
    restart(**{**keys, "endpoint": recorder.endpoint})
    assert sorted(each_once(recorder)) == _said("living")


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["spill", "journal"])
def test_a_process_that_lives_takes_over_from_one_that_dies(
    recorder: Recorder, tmp_path: Path, durability: str
) -> None:
    """It looks around every ten seconds, even if it has nothing to send itself."""
    with Child(STAYING.replace("WHO", "idle"), **keys_of(durability, tmp_path, endpoint=recorder.endpoint)) as idle:
        idle.read_until(lambda lines: lines == ["done"])
        _leave("dead", tmp_path)
        wait_until(lambda: len(items(recorder, "events/track")) > 50, 15.0)
        assert idle.lines == ["done"]
    assert sorted(each_once(recorder)) == sorted([*_said("dead"), "idle"])


@pytest.mark.parametrize("other", [{"write_key": "another"}, {"project_id": "another"}], ids=str)
def test_what_another_account_left(recorder: Recorder, tmp_path: Path, other: dict[str, str]) -> None:
    """It is never sent under this key or for this project, and waits for its own."""
    _leave("mine", tmp_path)
    theirs = keys_of("journal", tmp_path, endpoint=recorder.endpoint, **other)
    run('say("theirs")', **theirs)
    assert names(recorder) == ["theirs"]
    restart(**keys_of("journal", tmp_path, endpoint=recorder.endpoint))
    assert sorted(each_once(recorder)) == sorted([*_said("mine"), "theirs"])


# ---- what is wrong with the disk


def _truncated(segment: Path) -> None:
    segment.write_bytes(segment.read_bytes()[:-7])


def _garbled(segment: Path) -> None:
    segment.write_bytes(b"\x00garbage\xff" * 500)


def _emptied(segment: Path) -> None:
    segment.write_bytes(b"")


def _torn(segment: Path) -> None:
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0xFF
    segment.write_bytes(data)


def _a_directory(segment: Path) -> None:
    segment.unlink()
    segment.mkdir()


def _a_fifo(segment: Path) -> None:
    segment.unlink()
    os.mkfifo(segment)


def _a_socket(segment: Path) -> None:
    segment.unlink()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(segment))


def _a_loop(segment: Path) -> None:
    segment.unlink()
    segment.symlink_to(segment)


def _strangers(segment: Path) -> None:
    for name in ("lock", "1-0123456789abcdef", "README", "logged-x.seg", "logged-00000099.seg", "logged-00000001.ack"):
        (segment.parent / name).write_bytes(b"who are you?")
        (segment.parents[1] / name).write_bytes(b"who are you?")


HARMS: Final = {
    harm.__name__.strip("_"): harm
    for harm in (_truncated, _garbled, _emptied, _torn, _a_directory, _a_fifo, _a_socket, _a_loop, _strangers)
}


def test_a_disk_in_any_state_stops_no_start(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file of one process is harmed in another way: the next one starts, says so, and sends what is whole."""
    monkeypatch.chdir(tmp_path)
    for name, harm in HARMS.items():
        before = set(_files(tmp_path))
        _leave(name, tmp_path)
        (segment,) = (path for path in set(_files(tmp_path)) - before if path.suffix == ".seg")
        harm(segment)
    _leave("whole", tmp_path)
    ended = run('say("new")', **keys_of("journal", tmp_path, endpoint=recorder.endpoint))
    arrived = each_once(recorder)
    assert "new" in arrived
    assert set(_said("whole")) <= set(arrived)
    assert len([name for name in arrived if name.startswith("torn")]) == 49
    assert len([name for name in arrived if name.startswith("truncated")]) == 49
    assert "spool_damaged" in ended.errors
    assert "Traceback" not in ended.errors


def _bounded(size: int) -> str:
    """A program whose files cannot grow beyond that, its stderr included."""
    return f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {resource.RLIM_INFINITY}))\n" + FILLING


@pytest.mark.parametrize("size", [1_000, 20_000])
def test_a_file_that_cannot_grow(recorder: Recorder, tmp_path: Path, size: int) -> None:
    """Memory takes what the disk does not: everything arrives, and one line says so."""
    _check_degraded(recorder, tmp_path, _bounded(size))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")
def test_a_disk_that_is_full(recorder: Recorder, tmp_path: Path) -> None:
    """No space left on the device: everything arrives all the same, and one line says so."""
    with _tiny_disk(tmp_path / "spool"):
        _check_degraded(recorder, tmp_path, FILLING)


def _check_degraded(recorder: Recorder, directory: Path, program: str) -> None:
    with Child(program, **keys_of("journal", directory, endpoint=recorder.endpoint)) as child:
        child.read_until(lambda lines: lines == ["done"])
        child.go_on()
        ended = child.ended()
    assert ended.code == 0, ended.errors
    assert sorted(each_once(recorder)) == sorted(f"e{number}" for number in range(60))
    lines = ended.errors.splitlines()
    assert all(line.startswith("spool_unwritable") for line in lines), lines
    assert 1 <= len(lines) <= 2, "one a minute, and what has changed by the end"


@contextmanager
def _tiny_disk(directory: Path) -> Iterator[None]:
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(directory)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    try:
        yield
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written(tmp_path: Path) -> None:
    """The configuration is refused at set-up, by the name of the key."""
    (tmp_path / "spool").mkdir(mode=0o500)
    with closed_endpoint() as nowhere, Child("", **keys_of("journal", tmp_path, endpoint=nowhere)) as child:
        ended = child.ended()
    assert ended.code == 1
    assert "'spool_dir' is" in ended.errors


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    """Directories are 0700 and files 0600, whatever the process's umask would allow."""
    with closed_endpoint() as nowhere:
        keys = keys_of("journal", tmp_path, endpoint=nowhere)
        with Child("os.umask(0)\n" + LEAVING, **keys) as child:
            child.read_until(lambda lines: lines == ["done"])
            found = [(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (tmp_path / "spool").rglob("*")]
    assert set(found) == {(True, 0o700), (False, 0o600)}
