"""Who takes part when a Workshop is measured, each in a process of its own: the server, who sends, and who reads.

In: a port, posts.  Out: what took how long.  Touches: processes, loopback connections.
"""

from __future__ import annotations

import http
import http.client
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from raindrop_logging.wire import JSON, PROJECT_HEADER
from tests.benchmarks.workshop_data import batches, conversations
from tests.benchmarks.workshop_wire import Post, posts

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Event

CONNECTIONS = 4
"""Over which the sender posts at once."""
READ = ("/events", "/api/events?event=plan", f"/events/{77:032x}", "/conversations")
READ_SECONDS = 0.2
"""Between one page and the next."""
_SPAWNED = multiprocessing.get_context("spawn")


class Sent(NamedTuple):
    """How many events were acknowledged, in how many seconds of the clock, and of the sender's and the server's CPU."""

    events: int
    seconds: float
    sender: float
    server: float


class Server(NamedTuple):
    """A Workshop in a process of its own."""

    port: int
    pid: int

    def busy(self) -> float:
        """Its CPU seconds so far, of all its threads."""
        return time.clock_gettime((~self.pid << 3) | 2)  # the kernel's name for the CPU clock of a process


@contextmanager
def serving(db: Path) -> Generator[Server]:
    """The server as a user starts it."""
    command = [sys.executable, "-m", "raindrop_logging", "workshop", "--port", "0", "--no-open", "--db", str(db)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[1]
            yield Server(int(address.rpartition(":")[2]), process.pid)
        finally:
            process.terminate()


def send(server: Server, kind: str, start: int, count: int, real: Path | None = None) -> Sent:
    """Post from another process: `events` alone, or `all` that belongs to them and the real conversations too."""
    answers = _SPAWNED.SimpleQueue()
    process = _SPAWNED.Process(target=_send, args=(server, kind, start, count, real, answers))
    process.start()
    sent: Sent = answers.get()
    process.join()
    return sent


@contextmanager
def reading(port: int) -> Generator[list[float]]:
    """Pages are read by another process meanwhile; afterwards the list has the seconds each took."""
    ended, answers = _SPAWNED.Event(), _SPAWNED.SimpleQueue()
    process = _SPAWNED.Process(target=_read, args=(port, ended, answers))
    process.start()
    taken: list[float] = []
    yield taken
    ended.set()
    taken += answers.get()
    process.join()


class Client:
    """One connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def get(self, path: str) -> bytes:
        """What is answered, or that it took too long; anything else raises `RuntimeError`."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status not in (http.HTTPStatus.OK, http.HTTPStatus.SERVICE_UNAVAILABLE):
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return body

    def post(self, post: Post) -> None:
        """Until it is durable; a refusal raises `RuntimeError`."""
        headers = {"Content-Type": JSON, **({PROJECT_HEADER: post.project_id} if post.project_id else {})}
        self._connection.request("POST", f"/v1/{post.path}", post.body, headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.HTTPStatus.NO_CONTENT:
            raise RuntimeError(f"{post.path}: {answer.status} {body[:200]!r}")


def _send(server: Server, kind: str, start: int, count: int, real: Path | None, answers: SimpleQueue[Sent]) -> None:
    said = posts(batches(count, start=start, spans=kind == "all"))
    if kind == "events":
        said = iter([*said])  # made before the clock starts
    began, sender, busy = time.monotonic(), time.process_time(), server.busy()
    events = _post_all(server.port, said)
    if real:
        events += _post_all(server.port, posts(conversations(real)))
    answers.put(Sent(events, time.monotonic() - began, time.process_time() - sender, server.busy() - busy))


def _post_all(port: int, said: Iterator[Post]) -> int:
    """Over several connections at once, in the order given."""
    taking = threading.Lock()
    done: list[int] = []

    def work() -> None:
        client = Client(port)
        while True:
            with taking:
                post = next(said, None)
            if post is None:
                return
            client.post(post)
            done.append(post.events)

    workers = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(done)


def _read(port: int, ended: Event, answers: SimpleQueue[list[float]]) -> None:
    client = Client(port)
    taken: list[float] = []
    while not ended.wait(READ_SECONDS):
        began = time.monotonic()
        client.get(READ[len(taken) % len(READ)])
        taken.append(time.monotonic() - began)
    answers.put(taken)
