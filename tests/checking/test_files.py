"""The linter over whole files: what it finds in bad ones, that it finds nothing in good ones, and that it is right."""

from __future__ import annotations

import json
import logging
import logging.config
import runpy
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from raindrop_logging.checking.checker import check_document, check_file
from raindrop_logging.checking.configuration import Target
from raindrop_logging.checking.document import Document
from raindrop_logging.checking.reading import read
from raindrop_logging.checking.rules import RULES
from raindrop_logging.checking.versions import SUPPORTED
from tests.checking.expected import BAD, GOOD, HERE, expected_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGS = sorted((HERE.parents[1] / "configs").iterdir())
RUNNING = sys.version_info[:2]

SHOP_LOGS = """
import logging
def make_formatter(width, suits, answer):
    assert answer == "first@shop.example"
    return logging.Formatter("%(message)s")
def redact(text):
    return text
class Quiet(logging.Filter):
    def __init__(self, below):
        super().__init__()
class OwnHandler(logging.NullHandler):
    def __init__(self, alternate, where):
        assert isinstance(alternate, logging.Handler)
        super().__init__()
class ShopQueueHandler(logging.NullHandler):
    pass
"""


def _target(path: Path) -> Target:
    expected = expected_of(path)
    return Target((expected.python or RUNNING,), environ={} if expected.env else None)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_every_planted_fault_is_found_and_nothing_else(path: Path) -> None:
    """A bad file gives the very findings that it says itself, by code and place."""
    found = check_file(str(path), _target(path))
    assert sorted(f"{one.code} {one.path}".strip() for one in found) == sorted(expected_of(path).findings)
    assert all(one.message and one.fix and one.severity == RULES[one.code].severity for one in found)


def test_every_rule_has_a_bad_file() -> None:
    """No rule is listed that no file breaks."""
    broken = {line.split()[0] for path in BAD for line in expected_of(path).findings}
    assert broken == set(RULES)


@pytest.mark.parametrize("path", [*GOOD, *CONFIGS], ids=lambda path: path.name)
def test_nothing_is_found_in_a_good_file(path: Path) -> None:
    """Configurations as the documentation of Python, Django and web servers shows them, and our own, are clean."""
    assert check_file(str(path), _target(path)) == []


@pytest.mark.parametrize(
    ("module", "name"), [("uvicorn.config", "LOGGING_CONFIG"), ("gunicorn.glogging", "CONFIG_DEFAULTS")]
)
def test_nothing_is_found_in_what_servers_use_themselves(module: str, name: str) -> None:
    """The defaults of uvicorn and gunicorn are clean, on every supported Python."""
    table = getattr(import_module(module), name)
    assert check_document(Document("defaults", table, "", {}), Target(SUPPORTED)) == []


# ---- agreement with dictConfig


@pytest.fixture
def in_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory to write to, with the module that good files name."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "logs.py").write_text(SHOP_LOGS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    logging.shutdown()
    for name in ("shop", "shop.logs"):
        sys.modules.pop(name, None)


def _can_run(path: Path) -> bool:
    return "# not run" not in path.read_text() and (expected_of(path).python or RUNNING) <= RUNNING


def _configure(path: Path) -> None:
    """What a service does with a file."""
    if path.suffix == ".py":
        names = runpy.run_path(str(path))
        logging.config.dictConfig(names["LOGGING"])
        return
    logging.config.dictConfig(read(str(path))[0].tree)


@pytest.mark.each_python
@pytest.mark.usefixtures("in_shop")
@pytest.mark.parametrize("path", [path for path in GOOD if _can_run(path)], ids=lambda path: path.name)
def test_dictconfig_takes_a_good_file(path: Path) -> None:
    """A file in which nothing is found can be loaded."""
    _configure(path)


def _refused(path: Path) -> bool:
    return any(RULES[line.split()[0]].refused for line in expected_of(path).findings) and path.suffix == ".json"


@pytest.mark.each_python
@pytest.mark.usefixtures("in_shop")
@pytest.mark.parametrize("path", [path for path in BAD if _refused(path)], ids=lambda path: path.name)
def test_dictconfig_refuses_what_the_rules_say_it_does(path: Path) -> None:
    """A file that breaks a rule which is marked as refused can not be loaded."""
    with pytest.raises(Exception, match=r".") as refused:
        _configure(path)
    assert type(refused.value) in {ValueError, TypeError, AttributeError}


