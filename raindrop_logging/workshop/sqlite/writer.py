"""The one thread of a store that writes: jobs in the order they came, committed in groups.

In: jobs, from any thread.  Out: futures that are done once their job is durable.  Touches: a connection, one thread.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

from raindrop_logging.workshop.signals.rules import SignalError
from raindrop_logging.workshop.store import StoreError

GROUP_LIMIT: Final = 200
"""Jobs in one commit, at most: what waits for the disk together."""

QUIET_SECONDS: Final = 0.05
"""No job for so long: chores may begin. Less would put one between any two batches of a busy client."""
PACE: Final = 2
"""Pieces of each pressing chore for each job: for a batch of 100 events, as much as it brought."""

_Result = TypeVar("_Result")
_Work = Callable[[sqlite3.Connection], Any]
_Job = tuple[_Work, "Future[Any]"]
Chore = Callable[[sqlite3.Connection], bool]


class Writer:
    """Owns the thread; borrows a connection for each group.

    `chores` are what to do while no job waits: each does a small piece in a transaction, True while it has more.
    `pressing` are done after each group, `PACE` pieces a job, whatever waits: they keep a backlog bounded.
    """

    def __init__(
        self,
        borrow: Callable[[], AbstractContextManager[sqlite3.Connection]],
        chores: Sequence[Chore] = (),
        pressing: Sequence[Chore] = (),
    ) -> None:
        self._borrow = borrow
        self._chores = chores
        self._pressing = pressing
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._write_until_closed, name="workshop-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[sqlite3.Connection], _Result]) -> Future[_Result]:
        """Run this in a transaction; if it raises, nothing of it stays and the future has the error.

        That is a `StoreError`, or the `SignalError` that the work raised.
        """
        done: Future[_Result] = Future()
        with self._closing:
            if self._closed:
                done.set_exception(StoreError("the store is closed"))
            else:
                self._jobs.put((work, done))
        return done

    def close(self) -> bool:
        """Finish every job, then end; False when it was closed before."""
        with self._closing:
            if self._closed:
                return False
            self._closed = True
            self._jobs.put(None)
        self._thread.join()
        return True

    def _write_until_closed(self) -> None:
        while (group := self._next_group()) is not None:
            with self._borrow() as db:
                _commit(db, group)
            for chore in self._pressing:
                any(not self._piece(chore) for _ in range(PACE * len(group)))

    def _next_job(self) -> _Job | None:
        """The job that comes next; while none comes, chores piece by piece. What fails waits for another quiet time."""
        left = list(self._chores)
        patience = QUIET_SECONDS
        while left:
            try:
                return self._jobs.get(timeout=patience)
            except queue.Empty:
                patience = 0.0
                if not self._piece(left[0]):
                    left.pop(0)
        return self._jobs.get()

    def _piece(self, chore: Chore) -> bool:
        """Whether the chore has more."""
        done: Future[bool] = Future()
        with self._borrow() as db:
            _commit(db, [(chore, done)])
        return done.exception() is None and done.result()

    def _next_group(self) -> list[_Job] | None:
        """What waits right now, at most `GROUP_LIMIT` jobs; None once closed and empty."""
        first = self._next_job()
        if first is None:
            return None
        group = [first]
        while len(group) < GROUP_LIMIT and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)
                break
            group.append(job)
        return [(work, done) for work, done in group if done.set_running_or_notify_cancel()]


def _commit(db: sqlite3.Connection, group: list[_Job]) -> None:
    """All jobs in one transaction; one that fails is undone alone. Answers come after the commit."""
    answers: list[tuple[Future[Any], Any]] = []
    try:
        db.execute("BEGIN IMMEDIATE")
        for work, done in group:
            answers.append((done, attempt(db, work)))
        db.execute("COMMIT")
    except sqlite3.Error as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        answers = [(done, error) for _, done in group]
    for done, answer in answers:
        if isinstance(answer, SignalError):
            done.set_exception(answer)
        elif isinstance(answer, BaseException):
            done.set_exception(StoreError(f"not stored: {answer}"))
        else:
            done.set_result(answer)


def attempt(db: sqlite3.Connection, work: _Work) -> Any:
    """What the work answers, or the error it raised; then nothing of it stays."""
    db.execute("SAVEPOINT job")
    try:
        result = work(db)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must cost this job only
        db.execute("ROLLBACK TO job")
        db.execute("RELEASE job")
        return error
    db.execute("RELEASE job")
    return result
