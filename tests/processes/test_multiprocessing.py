"""Workers of multiprocessing and concurrent.futures, which run no atexit functions, lose and repeat nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.processes.children import DURABILITIES, each_once, keys_of, names, restart, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder

WORKERS: Final = """
import concurrent.futures, multiprocessing

def work(number):
    say(f"w{number}")

def Pool(context):
    pool = context.Pool(4)
    pool.map(work, range(40), chunksize=5)
    pool.close()
    pool.join()

def Process(context):
    workers = [context.Process(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4

def ProcessPoolExecutor(context):
    with concurrent.futures.ProcessPoolExecutor(4, mp_context=context) as pool:
        list(pool.map(work, range(40), chunksize=5))

def terminated(context):
    with context.Pool(4) as pool:
        pool.map(work, range(40), chunksize=5)

if __name__ == "__main__":
    say("parent")
    HOW(multiprocessing.get_context("METHOD"))
"""

SAID: Final = {"Pool": 40, "Process": 4, "ProcessPoolExecutor": 40}

METHODS: Final = ("fork", "spawn", "forkserver")

QUICK: Final = {("Pool", "spawn"), ("Pool", "forkserver"), *((how, "fork") for how in SAID)}


@pytest.mark.parametrize(
    ("how", "method"),
    [
        pytest.param(how, method, marks=[] if (how, method) in QUICK else [pytest.mark.slow])
        for how in SAID
        for method in METHODS
    ],
)
def test_workers_that_end_as_they_should(recorder: Recorder, tmp_path: Path, how: str, method: str) -> None:
    """Each record of the parent and of its workers arrives once."""
    _run(how, method, recorder, tmp_path, "memory")
    assert sorted(each_once(recorder)) == sorted(_said(SAID[how]))


@pytest.mark.parametrize("durability", DURABILITIES[1:])
def test_workers_that_keep_records_on_disk(recorder: Recorder, tmp_path: Path, durability: str) -> None:
    """Each record arrives once, and no worker leaves a file behind."""
    _run("Pool", "fork", recorder, tmp_path, durability)
    assert sorted(each_once(recorder)) == sorted(_said(40))
    assert [path for path in tmp_path.rglob("*") if path.suffix in {".seg", ".ack"}] == []


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_workers_that_are_terminated(recorder: Recorder, tmp_path: Path, method: str) -> None:
    """`with Pool()` ends its workers by SIGTERM: a journal keeps what they logged, and the next process sends it."""
    _run("terminated", method, recorder, tmp_path, "journal")
    restart(**keys_of("journal", tmp_path, endpoint=recorder.endpoint))
    assert sorted(names(recorder)) == sorted(_said(40))


def _run(how: str, method: str, recorder: Recorder, directory: Path, durability: str) -> None:
    body = WORKERS.replace("HOW", how).replace("METHOD", method)
    run(body, file=directory / "service.py", **keys_of(durability, directory, endpoint=recorder.endpoint))


def _said(number: int) -> list[str]:
    return ["parent", *(f"w{each}" for each in range(number))]
