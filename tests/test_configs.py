"""The files in `configs/`: each one, loaded by a fresh process, carries a record of every type to a receiver."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from raindrop_logging.config import load_config, read_config
from raindrop_logging.handler import RaindropHandler
from raindrop_logging.wire import WORKSHOP_ENDPOINT

if TYPE_CHECKING:
    from raindrop_logging.settings import Settings
    from tests.wire.recorder import Recorder

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").iterdir())
MINIMAL = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"raindrop": {"class": "raindrop_logging.RaindropHandler"}},
    "root": {"level": "INFO", "handlers": ["raindrop"]},
}

SPEAK = """
import logging, sys
from raindrop_logging import bind, extra, flush, load_config

load_config(sys.argv[1])
log = logging.getLogger("shop.agent")
log.warning("a line for people")
with bind(user_id="u1", event="chat"):
    log.info("ai", extra={"raindrop": {"event_id": "e-ai", "input": "question", "output": "answer"}})
    log.info("said by a test", extra=extra.event(event_id="e-event"))
    log.info("said by a test", extra=extra.begin(event_id="e-steps", input="question"))
    log.info("said by a test", extra=extra.update(event_id="e-steps", model="m1"))
    log.info("said by a test", extra=extra.finish(event_id="e-steps", output="answer"))
    log.info("said by a test", extra=extra.signal(event_id="e-ai", name="thumbs_up", sentiment="POSITIVE"))
    log.info("said by a test", extra=extra.identify(traits={"plan": "pro"}))
    log.info("said by a test", extra=extra.span(event_id="e-ai", kind="tool", name="search"))
sys.exit(0 if flush(10) else 1)
"""


def speak(config: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Load a file in a process of its own and log one record of each type; every warning is an error there."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", SPEAK, str(config)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def speak_to(recorder: Recorder, config: Path) -> subprocess.CompletedProcess[str]:
    """The same, with a key and the recorder as the cloud."""
    return speak(config, RAINDROP_WRITE_KEY="rk_test", RAINDROP_ENDPOINT=recorder.endpoint)


def assert_all_arrived(recorder: Recorder) -> None:
    """Each of the eight records is at the recorder, the three steps as one event."""
    events = {
        item["event_id"]: item for route in ("events/track", "events/track_partial") for item in recorder.items(route)
    }
    assert set(events) == {"e-ai", "e-event", "e-steps"}
    assert events["e-ai"]["ai_data"] == {"input": "question", "output": "answer"}
    assert events["e-steps"]["ai_data"] == {"model": "m1", "input": "question", "output": "answer"}
    assert [(item["event_id"], item["signal_name"], item["sentiment"]) for item in recorder.items("signals/track")] == [
        ("e-ai", "thumbs_up", "POSITIVE")
    ]
    assert recorder.items("users/identify") == [{"user_id": "u1", "traits": {"plan": "pro"}}]
    assert [span["attributes"]["traceloop.entity.name"] for span in recorder.spans()] == ["search"]


def settings_of(path: Path) -> Settings:
    """What the handler of a file was told."""
    load_config(path)
    return next(handler.settings for handler in logging.root.handlers if isinstance(handler, RaindropHandler))


LATER = ROOT / "configs" / "json_lines.json"
AT_ONCE = [path for path in CONFIGS if path.suffix != ".toml" and path != LATER]


@pytest.mark.parametrize("config", AT_ONCE, ids=lambda path: path.name)
def test_every_type_arrives(recorder: Recorder, config: Path) -> None:
    """A key in the environment is all that a file needs; nothing is said on stderr but what its console says."""
    done = speak_to(recorder, config)
    assert (done.returncode, "Traceback" in done.stderr, "raindrop_logging" in done.stderr) == (0, False, False)
    assert_all_arrived(recorder)
    assert {request.headers["Authorization"] for request in recorder.requests} == {"Bearer rk_test"}


def test_workshop_gets_every_type(recorder: Recorder, tmp_path: Path) -> None:
    """Without a key the Workshop is the destination, and no key is sent there."""
    source = ROOT / "configs" / "workshop.toml"
    assert settings_of(source).workshop == WORKSHOP_ENDPOINT
    moved = tmp_path / "workshop.toml"
    moved.write_text(source.read_text().replace(WORKSHOP_ENDPOINT, recorder.endpoint))
    assert speak(moved).returncode == 0
    assert_all_arrived(recorder)
    assert {request.headers["Authorization"] for request in recorder.requests} == {None}


def test_durable_survives_a_kill(recorder: Recorder, tmp_path: Path) -> None:
    """Records of a process that was killed before it sent anything are sent by the next one, redacted."""
    program = """
