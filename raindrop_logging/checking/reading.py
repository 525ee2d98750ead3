"""Files as documents: JSON, YAML and TOML by their own libraries, Python modules by their syntax tree."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from raindrop_logging.checking.document import UNKNOWN, Document, Unknown, UnreadableError, parts
from raindrop_logging.checking.finding import Location
from raindrop_logging.checking.python_source import read_python
from raindrop_logging.errors import install_command

if TYPE_CHECKING:
    import yaml

MOST_VALUES: Final = 100_000
MOST_DEPTH: Final = 40
"""Beyond either it is no logging configuration; YAML's aliases can make a small file grow without end."""


def read(file: str) -> list[Document]:
    """The configurations that a file holds, at least one.

    Raises:
        UnreadableError: there is none, or it cannot be read.
    """
    path = Path(file)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UnreadableError("its name must end in .json, .yaml, .yml, .toml or .py", "name the file by what it holds")
    try:
        documents = reader(file, path.read_text(encoding="utf-8-sig"))
        for document in documents:
            _refuse_endless(document.tree)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}", "name a file that exists and can be read") from None
    except UnicodeDecodeError as error:
        raise UnreadableError(f"is not UTF-8 text (byte {error.start})", "save it as UTF-8") from None
    except RecursionError:
        raise _endless() from None
    return documents


def _refuse_endless(tree: Any) -> None:
    count, waiting = 0, [(tree, 0)]
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if count > MOST_VALUES or depth > MOST_DEPTH:
            raise _endless()
        waiting += [(part, depth + 1) for _, part in parts(value)]


def _endless() -> UnreadableError:
    return UnreadableError("is too large or too deep for a logging configuration", "check that it is the right file")


def _table(file: str, tree: Any, text: str, lines: dict[Location, int], doubled: list[Location]) -> list[Document]:
    if not isinstance(tree, dict):
        raise UnreadableError(
            f"holds no table of dictConfig keys, but {_kind(tree)}", "write one table with 'version: 1'", 1, "RL102"
        )
    return [Document(file, tree, text, lines, tuple(doubled))]


def _kind(tree: Any) -> str:
    return "nothing" if tree is None else f"a {type(tree).__name__}"


# ---- JSON ----------------------------------------------------------------------------------------------------------

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_DEEPER: Final = {"{": 1, "[": 1, "}": -1, "]": -1}


def _read_json(file: str, text: str) -> list[Document]:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableError(f"is not JSON: {error.msg}", "correct it at this line", error.lineno) from None
    except ValueError as error:  # a number beyond what Python reads
        raise UnreadableError(f"is not JSON: {error}", "correct it") from None
    located = _LocatedJson(text)
    return _table(file, located.value(()), text, located.lines, located.doubled)


class _LocatedJson:
    """Reads a text that is known to be JSON once more, for the lines of its values and keys that stand twice."""

    def __init__(self, text: str) -> None:
        self._pieces = iter(_numbered(text))
        self.lines: dict[Location, int] = {}
        self.doubled: list[Location] = []

    def value(self, where: Location) -> Any:
        """The next value."""
        return self._value(*next(self._pieces), where)

    def _value(self, piece: str, line: int, where: Location) -> Any:
        self.lines.setdefault(where, line)
        if piece == "{":
            return self._table(where)
        if piece == "[":
            return self._list(where)
        return json.loads(piece)

    def _table(self, where: Location) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for piece, line in self._pieces:
            if piece == "}":
                break
            if piece != ",":
                key = json.loads(piece)
                place = (*where, key)
                if key in found:
                    self.doubled.append(place)
                self.lines[place] = line
                next(self._pieces)  # the colon
                found[key] = self.value(place)
        return found

    def _list(self, where: Location) -> list[Any]:
        found: list[Any] = []
        for piece, line in self._pieces:
            if piece == "]":
                break
            if piece != ",":
                found.append(self._value(piece, line, (*where, len(found))))
        return found


