"""One record of each type: what arrives, what is said of each route, and what each failure asks for."""

from __future__ import annotations

import subprocess
import sys
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging.cli.arrived import read_back
from raindrop_logging.cli.diagnosis import remedies
from raindrop_logging.wire import ROUTES
from raindrop_logging.workshop.server import running
from tests.faults.faulty_server import FaultyServer, hang, lost_answer, status
from tests.test_cli import EXTRA, run_without
from tests.wire.recorder import Answer, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.doctor.conftest import Ask

USER = "raindrop-logging-doctor"
SIGNALS = "signals/track"


def test_one_of_each_arrives_marked(ask: Ask, recorder: Recorder) -> None:
    """Eight records come to all five routes, each saying that the doctor sent it, and the exit code is 0."""
    visit = ask(RAINDROP_ENDPOINT=recorder.endpoint)
    assert (visit.code, visit.report["good"], visit.failed, visit.warned) == (0, True, [], [])
    events = recorder.items("events/track")
    assert [event["properties"]["doctor"] for event in events] == [True, True]
    assert [event["user_id"] for event in events] == [USER, USER]
    pending, final = recorder.items("events/track_partial")
    assert (pending["is_pending"], final["is_pending"], final["ai_data"]["output"]) == (True, False, "It arrives.")
    assert recorder.items("users/identify") == [{"user_id": USER, "traits": {"doctor": True}}]
    (signal,) = recorder.items(SIGNALS)
    assert (signal["event_id"], signal["sentiment"]) == (events[0]["event_id"], "POSITIVE")
    (span,) = recorder.spans()
    assert span["attributes"]["traceloop.association.properties.user_id"] == USER
    assert (visit["records"]["delivered"], visit["records"]["accepted"]) == (8, 8)


def test_each_route_says_what_it_answered(ask: Ask, recorder: Recorder) -> None:
    """Status, milliseconds and the answer itself are told for every route."""
    recorder.default = Answer(200, body=b'{"success": true}')
    visit = ask(RAINDROP_ENDPOINT=recorder.endpoint)
    for route in ROUTES.values():
        check = visit[route]
        assert (check["state"], check["status"], check["answer"]) == ("ok", 200, '{"success": true}')
        assert 0 < check["ms"] < 60_000


def test_a_workshop_gets_it_all(ask: Ask) -> None:
    """Against the local Workshop, without a key, everything is good and can be read back there."""
    with running() as workshop:
        visit = ask(RAINDROP_WRITE_KEY=None, RAINDROP_WORKSHOP=workshop.endpoint)
        arrived = read_back(workshop.url, [USER])
    assert (visit.code, visit.failed) == (0, [])
    assert visit["events/track_partial"]["said"].startswith("ai, begin, update, finish: HTTP 204")
    assert len(arrived.events) == 3
    assert arrived.totals == {"events": 3, "signals": 1, "spans": 1}
    assert arrived.users[USER]["traits"] == {"doctor": True}


ANSWERS: dict[str, tuple[Answer, str]] = {
    "400": (Answer(400, body=b"no"), "is the endpoint a Raindrop API?"),
    "401": (Answer(401), "the write key is not known"),
    "403": (Answer(403), "check project_id"),
    "404": (Answer(404), "usually ends in /v1/"),
    "429": (Answer(429, headers={"Retry-After": "30"}), "waits and retries"),
    "500": (Answer(500), "retries within retry_budget"),
    "302": (Answer(302, headers={"Location": "https://x.example/v2/?key=rk_canary_5f1d0c7e"}), "never followed"),
    "a hang-up": (Answer(None), "hung up"),
}


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (405, "usually ends in /v1/"),
        (407, "the proxy wants a user and a password"),
        (408, "nothing is lost"),
        (413, "lower upload_bytes"),
        (422, "see its answer"),
        (425, "nothing is lost"),
        (308, "never followed"),
        (451, "is the endpoint a Raindrop API?"),
        (503, "retries within retry_budget"),
        (599, "retries within retry_budget"),
    ],
)
def test_every_status_has_a_remedy(code: int, remedy: str) -> None:
    """Those that the documentation names have one of their own, and others that of their class."""
    assert remedy in remedies.of_status(code)


