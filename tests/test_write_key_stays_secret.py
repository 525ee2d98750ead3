"""The write key leaves the process in one place only: the Authorization header of a request to the cloud endpoint.

Each test sends a canary key through one way to fail, with every logger of the process at DEBUG, and then looks for the
canary in everything that a person or a file could come to see.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import traceback
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging
from raindrop_logging.settings import read_settings
from tests.wire.harness import PATIENCE, Heard, attach, say
from tests.wire.recorder import Answer, Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = "rk_canary_5f1d0c7e"
FRAGMENT = CANARY[:10]
"""Half a key is half a secret: no test finds even its beginning."""
QUICK: dict[str, Any] = {"base_delay": 0.01, "max_delay": 0.02, "jitter": 0, "timeout": 0.3, "shutdown_timeout": 0.5}


class Witness:
    """Everything that became visible while a test ran."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self._seen: list[str] = []
        self._heard: Heard | None = None
        self._formatter = logging.Formatter()

    def listen(self) -> None:
        """Hear all loggers at DEBUG, the HTTP client's and OpenTelemetry's included."""
        logging.getLogger().setLevel(logging.DEBUG)
        for name in ("httpx", "httpcore", "opentelemetry", "raindrop_logging"):
            logging.getLogger(name).setLevel(logging.DEBUG)
        self._heard = Heard()

    def see(self, *things: object) -> None:
        """Add what a person could print: texts as they are, errors with their traceback, values by str and repr."""
        for thing in things:
            if isinstance(thing, BaseException):
                self._seen += traceback.format_exception(thing)
            self._seen += [str(thing), repr(thing)]

    def see_handler(self, handler: raindrop_logging.RaindropHandler) -> None:
        """Add a handler with its attributes, and its figures."""
        self.see(handler, vars(handler), handler.stats(), raindrop_logging.stats())

    def everything(self) -> str:
        """All of it as one text; log records also with their arguments and attributes."""
        out, err = self._capfd.readouterr()
        return "\n".join([*self._seen, *self._lines(), out, err])

    def _lines(self) -> Iterator[str]:
        """What was logged; but for the headers of an answer, which the HTTP client writes down as it gets them."""
        for record in list(self._heard.records) if self._heard else []:
            if not (record.name.startswith("httpcore") and "receive_response_headers" in record.getMessage()):
                yield f"{self._formatter.format(record)} {vars(record)!r}"


@pytest.fixture
def witness(capfd: pytest.CaptureFixture[str]) -> Witness:
    """Sees all that a test makes visible."""
    return Witness(capfd)


def speak() -> None:
    """One record for every lane, and a broken one."""
    say({"type": "event", "user_id": "u", "event": "e"})
    say({"user_id": "u", "event": "chat", "input": "q", "output": "a"})
    say({"type": "begin", "event_id": "open", "user_id": "u", "event": "chat", "input": "q"})
    say({"type": "signal", "event_id": "e1", "name": "thumbs_up"})
    say({"user_id": "u", "traits": {"plan": "free"}})
    say({"kind": "tool", "name": "t", "event_id": "e1", "error": "boom"})
    say({"type": "evnt"})


def deliver(witness: Witness, endpoint: str, **keys: Any) -> None:
    """Set up with the canary, speak on every lane, flush, look at everything, shut down."""
    handler = attach(endpoint, write_key=CANARY, **{**QUICK, **keys})
    witness.listen()
    speak()
    witness.see(handler.flush(0.3))
    witness.see_handler(handler)
    witness.see(handler.shutdown(0.1))
    witness.see_handler(handler)


def _assert_only_in_authorization(recorder: Recorder) -> None:
    assert recorder.requests
    for request in recorder.requests:
        assert request.headers.get_all("Authorization") == [f"Bearer {CANARY}"]
        others = [f"{name}: {value}" for name, value in request.headers.items() if name != "Authorization"]
        assert FRAGMENT not in "\n".join([request.path, *others])
        assert FRAGMENT.encode() not in request.body


