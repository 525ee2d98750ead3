"""The README's code runs, its tables are the code's own, and its files exist."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from raindrop_logging.settings import Settings
from raindrop_logging.vocabulary import RECORD_TYPES, STRUCTS
from raindrop_logging.workshop import running

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def _table(heading: str) -> dict[str, list[str]]:
    """Rows of the first table below a heading, by their first cell."""
    body = README.split(f"\n## {heading}\n", 1)[1]
    table = re.search(r"(?:^\|.*\n)+", body, re.MULTILINE)
    assert table is not None
    rows = [line.split("|")[1:-1] for line in table[0].splitlines()]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows[2:]}


def _run(program: str, recorder: Recorder) -> None:
    environment = {"RAINDROP_ENDPOINT": recorder.endpoint, "RAINDROP_WRITE_KEY": "rk_readme", "PATH": ""}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=55,  # what its blocks bring in takes a busy machine long
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


def test_its_python_runs_as_one_program_and_everything_arrives(recorder: Recorder) -> None:
    """All Python blocks, in order, in one process: eight events, a signal and six spans arrive."""
    _run("\n".join(_blocks("python")), recorder)
    names = ["chat", "agent_run", "chat", "support_reply", "loguru_reply", "teapot", "stock", "stock_keeper"]
    arrived = sorted(recorder.items("events/track"), key=lambda item: str(item["timestamp"]))  # two connections took it
    assert [item["event"] for item in arrived] == names
    assert [item["user_id"] for item in arrived[3:5]] == ["u1", "u1"]
    events = arrived[:3] + arrived[5:]
    assert [item["signal_name"] for item in recorder.items("signals/track")] == ["thumbs_up"]
    spans = recorder.spans()
    names = ["search", "plan", "search_shop", "find_teapot", "launch_subagent", "stock_keeper"]
    assert [span["name"] for span in spans] == names
    assert events[2]["properties"]["tenant"] == "acme"
    assert events[3]["properties"]["found"] == 1
    assert {span["trace_id"] for span in spans[1:4]} == {events[3]["properties"]["trace_id"]}
    assert spans[5]["attributes"]["raindrop.handoff.parentEventId"] == events[4]["event_id"]


def test_its_configuration_is_the_file_it_names() -> None:
    """The three lines of JSON are configs/minimal.json, but for its note on who it is for."""
    (block,) = _blocks("json")
    table = json.loads((ROOT / "configs" / "minimal.json").read_text(encoding="utf-8"))
    assert json.loads(block) == {key: value for key, value in table.items() if not key.startswith("_")}


def test_its_commands_are_what_ci_runs_and_the_program_knows() -> None:
    """The demo comes first, the tests are run as .ci/run runs them; every raindrop-logging command named exists."""
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert _blocks("sh")[0] == "pip install uv && uv run raindrop-logging demo\n"
    assert "pip install uv && uv run pytest\n" in _blocks("sh")
    assert "uv run pytest" in ci
    for command in set(re.findall(r"raindrop-logging (demo|workshop|schema|\w+)[\s`]", " ".join(_blocks("sh")))):
        subprocess.run(
            [sys.executable, "-m", "raindrop_logging", command, "--help"], check=True, capture_output=True, timeout=30
        )


def _value(text: str) -> object:
    units = {" s": 1, " MiB": 1024 * 1024}
    for unit, factor in units.items():
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    words = {"none": None, "true": True, "false": False}
    return words[text] if text in words else float(text) if re.fullmatch(r"[\d.]+", text) else text.strip("`")


def test_its_configuration_table_is_the_settings() -> None:
    """Every key is there, with the default that the code has."""
    told: dict[str, object] = {}
    for keys, (defaults, _meaning) in _table("Configuration").items():
        names = re.findall(r"`(\w+)`", keys)
        values = defaults.split(", ") if len(names) > 1 else [defaults]
        told |= dict(zip(names, (_value(value) for value in values), strict=True))
    told["enabled"] = told.get("enabled")
    settings = Settings()
    assert set(told) == set(Settings.__struct_fields__)
    shown_in_words = {"service_version": "this package's version", "defaults": None, "sampling": None, "budgets": None}
    for key, value in told.items():
        assert value == shown_in_words.get(key, getattr(settings, key)), key


@pytest.mark.parametrize("record_type", RECORD_TYPES)
def test_its_table_of_records_names_every_key(record_type: str) -> None:
    """Each type has a row, and the row has the type's keys; update and finish refer to begin."""
    keys, _route = _table("What you can log")[f"`{record_type}`"]
    named = set(re.findall(r"`(\w+)\*?`", keys))
    if "all that begin knows" in keys:
        named |= set(STRUCTS["begin"].__struct_fields__) - {"type"}
    assert named == set(STRUCTS[record_type].__struct_fields__) - {"type"}  # type: ignore[index]


def test_every_file_it_links_to_exists() -> None:
    """No link into the repository is broken."""
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith(("http", "#"))]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def _anchor(heading: str) -> str:
    """The name that a heading is linked to by, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_place_it_links_to_exists() -> None:
    """No link within the README is broken."""
    anchors = {_anchor(heading) for heading in re.findall(r"^#+ (.+)$", README, re.MULTILINE)}
    links = re.findall(r"\]\(#([^)]+)\)", README)
    assert len(links) > 10
    assert [link for link in links if link not in anchors] == []


def test_a_service_from_an_empty_folder(tmp_path: Path) -> None:
    """The commands and the program of that section, in a folder with nothing else: the event is in the Workshop."""
    section = README.split("\n## A service from an empty folder\n", 1)[1].split("\n## ", 1)[0]
    (program,) = re.findall(r"^```py\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    (copied,) = re.findall(r"^cp raindrop-logging/(\S+) (\S+)$", section, re.MULTILINE)
    (served,) = re.findall(r"^RAINDROP_WORKSHOP=1 \.venv/bin/uvicorn (.+) &$", section, re.MULTILINE)
    headers = dict(header.split(": ") for header in re.findall(r"-H '([^']+)'", section))
    (asked,) = re.findall(r"http://127\.0\.0\.1:8000(/\S+)'", section)
    (tmp_path / "app.py").write_text(program)
    (tmp_path / copied[1]).write_text((ROOT / copied[0]).read_text())
    with running() as workshop, socket.create_server(("127.0.0.1", 0)) as listening:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("RAINDROP_")}
        service = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "uvicorn", *served.split(), "--fd", str(listening.fileno())],
            cwd=tmp_path,
            env={**environment, "RAINDROP_WORKSHOP": workshop.endpoint},
            pass_fds=[listening.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            port = listening.getsockname()[1]
            answer = httpx.get(f"http://127.0.0.1:{port}{asked}", headers=headers, timeout=20)
        finally:
            service.terminate()
            lines, errors = service.communicate(timeout=20)
        assert (answer.json(), errors) == ("In Lyon.", "")
        ((event,),) = [[summary.event for summary in workshop.store.events(10).summaries]]
    assert (event.event, event.user_id, event.convo_id) == ("support_reply", "ada", "c9")
    assert (event.input, event.output) == ("Where is my parcel", "In Lyon.")
    said = [json.loads(line) for line in lines.splitlines()]
    assert [line["raindrop"]["user_id"] for line in said if "raindrop" in line] == ["ada"]
