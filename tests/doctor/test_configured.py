"""What the configuration comes to, where each value is from, and what would go wrong without a word."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging.settings import Settings
from tests.wire.recorder import Answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.doctor.conftest import Ask
    from tests.wire.recorder import Recorder

    Config = Callable[..., str]

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9/v1/"


def test_each_key_says_where_it_is_from(ask: Ask, config: Config) -> None:
    """The file, the variable, the variable that the file names, or the default; of the key only that it is set."""
    path = config(write_key="env://SHOP_KEY", endpoint=NOWHERE, upload_size=7)
    visit = ask("--no-send", "--config", path, SHOP_KEY="rk_canary_5f1d0c7e", RAINDROP_MAX_DELAY="9")
    assert set(visit.keys) == set(Settings.__struct_fields__)
    assert visit.keys["write_key"] == ("set", "file, variable SHOP_KEY")
    assert visit.keys["upload_size"] == (7, "file")
    assert visit.keys["max_delay"] == (9.0, "variable RAINDROP_MAX_DELAY")
    assert visit.keys["timeout"] == (15.0, "default")


def test_the_file_wins_over_the_variable(ask: Ask, config: Config) -> None:
    """And it is the file that is named."""
    visit = ask("--no-send", "--config", config(endpoint=NOWHERE), RAINDROP_ENDPOINT="http://127.0.0.1:8/v1/")
    assert visit.keys["endpoint"] == (NOWHERE, "file")


def test_a_switch_wins_over_the_file(ask: Ask, config: Config) -> None:
    """RAINDROP_WORKSHOP=0 turns the Workshop off whatever the file says, and is what is named."""
    path = config(endpoint=NOWHERE, workshop=True)
    visit = ask("--no-send", "--config", path, RAINDROP_WORKSHOP="0")
    assert visit.keys["workshop"] == (None, "variable RAINDROP_WORKSHOP")


@pytest.mark.parametrize("given", ["env://SHOP_KEY", None], ids=str)
def test_no_key_and_no_workshop(given: str | None, ask: Ask, config: Config) -> None:
    """Nothing would be sent, and the variable to set is named."""
    path = config(**{} if given is None else {"write_key": given})
    visit = ask("--config", path, RAINDROP_WRITE_KEY=None)
    assert (visit.code, visit.failed) == (1, ["destination"])
    assert f"set {'SHOP_KEY' if given else 'RAINDROP_WRITE_KEY'} " in visit["destination"]["todo"]


@pytest.mark.parametrize(
    ("keys", "said"), [({"enabled": False}, "enabled is false"), ({"mode": "off"}, "mode is off")], ids=str
)
def test_a_handler_that_is_off(keys: dict[str, Any], said: str, ask: Ask, config: Config, recorder: Recorder) -> None:
    """It is said to send nothing, and nothing is sent on its behalf."""
    visit = ask("--config", config(endpoint=recorder.endpoint, **keys))
    assert (visit.code, visit.failed) == (1, ["mode"])
    assert said in visit["mode"]["said"]
    assert recorder.requests == []


HIDDEN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "the root's level": ({"root": {"level": "WARNING", "handlers": ["raindrop"]}}, {}, "root is WARNING"),
    "no level at all": ({"root": {"handlers": ["raindrop"]}}, {}, "root is WARNING"),
    "the handler's level": ({}, {"level": "ERROR"}, "the handler's own level is ERROR"),
    "a logger's level": (
        {"root": {"level": "INFO"}, "loggers": {"shop": {"level": "ERROR", "handlers": ["raindrop"]}}},
        {},
        "shop is ERROR",
    ),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_level_that_hides_info(name: str, ask: Ask, config: Config) -> None:
    """Where nothing that is logged at INFO comes through, the level that keeps it out is named."""
    table, keys, said = HIDDEN[name]
    visit = ask("--no-send", "--config", config(table, endpoint=NOWHERE, **keys))
    assert visit["level"]["state"] == "fail"
    assert said in visit["level"]["said"]


def test_a_logger_below_may_be_heard(ask: Ask, config: Config, recorder: Recorder) -> None:
    """A root at WARNING is fine where a logger of the service is at INFO and passes its records on."""
    table = {"root": {"level": "WARNING", "handlers": ["raindrop"]}, "loggers": {"shop": {"level": "INFO"}}}
    visit = ask("--config", config(table, endpoint=recorder.endpoint))
    assert (visit.code, visit["level"]["said"]) == (0, "hears 'shop' from INFO up")


def test_a_handler_that_no_logger_has(ask: Ask, config: Config) -> None:
    """It is named, with where it belongs."""
    visit = ask("--no-send", "--config", config({"root": {"level": "INFO", "handlers": []}}, endpoint=NOWHERE))
    assert (visit.code, visit["loggers"]["state"]) == (1, "fail")
    assert "no logger has the handler 'raindrop'" in visit["loggers"]["said"]


def test_verbs_that_nobody_hears(ask: Ask, config: Config, recorder: Recorder) -> None:
    """With the handler on one logger only, begin and the others need a logger of their own: a warning."""
    table = {"root": {"level": "INFO"}, "loggers": {"shop": {"level": "INFO", "handlers": ["raindrop"]}}}
    visit = ask("--config", config(table, endpoint=recorder.endpoint))
    assert (visit.code, visit.warned) == (0, ["verbs"])


def test_loggers_that_the_file_disables(ask: Ask, config: Config, recorder: Recorder) -> None:
    """dictConfig's own default silences every logger that is there already: a warning."""
    visit = ask("--config", config({"disable_existing_loggers": True}, endpoint=recorder.endpoint))
    assert (visit.code, visit.warned) == (0, ["others"])