ANSWERS: dict[str, Answer] = {
    "all is well": Answer(204),
    "400": Answer(400, body=b'{"error": "bad"}'),
    "401": Answer(401),
    "401 that repeats the key": Answer(
        401, headers={"X-Your-Key": CANARY, "WWW-Authenticate": f"Bearer {CANARY}"}, body=f"no {CANARY}".encode()
    ),
    "400 that repeats the key": Answer(400, body=f'{{"error": "bad key {CANARY}"}}'.encode()),
    "403": Answer(403),
    "404": Answer(404),
    "413": Answer(413),
    "429": Answer(429, headers={"Retry-After": "0"}),
    "400 that repeats the key without end": Answer(400, body=f"{CANARY}-".encode() * 5_000),
    "500 that repeats the key": Answer(500, body=f"Traceback: {CANARY}".encode()),
    "503": Answer(503),
    "a redirect": Answer(307, headers={"Location": "/v1/elsewhere"}),
    "a redirect to a place that repeats the key": Answer(301, headers={"Location": f"/login?key={CANARY}"}),
    "a hang-up": Answer(None),
}


@pytest.mark.parametrize("debug", [False, True], ids=["quiet", "debug"])
@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_of_the_server_brings_the_key_out(
    name: str, debug: bool, recorder: Recorder, witness: Witness
) -> None:
    """Delivered, refused, repeated back or hung up on: the key shows in no log, repr, figure or output."""
    recorder.default = ANSWERS[name]

    deliver(witness, recorder.endpoint, debug=debug)

    assert FRAGMENT not in witness.everything()
    _assert_only_in_authorization(recorder)


def test_a_server_that_is_not_there_does_not_bring_the_key_out(witness: Witness) -> None:
    """A refused connection is retried and reported without the key."""
    with Recorder() as gone:
        endpoint = gone.endpoint

    deliver(witness, endpoint)

    assert FRAGMENT not in witness.everything()


def test_a_server_that_never_answers_does_not_bring_the_key_out(recorder: Recorder, witness: Witness) -> None:
    """A timeout is retried and reported without the key."""
    recorder.default = Answer(204, gate=threading.Event())

    deliver(witness, recorder.endpoint, timeout=0.1)

    assert FRAGMENT not in witness.everything()
    _assert_only_in_authorization(recorder)


def test_a_host_that_does_not_exist_does_not_bring_the_key_out(witness: Witness) -> None:
    """A name that resolves to nothing is reported without the key."""
    deliver(witness, "http://raindrop.invalid/v1/")

    assert FRAGMENT not in witness.everything()


