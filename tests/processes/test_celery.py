"""Celery's prefork worker, over a broker in the file system: what its tasks log arrives once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.processes.deployment import LOGGING, deployed, events, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder

pytest.importorskip("celery")

SHOP = (
    LOGGING
    + """
from pathlib import Path
from celery import Celery
from raindrop_logging.contrib import celery
celery.install()
here = Path(__file__).parent
app = Celery("shop", broker="filesystem://", broker_transport_options={
    "data_folder_in": str(here / "in"), "data_folder_out": str(here / "in"),
    "control_folder": str(here / "control"), "polling_interval": 0.05})
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 1
@app.task
def answer(number):
    say(f"{os.getpid()}-{number}")
    (here / "done" / str(number)).write_text(str(os.getpid()))
@app.task
def fail(number):
    say(f"{os.getpid()}-{number}")
    (here / "done" / str(number)).write_text(str(os.getpid()))
    raise RuntimeError("no")
if __name__ == "__main__":
    for number in range(int(sys.argv[1])):
        (fail if number % 4 == 3 else answer).delay(number)
"""
)
TASKS = 8


def _worked_off(recorder: Recorder, directory: Path, *options: str) -> list[str]:
    """Eight tasks, of which every fourth fails, by a worker with two processes; the events that they logged."""
    (directory / "shop.py").write_text(SHOP)
    for name in ("in", "control", "done"):
        (directory / name).mkdir()
    with deployed(recorder, directory, "shop.py", str(TASKS)) as client:
        assert client.ends() == 0
    command = ["-m", "celery", "-A", "shop:app", "worker", "--concurrency=2", "--loglevel=INFO", *options]
    with deployed(
        recorder, directory, *command, "--without-gossip", "--without-mingle", "--without-heartbeat"
    ) as worker:
        until(lambda: len(_done(directory)) == TASKS, f"{TASKS} tasks done", worker)
        logged = sorted(f"{pid}-{number}" for number, pid in _done(directory).items())
        assert worker.stops() == 0  # a warm shutdown: running tasks end, the children of the pool are asked to leave
        until(lambda: len(events(recorder)) >= TASKS, f"{TASKS} records, from children that outlive the worker too")
    return logged


def _done(directory: Path) -> dict[str, str]:
    written = {path.name: path.read_text() for path in (directory / "done").iterdir()}
    return {number: pid for number, pid in written.items() if pid}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="prefork"),
        # Celery's main process may end before such children do, and they by a signal of its pool.
        pytest.param(["--max-tasks-per-child=1"], id="a process a task", marks=pytest.mark.slow),
    ],
)
def test_every_task_s_record_arrives_once(recorder: Recorder, tmp_path: Path, options: list[str]) -> None:
    """After a warm shutdown all is there, from failed tasks too, through the handler at the root logger."""
    logged = _worked_off(recorder, tmp_path, *options)
    assert events(recorder) == logged
    processes = {event.partition("-")[0] for event in logged}
    assert len(processes) == TASKS if options else 1 <= len(processes) <= 2


def test_installing_twice_is_installing_once(recorder: Recorder, tmp_path: Path) -> None:
    """Each of Celery's signals finds one receiver of ours, and the root logger one handler."""
    program = (
        SHOP.partition("here =")[0]
        + """
from celery import signals
celery.install()
for sent in ("after_setup_logger", "worker_process_init", "worker_process_shutdown", "worker_shutdown"):
    assert len(getattr(signals, sent).receivers) == 1, sent
logger = logging.getLogger()
signals.after_setup_logger.send(sender=None, logger=logger)
assert len(logger.handlers) == 1, logger.handlers
"""
    )
    with deployed(recorder, tmp_path, "-c", program) as ended:
        assert ended.ends() == 0, ended.output.read_text()


def test_without_celery_the_error_says_what_is_missing(recorder: Recorder, tmp_path: Path) -> None:
    """Where the library is not installed, `install` names it."""
    program = "import sys; sys.modules['celery'] = None; from raindrop_logging.contrib import celery; celery.install()"
    with deployed(recorder, tmp_path, "-c", program) as ended:
        assert ended.ends() == 1
    assert "RaindropLoggingError: raindrop_logging.contrib.celery needs Celery" in ended.output.read_text()
