"""How the ratios are taken: each party in processes of its own, in turns where time counts."""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

_LONGEST = 600.0
"""Seconds for one process; a party that hangs is a failure of its own."""

_CACHE = tempfile.TemporaryDirectory(prefix="benchmarks-")
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
    "PYTHONHASHSEED": "0",
    "PYTHONPYCACHEPREFIX": _CACHE.name,
}
"""Modules are compiled once, as in a service, and not beside their sources."""

PACKAGE = __package__ or "tests.benchmarks"


class MissingError(Exception):
    """What a measurement needs is not installed; the text says how to get it."""


class Ratio(NamedTuple):
    """What was measured: the ratio that the target is about, and what it was made of."""

    value: float
    of: str


def _python(*args: str, **environment: str) -> str:
    found = subprocess.run(
        [sys.executable, *args],
        check=False,
        capture_output=True,
        text=True,
        timeout=_LONGEST,
        env=_ENVIRONMENT | environment,
    )
    if found.returncode:
        raise RuntimeError(f"{' '.join(args)} ended with {found.returncode}:\n{found.stderr[-2_000:]}")
    return found.stdout


# ---- instructions


@cache
def instructions(case: str, fewer: int = 1_000, more: int = 2_000, *, all_threads: bool = False) -> float:
    """Instructions of one more call of a case, on the calling thread or on all.

    Raises:
        MissingError: there is no valgrind.
    """
    _python("-m", f"{PACKAGE}.callers", case, "1")  # compiles what it imports
    with ThreadPoolExecutor(2) as both:
        most, least = both.map(lambda number: _counted(case, number, all_threads), (more, fewer))
    return (most - least) / (more - fewer)


@cache
def _counted(case: str, number: int, all_threads: bool) -> int:
    with tempfile.TemporaryDirectory() as directory:
        command = [
            "valgrind",
            "--tool=callgrind",
            "--separate-threads=yes",
            f"--callgrind-out-file={directory}/out",
            sys.executable,
            "-m",
            f"{PACKAGE}.callers",
            case,
            str(number),
        ]
        try:
            subprocess.run(
                command,
                check=True,
                capture_output=True,
                timeout=_LONGEST,
                env=_ENVIRONMENT,
            )
        except FileNotFoundError:
            raise MissingError("instructions are counted by valgrind: apt-get install valgrind") from None
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"{case}: {error.stderr.decode(errors='replace')[-2_000:]}") from error
        totals = {file.name: _totals(file) for file in Path(directory).glob("out-*")}
    return sum(totals.values()) if all_threads else totals["out-01"]


def _totals(file: Path) -> int:
    found = re.findall(r"^(?:totals|summary): (\d+)", file.read_text(errors="replace"), re.MULTILINE)
    return int(found[-1]) if found else 0


def calls(case: str, reference: str = "ref", **how: Any) -> Ratio:
    """Instructions of a call against those of another, of as many of each."""
    ours, theirs = instructions(case, **how), instructions(reference, **how)
    return Ratio(ours / theirs, f"{ours:,.0f} / {theirs:,.0f} instructions")


def own_share() -> Ratio:
    """What the handler adds to a NullHandler against a whole call of the SDK."""
    added, theirs = instructions("ai") - instructions("ref"), instructions("sdk")
    return Ratio(added / theirs, f"{added:,.0f} / {theirs:,.0f} instructions")


def later(case: str, *, all_threads: bool) -> Ratio:
    """The last thousand of ten thousand calls against the second thousand."""
    late = instructions(case, 9_000, 10_000, all_threads=all_threads)
    early = instructions(case, 1_000, 2_000, all_threads=all_threads)
    return Ratio(late / early, f"{late:,.0f} / {early:,.0f} instructions")


def encodes() -> Ratio:
    """All that is done about a text of 1 MB, in encodes of it."""
    long, short = (instructions(case, 20, 60, all_threads=True) for case in ("1 MB", "1 KB"))
    once = instructions("1 MB, encoded", 20, 60) - instructions("nothing", 1_000, 2_000)
    return Ratio((long - short) / once, f"{long - short:,.0f} / {once:,.0f} instructions")


# ---- delivery


class Delivered(NamedTuple):
    """One party's delivery: seconds from first call to last arrival, CPU seconds, what arrived and how many did not."""

    seconds: float
    cpu: float
    arrived: dict[str, Any]
    ended: float
    lost: int = 0

    @property
    def rate(self) -> float:
        """Events or interactions that arrived, a second."""
        return float(self.arrived["finals"]) / self.seconds

    @property
    def cpu_each(self) -> float:
        """CPU seconds of one that arrived."""
        return self.cpu / float(self.arrived["finals"])