@pytest.mark.skipif(sys.version_info < (3, 12), reason="since 3.12 dictConfig makes the listener of a QueueHandler")
@pytest.mark.parametrize("captures", [True, False], ids=["with CaptureFilter", "without"])
def test_a_queue_before_it(captures: bool, ask: Ask, config: Config, recorder: Recorder) -> None:
    """A queue is found; without the filter what is lost is said, with it that its listener has to be started."""
    table = {
        "filters": {"capture": {"()": "raindrop_logging.CaptureFilter"}},
        "handlers": {
            "raindrop": {"class": "raindrop_logging.RaindropHandler", "endpoint": recorder.endpoint},
            "queue": {
                "class": "logging.handlers.QueueHandler",
                "handlers": ["raindrop"],
                "filters": ["capture"] * captures,
            },
        },
        "root": {"level": "INFO", "handlers": ["queue"]},
    }
    visit = ask("--config", config(table))
    assert visit["queue"]["state"] == "warn"
    assert ("CaptureFilter" in visit["queue"]["todo"]) is not captures
    assert visit["level"]["state"] == "ok"


def test_a_memory_handler_before_it(ask: Ask, config: Config, recorder: Recorder) -> None:
    """A handler that holds records back for ours is seen through."""
    table = {
        "handlers": {
            "raindrop": {"class": "raindrop_logging.RaindropHandler", "endpoint": recorder.endpoint},
            "zz": {"class": "logging.handlers.MemoryHandler", "capacity": 10, "target": "raindrop"},
        },
        "root": {"level": "INFO", "handlers": ["zz"]},
    }
    assert ask("--config", config(table)).code == 0


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"upload_sise": 5}, "unknown key 'upload_sise'; did you mean 'upload_size'?"),
        ({"timeout": "soon"}, "'timeout' is 'soon'"),
        ({"write_key": "rk_canary_5f1d0c7e\u4e2d"}, "'write_key' is (not shown)"),
    ],
    ids=["key", "value", "secret"],
)
def test_a_file_that_cannot_be_loaded(keys: dict[str, Any], said: str, ask: Ask, config: Config) -> None:
    """The file, the key and the rule are named, and that is all that was looked at."""
    path = config(**keys)
    visit = ask("--config", path)
    assert (visit.code, visit.failed, visit.report["handlers"]) == (1, ["loads"], [])
    assert path in visit["loads"]["said"]
    assert said in visit["loads"]["said"]


def test_a_variable_that_cannot_be_read(ask: Ask) -> None:
    """Without a file, a wrong variable is named."""
    visit = ask(RAINDROP_TIMEOUT="soon")
    assert "'timeout' (from RAINDROP_TIMEOUT) is 'soon'" in visit["loads"]["said"]


def test_a_file_without_our_handler(ask: Ask, tmp_path: Path) -> None:
    """A configuration of others is said to be that."""
    path = tmp_path / "others.json"
    path.write_text(json.dumps({"version": 1, "root": {"level": "INFO"}}))
    assert "holds no RaindropHandler" in ask("--config", str(path))["loads"]["said"]


def test_a_file_that_is_not_there(ask: Ask, tmp_path: Path) -> None:
    """It is named, without a traceback."""
    assert "cannot be read" in ask("--config", str(tmp_path / "none.yaml"))["loads"]["said"]


def test_a_variable_that_nothing_reads(ask: Ask, recorder: Recorder) -> None:
    """A typo in a variable's name has no effect anywhere, so it is told; its value is not."""
    visit = ask(RAINDROP_ENDPOINT=recorder.endpoint, RAINDROP_WRITEKEY="rk_canary_5f1d0c7e")
    assert (visit.code, visit.warned) == (0, ["variable"])
    assert "did you mean 'RAINDROP_WRITE_KEY'?" in visit["variable"]["said"]


