"""OpenTelemetry is imported by those who use it: never by us, until the first span is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

PROGRAM = """
import json, sys
import raindrop_logging as raindrop
from raindrop_logging import extra
handler = raindrop.init("rk_test", endpoint=sys.argv[1], tracing=json.loads(sys.argv[2]))

def records():
    with raindrop.bind(user_id="u1", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"):
        raindrop.track_ai(event="chat", input="Hi?", output="Hi.")
    turn = raindrop.begin(user_id="u1", event="chat", input="Hi?", tools=[])
    turn.set_property("a", 1)
    raindrop.carry(raindrop.traceparent)()
    turn.finish(output="Hi.")
    raindrop.track_signal(turn.id, "thumbs_up")
    raindrop.identify("u1", {"plan": "free"})

@raindrop.interaction("agent")
def spans():
    turn = raindrop.begin(user_id="u1", event="chat", input="Hi?")
    with turn.task_span("task"), raindrop.llm_span("model", model="m1"):
        raindrop.tool("tool")(len)("abc")
    turn.track_tool("search", output="nothing")
    raindrop.start_span("tool", "by hand").end()
    raindrop.Tracer({"job": 1}).track_tool("other", output="nothing")
    carrier = turn.subagent(name="helper")
    turn.finish(output="Hi.")
    with raindrop.resume_subagent(headers=carrier.headers) as run:
        run.finish(output="Done.")

globals()[sys.argv[3]]()
assert raindrop.flush(20)
loaded = sorted(name for name in sys.modules if name.partition(".")[0] == "opentelemetry")
print(json.dumps({"loaded": bool(loaded), "dropped": handler.stats().dropped}))
"""


@pytest.mark.parametrize(
    ("tracing", "says", "loaded"),
    [(True, "records", False), (False, "records", False), (False, "spans", False), (True, "spans", True)],
    ids=["records", "records, without tracing", "spans, without tracing", "spans"],
)
def test_it_is_loaded_for_spans_that_are_sent_and_for_nothing_else(
    recorder: Recorder, tracing: bool, says: str, loaded: bool
) -> None:
    """Neither the import nor the handler, nor interactions, signals and users, nor spans that are left out, need it."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, recorder.endpoint, json.dumps(tracing), says],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["loaded"] is loaded
    assert set(said["dropped"]) == ({"tracing_off"} if says == "spans" and not tracing else set())
    assert recorder.items("events/track")