def _numbered(text: str) -> list[tuple[str, int]]:
    """Its strings, numbers, words and signs, each with its line."""
    pieces: list[tuple[str, int]] = []
    line, seen, depth = 1, 0, 0
    for match in _PIECE.finditer(text):
        line += text.count("\n", seen, match.start())
        seen = match.start()
        depth += _DEEPER.get(match[0], 0)
        if depth > MOST_DEPTH:
            raise _endless()
        pieces.append((match[0], line))
    return pieces


# ---- YAML ----------------------------------------------------------------------------------------------------------


def _read_yaml(file: str, text: str) -> list[Document]:
    try:
        import yaml
    except ImportError:
        raise UnreadableError(
            "reading a YAML file needs PyYAML", f"{install_command('workshop')}, or pip install PyYAML"
        ) from None

    class Loader(yaml.SafeLoader):
        """Tags of a program's own, such as ``!ENV``, are known to that program only."""

    Loader.add_multi_constructor("!", _not_known)
    lines: dict[Location, int] = {}
    doubled: list[Location] = []
    try:
        tree = yaml.load(text, Loader)  # noqa: S506 -- a SafeLoader
        _refuse_endless(tree)
        node = yaml.compose(text, Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or type(error).__name__  # its text would show the line, and a key in it
        line = None if mark is None else mark.line + 1
        raise UnreadableError(f"is not YAML: {what}", "correct it at this line", line) from None
    except (ValueError, TypeError) as error:  # a date that is none, a key that cannot be one
        raise UnreadableError(f"is not YAML: {error}", "correct it") from None
    if node is not None:
        _note_nodes(node, (), lines, doubled)
    return _table(file, tree, text, lines, doubled)


def _not_known(_loader: Any, _tag: str, _node: Any) -> Unknown:
    return UNKNOWN


def _note_nodes(node: yaml.Node, where: Location, lines: dict[Location, int], doubled: list[Location]) -> None:
    lines.setdefault(where, node.start_mark.line + 1)
    kind = getattr(node, "id", None)
    if kind == "sequence":
        for index, part in enumerate(node.value):
            _note_nodes(part, (*where, index), lines, doubled)
    elif kind == "mapping":
        pairs = [(key, part) for key, part in node.value if isinstance(key.value, str) and key.value != "<<"]
        counted = Counter(key.value for key, _ in pairs)
        doubled += [(*where, key) for key, count in counted.items() if count > 1]
        for key, part in pairs:
            lines[*where, key.value] = key.start_mark.line + 1
            _note_nodes(part, (*where, key.value), lines, doubled)


# ---- TOML ----------------------------------------------------------------------------------------------------------

_TOML_LINE = re.compile(r"""^\s*(?:\[\[?(?P<header>[^\]]+)\]\]?|(?P<key>[\w."'\s-]+?)\s*=)""")


def _read_toml(file: str, text: str) -> list[Document]:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else None
        raise UnreadableError(f"is not TOML: {error}", "correct it at this line", line) from None
    return _table(file, tree, text, _toml_lines(text), [])


def _toml_lines(text: str) -> dict[Location, int]:
    """Lines of headers and keys; tomllib tells none, and a value of several lines may look like one."""
    lines: dict[Location, int] = {(): 1}
    table: Location = ()
    for number, line in enumerate(text.splitlines(), 1):
        match = _TOML_LINE.match(line)
        if match and match["header"]:
            table = _toml_key(match["header"])
            lines.setdefault(table, number)
        elif match:
            lines.setdefault((*table, *_toml_key(match["key"])), number)
    return lines


def _toml_key(dotted: str) -> Location:
    try:
        tree: Any = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return (dotted,)
    found: list[str] = []
    while isinstance(tree, dict):
        ((key, tree),) = tree.items()
        found.append(key)
    return tuple(found)


_READERS: Final[dict[str, Callable[[str, str], list[Document]]]] = {
    ".json": _read_json,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".toml": _read_toml,
    ".py": read_python,
}
