"""Values that stand for many in an expectation, and nested bodies laid flat so that they compare field by field."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator


class Like(str):
    """A text that equals every text its pattern matches as a whole."""

    __slots__ = ()

    @staticmethod
    def quoted(text: str) -> str:
        """A part of a pattern that means the text itself."""
        return re.escape(text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch(self, other, re.DOTALL) is not None

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __repr__(self) -> str:
        return f"<like {self!s}>"


class _Anything:
    """Equals every value but ABSENT."""

    def __eq__(self, other: object) -> bool:
        return other is not ABSENT

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "<anything>"


class _Absent:
    """Equals only itself: the field is not there."""

    def __repr__(self) -> str:
        return "<absent>"


class Json(str):
    """A text that equals every JSON text of one value, however it is spaced."""

    __slots__ = ()

    def __new__(cls, value: object) -> Self:
        """The stand-in for all JSON texts of a value."""
        return super().__new__(cls, json.dumps(value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and bool(json.loads(other) == json.loads(str(self)))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


class Long(str):
    """A text of a given length, start and end; for what is too long to write down."""

    __slots__ = ("length",)
    length: int

    def __new__(cls, length: int, start: str, end: str) -> Self:
        """The stand-in for a text of `length` characters."""
        self = super().__new__(cls, f"{start} to {end}")
        self.length = length
        return self

    def __eq__(self, other: object) -> bool:
        start, _, end = str(self).partition(" to ")
        return isinstance(other, str) and len(other) == self.length and other.startswith(start) and other.endswith(end)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __repr__(self) -> str:
        return f"<{self.length} characters, {self!s}>"


class _Moment(int):
    """A number of nanoseconds that equals every moment since 2020."""

    def __eq__(self, other: object) -> bool:
        return type(other) is int and other > 1_577_836_800_000_000_000

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = int.__hash__

    def __repr__(self) -> str:
        return "<a moment in ns>"


ABSENT = _Absent()
ANYTHING = _Anything()
UUID = Like(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MICROSECONDS = Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
WHOLE_SECONDS = Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
HEX32 = Like(r"[0-9a-f]{32}")
HEX16 = Like(r"[0-9a-f]{16}")
NANOSECONDS = _Moment()


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each leaf of a nested value with its dotted path; an empty dict or list is a leaf."""
    if isinstance(value, dict | list) and value:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in pairs:
            yield from flat(child, f"{path}.{key}" if path else str(key))
    else:
        yield path, value
