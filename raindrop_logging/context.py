"""Fields bound to the running code, so that every record made inside carries them.

`bind` is for a request, a job or a turn: what it binds is read when a record is made, on the thread or task that made
it, and never later.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from raindrop_logging.plain import plain, text_of

_scope: ContextVar[Mapping[str, Any] | None] = ContextVar("raindrop_scope", default=None)
current_scope: Final = _scope.get
"""The bound fields of this context, or None; the mapping is never changed once bound."""


@contextmanager
def bind(
    *,
    user_id: str | None = None,
    convo_id: str | None = None,
    event_id: str | None = None,
    event: str | None = None,
    properties: Mapping[str, Any] | None = None,
) -> Generator[None]:
    """Bind fields for the code inside; a record's own fields win over them, an inner `bind` over an outer one.

    Args:
        user_id: whose request it is. This and the next three are texts; anything else is bound as its text.
        convo_id: the conversation.
        event_id: the event that signals and spans inside are about.
        event: name of the event.
        properties: merged with the record's own, key by key.
    """
    given = {"user_id": user_id, "convo_id": convo_id, "event_id": event_id, "event": event}
    outer = _scope.get() or {}
    bound = {**outer, **{key: _text(value) for key, value in given.items() if value is not None}}
    if properties:
        said = plain(properties)
        both = isinstance(said, dict) and isinstance(outer.get("properties", {}), dict)
        bound["properties"] = {**outer.get("properties", {}), **said} if both else said
    token = _scope.set(bound)
    try:
        yield
    finally:
        _scope.reset(token)


def _text(value: Any) -> str:
    """An id as text: a UUID or a number is what many services have at hand."""
    return text_of(value, str)
