"""Whatever the server does: nothing is lost, only what got no answer comes twice, and the operator is told once."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging._pipeline.outbox import MAX_SPLIT_REQUESTS
from raindrop_logging._pipeline.sender import MAX_CONNECTIONS
from tests.faults import faulty_server as faults
from tests.faults.conftest import Service
from tests.faults.faulty_server import Fault, FaultyServer
from tests.wire.harness import diagnostics, log, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

IDS = [f"e{number}" for number in range(10)]
LARGE = "a long answer " * 40_000


def _once(server: FaultyServer, ids: Sequence[str]) -> None:
    assert {event_id: len(bodies) for event_id, bodies in server.bodies_by_event().items()} == dict.fromkeys(ids, 1)


UNTAKEN: dict[str, Sequence[Fault]] = {
    "a hung answer": [faults.hang],
    "a connection that nobody reads": [faults.never_read],
    "a head that drips": [faults.drip_head],
    "a reset within the request": [faults.reset_in_request],
    "500 three times": [faults.status(500)] * 3,
    "each of them": [faults.hang, faults.status(503), faults.drip_head, faults.reset_in_request],
}


@pytest.mark.parametrize("script", UNTAKEN.values(), ids=UNTAKEN)
def test_what_the_server_did_not_take_comes_once(
    server: FaultyServer, service: Service, script: Sequence[Fault]
) -> None:
    """A fault before the request is taken costs time and nothing else."""
    server.script(*script)
    service.starts()
    service.says(*IDS, output=LARGE[: 1 << 15])
    assert service.flushes()
    _once(server, IDS)
    assert (service.counts().delivered, service.counts().dropped) == (10, {})


LOST: dict[str, Fault] = {"a lost answer": faults.lost_answer, "a reset within the answer": faults.reset_in_answer}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_what_was_taken_without_an_answer_comes_again_as_the_same_bytes(
    server: FaultyServer, service: Service, fault: Fault
) -> None:
    """A receiver can tell a repetition: same event_id, same bytes, and only where an answer was lost."""
    server.script(fault)
    service.starts()
    service.says(*IDS)
    assert service.flushes()
    found = server.bodies_by_event()
    assert {event_id: len(bodies) for event_id, bodies in found.items()} == dict.fromkeys(IDS, 2)
    assert all(len(set(bodies)) == 1 for bodies in found.values())
    service.says("later")
    assert service.flushes()
    assert len(server.bodies_by_event()["later"]) == 1
    assert service.counts().delivered == 11


def test_a_status_counts_whatever_becomes_of_the_answers_body(server: FaultyServer, service: Service) -> None:
    """200 with a body that drips for minutes is a delivery, and holds the next request up for a moment only."""
    server.script(faults.drip_body)
    service.starts(timeout=30)
    service.says(*IDS)
    assert service.flushes(10)
    service.says("later")
    assert service.flushes(10)
    _once(server, [*IDS, "later"])


def test_an_answer_that_never_ends_is_bounded_as_a_whole(server: FaultyServer, service: Service) -> None:
    """A head that comes a byte at a time never exceeds a bound per read; the attempt ends all the same, in time."""
    server.script(faults.drip_head)
    service.starts(timeout=1.0, base_delay=0.01)
    service.says("e")
    assert service.flushes()
    first, second = server.attempts()
    assert 0.5 < second - first < 10.0


def test_garbage_instead_of_tls_is_waited_out(tmp_path: Path, durability: dict[str, Any]) -> None:
    """A port that does not speak TLS yet is a host that is not there yet."""
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with FaultyServer(context) as server:
        server.script(faults.tls_garbage, faults.tls_garbage)
        service = Service(server, durability)
        service.starts(verify=str(certificate), timeout=10)
        heard = diagnostics()
        service.says(*IDS)
        assert service.flushes()
        _once(server, IDS)
    assert [line.count("is not available (") for line in heard.lines] == [1]


def _certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for loopback and its key, made for this test."""
    certificate, key = directory / "server.crt", directory / "server.key"
    asked = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    asked += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(asked, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl to make a certificate")
    return certificate, key


@pytest.mark.slow
@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "a date"])
def test_a_server_that_asks_for_four_seconds_gets_them(
    server: FaultyServer, service: Service, *, as_date: bool
) -> None:
    """Retry-After, as seconds and as a date, replaces the backoff: no attempt of the lane comes before."""
    server.script(faults.retry_after(4, as_date=as_date))
    service.starts(max_delay=10)
    service.says(*IDS)
    assert not service.flushes(0.5)
    service.says("later")
    assert service.flushes()
    first, second, *_ = server.attempts()
    assert 4.0 <= second - first < 8.0
    _once(server, [*IDS, "later"])


def test_a_server_that_comes_back_on_its_port_gets_everything(server: FaultyServer, service: Service) -> None:
    """Down before the first record and once more in between: each time one line, and no record lost."""
    heard = diagnostics()
    server.stop()
    service.starts()
    service.says(*IDS[:5])
    assert not service.flushes(0.5)
    server.start()
    assert service.flushes()
    server.stop()
    service.says(*IDS[5:])
    assert not service.flushes(0.5)
    server.start()
    assert service.flushes()
    _once(server, IDS)
    assert [line.count("is not available (") for line in heard.lines] == [1], "one line a minute"
    assert "waiting (5 records)" in heard.lines[0]


