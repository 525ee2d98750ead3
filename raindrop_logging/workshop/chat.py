"""An event's input or output as the messages of a chat, when it is such a list, else as one text.

In: the text as it was sent.  Out: `Message`s.  Touches: nothing.
Instrumentations put the whole prompt into the input: a JSON array of messages in OpenAI's, Anthropic's, the AI SDK's or
OpenTelemetry's shape. What is none of these is never guessed at: it stays the text it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from raindrop_logging.workshop.markdown import INLINE_IMAGE

MAX_CHARS: Final = 1_000_000
"""A longer text is not looked into."""

Kind = Literal["text", "thinking", "call", "result", "picture", "data"]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a message: `text` is what it says, `name` the tool of a call."""

    kind: Kind
    text: str
    name: str | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Who says something, and what; `role` is as it was sent, in lower case."""

    role: str
    parts: tuple[Part, ...]


def read(text: str, role: str) -> tuple[Message, ...]:
    """The messages in this text.

    Args:
        text: an event's input or output.
        role: who says it when it is no list of messages.
    """
    found = _decoded(text)
    if isinstance(found, Mapping) and isinstance(found.get("messages"), list):
        found = found["messages"]
    if not isinstance(found, list) or not found or not all(map(_is_message, found)):
        return (Message(role=role, parts=(Part(kind="text", text=text),)),)
    return tuple(_message(item) for item in found)


def gist(text: str, role: str) -> str:
    """What a list shows of it: the last text of `role` when it is a list of messages, else the text itself."""
    said = [part.text for one in read(text, role) if one.role == role for part in one.parts if part.kind == "text"]
    return said[-1] if said else text


def _decoded(text: str) -> Any:
    if len(text) > MAX_CHARS or text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _is_message(item: Any) -> bool:
    if not isinstance(item, Mapping):
        return False
    said = isinstance(item.get("role"), str) and not item.keys().isdisjoint(("content", "parts", "tool_calls"))
    return said or item.get("type") in ("function_call", "function_call_output")


def _message(item: Mapping[str, Any]) -> Message:
    if "role" not in item:
        return Message(role="assistant" if item["type"] == "function_call" else "tool", parts=(_part(item),))
    role = item["role"].lower()
    content = item["parts"] if isinstance(item.get("parts"), list) else item.get("content")
    pieces = content if isinstance(content, list) else [] if content in (None, "") else [content]
    calls = item.get("tool_calls")
    parts = [_part(piece) for piece in [*pieces, *(calls if isinstance(calls, list) else [])]]
    if role in ("tool", "function"):
        parts = [Part(kind="result", text=part.text) if part.kind == "text" else part for part in parts]
    return Message(role=role, parts=tuple(parts))


def _part(piece: Any) -> Part:
    if isinstance(piece, str):
        return Part(kind="text", text=piece)
    if not isinstance(piece, Mapping):
        return Part(kind="data", text=_as_text(piece))
    reader = _READERS.get(str(piece.get("type", "")).replace("-", "_"))
    return (reader(piece) if reader else None) or Part(kind="data", text=_as_text(piece))


def _text(piece: Mapping[str, Any]) -> Part | None:
    text = _first(piece, "text", "content")
    return Part(kind="text", text=text) if isinstance(text, str) else None


def _thinking(piece: Mapping[str, Any]) -> Part | None:
    text = _first(piece, "thinking", "text", "content")
    return Part(kind="thinking", text=text) if isinstance(text, str) else None


def _call(piece: Mapping[str, Any]) -> Part | None:
    function = piece["function"] if isinstance(piece.get("function"), Mapping) else piece
    name = _first(function, "name", "toolName")
    arguments = _first(function, "arguments", "input", "args")
    return Part(kind="call", name=name, text=_as_text(arguments)) if isinstance(name, str) else None


def _result(piece: Mapping[str, Any]) -> Part:
    said = _first(piece, "content", "output", "result", "response")
    name = piece.get("toolName")
    return Part(kind="result", name=name if isinstance(name, str) else None, text=_as_text(said))


def _picture(piece: Mapping[str, Any]) -> Part | None:
    """Shown only when the data is in the message: a picture elsewhere stays the address it is."""
    source = _first(piece, "image_url", "source", "image", "url")
    if isinstance(source, Mapping):
        kept = f"data:{source.get('media_type')};base64,{source.get('data')}" if "data" in source else None
        source = kept or source.get("url")
    if not isinstance(source, str):
        return None
    return Part(kind="picture" if INLINE_IMAGE.fullmatch(source) else "data", text=source)


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Part | None]]] = {
    **dict.fromkeys(("text", "input_text", "output_text"), _text),
    **dict.fromkeys(("thinking", "reasoning"), _thinking),
    **dict.fromkeys(("tool_use", "tool_call", "function", "function_call"), _call),
    **dict.fromkeys(("tool_result", "tool_call_response", "function_call_output"), _result),
    **dict.fromkeys(("image", "image_url", "input_image"), _picture),
}


def _first(piece: Mapping[str, Any], *names: str) -> Any:
    return next((piece[name] for name in names if piece.get(name) is not None), None)


def _as_text(value: Any) -> str:
    if isinstance(value, list) and value and all(isinstance(one, Mapping) and "text" in one for one in value):
        return "\n".join(str(one["text"]) for one in value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode("utf-8")
