"""The values that the doctor's parts answer with.

In: nothing.  Out: frozen values.  Touches: nothing.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

State = Literal["ok", "warn", "fail", "skip"]


class Check(Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    Attributes:
        name: a word, such as ``dns``; of what was sent, the route.
        state: ``fail`` where records do not arrive because of it, ``warn`` where that may come, ``skip`` where it was
            not looked at.
        said: what was found, in one line.
        todo: what to do about it.
        facts: the same as values, for programs, such as ``{"status": 401, "ms": 12.5}``.
    """

    name: str
    state: State
    said: str
    todo: str | None = None
    facts: dict[str, Any] = {}


class Section(Struct, frozen=True, kw_only=True):
    """Checks that belong together."""

    title: str
    checks: tuple[Check, ...]

    @property
    def failed(self) -> bool:
        """Whether one of them did."""
        return any(check.state == "fail" for check in self.checks)


def ok(name: str, said: str, **facts: Any) -> Check:
    """It is as it should be."""
    return Check(name=name, state="ok", said=said, facts=facts)


def warn(name: str, said: str, todo: str, **facts: Any) -> Check:
    """Something that may be meant, or may go wrong later."""
    return Check(name=name, state="warn", said=said, todo=todo, facts=facts)


def fail(name: str, said: str, todo: str, **facts: Any) -> Check:
    """Records do not arrive because of it."""
    return Check(name=name, state="fail", said=said, todo=todo, facts=facts)


def skip(name: str, why: str) -> Check:
    """It was not looked at."""
    return Check(name=name, state="skip", said=why)
