"""kill -9 while events arrive: whatever was acknowledged is there afterwards, and the database opens."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from raindrop_logging.workshop import open_store
from tests.workshop.wire_bodies import ai_event

if TYPE_CHECKING:
    from pathlib import Path

KILLS: Final = 20
CLIENTS: Final = 4
ENOUGH: Final = 40
"""Requests that a round has acknowledged when the server is killed: others are under way then."""

SERVE: Final = """
import sys
from raindrop_logging.workshop import serve
serve(0, sys.argv[1], open_browser=False, announce=lambda line: print(line, flush=True))
"""


class _Round:
    """One server's life: clients send until it is gone, and remember what was acknowledged."""

    def __init__(self, number: int, server: subprocess.Popen[str], endpoint: str) -> None:
        self._number = number
        self._server = server
        self._endpoint = endpoint
        self.acknowledged: list[str] = []

    def send_until_gone(self, client_number: int) -> None:
        """One client's life; which of the clients sees enough acknowledged kills the server."""
        with httpx.Client(base_url=self._endpoint, trust_env=False, timeout=20) as client:
            for batch in range(100_000):
                ids = [f"{self._number}-{client_number}-{batch}-{event}" for event in range(5)]
                try:
                    answer = client.post("events/track", json=[ai_event(event_id) for event_id in ids])
                except httpx.TransportError:
                    return
                assert answer.status_code == 204
                self.acknowledged.extend(ids)
                if len(self.acknowledged) >= 5 * ENOUGH:
                    self._server.kill()


def _round(number: int, path: Path) -> list[str]:
    with subprocess.Popen([sys.executable, "-c", SERVE, path], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        endpoint = [server.stdout.readline() for _ in range(3)][1].split()[-1]
        life = _Round(number, server, endpoint)
        with ThreadPoolExecutor(CLIENTS) as clients:
            for client in [clients.submit(life.send_until_gone, client_number) for client_number in range(CLIENTS)]:
                client.result()
    assert server.returncode == -9
    return life.acknowledged


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Twenty servers on one file are killed in the midst of their work; each finds all that those before kept."""
    path = tmp_path / "w.db"
    acknowledged: list[str] = []
    for number in range(KILLS):
        acknowledged += _round(number, path)
        store = open_store(path)
        try:
            kept = {event.event.event_id for event in store.summaries(tuple(acknowledged))}
            assert kept == set(acknowledged)
        finally:
            store.close()
    assert len(acknowledged) >= KILLS * ENOUGH * 5