@pytest.mark.parametrize("code", [401, 403, 404, 405, 301, 307])
def test_a_wrong_set_up_keeps_the_records_until_it_is_put_right(
    server: FaultyServer, service: Service, code: int
) -> None:
    """The lane pauses, says so once, keeps what it has, and delivers it once; a redirect is never followed."""
    heard = diagnostics()
    with FaultyServer() as elsewhere:
        server.default = faults.status(code, {"Location": f"{elsewhere.endpoint}events/track"})
        service.starts(retry_budget=0.5)
        service.says(*IDS)
        server.wait_for("probed twice more", lambda: len(server.requests) >= 3)
        assert service.counts().waiting == 10
        assert [line.count("paused (") for line in heard.lines] == [1]
        assert f"HTTP {code}" in heard.lines[0]
        assert server.taken == []
        server.default = faults.status(200)
        assert service.flushes()
        assert elsewhere.requests == []
    _once(server, IDS)
    assert (service.counts().delivered, service.counts().dropped, len(heard.lines)) == (10, {}, 1)


def test_one_poison_event_costs_only_itself(server: FaultyServer, service: Service) -> None:
    """Of ten, nine arrive; the tenth is refused, counted, and named with logger, file and line."""
    heard = diagnostics()
    server.default = faults.refusing("poison")
    service.starts()
    service.says(*IDS[:7])
    log.info("ai", extra={"raindrop": {"event_id": "x", "user_id": "u", "event": "poison", "input": "q"}})
    line = sys._getframe().f_lineno - 1
    service.says(*IDS[7:9])
    assert service.flushes()
    _once(server, IDS[:9])
    assert (service.counts().refused, service.counts().delivered) == (1, 9)
    (told,) = heard.lines
    assert "refused (1 record)" in told
    assert "HTTP 400" in told
    assert f"logger '{log.name}', {__file__}:{line}" in told


def test_a_body_that_is_too_large_is_sent_in_parts(server: FaultyServer, service: Service) -> None:
    """413 above 64 KiB: a batch of 320 KiB is split until each part fits, and nothing is refused."""
    server.default = faults.refusing_above(64 * 1024)
    service.starts()
    ids = [f"e{number}" for number in range(20)]
    service.says(*ids, output="x" * 16 * 1024)
    assert service.flushes()
    _once(server, ids)
    assert (service.counts().refused, service.counts().delivered) == (0, 20)


def test_a_batch_that_is_refused_in_every_part_is_refused_as_a_whole(server: FaultyServer, service: Service) -> None:
    """Five hundred refusals cost a bounded number of requests, and are named as what they are."""
    heard = diagnostics()
    server.default = faults.status(422)
    service.starts(upload_interval=60, upload_size=500)
    service.says(*(f"e{number}" for number in range(500)))
    assert service.flushes()
    assert service.counts().refused == 500
    assert len(server.requests) <= MAX_SPLIT_REQUESTS + MAX_CONNECTIONS
    service.handler.shutdown(5)
    told = "; ".join(heard.lines)
    assert sum(int(number) for number in re.findall(r"refused(?: as a whole)? \((\d+) record", told)) == 500
    assert "HTTP 422 to every part of a batch" in told
    assert f"logger '{log.name}'" in told


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_failures_at_random_change_neither_number_nor_order(server: FaultyServer, service: Service, seed: int) -> None:
    """A third of the requests gets 503: every event comes once, and every interaction's steps in their order."""
    server.default = faults.at_random(seed, 0.3)
    service.starts(partial_flush_interval=0.02, base_delay=0.01, max_delay=0.05)
    for step in range(4):
        _speak(step)
        service.says(*(f"plain-{step}-{number}" for number in range(10)))
        assert service.handler.flush(0.05) is not None
    assert service.flushes()
    assert service.counts().dropped == {}
    found = server.bodies_by_event()
    assert {event_id: len(bodies) for event_id, bodies in found.items() if "plain" in event_id} == {
        f"plain-{step}-{number}": 1 for step in range(4) for number in range(10)
    }
    for number in range(10):
        steps = [json.loads(body) for body in found[f"run-{number}"]]
        assert [step.get("is_pending", False) for step in steps] == [*[True] * (len(steps) - 1), False]
        seen = [step.get("properties", {}).get("step", 0) for step in steps]
        assert seen == sorted(seen)
        assert steps[-1]["ai_data"]["output"] == "a"


def _speak(step: int) -> None:
    for number in range(10):
        about = {"event_id": f"run-{number}", "user_id": "u", "event": "run"}
        if step == 0:
            say({"type": "begin", "input": "q", **about})
        elif step == 3:
            say({"type": "finish", "output": "a", **about})
        else:
            say({"type": "update", "properties": {"step": step}, **about})


@pytest.mark.slow
def test_a_route_that_hangs_holds_no_other_up(server: FaultyServer, service: Service) -> None:
    """While spans get no answer at all, events and signals arrive, and the spans do as soon as they can."""
    hangs = [True]

    def play(exchange: faults.Exchange) -> None:
        assert exchange.request is not None
        if exchange.request.path.endswith("traces") and hangs:
            faults.hang.play(exchange)
        else:
            exchange.request.body = b"[]" if exchange.request.path.endswith("traces") else exchange.request.body
            exchange.answer(200)

    server.default = Fault("body", play)
    service.starts(timeout=15.0, trace_flush_interval=0.05)
    for _ in range(3):  # as many as there are threads, and one more
        say({"kind": "tool", "name": "search"})
        service.flushes(0.5)
    for event_id in IDS:
        service.says(event_id)
        service.flushes(0.5)
    server.wait_for("all events came", lambda: set(IDS) == set(server.bodies_by_event()), 10.0)
    assert service.counts().waiting == 3
    hangs.clear()
    assert service.flushes(50.0)
    assert service.counts().delivered == 13
