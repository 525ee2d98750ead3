"""The configurations in a Python module, read from its syntax tree; nothing of it is ever imported or run.

Found are dicts assigned to the usual names, given to dictConfig, or given as ``log_config`` and ``logconfig_dict``.
What is not spelt out in the file, such as ``BASE_DIR / "app.log"``, becomes an unknown value.
"""

from __future__ import annotations

import ast
import logging
import operator
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final

from raindrop_logging.checking.document import UNKNOWN, Document, OpenList, OpenTable, Unknown, UnreadableError, is_open
from raindrop_logging.checking.finding import Location

NAMES: Final = frozenset({"LOGGING", "LOGGING_CONFIG", "LOG_CONFIG", "logging_config", "log_config"})
_FILLED_UP: Final = "logconfig_dict"
"""What gunicorn puts on top of tables of its own."""

_KEYWORDS: Final = frozenset({"log_config", _FILLED_UP})
_SECTIONS: Final = frozenset({"version", "handlers", "loggers", "root", "formatters", "filters"})
_CHANGES: Final = frozenset({"append", "clear", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"})


def read_python(file: str, text: str) -> list[Document]:
    """The configurations of a module, in the order of their lines.

    Raises:
        UnreadableError: it is not Python, or holds none.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise UnreadableError(f"is not Python: {error.msg}", "correct it at this line", error.lineno) from None
    except ValueError as error:  # such as a null byte
        raise UnreadableError(f"is not Python: {error}", "correct it") from None
    source = _Source(tree)
    found = {id(node): (name, node) for name, node in source.candidates()}
    documents = [document for name, node in found.values() if (document := source.document(file, text, name, node))]
    if not documents:
        raise UnreadableError(
            "names no logging configuration", f"assign the dict to one of {', '.join(sorted(NAMES))}", 1, "RL102"
        )
    return sorted(documents, key=lambda document: document.line(()) or 0)


class _Source:
    """What a module says about its names."""

    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._imports = dict(_imports(tree))
        stored = Counter(
            node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
        )
        stored.update(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))
        self._once = {name: value for name, value in _assignments(tree) if stored[name] == 1}
        self._changed = {name for node in ast.walk(tree) if (name := _changed(node))}

    def candidates(self) -> Iterator[tuple[str | None, ast.expr]]:
        """Expressions that should be configurations, with the names they go by."""
        for name, value in _assignments(self._tree):
            if name in NAMES or name == _FILLED_UP:
                yield name, value
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Call):
                for given in _given(node):
                    if isinstance(given, ast.Name) and given.id in self._once:
                        yield given.id, self._once[given.id]
                    elif not isinstance(given, ast.Name):
                        yield None, given

    def document(self, file: str, text: str, name: str | None, node: ast.expr) -> Document | None:
        """The configuration that an expression is; None where it is none."""
        reader = _Reader(self._imports, self._once)
        tree = reader.value(node, ())
        if not isinstance(tree, dict) or not (is_open(tree) or _SECTIONS & tree.keys()):
            return None
        if name in self._changed:
            tree = _opened(tree)
        if name == _FILLED_UP:
            tree = OpenTable(tree)
        return Document(file, tree, text, reader.lines, tuple(reader.doubled), name)


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (root, root)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _given(call: ast.Call) -> Iterator[ast.expr]:
    """What a call is given as a configuration."""
    called = call.func
    name = called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
    if name == "dictConfig":
        yield from call.args[:1]
        yield from (keyword.value for keyword in call.keywords if keyword.arg == "config")
    yield from (keyword.value for keyword in call.keywords if keyword.arg in _KEYWORDS)


def _changed(node: ast.AST) -> str | None:
    """The name whose value a statement changes in place."""
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return _root(node)
    if isinstance(node, ast.AugAssign):
        return _root(node.target)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGES:
        return _root(node.func)
    return None


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _opened(value: Any) -> Any:
    if isinstance(value, dict):
        return OpenTable({key: _opened(part) for key, part in value.items()})
    return OpenList(_opened(part) for part in value) if isinstance(value, list) else value


# ---- values --------------------------------------------------------------------------------------------------------

_LEVELS: Final = logging.getLevelNamesMapping()
_SMALL: Final = 10**12
_OPERATORS: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


class _Reader:
    """Evaluates expressions as `ast.literal_eval` does, and notes where their parts stand."""

    def __init__(self, imports: dict[str, str], once: dict[str, ast.expr]) -> None:
        self._imports = imports
        self._once = once
        self._within: list[str] = []
        self.lines: dict[Location, int] = {}
        self.doubled: list[Location] = []

    def value(self, node: ast.expr, where: Location) -> Any:
        """What an expression is, as far as the file says."""
        self.lines.setdefault(where, node.lineno)
        read = self._READERS.get(type(node))
        return UNKNOWN if read is None else read(self, node, where)

    def _constant(self, node: ast.Constant, _where: Location) -> Any:
        return node.value

    def _dict(self, node: ast.Dict, where: Location) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        own: set[Any] = set()
        closed = True
        for key_node, value_node in zip(node.keys, node.values, strict=True):
            if key_node is None:
                closed &= self._merged(found, self.value(value_node, where))
                continue
            key = self.value(key_node, (*where, None))
            if not isinstance(key, str | int | float | None):
                closed = False
                continue
            place = (*where, key)
            if key in own:
                self.doubled.append(place)
            own.add(key)
            self.lines[place] = key_node.lineno
            found[key] = self.value(value_node, place)
        return found if closed else OpenTable(found)

    @staticmethod
    def _merged(into: dict[Any, Any], other: Any) -> bool:
        """Add a table to another; false where it may have held more."""
        if isinstance(other, dict):
            into.update(other)
        return isinstance(other, dict) and not is_open(other)

    def _list(self, node: ast.List | ast.Tuple | ast.Set, where: Location) -> list[Any]:
        plain = [part for part in node.elts if not isinstance(part, ast.Starred)]
        found = [self.value(part, (*where, index)) for index, part in enumerate(plain)]
        return found if len(plain) == len(node.elts) else OpenList(found)

    def _name(self, node: ast.Name, where: Location) -> Any:
        if node.id in self._imports:
            return _reference(self._imports[node.id])
        if node.id not in self._once or node.id in self._within:
            return UNKNOWN
        self._within.append(node.id)
        try:
            return self.value(self._once[node.id], where)
        finally:
            self._within.pop()

    def _attribute(self, node: ast.Attribute, _where: Location) -> Any:
        parts = [node.attr]
        inner = node.value
        while isinstance(inner, ast.Attribute):
            parts.append(inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name) or inner.id not in self._imports:
            return UNKNOWN
        return _reference(".".join([self._imports[inner.id], *reversed(parts)]))

    def _unary(self, node: ast.UnaryOp, where: Location) -> Any:
        value = self.value(node.operand, where)
        if isinstance(node.op, ast.USub) and isinstance(value, int | float):
            return -value
        if isinstance(node.op, ast.Not) and not is_open(value):
            return not value
        return UNKNOWN

    def _binary(self, node: ast.BinOp, where: Location) -> Any:
        left, right = self.value(node.left, where), self.value(node.right, where)
        if isinstance(node.op, ast.BitOr) and isinstance(left, dict):
            return left | right if self._merged({}, right) and not is_open(left) else OpenTable(left | _seen(right))
        apply = _OPERATORS.get(type(node.op))
        small = all(isinstance(side, int | float) and abs(side) < _SMALL for side in (left, right))
        texts = isinstance(left, str) and isinstance(right, str) and isinstance(node.op, ast.Add)
        if apply is None or not (small or texts):
            return UNKNOWN
        try:
            return apply(left, right)
        except ZeroDivisionError:
            return UNKNOWN

    def _call(self, node: ast.Call, where: Location) -> Any:
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if called == "deepcopy" and len(node.args) == 1:
            return self.value(node.args[0], where)
        if called != "dict" or not isinstance(node.func, ast.Name):
            return UNKNOWN
        found: dict[Any, Any] = {}
        closed = all(self._merged(found, self.value(given, where)) for given in node.args)
        for keyword in node.keywords:
            if keyword.arg is None:
                closed &= self._merged(found, self.value(keyword.value, where))
            else:
                self.lines[*where, keyword.arg] = keyword.value.lineno
                found[keyword.arg] = self.value(keyword.value, (*where, keyword.arg))
        return found if closed else OpenTable(found)

    _READERS: Final[dict[type[ast.expr], Callable[[Any, Any, Location], Any]]] = {
        ast.Constant: _constant,
        ast.Dict: _dict,
        ast.List: _list,
        ast.Tuple: _list,
        ast.Set: _list,
        ast.Name: _name,
        ast.Attribute: _attribute,
        ast.UnaryOp: _unary,
        ast.BinOp: _binary,
        ast.Call: _call,
    }


def _seen(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _reference(name: str) -> Any:
    """A thing that is imported: a level is its number, everything else only a name."""
    module, _, last = name.rpartition(".")
    return _LEVELS[last] if module == "logging" and last in _LEVELS else Unknown(name)
