"""Configurations in Python modules: which are found, what of them is known, and what is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from raindrop_logging.checking.document import UNKNOWN, Document, OpenList, OpenTable, Unknown, UnreadableError
from raindrop_logging.checking.python_source import read_python

HEAD = "import logging, os\nimport logging.handlers as h\nfrom shop.logs import Quiet as Q\nfrom . import near\n"


def _documents(text: str) -> list[Document]:
    return read_python("logs.py", text)


def _value(expression: str, before: str = "") -> Any:
    (document,) = _documents(f"{HEAD}{before}\nLOGGING = {{'version': {expression}}}\n")
    return document.tree["version"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("10 * 1024 * 1024", 10_485_760),
        ("-(5 - 2) / 2", -1.5),
        ("7 // 2", 3),
        ("'shop' + '.log'", "shop.log"),
        ("'a' 'b'", "ab"),
        ("not False", True),
        ("('a', 'b')", ["a", "b"]),
        ("logging.INFO", 20),
        ("dict(a=1, **{'b': 2})", {"a": 1, "b": 2}),
        ("dict({'a': 1}, b=[2])", {"a": 1, "b": [2]}),
        ("{'a': 1} | {'a': 2, 'b': 3}", {"a": 2, "b": 3}),
        ("{**{'a': 1}, 'b': 2}", {"a": 1, "b": 2}),
        ("copy.deepcopy({'a': 1})", {"a": 1}),
    ],
)
def test_what_is_spelt_out_is_known(expression: str, value: Any) -> None:
    """Literals, arithmetic, merges and levels are evaluated."""
    assert _value(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "os.environ['LEVEL']",
        "BASE_DIR / 'app.log'",
        "f'{os.sep}app.log'",
        "near",
        "1 if os.sep else 2",
        "'ab' * 10_000_000_000",
        "10 ** 10 ** 10",
        "1 / 0",
        "undefined",
        "lambda: 1",
        "[x for x in 'ab']",
        "-'a'",
        "'a' < 'b'",
    ],
)
def test_what_only_running_would_tell_is_unknown(expression: str) -> None:
    """Nothing is guessed, computed at length, or looked up outside of the file."""
    assert _value(expression) == UNKNOWN


def test_an_imported_name_is_known_by_its_dotted_name() -> None:
    """What a class is called is seen through aliases."""
    assert _value("h.RotatingFileHandler") == Unknown("logging.handlers.RotatingFileHandler")
    assert _value("Q") == Unknown("shop.logs.Quiet")


def test_a_name_that_is_set_once_is_followed() -> None:
    """One that is set twice, is an argument, or means itself is not."""
    assert _value("SIZE", "SIZE = 5") == 5
    assert _value("SIZE", "SIZE = 5\nSIZE = 6") == UNKNOWN
    assert _value("SIZE", "SIZE = 5\ndef set_up(SIZE): ...") == UNKNOWN
    assert _value("SIZE", "SIZE = SIZE") == UNKNOWN
    assert _value("SIZE", "for SIZE in range(3): ...") == UNKNOWN


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("{**os.environ, 'a': 1}", OpenTable),
        ("{os.sep: 1}", OpenTable),
        ("{'a': 1} | os.environ", OpenTable),
        ("dict(os.environ, a=1)", OpenTable),
        ("['a', *os.environ]", OpenList),
    ],
)
def test_what_may_hold_more_is_open(expression: str, kind: type) -> None:
    """A table or list with an unknown part does not count as complete."""
    assert type(_value(expression)) is kind


@pytest.mark.parametrize(
    "change",
    [
        "LOGGING['root'] = {}",
        "LOGGING['handlers']['x'] = {}",
        "LOGGING.update(more)",
        "LOGGING['root']['handlers'].append('x')",
        "LOGGING |= more",
        "del LOGGING['root']",
    ],
)
def test_a_configuration_that_is_changed_later_is_open_throughout(change: str) -> None:
    """Whatever is missing may have been added."""
    (document,) = _documents(f"LOGGING = {{'version': 1, 'root': {{'handlers': []}}}}\n{change}\n")
    assert type(document.tree) is OpenTable
    assert type(document.tree["root"]) is OpenTable
    assert type(document.tree["root"]["handlers"]) is OpenList


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("LOGGING = {'version': 1}", ["LOGGING"]),
        ("log_config: dict[str, object] = {'version': 1}", ["log_config"]),
        ("dictConfig({'version': 1})", [None]),
        ("logging.config.dictConfig(config={'version': 1})", [None]),
        ("mine = {'version': 1}\ndictConfig(mine)", ["mine"]),
        ("LOGGING = {'version': 1}\ndictConfig(LOGGING)", ["LOGGING"]),
        ("uvicorn.run(app, log_config={'version': 1})", [None]),
        ("def up():\n  here = {'version': 1}\n  dictConfig(here)", ["here"]),
        ("LOGGING = None\nLOGGING = {'version': 1}", ["LOGGING"]),
        ("LOGGING = {'version': 1}\nif x:\n  LOGGING = {'version': 2}", ["LOGGING", "LOGGING"]),
        ("LOGGING = {'level': 'INFO'}\nLOGGING_CONFIG = {'version': 1}", ["LOGGING_CONFIG"]),
    ],
)
def test_configurations_are_found(text: str, names: list[str | None]) -> None:
    """By the usual names, and where dictConfig or a server is given one; each once."""
    assert [document.name for document in _documents(text)] == names


@pytest.mark.parametrize(
    "text", ["", "LOGGING = None", "LOGGING_CONFIG = 'a.b'", "LOGGING = load()", "x = {'version': 1}"]
)
def test_a_module_without_one_says_so(text: str) -> None:
    """The error names what is looked for."""
    with pytest.raises(UnreadableError, match="names no logging configuration") as refused:
        _documents(text)
    assert "LOGGING_CONFIG" in refused.value.fix
