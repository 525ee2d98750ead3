"""A launcher and its sub-agents in two real processes over HTTP, whose headers an instrumented client rewrites."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec
import pytest

from raindrop_logging.carrier import read_carrier
from raindrop_logging.workshop import running

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

PROGRAMS: Final = Path(__file__).parent
OWN: Final = "x-raindrop-handoff"
STATES: Final = {
    "finish": "finished",
    "raise": "failed",
    "cancel": "cancelled",
    "hang": "running",
    "never sent": "queued",
}
"""Each job and how it must look at the receiver, in the order they are launched in."""

DONE: Final = {
    "finish": (False, {"look around", "finish agent"}),
    "raise": (False, {"look around", "raise agent"}),
    "cancel": (False, {"look around", "cancel agent"}),
    "hang": (True, {"look around"}),
    "never sent": None,
}
"""Of each job whether its event is pending, and its spans, once all that will ever be said of it has arrived."""

PATIENCE: Final = 30.0
"""Seconds that two interpreters may take to start on a busy machine, and what they say to arrive."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the receiver has at one moment: the turn's event, and each job's or None."""

    turn: dict[str, Any]
    jobs: dict[str, dict[str, Any] | None]

    @property
    def states(self) -> list[str]:
        """The state of each job in the turn's event, in its order."""
        return [one["state"] for one in self.turn.get("subagents", ())]

    @property
    def is_complete(self) -> bool:
        """Whether all that will ever be said has arrived, in whichever order it came."""
        done = {
            name: job and (job["is_pending"], {span["name"] for span in job["spans"]})
            for name, job in self.jobs.items()
        }
        return done == DONE and len(self.states) == len(STATES) and self.turn["is_pending"] is False


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One turn from all sides: what the launcher wrote, what the receiver knew before and after the service was killed.

    ``ended`` is the exit code of the service.
    """

    launched: dict[str, Any]
    before: Known
    after: Known
    ended: int


def _environ() -> dict[str, str]:
    """As it is, but for what would configure the programs from outside."""
    proxies = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAINDROP_", "OTEL_"))}
    return {**{name: kept[name] for name in kept if name.upper() not in proxies}, "RAINDROP_GIT_AUTO_DETECT": "false"}


@contextmanager
def _service(endpoint: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """The service in a process of its own, and its address; killed at the end at the latest."""
    program = [sys.executable, str(PROGRAMS / "child_service.py"), endpoint]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=_environ()
    ) as process:
        assert process.stdout is not None
        try:
            yield process, f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def _launched(endpoint: str, service: str) -> dict[str, Any]:
    """What the launcher, in a process of its own, says it did."""
    program = [sys.executable, str(PROGRAMS / "launcher.py"), endpoint, service, *STATES]
    ended = subprocess.run(program, capture_output=True, text=True, env=_environ(), timeout=PATIENCE, check=False)
    assert ended.returncode == 0, ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


def _event(client: httpx.Client, event_id: str) -> dict[str, Any] | None:
    answer = client.get(f"/api/events/{event_id}")
    if answer.status_code == 404:
        return None
    event: dict[str, Any] = answer.raise_for_status().json()
    return event


def _asked(client: httpx.Client, launched: Mapping[str, Any]) -> Known:
    jobs = {name: _event(client, job["event_id"]) for name, job in launched["jobs"].items()}
    return Known(turn=_event(client, launched["event_id"]) or {}, jobs=jobs)


def _awaited(client: httpx.Client, changes: Iterator[str], launched: Mapping[str, Any]) -> Known:
    """What the receiver knows once all is told; it is asked again at each change that it announces."""
    deadline = time.monotonic() + PATIENCE
    while not (known := _asked(client, launched)).is_complete:
        assert time.monotonic() < deadline, known
        next(changes)
    return known


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """One turn that launches every job, told to its end; the tests look at it from all sides."""
    with (
        running() as up,
        httpx.Client(base_url=up.url, trust_env=False, timeout=PATIENCE) as client,
        client.stream("GET", "/api/stream") as stream,
        _service(up.endpoint) as (process, address),
    ):
        changes = stream.iter_lines()
        next(changes)  # it listens
        launched = _launched(up.endpoint, address)
        before = _awaited(client, changes, launched)
        process.kill()
        ended = process.wait(PATIENCE)
        yield Told(launched=launched, before=before, after=_asked(client, launched), ended=ended)


def test_the_client_rewrote_the_standard_headers(told: Told) -> None:
    """What arrives as traceparent and baggage is OpenTelemetry's, not the launch's; Raindrop's own is as sent."""
    otel = told.launched["otel"]
    for name in [*STATES][:-1]:
        job = told.launched["jobs"][name]
        sent, received = job["sent"], job["answer"]["headers"]
        assert received["traceparent"] != sent["traceparent"]
        assert received["traceparent"].split("-")[1] == otel["trace_id"]
        assert dict(entry.split("=") for entry in received["baggage"].split(",")) == otel["baggage"]
        assert received[OWN] == sent[OWN]