HANDLED_BY = "logging.handlers."
DIFFERING: list[tuple[str, dict[str, Any], set[tuple[int, int]]]] = [
    ("RL401", {"class": f"{HANDLED_BY}QueueHandler", "handlers": ["console"]}, {(3, 11)}),
    ("RL407", {"class": logging.StreamHandler}, {(3, 11)}),
]


@pytest.mark.each_python
@pytest.mark.parametrize(("code", "handler", "refusing"), DIFFERING, ids=lambda value: str(value)[:8])
def test_pythons_differ_as_the_rules_say(code: str, handler: dict[str, Any], refusing: set[tuple[int, int]]) -> None:
    """The running Python refuses what the rule says that it refuses, and takes it where the rule is silent."""
    table = {"version": 1, "handlers": {"console": {"class": "logging.StreamHandler"}, "other": handler}}
    if RUNNING in refusing:
        with pytest.raises(ValueError, match="Unable to configure handler 'other'"):
            logging.config.dictConfig(table)
    else:
        logging.config.dictConfig(table)
    bad = next(path for path in BAD if any(line.startswith(code) for line in expected_of(path).findings))
    found = {one.code for one in check_file(str(bad), Target((RUNNING,)))}
    assert (code in found) == (RUNNING in refusing)


@pytest.mark.each_python
def test_defaults_of_a_formatter_differ_as_the_rule_says() -> None:
    """Python 3.11 passes over them, later ones do not."""
    formatter = {"format": "%(tenant)s %(message)s", "defaults": {"tenant": "acme"}}
    handler = {"class": "logging.NullHandler", "formatter": "f"}
    table = {"version": 1, "formatters": {"f": formatter}, "handlers": {"console": handler}}
    logging.config.dictConfig({**table, "loggers": {"shop.tenants": {"handlers": ["console"]}}})
    record = logging.makeLogRecord({"msg": "hello"})
    (made,) = logging.getLogger("shop.tenants").handlers
    if RUNNING == (3, 11):
        with pytest.raises(ValueError, match="tenant"):
            made.format(record)
    else:
        assert made.format(record) == "acme hello"


# ---- where, and for which Python


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("unknown_key.json", "RL201", '"uploadsize"'),
        ("key_twice.json", "RL106", '"upload_size": 20'),
        ("class_of_a_filter.yaml", "RL104", "class: shop.logs.Quiet"),
        ("several.toml", "RL202", "max_queue_bytes"),
        ("several.toml", "RL201", "upload_intervall"),
        ("settings.py", "RL202", '"mode"'),
        ("tab.yaml", "RL101", "\traindrop"),
        ("broken.toml", "RL101", "[handlers.raindrop"),
        ("given_to_dictconfig.py", "RL108", '"console"'),
    ],
)
def test_a_finding_names_the_line(name: str, code: str, text: str) -> None:
    """In each format the line is that of the key or value that is wrong."""
    path = HERE / "bad" / name
    found = next(one for one in check_file(str(path), Target(((3, 12),))) if one.code == code and text)
    lines = path.read_text().splitlines()
    assert found.line is not None
    assert text in lines[found.line - 1]


def test_what_differs_on_another_python_is_a_warning() -> None:
    """An error on a Python that the service runs on; a warning on others that are looked at; else nothing."""
    path = str(HERE / "bad" / "queue_of_3_12.json")
    assert [one.severity for one in check_file(path, Target(((3, 11),)))] == ["error"]
    (other,) = check_file(path, Target(((3, 12),), SUPPORTED))
    assert (other.severity, other.message.partition(":")[0]) == ("warning", "on Python 3.11")
    assert check_file(path, Target(((3, 12),))) == []


def test_findings_of_a_queue_with_a_capture_filter(tmp_path: Path) -> None:
    """With raindrop_logging.CaptureFilter in front, blocks are taken in time; the listener must still be started."""
    table = json.loads((HERE / "bad" / "behind_a_queue.json").read_text())
    table["filters"] = {"capture": {"()": "raindrop_logging.CaptureFilter"}}
    table["handlers"]["queue"]["filters"] = ["capture"]
    file = tmp_path / "queue.json"
    file.write_text(json.dumps(table))
    codes = {one.code for one in check_file(str(file), Target(((3, 13),)))}
    assert "RL214" not in codes
    assert "RL403" in codes