@contextmanager
def _sink(*args: str) -> Generator[tuple[int, Any]]:
    with subprocess.Popen(
        [sys.executable, "-m", f"{PACKAGE}.sink", *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("no pipes")
        given, said = process.stdin, process.stdout

        def report() -> dict[str, Any]:
            given.write("report\n")
            given.flush()
            found: dict[str, Any] = json.loads(said.readline())
            return found

        try:
            yield int(said.readline()), report
        finally:
            process.kill()


@contextmanager
def _certificate(wanted: bool) -> Generator[tuple[str, str] | None]:
    """Files of a server's certificate with its key, and of all who may sign one, as on any machine."""
    if not wanted:
        yield None
        return
    import certifi
    import trustme

    with tempfile.TemporaryDirectory() as directory:
        own, signer = Path(directory) / "server.pem", Path(directory) / "ca.pem"
        authority = trustme.CA()
        authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(own)
        signer.write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
        yield str(own), str(signer)


def delivered(
    parties: Sequence[tuple[str, int]], what: str = "events", *, delay: float = 0.0, tls: bool = False, rounds: int = 3
) -> list[list[Delivered]]:
    """Each party's rounds, in turns. What a reference loses is not counted for it, and said.

    Raises:
        RuntimeError: we lost something.
    """
    found: list[list[Delivered]] = [[] for _ in parties]
    with _certificate(tls) as files:
        served = ["--delay", str(delay), *(["--tls", files[0]] if files else [])]
        for _ in range(rounds):
            for place, (who, number) in enumerate(parties):
                with _sink(*served) as (port, report):
                    endpoint = f"{'https' if files else 'http'}://localhost:{port}/v1/"
                    trusted = {"REQUESTS_CA_BUNDLE": files[1], "SSL_CERT_FILE": files[1]} if files else {}
                    pem = [files[1]] if files else []
                    args = (who, what, str(number), endpoint, *pem)
                    said = json.loads(_python("-m", f"{PACKAGE}.parties", *args, **trusted).splitlines()[-1])
                    arrived = report()
                lost = number - arrived["finals"]
                if lost and who == "ours":
                    raise RuntimeError(f"{who} lost {lost} of {number}")
                seconds = arrived["last"] - said["started"]
                found[place].append(Delivered(seconds, said["cpu"], arrived, said["ended"][0], lost))
    return found


_delivered = cache(
    lambda parties, what, delay, tls, rounds: delivered(parties, what, delay=delay, tls=tls, rounds=rounds)
)


class Contest(NamedTuple):
    """Both parties' numbers of events, and how."""

    ours: int
    theirs: int
    who: str = "sdk"
    what: str = "events"
    delay: float = 0.0
    tls: bool = False
    rounds: int = 3

    def _rounds(self) -> list[tuple[Delivered, Delivered]]:
        parties = ((self.who, self.theirs), ("ours", self.ours))
        theirs, ours = _delivered(parties, self.what, self.delay, self.tls, self.rounds)
        return list(zip(ours, theirs, strict=True))

    def rate(self) -> Ratio:
        """How many times as many of ours arrive in a second."""
        pairs = self._rounds()
        ratio = statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)
        ours, theirs = (statistics.median(pair[one].rate for pair in pairs) for one in (0, 1))
        lost = sum(pair[1].lost for pair in pairs)
        return Ratio(ratio, f"{ours:,.0f} / {theirs:,.0f} a second" + f", {lost:,} of its lost" * bool(lost))

    def cpu(self) -> Ratio:
        """What one of ours costs against one of theirs."""
        pairs = self._rounds()
        ratio = statistics.median(ours.cpu_each / theirs.cpu_each for ours, theirs in pairs)
        ours, theirs = (statistics.median(pair[one].cpu_each for pair in pairs) * 1e6 for one in (0, 1))
        return Ratio(ratio, f"{ours:,.1f} / {theirs:,.1f} µs of CPU each")


def late_finals() -> Ratio:
    """Seconds from the last finish to the last final event, of 2,000 interactions of three seconds at 50 ms."""
    [[found]] = delivered([("ours", 2_000)], "long", delay=0.05, rounds=1)
    seconds = found.arrived["last_final"] - found.ended
    return Ratio(seconds, f"{found.arrived['events']:,} events in {found.arrived['requests']:,} requests")


# ---- what a service feels


def watched(what: str, ours: str, theirs: str) -> Ratio:
    """Two times, or two sizes, of one process."""
    with _sink() as (port, _):
        args = ("-m", f"{PACKAGE}.watchers", what, f"http://127.0.0.1:{port}/v1/")
        said = json.loads(_python(*args).splitlines()[-1])
    shown = ", ".join(f"{name} {value:,.6g}" for name, value in said.items())
    return Ratio(said[ours] / said[theirs], shown)


IMPORTS = {
    "bare": "pass",
    "ours": (
        "import logging.config; logging.config.dictConfig({'version': 1, 'handlers': {'raindrop': "
        "{'class': 'raindrop_logging.RaindropHandler', 'write_key': 'k'}}, 'root': {'handlers': ['raindrop']}})"
    ),
    "sdk": "import raindrop.analytics",
}


def imports() -> Ratio:
    """CPU of import and set-up, without what a bare interpreter takes."""
    taken: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(11):
        for name, program in IMPORTS.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            _python("-c", program)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken[name].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    bare, ours, sdk = (statistics.median(taken[name]) for name in ("bare", "ours", "sdk"))
    return Ratio((ours - bare) / (sdk - bare), f"{(ours - bare) * 1e3:.1f} / {(sdk - bare) * 1e3:.1f} ms of CPU")