def test_a_body_that_is_not_http_does_not_bring_the_key_out(witness: Witness) -> None:
    """A port that speaks another protocol is reported without the key."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        connection.sendall(b"220 mail.example ESMTP\r\n")

        threading.Thread(target=babble, daemon=True).start()
        deliver(witness, f"http://127.0.0.1:{listener.getsockname()[1]}/v1/")
        listener.shutdown(socket.SHUT_RDWR)

    assert FRAGMENT not in witness.everything()


BAD_SETUPS: dict[str, dict[str, Any]] = {
    "a key with a newline": {"write_key": f"{CANARY}\nX-Other: 1"},
    "a key with a carriage return": {"write_key": f"{CANARY}\rX"},
    "a key outside latin-1": {"write_key": f"{CANARY}\u4e2d"},
    "a key outside ASCII": {"write_key": f"{CANARY}\xe9"},
    "a key with a space inside": {"write_key": f"{CANARY} {CANARY}"},
    "a key with a null byte": {"write_key": f"{CANARY}\0"},
    "a key in a list": {"write_key": [CANARY]},
    "a key as bytes": {"write_key": CANARY.encode()},
    "a key in a table": {"write_key": {"value": CANARY}},
    "a key behind a bad variable": {"write_key": "env://CANARY_VARIABLE"},
    "the key in the endpoint's user": {"endpoint": f"https://{CANARY}@api.example/v1/"},
    "the key in the endpoint's query": {"endpoint": f"https://api.example/v1/?key={CANARY}"},
    "an endpoint that is no address": {"endpoint": "not a url"},
    "an endpoint of another scheme": {"endpoint": "ftp://api.example/v1/"},
    "an endpoint without a host": {"endpoint": "http:///v1/"},
    "an endpoint with a bad port": {"endpoint": "http://127.0.0.1:99999/v1/"},
    "an endpoint with a broken IPv6 host": {"endpoint": "http://[::1/v1/"},
    "an unknown handler key": {"write_kee": "x"},
    "a project id against the rule": {"project_id": "Not A Slug"},
    "a number that is none": {"timeout": "soon"},
    "a mode there is not": {"mode": "fast"},
    "a workshop that is no address": {"workshop": "ftp://127.0.0.1/"},
    "a workshop that holds the key": {"workshop": f"http://{CANARY}@127.0.0.1/v1/"},
    "a proxy that holds the key": {"proxy": f"htp://user:{CANARY}@127.0.0.1:1/"},
    "a CA bundle that is not there": {"verify": "/no/such/bundle.pem"},
}


@pytest.mark.parametrize("name", BAD_SETUPS)
def test_no_failing_set_up_brings_the_key_out(
    name: str, recorder: Recorder, witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Set-up fails with a traceback, or a send fails later; neither shows the key."""
    monkeypatch.setenv("CANARY_VARIABLE", f"{CANARY}\nX-Other: 1")
    keys: dict[str, Any] = {"endpoint": recorder.endpoint, "write_key": CANARY, **QUICK, **BAD_SETUPS[name]}

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            handler = attach(keys.pop("endpoint"), **keys)
        except Exception as error:  # noqa: BLE001 - any error will do, as long as it keeps the secret
            witness.see(error, *_chain(error))
        else:
            witness.listen()
            speak()
            witness.see(handler.flush(0.3))
            witness.see_handler(handler)
            handler.shutdown(0.1)
        witness.see(*(str(warning.message) for warning in warned))

    assert FRAGMENT not in witness.everything()


REFUSED_SETUPS = [name for name in BAD_SETUPS if name.startswith(("a key with", "a key outside", "an endpoint"))]


@pytest.mark.parametrize("name", REFUSED_SETUPS)
def test_a_set_up_that_cannot_work_is_refused_by_name(name: str, recorder: Recorder) -> None:
    """A key or an address that no request could carry is refused at set-up, and the message says which one it is."""
    keys: dict[str, Any] = {"endpoint": recorder.endpoint, "write_key": CANARY, **BAD_SETUPS[name]}
    culprit = next(iter(BAD_SETUPS[name]))

    with pytest.raises(ValueError, match="raindrop") as caught:
        attach(keys.pop("endpoint"), **keys)

    assert culprit in "".join(traceback.format_exception(caught.value))


def test_a_key_is_stripped_of_the_blanks_around_it(recorder: Recorder) -> None:
    """A key pasted with blanks or a newline at its ends works as the key it is."""
    handler = attach(recorder.endpoint, write_key=f" {CANARY}\n")

    say({"type": "event", "user_id": "u", "event": "e"})

    assert handler.flush(PATIENCE)
    _assert_only_in_authorization(recorder)


def test_settings_do_not_show_the_key() -> None:
    """The settings as a value can be printed, formatted and compared without a word of the key."""
    settings = read_settings({"write_key": CANARY}, {})

    shown = [repr(settings), str(settings), f"{settings}", f"{settings.write_key}", repr(settings.write_key)]
    assert FRAGMENT not in "".join(shown)
    assert read_settings({"write_key": CANARY}, {}) == settings != read_settings({"write_key": "rk_other"}, {})


