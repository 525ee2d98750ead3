"""`raindrop-logging check`: what it prints, what it answers, and what it needs."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from raindrop_logging.checking.rules import RULES
from raindrop_logging.cli import main
from raindrop_logging.errors import install_command
from tests.checking.expected import HERE
from tests.test_cli import run_without

BAD = HERE / "bad"
GOOD = str(HERE / "good" / "two_loggers.yaml")


def _said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["check", *words])
    return code, capsys.readouterr().out


def test_a_finding_is_a_line_and_its_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """File, line and place; severity and rule; what is wrong; what to do; and a sum at the end, without colours."""
    monkeypatch.chdir(tmp_path)
    Path("prod.yaml").write_text(
        "version: 1\n"
        "disable_existing_loggers: false\n"
        "handlers:\n"
        "  raindrop:\n"
        "    class: raindrop_logging.RaindropHandler\n"
        "    uploadsize: 10\n"
        "    spool_dir: /tmp/spool\n"
        "root: {level: INFO, handlers: [raindrop]}\n"
    )
    assert _said(capsys, "prod.yaml") == (
        1,
        "prod.yaml:6: handlers.raindrop.uploadsize: error RL201 unknown key 'uploadsize'; did you mean 'upload_size'?\n"
        "    fix: rename it to 'upload_size'\n"
        "prod.yaml:7: handlers.raindrop.spool_dir: warning RL209 a reboot or a cleaner deletes what was to be kept\n"
        "    fix: name a directory of the service's own, such as one under /var/lib\n"
        "\n"
        "1 file checked: 1 error, 1 warning\n",
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([GOOD], 0),
        ([GOOD, "--strict"], 0),
        ([str(BAD / "unknown_key.json")], 1),
        ([GOOD, str(BAD / "unknown_key.json")], 1),
        ([str(BAD / "spool_in_tmp.json")], 0),
        ([str(BAD / "spool_in_tmp.json"), "--strict"], 1),
        ([str(BAD / "spool_in_tmp.json"), "--strict", "--ignore", "rl209"], 0),
        ([str(BAD / "several.toml"), "--ignore", "RL201,RL202", "--ignore", "RL205"], 0),
        ([str(BAD / "queue_of_3_12.json"), "--python", "3.11"], 1),
        ([str(BAD / "queue_of_3_12.json"), "--python", "3.12", "--strict"], 0),
        ([str(BAD / "queue_of_3_12.json"), "--python", "3.12", "--python", "3.11"], 1),
        ([str(BAD / "variable_not_set.json")], 0),
        ([str(BAD / "variable_not_set.json"), "--env"], 1),
        (["absent.json"], 1),
        (["--rules"], 0),
    ],
    ids=lambda value: " ".join(Path(word).name for word in value) if isinstance(value, list) else str(value),
)
def test_exit_codes(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """0 without errors, 1 with; warnings count with --strict; ignored rules never."""
    assert _said(capsys, *words)[0] == code


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name at least one FILE"),
        ([GOOD, "--python", "2.7"], "a supported Python is one of 3.11, 3.12, 3.13, 3.14, not '2.7'"),
        ([GOOD, "--ignore", "RL999"], "there is no rule 'RL999'; --rules lists them"),
    ],
)
def test_wrong_usage(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage exits with 2 and says what is right."""
    with pytest.raises(SystemExit) as left:
        main(["check", *words])
    assert left.value.code == 2
    assert said in capsys.readouterr().err


def test_json_is_a_list_of_findings(capsys: pytest.CaptureFixture[str]) -> None:
    """A script gets every finding with all of its parts; an empty list where nothing is found."""
    file = str(BAD / "several.toml")
    code, out = _said(capsys, "--json", file)
    found = json.loads(out)
    assert code == 1
    assert [(one["line"], one["code"], one["severity"]) for one in found] == [
        (7, "RL205", "error"),
        (8, "RL201", "error"),
        (9, "RL202", "error"),
    ]
    assert set(found[0]) == {"file", "line", "path", "code", "severity", "message", "fix"}
    assert {one["file"] for one in found} == {file}
    assert _said(capsys, "--json", GOOD) == (0, "[]\n")


def test_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each rule is a row with its code, severity, what it looks for and why; the same as JSON."""
    rows = _said(capsys, "--rules")[1].splitlines()
    assert [row.split()[0] for row in rows] == list(RULES)
    assert all(rule.what in row and rule.why in row for rule, row in zip(RULES.values(), rows, strict=True))
    listed = json.loads(_said(capsys, "--rules", "--json")[1])
    assert [rule["code"] for rule in listed] == list(RULES)


@pytest.mark.parametrize(
    ("environ", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)], ids=["terminal", "NO_COLOR"]
)
def test_colours_are_for_terminals(environ: dict[str, str], coloured: bool) -> None:
    """A terminal gets them, unless it says that it wants none."""
    command = [sys.executable, "-m", "raindrop_logging", "check", str(BAD / "unknown_key.json")]
    here = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    leader, follower = pty.openpty()
    try:
        done = subprocess.run(command, stdout=follower, env={**here, **environ}, check=False, timeout=30)
        shown = os.read(leader, 65536).decode()
    finally:
        os.close(leader)
        os.close(follower)
    assert done.returncode == 1
    assert "RL201" in shown
    assert ("\x1b[31m" in shown) == coloured


def test_without_pyyaml_a_yaml_file_says_what_to_install() -> None:
    """Everything but YAML works without any extra."""
    good = [str(HERE / "good" / name) for name in ("buffered.toml", "only_levels.json", "put_together.py")]
    done = run_without(("yaml", "rich"), "check", *good)
    assert (done.returncode, done.stdout) == (0, "3 files checked, nothing found\n")
    done = run_without(("yaml", "rich"), "check", GOOD)
    assert done.returncode == 1
    assert "reading a YAML file needs PyYAML" in done.stdout
    assert install_command("workshop") in done.stdout
