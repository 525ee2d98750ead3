"""The command `raindrop-logging`: its words, its exit codes, and what it says when something is missing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging.cli import main
from raindrop_logging.cli.arguments import body_size, data_size
from raindrop_logging.errors import install_command
from raindrop_logging.vocabulary import RECORD_TYPES, STRUCTS
from raindrop_logging.workshop.server import running

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = ("demo", "workshop", "check", "doctor", "ship", "schema")

WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from raindrop_logging.cli import main
sys.exit(main(sys.argv[1:]))
"""
EXTRA = ("jinja2", "markdown_it", "rich", "starlette", "uvicorn", "yaml")


def run_without(missing: tuple[str, ...], *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process where these libraries cannot be imported."""
    code = WITHOUT.format(missing=set(missing))
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=30)


def run_module(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m raindrop_logging` with these words; every warning is an error there."""
    command = [sys.executable, "-W", "error", "-m", "raindrop_logging", *words]
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, check=False, timeout=30
    )


# ---- help, version, usage


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The first help lists all commands and what the exit codes mean."""
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"    {command} " in shown for command in COMMANDS)
    assert "exit codes: 0 good, 1 failed" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command explains itself and each of its arguments."""
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: raindrop-logging {command} [-h]")
    options = [line for line in shown.splitlines() if line.startswith("  -")]
    assert len(options) > 1
    assert all(len(line.split("  ")) >= 3 or len(line) >= 16 for line in options)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["dema"], "invalid choice: 'dema'"),
        (["workshop", "--port", "http"], "a port is a number from 0 to 65535, not 'http'"),
        (["workshop", "--port", "65536"], "a port is a number from 0 to 65535, not '65536'"),
        (["workshop", "--max-body", "0"], "'0' is no number of bytes, such as 5000000 or 50M"),
        (["workshop", "--max-body", "fifty"], "'fifty' is no number of bytes, such as 5000000 or 50M"),
        (["workshop", "--host", "0.0.0.0"], "invalid choice: '0.0.0.0'"),  # noqa: S104 -- refused
        (["workshop", "--keep", "30"], "an age is a number of hours, days or weeks such as 12h, 30d or 8w, not '30'"),
        (["workshop", "--keep", "0d"], "not '0d'"),
        (["workshop", "--max-size", "2"], "a size is at least 1MB, such as 500MB, 2GB or 1.5GiB, not '2'"),
        (["workshop", "--max-size", "0.5MB"], "not '0.5MB'"),
        (["workshop", "--max-size", "2XB"], "not '2XB'"),
        (["workshop", "--max-body", "-1K"], "expected one argument"),
        (["workshop", "--max-body", "9999999TiB"], "'9999999TiB' is no number of bytes"),
        (["schema", "--indent", "99"], "an indent is a number from 0 to 16, not '99'"),
    ],
    ids=" ".join,
)
def test_wrong_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong words end with exit code 2 and one line that names them; the Workshop's address is no choice."""
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("read", [body_size, data_size])
@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("5000000", 5_000_000),
        ("5000000B", 5_000_000),
        ("10000k", 10_000 * 1024),
        ("10000KiB", 10_000 * 1024),
        ("10000kB", 10_000 * 1000),
        ("50M", 50 * 1024**2),
        ("50mib", 50 * 1024**2),
        ("50MB", 50 * 1000**2),
        ("2G", 2 * 1024**3),
        ("1.5GiB", 3 * 1024**3 // 2),
        (" 1.001 GB ", 1_001_000_000),
        ("1T", 1024**4),
        ("1TiB", 1024**4),
        ("1TB", 1000**4),
    ],
)
def test_sizes(read: Callable[[str], int], text: str, nbytes: int) -> None:
    """Every size takes every unit: without a B or with an i it is a power of 1024, else of 1000."""
    assert read(text) == nbytes


def test_version() -> None:
    """--version is the distribution's, and `python -m raindrop_logging` is the same command."""
    done = run_module("--version")
    assert (done.returncode, done.stdout) == (0, f"raindrop-logging {version('raindrop-logging')}\n")


# ---- schema


