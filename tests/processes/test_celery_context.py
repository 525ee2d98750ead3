"""What is bound where a task is sent is bound where it runs, in whatever pool of a real worker, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.processes.deployment import LOGGING, deployed, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder

pytest.importorskip("celery")

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SHOP = (
    LOGGING.replace("RaindropHandler()", 'RaindropHandler(defaults={"user_id": "nobody"})')
    + """
from pathlib import Path
from celery import Celery
from raindrop_logging import begin, bind
from raindrop_logging.contrib import celery
celery.install()
here = Path(__file__).parent
app = Celery("shop", broker="filesystem://", broker_transport_options={
    "data_folder_in": str(here / "in"), "data_folder_out": str(here / "in"),
    "control_folder": str(here / "control"), "polling_interval": 0.02})
app.conf.task_ignore_result = True
def say(event):
    log.info("ai", extra=extra.ai(event=event, input="q"))
    log.info("t", extra=extra.span(kind="tool", name=event))
@app.task
def answer(event):
    say(event)
@app.task(bind=True)
def answers_later(self, event):
    if self.request.retries == 0:
        raise self.retry(countdown=0)
    say(event)
@app.task
def sends(event):
    answer.delay(event)
@app.task
def fails(event):
    say(event)
    raise RuntimeError("no")
@app.task
def leaks(event):
    bind(user_id="left behind").__enter__()
    say(event)
@app.task
def runs_inside(event):
    answer.apply((event,))
    say(event + ", and after it")
@app.task
def finishes(event):
    say(event)
"""
)
CLIENT = """
from shop import *
with bind(user_id="u1", convo_id="c1", properties={"region": "eu"}, traceparent="00-%s-%s-01"):
    answer.delay("answered")
    answers_later.delay("retried")
    sends.delay("sent on")
    fails.delay("failed")
    leaks.delay("leaked")
    runs_inside.delay("inside")
    (answer.si("linked") | answer.si("linked last")).delay()
with begin(user_id="u2", event="chat", convo_id="c2", event_id="e2"):
    answer.delay("in an interaction")
answer.delay("unbound")
bound = {"headers": {"raindrop": '{"user_id": 5}'}}
answer.apply_async(("malformed",), **bound)
""" % (TRACE, SPAN)  # noqa: UP031 -- braces of the program's own
WITH_USER = {
    "answered", "retried", "sent on", "failed", "inside", "inside, and after it", "linked", "linked last",
}  # fmt: skip
EXPECTED = {
    **dict.fromkeys(WITH_USER, ("u1", "c1", "eu")),
    "leaked": ("left behind", "c1", "eu"),
    "in an interaction": ("u2", "c2", None),
    "unbound": ("nobody", None, None),
    "malformed": ("nobody", None, None),
}


@pytest.mark.parametrize(
    "pool",
    [
        pytest.param("solo", id="solo", marks=pytest.mark.slow),
        pytest.param("prefork", id="prefork"),
        pytest.param("threads", id="threads", marks=pytest.mark.slow),
        pytest.param("gevent", id="gevent", marks=pytest.mark.slow),
    ],
)
def test_a_task_is_bound_as_its_sender_was(recorder: Recorder, tmp_path: Path, pool: str) -> None:
    """With user, conversation, properties and trace; when it is retried, sends others, or is linked; nobody else is."""
    if pool == "gevent":
        pytest.importorskip("gevent")
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "client.py").write_text(CLIENT)
    sender = tmp_path / "sender"
    for directory in (sender, *(tmp_path / name for name in ("in", "control"))):
        directory.mkdir()
    concurrency = "1" if pool in ("solo", "prefork") else "4"
    command = ["-m", "celery", "-A", "shop:app", "worker", f"--pool={pool}", f"--concurrency={concurrency}"]
    quiet = ["--loglevel=INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    at_once = {"RAINDROP_UPLOAD_INTERVAL": "0.05", "RAINDROP_TRACE_FLUSH_INTERVAL": "0.05"}
    with (
        deployed(recorder, tmp_path, *command, *quiet, env=at_once) as worker,
        deployed(recorder, sender, "../client.py") as client,  # meanwhile: its tasks wait in the broker
    ):
        assert client.ends() == 0, client.output.read_text()
        until(lambda: len(recorder.spans()) >= len(EXPECTED), "the records of all tasks", worker)
        until(lambda: {event["event"] for event in recorder.items("events/track")} >= set(EXPECTED), "events", worker)
        assert "Signal handler" not in worker.output.read_text()  # what Celery says of a receiver that raised
    found = {
        event["event"]: (event["user_id"], event["ai_data"].get("convo_id"), event["properties"].get("region"))
        for event in recorder.items("events/track")
        if event["event"] != "chat"
    }
    assert found == EXPECTED
    parents = {
        span["attributes"]["traceloop.entity.name"]: (span["trace_id"], span["parent_id"]) for span in recorder.spans()
    }
    assert {event for event, parent in parents.items() if parent == (TRACE, SPAN)} == {*WITH_USER, "leaked"}


def test_it_may_be_left_out_and_too_much_is(recorder: Recorder, tmp_path: Path) -> None:
    """carry_context=False ends it; properties beyond the bound stay behind, which is said once, the rest goes along."""
    program = (
        SHOP.replace("Path(__file__).parent", "Path.cwd()")
        + """
from celery import signals
def sent(**fields):
    headers = {}
    with bind(**fields):
        signals.before_task_publish.send(sender="shop.answer", headers=headers)
    return headers
assert sent() == {}
assert sent(user_id="u1") == {"raindrop": '{"user_id":"u1"}'}, sent(user_id="u1")
assert sent(user_id="u1", properties={"text": "x" * 9_000}) == {"raindrop": '{"user_id":"u1"}'}
assert "raindrop" in sent(user_id="\\udc80")
celery.install(carry_context=False)
assert sent(user_id="u1") == {}
assert not signals.task_prerun.receivers
assert len(signals.worker_shutdown.receivers) == 1
"""
    )
    with deployed(recorder, tmp_path, "-c", program) as ended:
        assert ended.ends() == 0, ended.output.read_text()
    assert ended.output.read_text().count("beyond 8192 characters") == 1
