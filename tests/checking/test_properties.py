"""The linter against generated configurations: it never fails, and it agrees with dictConfig."""

from __future__ import annotations

import json
import logging
import logging.config
import sys
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from raindrop_logging.checking.checker import check_document, check_file
from raindrop_logging.checking.configuration import Target
from raindrop_logging.checking.document import UNKNOWN, Document, OpenList, OpenTable
from raindrop_logging.checking.rules import RULES
from raindrop_logging.checking.versions import SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERYWHERE = Target(SUPPORTED, environ={"SET": "1"})
HERE = Target((sys.version_info[:2],))

_WORDS = ["version", "handlers", "loggers", "root", "formatters", "filters", "incremental", "disable_existing_loggers"]
_WORDS += [
    "class",
    "()",
    ".",
    "level",
    "propagate",
    "format",
    "style",
    "defaults",
    "target",
    "queue",
    "listener",
    "name",
]
_WORDS += ["raindrop", "raindrop_logging", "shop.agent", "", "INFO", "write_key", "durability", "spool_dir", "endpoint"]
_WORDS += [
    "raindrop_logging.RaindropHandler",
    "raindrop_logging.HideRaindrop",
    "logging.StreamHandler",
    "verify",
    "proxy",
]
_WORDS += [
    "logging.handlers.QueueHandler",
    "logging.handlers.MemoryHandler",
    "env://SET",
    "env://",
    "cfg://handlers.a[0]",
]
_WORDS += [
    "ext://sys.stdout",
    "http://x",
    "http://[",
    "capacity",
    "handlers",
    "a",
    "redact",
    "workshop",
    "cfg://",
    "${A}",
]

words = st.sampled_from(_WORDS) | st.text(max_size=4)
scalars = st.none() | st.booleans() | st.integers(-1, 60) | st.floats() | words
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=5), max_leaves=25
)
odd_values = st.recursive(
    scalars | st.just(UNKNOWN) | st.dates() | st.binary(max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(OpenList)
        | st.dictionaries(words | st.integers(0, 2) | st.none(), inner, max_size=5)
        | st.dictionaries(words, inner, max_size=5).map(OpenTable)
    ),
    max_leaves=25,
)