def test_the_rewritten_headers_alone_would_mislead(told: Told) -> None:
    """Without Raindrop's own header, the baggage that arrived names another launch: that is why it is read first."""
    received = told.launched["jobs"]["finish"]["answer"]["headers"]
    misled = read_carrier({name: value for name, value in received.items() if name != OWN})
    assert misled is not None
    assert misled.event_id == told.launched["otel"]["baggage"]["raindrop-event-id"] != told.launched["event_id"]


def test_each_end_of_a_sub_agent_has_a_state_of_its_own(told: Told) -> None:
    """Finished, raised, cancelled, begun and silent, never begun: the receiver tells all five apart."""
    assert dict(zip(STATES, told.before.states, strict=True)) == STATES


def test_a_kill_changes_no_state(told: Told) -> None:
    """What the service had told by then stands, and the run that it was killed in stays one that never reported."""
    assert told.ended == -signal.SIGKILL
    assert dict(zip(STATES, told.after.states, strict=True)) == STATES


def test_the_receiver_links_both_events(told: Told) -> None:
    """The turn lists each launch with its span and name, and each sub-agent that began names the turn and that span."""
    launched = told.launched["jobs"]
    links = {name: {"name": f"{name} agent", "span_id": job["span_id"]} for name, job in launched.items()}
    assert told.after.turn["subagents"] == [
        {"event_id": launched[name]["event_id"], "state": state, **links[name]} for name, state in STATES.items()
    ]
    assert told.after.turn["launched_by"] is None
    launchers = {name: job and job["launched_by"] for name, job in told.after.jobs.items()}
    linked = {name: {"event_id": told.launched["event_id"], **link} for name, link in links.items()}
    assert launchers == {**linked, "never sent": None}


def test_each_sub_agent_says_what_became_of_it(told: Told) -> None:
    """The output is the answer or the reason; the one that was killed is pending, the one never sent is no event."""
    said = {
        name: job and (job["event"], job["output"], job["is_pending"], job["user_id"], job["convo_id"])
        for name, job in told.after.jobs.items()
    }
    assert said == {
        "finish": ("finish agent", "a green teapot", False, "ada", "convo-1"),
        "raise": ("raise agent", "Aborted: LookupError: no teapot anywhere", False, "ada", "convo-1"),
        "cancel": ("cancel agent", "Cancelled: CancelledError", False, "ada", "convo-1"),
        "hang": ("hang agent", None, True, "ada", "convo-1"),
        "never sent": None,
    }


def test_the_traces_stay_apart(told: Told) -> None:
    """Each sub-agent's spans are in a trace of its own, though both processes are in one trace at OpenTelemetry."""
    began = [job for job in told.after.jobs.values() if job is not None]
    traces = [{span["trace_id"] for span in event["spans"]} for event in (told.after.turn, *began)]
    assert [len(found) for found in traces] == [1] * 5
    assert len(set[str]().union(*traces)) == 5
    at_otel = {job["answer"]["otel_trace_id"] for job in told.launched["jobs"].values() if job["answer"] is not None}
    assert at_otel == {told.launched["otel"]["trace_id"]}


def test_only_the_root_of_one_that_raised_has_failed(told: Told) -> None:
    """What was done on the way is as it was; the failure is on the span around all of it."""
    failed = {
        (name, span["name"])
        for name, job in told.after.jobs.items()
        if job is not None
        for span in job["spans"]
        if span["status"] == "error"
    }
    assert failed == {("raise", "raise agent")}