def printed_schema(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[dict[str, Any], str]:
    """What `schema` prints, as a value and as text."""
    assert main(["schema", *words]) == 0
    text = capsys.readouterr().out
    schema: dict[str, Any] = json.loads(text)
    return schema, text


def test_schema_knows_every_type(capsys: pytest.CaptureFixture[str]) -> None:
    """The printed schema has one definition a record type, and each reference in it leads somewhere."""
    schema, text = printed_schema(capsys)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    named = {option["$ref"].removeprefix("#/$defs/") for option in schema["anyOf"]}
    assert named == {struct.__name__ for struct in STRUCTS.values()}
    assert {schema["$defs"][name]["properties"]["type"]["const"] for name in named} == set(RECORD_TYPES)
    assert all(f'"#/$defs/{name}"' in text for name in schema["$defs"] if name in named)


def test_schema_judges_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    """It is a valid JSON Schema that takes good blocks and refuses wrong ones."""
    jsonschema = pytest.importorskip("jsonschema", reason="the validator is not installed")
    schema, _ = printed_schema(capsys)
    jsonschema.Draft202012Validator.check_schema(schema)
    judge = jsonschema.Draft202012Validator(schema)
    attachment = {"type": "code", "value": "x = 1", "role": "output"}
    assert judge.is_valid({"type": "ai", "user_id": "u", "event": "chat", "input": "q", "attachments": [attachment]})
    assert judge.is_valid({"user_id": "u", "traits": {"plan": "pro"}})
    assert not judge.is_valid({"type": "ai", "inputt": "q"})
    assert not judge.is_valid({"type": "signal", "event_id": "e", "name": "n", "sentiment": "MIXED"})
    assert not judge.is_valid({"type": "span", "kind": "tool", "name": "n", "trace_id": "not hex"})


def test_schema_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """--indent 0 is for programs: one line."""
    assert printed_schema(capsys, "--indent", "0")[1].count("\n") == 1


def test_schema_needs_no_extra() -> None:
    """On the plain package `schema` works."""
    done = run_without(EXTRA, "schema")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["title"] == "raindrop"


def test_reader_that_goes_away_is_no_error() -> None:
    """`raindrop-logging schema | head -1` prints no traceback."""
    command = [sys.executable, "-m", "raindrop_logging", "schema", "--indent", "16"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False, timeout=30)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


# ---- what is missing, what is in the way


@pytest.mark.parametrize(
    ("missing", "words", "said"),
    [
        (("rich",), ("demo",), "the demo needs rich"),
        (("starlette",), ("demo",), "the Workshop needs starlette"),
        (("uvicorn",), ("workshop", "--db", ":memory:", "--port", "0"), "the Workshop needs uvicorn"),
        (("starlette",), ("workshop", "export"), "the Workshop needs starlette"),
        (("regex",), ("workshop", "import", "any.jsonl", "--db", ":memory:"), "the Workshop needs regex"),
    ],
    ids=lambda value: "-".join(value[:1]) if isinstance(value, tuple) else "",
)
def test_missing_extra(missing: tuple[str, ...], words: tuple[str, ...], said: str) -> None:
    """A missing library is one line that says what to install, not a traceback."""
    done = run_without(missing, *words)
    line = f"raindrop-logging {words[0]}: {said}: {install_command('workshop')}\n"
    assert (done.returncode, done.stderr) == (1, line)


def test_what_to_install_is_where_the_package_came_from() -> None:
    """A package that was installed from a clone, as this one, is not looked for elsewhere."""
    assert install_command("workshop") == f"pip install '{Path(__file__).parents[1]}[workshop]'"


@pytest.mark.parametrize("command", [("workshop", "--db", ":memory:", "--no-open"), ("demo",)], ids=" ".join)
def test_busy_port(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A port that another program has is one line that names it."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main([*command, "--port", str(port)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"raindrop-logging {command[0]}: cannot listen on port {port}")
    assert said.count("\n") == 1


def test_second_workshop_points_at_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that a Workshop has is said as that, with its address."""
    with running() as first:
        assert main(["workshop", "--db", ":memory:", "--no-open", "--port", str(first.port)]) == 1
        assert f"a Workshop already runs on port {first.port}: open {first.url}" in capsys.readouterr().err


def test_database_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is no database is one line that names it."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look like a file with a header of its own\n" * 20)
    assert main(["workshop", "--port", "0", "--no-open", "--db", str(path)]) == 1
    assert str(path) in capsys.readouterr().err


# ---- workshop


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)], ids=str)
def test_workshop_runs_until_it_is_stopped(number: signal.Signals, code: int, tmp_path: Path) -> None:
    """It says where it is, answers there, keeps what it got, and ends without a word."""
    db = tmp_path / "workshop.db"
    command = [sys.executable, "-W", "error", "-m", "raindrop_logging", "workshop"]
    words = ["--port", "0", "--no-open", "--db", str(db)]
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = [process.stdout.readline() for _ in range(3)]
        url = said[0].split()[1]
        with urllib.request.urlopen(f"{url}/api/health", timeout=10) as answer:  # noqa: S310 -- its own address
            assert json.load(answer)["events"] == 0
        process.send_signal(number)
        assert process.wait(20) == code
        assert process.stderr.read() == ""
    assert url.startswith("http://127.0.0.1:")
    assert f"{url}/v1/" in said[1]
    assert str(db) in said[2]
    assert db.exists()