def test_a_queue_whose_listener_is_started_is_left_alone(tmp_path: Path) -> None:
    """A module that starts the listener of its configuration needs no reminder."""
    table = json.loads((HERE / "bad" / "behind_a_queue.json").read_text())
    start = "import logging\nlogging.getHandlerByName('queue').listener.start()\n"
    file = tmp_path / "logs.py"
    text = f"LOGGING = {table!r}\n"
    file.write_text(text)
    assert "RL403" in {one.code for one in check_file(str(file), Target(((3, 13),)))}
    file.write_text(text + start)
    assert "RL403" not in {one.code for one in check_file(str(file), Target(((3, 13),)))}


# ---- the machine


def test_variables_of_this_machine_are_read_only_when_it_is_asked(tmp_path: Path) -> None:
    """With an environment, what a variable holds is judged by its key's rule, and a path must exist."""
    file = tmp_path / "config.json"
    handler = {"class": "raindrop_logging.RaindropHandler", "timeout": "env://SHOP_TIMEOUT", "verify": "/no/ca.pem"}
    table = {"version": 1, "disable_existing_loggers": False, "handlers": {"raindrop": handler}}
    file.write_text(json.dumps({**table, "root": {"level": "INFO", "handlers": ["raindrop"]}}))
    assert check_file(str(file), Target((RUNNING,))) == []
    here = check_file(str(file), Target((RUNNING,), environ={"SHOP_TIMEOUT": "soon"}))
    assert [(one.code, one.path) for one in here] == [
        ("RL202", "handlers.raindrop.timeout"),
        ("RL202", "handlers.raindrop.verify"),
    ]
    assert "(from SHOP_TIMEOUT) is 'soon'" in here[0].message


def test_a_spool_directory_of_the_environment_is_enough_where_it_is_looked_at() -> None:
    """`durability: journal` with RAINDROP_SPOOL_DIR set is whole."""
    path = str(HERE / "bad" / "journal_without_directory.json")
    assert check_file(path, Target((RUNNING,), environ={"RAINDROP_SPOOL_DIR": "/var/lib/shop"})) == []


# ---- files that are none


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.json", None, "cannot be read: No such file or directory"),
        ("logging.ini", b"[loggers]", "must end in .json, .yaml, .yml, .toml or .py"),
        ("latin.yaml", b"version: 1 # caf\xe9", "is not UTF-8 text (byte 16)"),
        ("comma.json", b'{"version": 1,}', "is not JSON"),
        ("deep.json", b"[" * 100_000 + b"]" * 100_000, "too large or too deep"),
        ("big.json", b'{"version": [' + b"1," * 100_000 + b"1]}", "too large or too deep"),
        ("itself.yaml", b"version: 1\nhandlers: &h\n  x: *h\n", "too large or too deep"),
        ("half.py", b"LOGGING = {", "is not Python"),
        ("null.py", b"LOGGING = {}\0", "is not Python"),
        ("digits.json", b'{"version": ' + b"1" * 5000 + b"}", "is not JSON"),
        ("object.yaml", b"version: !!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_a_file_that_cannot_be_checked_says_why(name: str, content: bytes | None, said: str, tmp_path: Path) -> None:
    """One finding, with the reason, and no traceback."""
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    (found,) = check_file(str(file), Target((RUNNING,)))
    assert found.code == "RL101"
    assert said in found.message


def test_aliases_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    """A small YAML file cannot occupy the machine."""
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    file = tmp_path / "growing.yaml"
    file.write_text("\n".join(["a0: &a0 [x]", *rows, "version: 1"]))
    (found,) = check_file(str(file), Target((RUNNING,)))
    assert "too large or too deep" in found.message


def test_nothing_of_the_checked_file_is_imported(in_shop: None) -> None:  # noqa: ARG001 -- a module that could be
    """Neither a Python module nor what it names is run, also where it could be."""
    path = Path("runs.py")
    handlers = {
        "raindrop": {"class": "raindrop_logging.RaindropHandler", "redact": "shop.logs:redact"},
        "own": {"()": "shop.logs.OwnHandler"},
    }
    path.write_text(f"raise SystemExit\nLOGGING = {{'version': 1, 'handlers': {handlers}}}")
    codes = {one.code for one in check_file(str(path), Target((RUNNING,)))}
    assert codes == {"RL304", "RL305"}
    assert "shop" not in sys.modules


def test_no_secret_is_repeated() -> None:
    """What a file should not hold does not stand in the findings either."""
    said = json.dumps([repr(one) for path in BAD for one in check_file(str(path), _target(path))])
    assert sum("canary" in path.read_text() for path in BAD) >= 3
    assert "canary" not in said