@pytest.mark.parametrize("how", ["pickle", "json", "msgpack", "copy"])
def test_settings_do_not_serialize_the_key(how: str) -> None:
    """What would write the settings to a file or a queue either refuses or leaves the key out."""
    import copy
    import json
    import pickle

    import msgspec

    ways: dict[str, Callable[[Any], object]] = {
        "pickle": pickle.dumps,
        "json": lambda value: json.dumps(value, default=str),
        "msgpack": msgspec.msgpack.encode,
        "copy": lambda value: repr(copy.deepcopy(value)),
    }

    try:
        written = ways[how](read_settings({"write_key": CANARY}, {}))
    except Exception as error:  # noqa: BLE001 - refusing is fine
        written = repr(error)

    assert FRAGMENT not in repr(written)


def test_the_workshop_mirror_never_gets_the_key(recorder: Recorder, witness: Witness) -> None:
    """The mirror receives the records and no credential, whether it answers well or badly."""
    with Recorder() as mirror:
        mirror.script(Answer(401), Answer(None))

        deliver(witness, recorder.endpoint, workshop=mirror.endpoint, debug=True)
        mirror.wait_for(1)

        assert all("Authorization" not in request.headers for request in mirror.requests)
        everything = [f"{r.path}\n{r.headers}\n{r.body.decode('utf-8', 'replace')}" for r in mirror.requests]
        assert FRAGMENT not in "\n".join(everything)
    assert FRAGMENT not in witness.everything()
    _assert_only_in_authorization(recorder)


def test_the_workshops_database_never_holds_the_key(tmp_path: Path, witness: Witness) -> None:
    """A Workshop that stands in for the cloud receives the key with every request, and writes it nowhere."""
    from raindrop_logging.workshop import running

    with running(db=tmp_path / "workshop.db") as workshop:
        deliver(witness, workshop.endpoint)
        delivered = raindrop_logging.stats().delivered
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    files |= {f"closed {path.name}": path.read_bytes() for path in tmp_path.iterdir()}

    assert delivered > 0
    assert FRAGMENT not in witness.everything()
    assert [name for name, content in files.items() if FRAGMENT.encode() in content] == []


def test_a_redirect_does_not_carry_the_key_elsewhere(recorder: Recorder) -> None:
    """A redirect to another host is not followed, so the key is shown to nobody but the endpoint."""
    with Recorder() as stranger:
        recorder.default = Answer(307, headers={"Location": f"{stranger.base}/v1/events/track"})
        handler = attach(recorder.endpoint, write_key=CANARY, **QUICK)

        say({"type": "event", "user_id": "u", "event": "e"})
        handler.flush(0.3)
        recorder.wait_for(1)
        handler.shutdown(0.1)

        assert stranger.requests == []


LEAVE = """
import logging, logging.config, sys
logging.config.dictConfig({{
    "version": 1, "disable_existing_loggers": False,
    "handlers": {{
        "raindrop": {{"class": "raindrop_logging.RaindropHandler", "endpoint": {endpoint!r}, "shutdown_timeout": 3.0}},
        "console": {{"class": "logging.StreamHandler", "level": "DEBUG"}}}},
    "root": {{"level": "DEBUG", "handlers": ["raindrop", "console"]}}}})
logging.getLogger("shop").info("ai", extra={{"raindrop": {{"user_id": "u", "event": "e", "input": "q"}}}})
raise RuntimeError("the service fails")
"""


@pytest.mark.parametrize("status", [401, 500])
def test_a_process_that_ends_badly_does_not_print_the_key(status: int, recorder: Recorder) -> None:
    """A crash with undelivered records prints its traceback and the loss, at DEBUG, without the key."""
    recorder.default = Answer(status)
    program = LEAVE.format(endpoint=recorder.endpoint)

    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "RAINDROP_WRITE_KEY": CANARY},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert "the service fails" in ended.stderr
    assert FRAGMENT not in ended.stdout + ended.stderr
    _assert_only_in_authorization(recorder)


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