def test_two_handlers_are_two_patients(ask: Ask, config: Config, recorder: Recorder) -> None:
    """A file with two accounts is looked at twice; one good and one wrong fail together."""
    recorder.judge = lambda request: Answer(401) if "rk_wrong" in request.headers["Authorization"] else None
    handler = {"class": "raindrop_logging.RaindropHandler", "endpoint": recorder.endpoint}
    table = {
        "handlers": {"first": handler, "second": {**handler, "write_key": "rk_wrong_one"}},
        "root": {"level": "INFO", "handlers": ["first", "second"]},
    }
    visit = ask("--config", config(table))
    good = {
        one["handler"]: all(check["state"] != "fail" for check in one["checks"]) for one in visit.report["handlers"]
    }
    assert (visit.code, good) == (1, {"first": True, "second": False})


OURS = sorted(path for path in (ROOT / "configs").iterdir() if "RaindropHandler" in path.read_text())


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_the_files_of_this_repository(
    path: Path, ask: Ask, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each can be loaded, and its handler is heard."""
    monkeypatch.setenv("HOME", "/nonexistent")
    visit = ask("--no-send", "--config", str(path), RAINDROP_ENDPOINT=recorder.endpoint)
    assert visit["loads"]["state"] == "ok"
    assert visit["level"]["state"] == "ok"


# ---- the disk

CHILD = """
import logging, sys
from raindrop_logging import RaindropHandler, extra
handler = RaindropHandler(write_key="rk_canary_5f1d0c7e", endpoint=sys.argv[1], spool_dir=sys.argv[2],
                          durability="journal")
log = logging.getLogger("shop")
log.addHandler(handler)
log.warning("event", extra=extra.event(user_id="u1", event="signup"))
print("logged", flush=True)
sys.stdin.read()
"""


def test_processes_that_share_a_spool(ask: Ask, config: Config, tmp_path: Path, recorder: Recorder) -> None:
    """One that lives is counted; what a killed one left is told, and neither sent nor touched."""
    spool = tmp_path / "spool"
    path = config(endpoint=recorder.endpoint, spool_dir=str(spool))
    command = [sys.executable, "-c", CHILD, NOWHERE, str(spool)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"logged\n"
        beside = ask("--config", path)
        child.send_signal(signal.SIGKILL)
    files = {one: one.read_bytes() for one in spool.rglob("*") if one.is_file()}
    after = ask("--config", path)
    assert (beside["neighbours"]["alive"], beside["neighbours"]["state"]) == (1, "ok")
    assert (after["neighbours"]["alive"], after["neighbours"]["left"]) == (0, 1)
    assert (after.code, after.warned) == (0, ["neighbours"])
    assert {one: one.read_bytes() for one in spool.rglob("*") if one.is_file()} == files
    assert {event["user_id"] for event in recorder.items("events/track")} == {"raindrop-logging-doctor"}
    assert after.keys["durability"] == ("spill", "since there is a spool_dir")


def test_a_spool_that_cannot_be_written(ask: Ask, config: Config, tmp_path: Path, recorder: Recorder) -> None:
    """The path and the reason are told; the records are looked at all the same."""
    (tmp_path / "file").write_text("in the way")
    visit = ask("--config", config(endpoint=recorder.endpoint, spool_dir=str(tmp_path / "file" / "spool")))
    assert (visit.code, visit.failed) == (1, ["spool"])
    assert "is not a directory" in visit["spool"]["said"]
    assert visit["records"]["state"] == "ok"


def test_a_spool_that_is_nearly_full(ask: Ask, config: Config, tmp_path: Path, recorder: Recorder) -> None:
    """Near its bound it is a warning with what it holds."""
    spool = tmp_path / "spool"
    (spool / "other" / "process").mkdir(parents=True)
    (spool / "other" / "process" / "logged-00000001.seg").write_bytes(b"x" * 9_000)
    path = config(endpoint=recorder.endpoint, spool_dir=str(spool), spool_max_bytes=10_000)
    visit = ask("--no-send", "--config", path)
    assert (visit.code, visit.warned, visit["spool"]["used_bytes"]) == (0, ["spool"], 9_000)


def test_nothing_is_made_where_a_spool_would_be(ask: Ask, config: Config, tmp_path: Path, recorder: Recorder) -> None:
    """A directory that is not there yet is fine, and is not there afterwards either."""
    spool = tmp_path / "not" / "yet"
    assert ask("--config", config(endpoint=recorder.endpoint, spool_dir=str(spool))).code == 0
    assert not spool.parent.exists()