@pytest.mark.parametrize("name", ANSWERS)
def test_each_failure_says_what_to_do(name: str, ask: Ask, recorder: Recorder) -> None:
    """Whatever the receiver answers, each route that was asked fails with a remedy, at once, and the exit code is 1."""
    recorder.default, remedy = ANSWERS[name]
    visit = ask("--timeout", "60", RAINDROP_ENDPOINT=recorder.endpoint)
    asked = {request.route for request in recorder.requests}
    assert visit.code == 1
    assert asked >= set(ROUTES.values()) - {SIGNALS}
    for route in asked:
        assert (visit[route]["state"], remedy in visit[route]["todo"]) == ("fail", True)
        assert visit[route].get("status") == recorder.default.status
    assert visit[SIGNALS]["state"] == ("fail" if SIGNALS in asked else "skip")
    assert visit["records"]["delivered"] == 0


def test_one_broken_route_is_told_from_the_others(ask: Ask, recorder: Recorder) -> None:
    """A project that takes no spans fails there alone."""
    recorder.judge = lambda request: Answer(404, body=b"no traces here") if request.route == "traces" else None
    visit = ask(RAINDROP_ENDPOINT=recorder.endpoint)
    assert visit.failed == ["traces", "records"]
    assert visit["traces"]["answer"] == "no traces here"
    assert visit["records"]["delivered"] == 7


def test_an_answer_that_repeats_the_key_does_not_show_it(ask: Ask, recorder: Recorder) -> None:
    """The key is masked in what the receiver said, and so is where it redirects to."""
    key = "rk_canary_5f1d0c7e"
    recorder.default = Answer(401, body=f'{{"error": "unknown key {key}", "again": "{key * 1000}"}}'.encode())
    visit = ask(RAINDROP_ENDPOINT=recorder.endpoint)
    assert visit["traces"]["answer"].startswith('{"error": "unknown key ***", "again": "***')


def test_an_answer_is_cut_once_the_key_is_out(ask: Ask, recorder: Recorder) -> None:
    """A key that lies across the place where a long answer is cut leaves no part of it."""
    recorder.default = Answer(400, body=b"x" * 391 + b"rk_canary_5f1d0c7e" + b"y" * 1000)
    assert "rk_" not in str(ask(RAINDROP_ENDPOINT=recorder.endpoint).report)


def test_an_answer_cannot_steer_the_terminal(ask: Ask, recorder: Recorder) -> None:
    """What a receiver says is one line of characters that can be shown."""
    recorder.default = Answer(400, body=b"\x1b[2Jfirst\r\n\tsecond\x00\xff")
    assert ask(RAINDROP_ENDPOINT=recorder.endpoint)["traces"]["answer"] == "[2Jfirst second \ufffd"


def test_other_handlers_of_the_file_stay_quiet(ask: Ask, recorder: Recorder, config: Callable[..., str]) -> None:
    """A console at DEBUG, which would hear every step of the HTTP client, does not get into what is printed."""
    handlers = {
        "raindrop": {"class": "raindrop_logging.RaindropHandler", "endpoint": recorder.endpoint},
        "console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"},
    }
    path = config({"handlers": handlers, "root": {"level": "DEBUG", "handlers": ["console", "raindrop"]}})
    assert ask("--config", path).code == 0


def test_a_page_for_people_is_no_receipt(ask: Ask, recorder: Recorder) -> None:
    """A 200 with an HTML page, as log-in pages of networks send it, is warned of with the words of the page."""
    page = b"<!doctype html><html><style>p {}</style><body><p>Please <b>log in</b> &amp; wait</body></html>"
    recorder.default = Answer(200, headers={"Content-Type": "text/html"}, body=page)
    visit = ask(RAINDROP_ENDPOINT=recorder.endpoint)
    assert set(visit.warned) == set(ROUTES.values())
    assert visit["traces"]["answer"] == "Please log in & wait"


@pytest.mark.parametrize(
    ("fault", "error"), [(hang, "ReadTimeout"), (lost_answer, "RemoteProtocolError")], ids=["hangs", "hangs up"]
)
def test_no_answer(fault: Any, error: str, ask: Ask) -> None:
    """A receiver that takes the connection and says nothing, or hangs up, fails by name, in the time that was given."""
    with FaultyServer() as server:
        server.default = fault
        visit = ask("--timeout", "0.5", RAINDROP_ENDPOINT=server.endpoint)
    assert {visit[route].get("error") for route in ("events/track", "users/identify", "traces")} == {error}
    assert visit.states("Network")["tcp"] == "ok"


