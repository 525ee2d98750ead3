"""Where one thing that arrived differs from what was logged; no difference is an empty list.

In: the fields that were said, and what the receiver's API tells.  Out: texts for people.  Touches: nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from raindrop_logging import deployment
from raindrop_logging.cli.logged import Fields

_TEXTS: Final = ("user_id", "event", "input", "output", "model", "convo_id")
_ATTACHMENT_KEYS: Final = ("type", "value", "name", "role", "language")
_OF_THE_HANDLER: Final = frozenset({"$context", "trace_id", *deployment.PROPERTIES})
"""Properties that the handler adds to every event."""

_MICROSECOND: Final = 0.000_002
"""A time may lose what is below a microsecond on its way."""


def of_event(said: Fields, found: Fields) -> list[str]:
    """Texts, properties, flags and time of an event; its attachments are compared by `of_attachments`."""
    pairs = {key: (said.get(key), found[key]) for key in _TEXTS}
    properties = {key: value for key, value in found["properties"].items() if key not in _OF_THE_HANDLER}
    pairs["properties"] = (said.get("properties") or {}, properties)
    pairs["feature_flags"] = (said.get("feature_flags") or {}, found["feature_flags"])
    return [*_unequal(f"event {found['event_id']}", pairs), *_time(f"event {found['event_id']}", said, found)]


def of_attachments(said: Fields, found: Fields) -> list[str]:
    """Attachments of an event, in order."""
    expected = [_attachment(one) for one in said.get("attachments") or ()]
    got = [_attachment(one) for one in found["attachments"]]
    return list(_unequal(f"event {found['event_id']}", {"attachments": (expected, got)}))


def of_signal(said: Fields, found: Fields) -> list[str]:
    """Name, type, sentiment, texts and time of a signal."""
    texts = {key: said[key] for key in ("comment", "after") if key in said}
    pairs: dict[str, tuple[Any, Any]] = {
        "name": (said["name"], found["name"]),
        "signal_type": (said.get("signal_type", "default"), found["signal_type"]),
        "sentiment": (said.get("sentiment"), found["sentiment"]),
        "attachment_id": (said.get("attachment_id"), found["attachment_id"]),
        "properties": ({**said.get("properties", {}), **texts}, found["properties"]),
    }
    what = f"signal '{said['name']}' on event {said['event_id']}"
    return [*_unequal(what, pairs), *_time(what, said, found)]


def of_user(user_id: str, traits: Fields, found: Fields) -> list[str]:
    """Traits of a user."""
    return list(_unequal(f"user {user_id}", {"traits": (traits, found["traits"])}))


def of_span(said: Fields, found: Fields) -> list[str]:
    """Kind, name, texts, error, tokens and place in the tree of a span."""
    attributes: Fields = found["attributes"]
    pairs: dict[str, tuple[Any, Any]] = {
        "kind": (said["kind"], found["kind"]),
        "name": (said["name"], found["name"]),
        "input": (_as_text(said.get("input", said.get("messages"))), _as_text(found["input"])),
        "output": (_as_text(said.get("output")), _as_text(found["output"])),
        "status": ("error" if said.get("error") else "ok", found["status"]),
        "error": (said.get("error"), found["error"]),
        "parent_id": (said.get("parent_id"), found["parent_id"]),
        "event_id": (said.get("event_id"), found["event_id"]),
        "model": (said.get("model"), attributes.get("gen_ai.request.model")),
        "provider": (said.get("provider"), attributes.get("gen_ai.provider.name")),
        "input_tokens": (said.get("input_tokens"), attributes.get("gen_ai.usage.input_tokens")),
        "output_tokens": (said.get("output_tokens"), attributes.get("gen_ai.usage.output_tokens")),
    }
    return list(_unequal(f"span '{said['name']}'", pairs))


def _unequal(what: str, pairs: Mapping[str, tuple[Any, Any]]) -> Iterator[str]:
    for key, (expected, got) in pairs.items():
        if expected != got:
            yield f"{what}: {key} was {_short(expected)}, arrived {_short(got)}"


def _time(what: str, said: Fields, found: Fields) -> Iterator[str]:
    arrived = datetime.fromisoformat(found["timestamp"]).timestamp()
    if abs(arrived - said["timestamp"]) > _MICROSECOND:
        yield f"{what}: timestamp was {said['timestamp']:.6f}, arrived {arrived:.6f}"


def _attachment(one: Fields) -> tuple[Any, ...]:
    """An id is not compared: the handler names those attachments that the service left unnamed."""
    return tuple(one.get(key) for key in _ATTACHMENT_KEYS)


def _as_text(value: Any) -> Any:
    """A span's input or output: text stays, everything else is JSON, however it is spaced."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 -- a line of a terminal