def _in_its_place(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any value where dictConfig looks for one, so that the rules are reached."""
    keys = st.dictionaries(words, values, max_size=5)
    handlers = st.tuples(keys, words).map(lambda pair: {**pair[0], "class": pair[1]}) | keys
    named = st.dictionaries(words, keys, max_size=3) | values
    return st.fixed_dictionaries(
        {"version": st.just(1), "handlers": st.dictionaries(words, handlers, max_size=3)},
        optional={"loggers": named, "formatters": named, "filters": named, "root": keys | values},
    )


@given(json_values | _in_its_place(json_values))
@settings(max_examples=150, deadline=None)
@example({"loggers": {"a": {"propagate": []}}, "handlers": {"a": {"class": "raindrop_logging.RaindropHandler"}}})
def test_no_json_is_too_odd(tree: Any) -> None:
    """Whatever a JSON file holds gives findings by known rules, each with a place, a reason and a fix."""
    for found in check_document(Document("x.json", tree, json.dumps(tree), {}), EVERYWHERE):
        assert found.code in RULES
        assert found.message
        assert found.fix


@given(_in_its_place(odd_values))
@settings(max_examples=100, deadline=None)
def test_no_value_of_yaml_or_python_is_too_odd(tree: Any) -> None:
    """Dates, bytes, keys that are no texts, and whatever is not known."""
    for found in check_document(Document("x.py", tree, "", {}), EVERYWHERE):
        assert found.code in RULES


@given(json_values | _in_its_place(json_values))
@settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_json_file_is_read_as_json_reads_it(tmp_path: Path, tree: Any) -> None:
    """The reader that knows lines gives the same findings as the values themselves."""
    file = tmp_path / "x.json"
    file.write_text(json.dumps(tree, indent=1))
    found = [(one.code, one.path, one.message) for one in check_file(str(file), HERE)]
    if isinstance(tree, dict):
        plain = check_document(Document(str(file), json.loads(json.dumps(tree)), "", {}), HERE)
        assert sorted(found) == sorted((one.code, one.path, one.message) for one in plain)
    else:
        assert [code for code, _, _ in found] == ["RL102"]


# ---- agreement with dictConfig

_NAMES = st.sampled_from(["a", "b", "c"])
_LEVELS: st.SearchStrategy[Any] = st.sampled_from(
    ["INFO", "DEBUG", 20, "info", "20", None, 2.5, [], "SEVERE", "WARN", True]
)
_FORMATTERS = st.fixed_dictionaries(
    {},
    optional={
        "format": st.sampled_from(["%(message)s", "{message}", "$message", "plain", 7]),
        "style": st.sampled_from(["%", "{", "$", "?"]),
        "class": st.sampled_from(["logging.Formatter", "logging.Formater", "Formatter"]),
        "()": st.sampled_from(["logging.Formatter", "logging.NoSuch"]),
        "validate": st.booleans(),
    },
)
_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("shop"),
        "()": st.sampled_from(["logging.Filter", "raindrop_logging.HideRaindrop", "no"]),
    },
)
_CLASSES = ["logging.StreamHandler", "logging.NullHandler", "logging.FileHandler", "logging.handlers.MemoryHandler"]
_CLASSES += [
    "logging.Handler",
    "StreamHandler",
    "logging.Streamhandler",
    "sys.stdout",
    "raindrop_logging.RaindropHandler",
]
_HANDLERS = st.fixed_dictionaries(
    {},
    optional={
        "class": st.sampled_from(_CLASSES),
        "()": st.sampled_from(["logging.NullHandler", "logging.StreamHandler", "logging.nothing"]),
        "level": _LEVELS,
        "formatter": _NAMES | st.just(""),
        "filters": st.lists(_NAMES, max_size=2) | st.just("a"),
        "capacity": st.sampled_from([1, 5]),
        "target": _NAMES,
        "upload_size": st.sampled_from([1, 0, "x"]),
        "durability": st.sampled_from(["memory", "spill", "spil"]),
        "mode": st.sampled_from(["off", "of"]),
        "stream": st.just("ext://sys.stderr"),
    },
)
_LOGGERS = st.fixed_dictionaries(
    {},
    optional={
        "level": _LEVELS,
        "handlers": st.lists(_NAMES, max_size=2) | st.sampled_from(["a", None]),
        "filters": st.lists(_NAMES, max_size=1),
        "propagate": st.booleans(),
    },
)


def _section(entries: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    odd = st.none() | st.just("text")
    return st.dictionaries(_NAMES, st.one_of(entries, entries, entries, odd), max_size=3) | st.none()


_CONFIGURATIONS = st.fixed_dictionaries(
    {"version": st.sampled_from([1, 1, 1, 1, 2, "1"])},
    optional={
        "formatters": _section(_FORMATTERS),
        "filters": _section(_FILTERS),
        "handlers": _section(_HANDLERS),
        "loggers": _section(_LOGGERS),
        "root": _LOGGERS | st.none() | st.just("text"),
    },
)


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Handlers that open files do it in a directory of the test."""
    monkeypatch.chdir(tmp_path)
    yield
    logging.shutdown()


def _fails(tree: dict[str, Any]) -> bool:
    try:
        logging.config.dictConfig(deepcopy(tree))
    except Exception:  # noqa: BLE001 -- dictConfig lets out whatever it meets
        return True
    return False


@pytest.mark.each_python
@given(_CONFIGURATIONS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example({"version": 1, "formatters": {"a": {"format": "{message}", "()": "logging.Formatter"}}})
@example({"version": 1, "formatters": {"a": {"format": 7, "validate": False}}})
@example({"version": 1, "formatters": {"a": {"format": "{a", "style": "{", "validate": False}}})
def test_what_dictconfig_refuses_is_found(tree: dict[str, Any]) -> None:
    """A configuration that the running Python refuses is never called clean."""
    found = check_document(Document("x.json", tree, "", {}), HERE)
    said = {one.code for one in found if one.severity == "error" or one.code == "RL112"}
    if _fails(tree):
        assert said, tree