def test_a_clock_that_is_off_is_seen(ask: Ask) -> None:
    """The receiver's Date beside this machine's time: an hour off is a warning with its direction."""
    with FaultyServer() as server:
        server.default = status(200, {"Date": formatdate(time.time() - 3 * 3600, usegmt=True)})
        visit = ask(RAINDROP_ENDPOINT=server.endpoint)
    assert (visit.code, visit.warned) == (0, ["clock"])
    assert "clock is 3 hours ahead of the receiver's" in visit["clock"]["said"]


@pytest.mark.parametrize("date", ["yesterday", None], ids=str)
def test_a_receiver_that_does_not_tell_the_time(date: str | None, ask: Ask) -> None:
    """Without a date that can be read nothing is said of the clock."""
    with FaultyServer() as server:
        server.default = status(200, {} if date is None else {"Date": date})
        visit = ask(RAINDROP_ENDPOINT=server.endpoint)
    assert "clock" not in visit.states("Records")


@pytest.mark.parametrize("word", ["--no-send", "--dry-run"])
def test_it_can_be_asked_to_send_nothing(word: str, ask: Ask, recorder: Recorder) -> None:
    """Then the receiver is reached, and gets no request."""
    visit = ask(word, RAINDROP_ENDPOINT=recorder.endpoint)
    assert recorder.requests == []
    assert (visit.code, visit["tcp"]["state"], visit["records"]["state"]) == (0, "ok", "skip")


def test_without_tracing_no_span_is_sent(ask: Ask, recorder: Recorder) -> None:
    """The route is said to be left out, and the rest is good."""
    visit = ask(RAINDROP_ENDPOINT=recorder.endpoint, RAINDROP_TRACING="false")
    assert (visit.code, visit["traces"]["state"]) == (0, "skip")
    assert recorder.to("traces") == []


@pytest.mark.parametrize("listens", [True, False], ids=["up", "down"])
def test_the_mirror(listens: bool, ask: Ask, recorder: Recorder) -> None:
    """A Workshop beside the cloud is told to be there or not; the cloud's records are good either way."""
    with Recorder() as mirror:
        address = mirror.endpoint
        if not listens:
            mirror.close()
        visit = ask(RAINDROP_ENDPOINT=recorder.endpoint, RAINDROP_WORKSHOP=address)
    assert (visit.code, visit["mirror"]["state"]) == (0, "ok" if listens else "warn")
    assert all("Authorization" not in request.headers for request in mirror.requests)


def test_the_settings_of_the_file_are_used(ask: Ask, recorder: Recorder, config: Callable[..., str]) -> None:
    """Records go out as the handler of the file would send them: its project, its defaults, its redaction."""
    path = config(
        endpoint=recorder.endpoint,
        project_id="acme",
        mode="sync",
        upload_interval=0,
        defaults={"properties": {"region": "eu"}},
    )
    assert ask("--config", path).code == 0
    assert {request.headers["X-Raindrop-Project-Id"] for request in recorder.requests} == {"acme"}
    assert [event["properties"]["region"] for event in recorder.items("events/track")] == ["eu", "eu"]


def test_what_it_shows_of_the_settings_can_be_shown(ask: Ask, recorder: Recorder, config: Callable[..., str]) -> None:
    """Tables as tables, and of defaults what is left of them without secrets: such an output is pasted into tickets."""
    path = config(
        endpoint=recorder.endpoint,
        breadcrumbs={"level": "error"},
        sampling={"span": 0.5},
        budgets={"shop": "1 MiB"},
        defaults={"user_id": "u1", "properties": {"mail": "bob@example.com", "password": "hunter2"}},
    )
    visit = ask("--config", path, "--no-send")
    assert [visit.keys[name][0] for name in ("breadcrumbs", "sampling", "budgets")] == [
        {"level": "ERROR", "max": 20},
        {"span": 0.5},
        {"shop": 1_048_576},
    ]
    shown = {"mail": "<REDACTED_EMAIL>", "password": "<REDACTED_SECRET>"}
    assert visit.keys["defaults"][0] == {"user_id": "u1", "properties": shown}


def test_it_needs_no_extra(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the plain package the doctor works."""
    monkeypatch.setenv("RAINDROP_ENDPOINT", recorder.endpoint)
    monkeypatch.setenv("RAINDROP_WRITE_KEY", "rk_test")
    done = run_without(EXTRA, "doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "All good." in done.stdout


def test_nothing_of_it_is_loaded_by_other_commands() -> None:
    """What the doctor needs is imported when it is asked for."""
    program = "import sys; from raindrop_logging.cli import main; print([n for n in sys.modules if 'diagnosis' in n])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "[]\n"
