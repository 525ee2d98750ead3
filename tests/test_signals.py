"""`install_signal_handlers`, in real processes that get real signals: what arrives, how they end, and how soon."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec
import pytest

import raindrop_logging
from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.wire.recorder import Recorder

PATIENCE: Final = 20.0
"""Seconds for an interpreter to start, or to end, on a busy machine."""

SLACK: Final = 0.5
"""Seconds beyond `shutdown_timeout` that a process may take to end, by its own clock."""

SERVICE = """
import _thread, asyncio, logging, os, signal, sys, threading, time
import raindrop_logging
from raindrop_logging import install_signal_handlers
logging.basicConfig(level="INFO", handlers=[raindrop_logging.RaindropHandler(
    write_key="k", endpoint=sys.argv[1], shutdown_timeout=float(sys.argv[2]), upload_interval=60)])
log = logging.getLogger("shop")
def say(event): log.info("ai", extra=raindrop_logging.extra.ai(user_id="u", event=str(event), input="q"))
def tell(word): os.write(1, f"{word}\\n".encode())
def ready():
    tell("ready")
    while True: time.sleep(0.05)  # a signal that comes just before a sleep would wait for its end
"""
"""What each service starts with; its batches wait for a minute, so that only a drain sends them."""


class Service(msgspec.Struct, frozen=True):
    """A service that runs: what is said to it, and how it ended."""

    process: subprocess.Popen[bytes]

    def hears(self, word: str) -> None:
        """Wait for a line of its output."""
        assert self.process.stdout is not None
        assert self.process.stdout.readline().decode() == f"{word}\n"

    def is_told_to_go_on(self) -> None:
        """Give it the line of input that it waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go on\n")

    def gets(self, signum: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(signum)

    def ends(self) -> tuple[int, str]:
        """Wait for its end: its exit status, and the rest of its output."""
        said, _ = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said.decode()


@contextmanager
def service(recorder: Recorder, body: str, shutdown_timeout: float = 10.0) -> Iterator[Service]:
    """A service that has said "ready"; ended with the block, if it did not end by itself."""
    program = SERVICE + textwrap.dedent(body)
    command = [sys.executable, "-c", program, recorder.endpoint, str(shutdown_timeout)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as process:  # reads no line ahead
        try:
            running = Service(process)
            running.hears("ready")
            yield running
        finally:
            process.kill()


def _events(recorder: Recorder) -> list[str]:
    return [item["event"] for item in recorder.items("events/track")]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_without_a_handler_before_it_delivers_and_dies_by_the_signal(recorder: Recorder, name: str) -> None:
    """What was logged arrives once, and the exit status still says which signal it was."""
    body = f"signal.signal(signal.{name}, signal.SIG_DFL); install_signal_handlers(signal.{name}); say(1); ready()"
    with service(recorder, body) as running:
        running.gets(signal.Signals[name])
        assert running.ends() == (-signal.Signals[name], "")
    assert _events(recorder) == ["1"]


def test_ctrl_c_is_still_a_keyboard_interrupt(recorder: Recorder) -> None:
    """Python's own handler of SIGINT is what was there before, and is called with the signal and the frame."""
    body = """
        install_signal_handlers(signal.SIGINT)
        say(1)
        try: ready()
        except KeyboardInterrupt: say(2); sys.exit(4)
    """
    with service(recorder, body) as running:
        running.gets(signal.SIGINT)
        assert running.ends() == (4, "")
    assert _events(recorder) == ["1", "2"]


def test_a_handler_before_it_is_called_after_the_drain(recorder: Recorder) -> None:
    """It is called once, with what Python would have called it with, finds everything sent, and what it does counts."""
    body = """
        def before(signum, frame):
            tell((signum, type(frame).__name__, raindrop_logging.stats().delivered))
            say(2)
            sys.exit(7)
        signal.signal(signal.SIGTERM, before)
        install_signal_handlers()
        say(1)
        ready()
    """
    with service(recorder, body) as running:
        running.gets(signal.SIGTERM)
        assert running.ends() == (7, "(15, 'frame', 1)\n")
    assert _events(recorder) == ["1", "2"]


def test_an_ignored_signal_stays_ignored(recorder: Recorder) -> None:
    """It flushes, and the process goes on as it would have."""
    body = """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        install_signal_handlers()
        say(1)
        tell("ready")
        sys.stdin.readline()
        say(2)
    """
    with service(recorder, body) as running:
        running.gets(signal.SIGTERM)
        recorder.wait_for(1, PATIENCE)
        running.is_told_to_go_on()
        assert running.ends() == (0, "")
    assert _events(recorder) == ["1", "2"]


def test_an_ignored_signal_gives_nothing_up(recorder: Recorder) -> None:
    """The process lives on, so what the server did not take in time waits for the next chance."""
    gate = threading.Event()
    recorder.default = Answer(gate=gate)
    body = """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        install_signal_handlers()
        say(1)
        tell("ready")
        sys.stdin.readline()
        tell(raindrop_logging.stats().waiting)
    """
    with service(recorder, body, shutdown_timeout=1.0) as running:
        running.gets(signal.SIGTERM)
        recorder.wait_for(1, PATIENCE)
        running.is_told_to_go_on()
        running.hears("1")
        gate.set()
        assert running.ends() == (0, "")
    assert _events(recorder)[0] == "1"


def test_a_signal_that_ends_nothing_by_default_is_answered_each_time(recorder: Recorder) -> None:
    """SIGCHLD is no end: whoever flushes on it goes on, and does so again."""
    body = """
        install_signal_handlers(signal.SIGCHLD)
        tell("ready")
        for number in range(3):
            say(number)
            os.kill(os.getpid(), signal.SIGCHLD)
            tell(raindrop_logging.stats().delivered)
        os._exit(0)
    """
    with service(recorder, body) as running:
        assert running.ends() == (0, "1\n2\n3\n")


def test_installing_twice_is_installing_once(recorder: Recorder) -> None:
    """It never becomes its own predecessor, and one that another library put above it is called once, and calls it."""
    body = """
        install_signal_handlers(); install_signal_handlers(signal.SIGTERM, signal.SIGTERM)
        ours = signal.getsignal(signal.SIGTERM)
        install_signal_handlers()
        if signal.getsignal(signal.SIGTERM) is not ours: tell("installed twice")
        def above(signum, frame):
            tell("above")
            ours(signum, frame)
        signal.signal(signal.SIGTERM, above)
        install_signal_handlers(); install_signal_handlers()
        say(1)
        ready()
    """
    with service(recorder, body) as running:
        running.gets(signal.SIGTERM)
        assert running.ends() == (-signal.SIGTERM, "above\n")
    assert _events(recorder) == ["1"]


@pytest.mark.parametrize("second", ["SIGTERM", "SIGINT"])
def test_a_second_signal_ends_a_drain_at_once(recorder: Recorder, second: str) -> None:
    """Whoever asks twice does not wait for a server that does not answer."""
    recorder.default = Answer(gate=threading.Event())
    body = """
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        install_signal_handlers(signal.SIGTERM, signal.SIGINT)
        say(1)
        ready()
    """
    with service(recorder, body, shutdown_timeout=300.0) as running:
        running.gets(signal.SIGTERM)
        recorder.wait_for(1, PATIENCE)
        running.gets(signal.Signals[second])
        assert running.ends() == (-signal.Signals[second], "")


def test_a_second_signal_reaches_the_handler_before_as_often_as_without(recorder: Recorder) -> None:
    """A server that stops gracefully on the first and at once on the second gets both."""
    recorder.default = Answer(gate=threading.Event())
    body = """
        seen = []
        def before(signum, frame):
            seen.append(signum)
            tell(seen)
            if len(seen) == 2: os._exit(9)
        signal.signal(signal.SIGTERM, before)
        install_signal_handlers()
        say(1)
        ready()
    """
    with service(recorder, body, shutdown_timeout=300.0) as running:
        running.gets(signal.SIGTERM)
        recorder.wait_for(1, PATIENCE)
        running.gets(signal.SIGTERM)
        assert running.ends() == (9, "[15]\n[15, 15]\n")


HELD = {
    "logging's lock": "logging._lock",
    "the lock of a handler": "console.lock",
    "the lock of the counts": "pipeline.ledger._lock",
    "the lock of the pipelines": "registry._registry.lock",
    "the lock of the sender": "pipeline._road.primary._changed",
    "the lock under which threads start": "threading._active_limbo_lock",
}


@pytest.mark.parametrize("lock", HELD.values(), ids=HELD)
@pytest.mark.parametrize("answers", [True, False], ids=["a server that answers", "one that does not"])
def test_whatever_lock_the_main_thread_holds_it_ends_in_time(recorder: Recorder, lock: str, answers: bool) -> None:
    """The main thread holds the lock that the drain may need, and the process dies by the signal all the same."""
    if not answers:
        recorder.default = Answer(gate=threading.Event())
    body = f"""
        from raindrop_logging._pipeline import registry
        console = logging.StreamHandler()
        logging.root.addHandler(console)
        (pipeline,) = registry.pipelines()
        install_signal_handlers()
        say(1)
        with {lock}: ready()
    """
    with service(recorder, body, shutdown_timeout=0.5) as running:
        started = time.monotonic()
        running.gets(signal.SIGTERM)
        assert running.ends() == (-signal.SIGTERM, "")
        assert time.monotonic() - started < 0.5 + SLACK + 1.0, "and a second for this machine"


def test_while_the_main_thread_holds_loggings_lock_it_delivers(recorder: Recorder) -> None:
    """A service that has sent before needs nothing more of the logging module to send again."""
    body = """
        install_signal_handlers()
        say(1)
        raindrop_logging.flush(10)
        say(2)
        with logging._lock: ready()
    """
    with service(recorder, body) as running:
        running.gets(signal.SIGTERM)
        assert running.ends() == (-signal.SIGTERM, "")
    assert _events(recorder) == ["1", "2"]


def test_in_the_middle_of_a_log_call_everything_said_before_arrives(recorder: Recorder) -> None:
    """A thousand calls a second, and more on other threads: what had returned on the main thread is there, once."""
    body = """
        def chat(name):
            for number in range(10 ** 9):
                say(f"{name}-{number}")
                time.sleep(0.001)
        for name in "bc": threading.Thread(target=chat, args=(name,), daemon=True).start()
        install_signal_handlers()
        tell("ready")
        for number in range(10 ** 9):
            say(f"a-{number}")
            if number % 200 == 0: tell(number)
            time.sleep(0.001)
    """
    with service(recorder, body) as running:
        running.hears("0")
        running.hears("200")
        running.gets(signal.SIGTERM)
        status, said = running.ends()
    arrived = _events(recorder)
    assert status == -signal.SIGTERM
    assert len(arrived) == len(set(arrived))
    last = int(["200", *said.split()][-1])
    assert {f"a-{number}" for number in range(last + 1)} <= set(arrived)


def test_a_server_that_never_answers_holds_the_end_no_longer_than_shutdown_timeout(recorder: Recorder) -> None:
    """The process ends in time, and says how many records it lost."""
    recorder.default = Answer(gate=threading.Event())
    body = "install_signal_handlers(); [say(n) for n in range(7)]; raindrop_logging.flush(0.1); ready()"
    with service(recorder, body, shutdown_timeout=1.0) as running:
        recorder.wait_for(1, PATIENCE)
        started = time.monotonic()
        running.gets(signal.SIGTERM)
        _, stderr = running.process.communicate(timeout=PATIENCE)
        took = time.monotonic() - started
    assert running.process.returncode == -signal.SIGTERM
    assert b"lost at exit (7 records)" in stderr
    assert took < 1.0 + SLACK, f"{took:.2f} s"


def test_one_that_ends_by_exit_after_the_signal_does_not_wait_twice(recorder: Recorder) -> None:
    """What the drain gave up is not tried again by the hook at exit."""
    recorder.default = Answer(gate=threading.Event())
    body = """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
        install_signal_handlers(); say(1); raindrop_logging.flush(0.1); ready()
    """
    with service(recorder, body, shutdown_timeout=2.0) as running:
        recorder.wait_for(1, PATIENCE)
        started = time.monotonic()
        running.gets(signal.SIGTERM)
        assert running.ends() == (3, "")
        assert time.monotonic() - started < 2 * 2.0 - SLACK


def test_a_signal_sent_by_a_thread_is_answered_on_the_main_one(recorder: Recorder) -> None:
    """Several threads at once ask for the end, and it comes once."""
    body = """
        signal.signal(signal.SIGTERM, lambda *_: (tell(threading.current_thread() is threading.main_thread()),
                                                  sys.exit(0)))
        install_signal_handlers()
        say(1)
        tell("ready")
        together = threading.Barrier(4)
        def end():
            together.wait()
            os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(4): threading.Thread(target=end).start()
        while True: time.sleep(0.05)  # a signal that comes just before a sleep would wait for its end
    """
    with service(recorder, body) as running:
        status, said = running.ends()
    assert status == 0
    assert set(said.split()) == {"True"}
    assert _events(recorder) == ["1"]


def test_a_child_of_fork_delivers_its_own(recorder: Recorder) -> None:
    """The child has the handler and drains what it logged; the parent's records stay the parent's."""
    body = """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        install_signal_handlers()
        say("parent")
        child = os.fork()
        if child == 0:
            say("child")
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(1)
        tell("ready")
        tell(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        ready()
    """
    with service(recorder, body) as running:
        running.hears("-15")
        assert _events(recorder) == ["child"]
        running.hears("ready")
        running.gets(signal.SIGTERM)
        assert running.ends() == (-signal.SIGTERM, "")
    assert _events(recorder) == ["child", "parent"]


def test_an_event_loop_that_runs_is_no_obstacle(recorder: Recorder) -> None:
    """In a running loop that has no handler of its own, it delivers and the process dies by the signal."""
    body = """
        async def serve():
            install_signal_handlers()
            say(1)
            tell("ready")
            await asyncio.sleep(60)
        asyncio.run(serve())
    """
    with service(recorder, body) as running:
        running.gets(signal.SIGTERM)
        assert running.ends() == (-signal.SIGTERM, "")
    assert _events(recorder) == ["1"]


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_loop_with_a_handler_of_its_own_stops_as_it_would(recorder: Recorder, order: str) -> None:
    """A loop's handler replaces one installed before it, and is called after one installed later; all arrives."""
    body = f"""
        async def serve():
            stopped = asyncio.Event()
            if {order == "before"}: install_signal_handlers()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
            if {order == "after"}: install_signal_handlers()
            say(1)
            tell("ready")
            await stopped.wait()
            tell(raindrop_logging.stats().delivered)
            say(2)
        asyncio.run(serve())
    """
    with service(recorder, body) as running:
        running.gets(signal.SIGTERM)
        assert running.ends() == (0, f"{1 if order == 'after' else 0}\n")
    assert _events(recorder) == ["1", "2"]


def test_another_thread_cannot_install_it() -> None:
    """Signals are the main thread's: elsewhere the error says so, and nothing is changed."""
    errors: list[BaseException] = []

    def install() -> None:
        try:
            raindrop_logging.install_signal_handlers()
        except raindrop_logging.RaindropLoggingError as error:
            errors.append(error)

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=install)
    thread.start()
    thread.join(PATIENCE)
    assert ["main thread" in str(error) for error in errors] == [True]
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_cannot_be_handled_is_refused_by_name() -> None:
    """SIGKILL has no handler, and the error names it."""
    with pytest.raises(raindrop_logging.RaindropLoggingError, match="SIGKILL cannot be handled"):
        raindrop_logging.install_signal_handlers(signal.SIGKILL)


@pytest.mark.parametrize("keys", ["", ', spool_dir=sys.argv[3], durability="spill"'], ids=["memory", "spill"])
def test_what_other_threads_log_during_the_drain_is_sent_or_kept(recorder: Recorder, tmp_path: Path, keys: str) -> None:
    """A worker goes on while a slow server answers: of what its calls have returned, all is there, or told as lost."""
    program = textwrap.dedent(SERVICE).replace("upload_interval=60", f"upload_interval=60{keys}") + textwrap.dedent("""
        def work():
            for number in range(10 ** 9):
                say(number)
                os.write(1, b"%d\\n" % number)
                time.sleep(0.01)
        install_signal_handlers()
        threading.Thread(target=work, daemon=True).start()
        while True: time.sleep(0.05)
    """)
    gate = threading.Event()
    recorder.script(Answer(gate=gate))
    command = [sys.executable, "-c", program, recorder.endpoint, "5.0", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout is not None
        while process.stdout.readline() != b"20\n":
            pass
        process.send_signal(signal.SIGTERM)
        threading.Timer(0.3, gate.set).start()
        said, told = process.communicate(timeout=PATIENCE)
    returned = 20 + said.count(b"\n")
    arrived = set(_events(recorder))
    if keys:
        subprocess.run([*command[:2], textwrap.dedent(SERVICE).replace("=60", f"=60{keys}"), *command[3:]], check=True)
        arrived |= set(_events(recorder))
    missing = {str(number) for number in range(returned)} - arrived
    lost = re.search(rb"lost at exit \((\d+) record", told)
    assert len(missing) <= 1 + (int(lost[1]) if lost else 0), (missing, told)


def test_a_child_that_the_previous_handler_forks_answers_its_own_signals(recorder: Recorder) -> None:
    """A handler that reloads by forking: the child drains when it is told to end, though its parent was answering."""
    body = """
        def reload(signum, frame):
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                install_signal_handlers()
                say("child")
                os.kill(os.getpid(), signal.SIGTERM)
                os._exit(1)
            os.wait()
            os._exit(0)
        signal.signal(signal.SIGTERM, reload)
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        install_signal_handlers()
        ready()
    """
    with service(recorder, body) as running:
        running.gets(signal.SIGTERM)
        assert running.ends()[0] == 0
    assert _events(recorder) == ["child"]
