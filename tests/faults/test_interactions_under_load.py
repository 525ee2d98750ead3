"""Two thousand interactions at once, each of some seconds, with a receiver that is some way off."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.processes.children import DURABILITIES, items, keys_of, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder, Request

INTERACTIONS: Final = 2_000
STEPS: Final = 6

PROGRAM: Final = """
import asyncio, random
from raindrop_logging import begin

async def one(number, moments):
    await asyncio.sleep(moments.random() * 3)
    interaction = begin(user_id=f"u{number}", event="run", event_id=f"i{number}", input="q", logger=log)
    for step in range(STEPS):
        await asyncio.sleep(moments.random())
        interaction.set_property(f"p{step}", step)
        interaction.add_attachments([{"type": "text", "value": f"{number}-{step}"}])
    interaction.finish(output=f"a{number}")

async def crowd():
    moments = random.Random(7)
    await asyncio.gather(*(one(number, moments) for number in range(INTERACTIONS)))

asyncio.run(crowd())
assert raindrop_logging.flush(150), raindrop_logging.stats()
told(json.dumps(raindrop_logging.stats().dropped))
"""


def _late(_: Request) -> None:
    time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(250)
@pytest.mark.parametrize("durability", DURABILITIES)
def test_every_interaction_arrives_whole(recorder: Recorder, tmp_path: Path, durability: str) -> None:
    """All are final and hold everything, in order, each attachment once, and none is pending after its final."""
    recorder.judge = _late
    program = PROGRAM.replace("INTERACTIONS", str(INTERACTIONS)).replace("STEPS", str(STEPS))
    ended = run(program, **keys_of(durability, tmp_path, endpoint=recorder.endpoint))
    assert json.loads(ended.lines[-1]) == {}
    found: dict[str, list[dict[str, Any]]] = {}
    for body in items(recorder, "events/track", "events/track_partial"):
        found.setdefault(body["event_id"], []).append(body)
    assert found.keys() == {f"i{number}" for number in range(INTERACTIONS)}
    for event_id, bodies in found.items():
        _check(event_id[1:], bodies)


def _check(number: str, bodies: list[dict[str, Any]]) -> None:
    *before, final = bodies
    assert [body["is_pending"] for body in before] == [True] * len(before)
    assert not final.get("is_pending")
    assert (final["user_id"], final["ai_data"]["input"], final["ai_data"]["output"]) == (
        f"u{number}",
        "q",
        f"a{number}",
    )
    assert _steps(final) == list(range(STEPS))
    told = [step for body in before for step in _steps(body)]
    assert told == sorted(told)
    attached = Counter(one["value"] for body in bodies for one in body.get("attachments", ()))
    assert attached == {f"{number}-{step}": 1 for step in range(STEPS)}


def _steps(body: dict[str, Any]) -> list[int]:
    return [value for key, value in body["properties"].items() if key[0] == "p" and key[1:].isdigit()]
