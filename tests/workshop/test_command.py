"""What `raindrop-logging workshop` is told on the command line is how the server behaves."""

from __future__ import annotations

import subprocess
import sys

import httpx

from tests.workshop.wire_bodies import ai_event


def test_strict_and_max_body() -> None:
    """`--strict` refuses what the contract does not know, `--max-body 1K` what is larger than 1024 bytes."""
    command = [sys.executable, "-m", "raindrop_logging", "workshop", "--port", "0", "--db", ":memory:", "--no-open"]
    with subprocess.Popen([*command, "--strict", "--max-body", "1K"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            endpoint = [server.stdout.readline() for _ in range(3)][1].split()[-1]
            with httpx.Client(base_url=endpoint, trust_env=False) as client:
                unknown = client.post("events/track", json=ai_event(surprise=1))
                large = client.post("events/track", json=ai_event(properties={"pad": "x" * 1024}))
                assert client.post("events/track", json=ai_event()).status_code == 204
        finally:
            server.terminate()
    assert (unknown.status_code, unknown.json()["rule"]["name"]) == (400, "known_key")
    assert (large.status_code, large.json()["message"]) == (413, "The body is larger than 1024 bytes")