import logging, os, signal, sys
from raindrop_logging import extra, load_config
load_config(sys.argv[1])
logging.getLogger("shop").info("ai", extra=extra.ai(user_id="u1", event="chat", input="password: hunter2hunter2"))
os.kill(os.getpid(), signal.SIGKILL)
"""
    config = str(ROOT / "configs" / "durable.toml")
    home = {"HOME": str(tmp_path), "RAINDROP_WRITE_KEY": "rk_test"}
    nowhere = {**os.environ, **home, "RAINDROP_ENDPOINT": "http://127.0.0.1:9/v1/"}
    killed = subprocess.run([sys.executable, "-c", program, config], env=nowhere, check=False, timeout=30)
    assert killed.returncode == -signal.SIGKILL
    speak(ROOT / "configs" / "durable.toml", **home, RAINDROP_ENDPOINT=recorder.endpoint)
    inputs = [item["ai_data"]["input"] for item in recorder.items("events/track") if "ai_data" in item]
    assert inputs.count("password: <REDACTED_SECRET>") == 1


def test_minimal_is_three_lines() -> None:
    """The first file is the README's three-line configuration, and one line that says who it is for."""
    found = read_config(ROOT / "configs" / "minimal.json")
    assert {key: value for key, value in found.items() if key != "_for"} == MINIMAL


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.name)
def test_first_lines_say_who_it_is_for(config: Path) -> None:
    """A reader knows from the top whether a file is theirs."""
    if config.suffix == ".json":
        assert next(iter(json.loads(config.read_text()))) == "_for"
    else:
        assert config.read_text().startswith("# For ")


def test_production_console_is_for_people(recorder: Recorder) -> None:
    """Its console shows plain lines and leaves out the records that hold a block."""
    console = speak_to(recorder, ROOT / "configs" / "production.yaml").stderr
    assert "shop.agent: a line for people" in console
    assert "said by a test" not in console


def test_production_names_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds that the file spells out are those that hold without it, but for the cap on texts."""
    monkeypatch.setenv("RAINDROP_WRITE_KEY", "rk_test")
    settings = settings_of(ROOT / "configs" / "production.yaml")
    plain = settings_of(ROOT / "configs" / "minimal.json")
    own = {"service_name", "defaults", "max_text_chars"}
    differing = {name for name in settings.__struct_fields__ if getattr(settings, name) != getattr(plain, name)}
    assert differing == own


def test_json_console_holds_the_block(recorder: Recorder) -> None:
    """Each line of stdout is a JSON object with its record's block and ids, which are those that Raindrop gets."""
    lines = speak_to(recorder, ROOT / "configs" / "json_console.json").stdout.splitlines()
    told: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [line.get("raindrop", {}).get("event_id") for line in told[:4]] == [None, "e-ai", "e-event", "e-steps"]
    usual = {"levelname", "name", "message", "timestamp"}
    ours = {"event_id", "trace_id", "span_id", "raindrop", "raindrop_record"}
    assert all(usual <= set(line) <= usual | ours for line in told)
    assert [line["span_id"] for line in told if "span_id" in line] == [span["span_id"] for span in recorder.spans()]


def test_json_lines_are_shipped_later(recorder: Recorder, tmp_path: Path) -> None:
    """What a container writes to stdout is all that it takes to send every record later; nothing is sent by itself."""
    lines = speak(LATER)
    assert (lines.returncode, lines.stderr, recorder.requests) == (0, "", [])
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "raindrop_logging",
        "ship",
        "-",
        "--quiet",
        "--rejects",
        str(tmp_path / "rejects"),
    ]
    environ = {**os.environ, "RAINDROP_WRITE_KEY": "rk_test", "RAINDROP_ENDPOINT": recorder.endpoint}
    shipped = subprocess.run(
        command, input=lines.stdout, env=environ, capture_output=True, text=True, check=False, timeout=30
    )
    assert (shipped.returncode, shipped.stderr) == (0, "")
    assert_all_arrived(recorder)


def test_structlog_json_holds_the_block(recorder: Recorder) -> None:
    """Records of logging's own loggers are lines in the same form as structlog's, with block, level and time."""
    lines = speak_to(recorder, ROOT / "configs" / "structlog_json.json").stdout.splitlines()
    told: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [line.get("raindrop", {}).get("event_id") for line in told[:4]] == [None, "e-ai", "e-event", "e-steps"]
    usual = {"event", "logger", "level", "timestamp"}
    ours = {"event_id", "trace_id", "span_id", "raindrop", "raindrop_record"}
    assert all(usual <= set(line) <= usual | ours for line in told)


def test_structlog_dev_shows_names_alone(recorder: Recorder) -> None:
    """A developer's console names the event of each block, and shows none of its texts."""
    console = speak_to(recorder, ROOT / "configs" / "structlog_dev.yaml").stderr
    assert "a line for people" in console
    assert "e-ai" in console
    assert "question" not in console


def test_three_formats_say_the_same(tmp_path: Path) -> None:
    """One configuration written as JSON, YAML and TOML gives equal settings."""
    table = json.loads(json.dumps(MINIMAL))
    table["handlers"]["raindrop"] |= {
        "write_key": "rk_test",
        "upload_interval": 0.5,
        "when_full": "drop_newest",
        "debug": True,
        "defaults": {"properties": {"region": "eu"}},
    }
    files = {suffix: tmp_path / f"same.{suffix}" for suffix in ("json", "yaml", "toml")}
    files["json"].write_text(json.dumps(table))
    files["yaml"].write_text(yaml.safe_dump(table))
    files["toml"].write_text(
        """
        version = 1
        disable_existing_loggers = false
        root = {level = "INFO", handlers = ["raindrop"]}
        [handlers.raindrop]
        class = "raindrop_logging.RaindropHandler"
        write_key = "rk_test"
        upload_interval = 0.5
        when_full = "drop_newest"
        debug = true
        defaults = {properties = {region = "eu"}}
        """
    )
    first, *others = [settings_of(path) for path in files.values()]
    assert first.upload_interval == 0.5
    assert all(other == first for other in others)
