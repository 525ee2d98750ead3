"""The tools a model was offered, in the one shape that Raindrop shows, from those that clients use.

Raindrop's (wire notes, offered tools): ``{"type": "function", "name", "description", "inputSchema"}``; what is none of
the shapes known here is kept as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

_SCHEMAS: Final = ("inputSchema", "input_schema", "parameters")
"""Where Raindrop, Anthropic and OpenAI have a tool's schema."""

DEFINITIONS: Final = "gen_ai.tool.definitions"
_FUNCTIONS: Final = "llm.request.functions."


def offered_tool(tool: Any) -> Any:
    """One tool's definition in Raindrop's shape."""
    if not isinstance(tool, Mapping):
        return tool
    said = tool["function"] if isinstance(tool.get("function"), Mapping) else tool
    schema = next((said[key] for key in _SCHEMAS if key in said), None)
    if not isinstance(said.get("name"), str) or tool.get("type", "function") not in ("function", "custom"):
        return tool
    found = {"type": "function", "name": said["name"], "description": said.get("description"), "inputSchema": schema}
    return {key: value for key, value in found.items() if value is not None}


def offered_by_attributes(attributes: Mapping[str, Any]) -> list[Any] | None:
    """The tools that an instrumentation says in its span's attributes; None where it says none."""
    definitions = attributes.get(DEFINITIONS)
    if definitions is not None:
        tools = _parsed(definitions) if isinstance(definitions, str) else definitions
        return [offered_tool(tool) for tool in tools] if isinstance(tools, list | tuple) else None
    numbers = {_number(key) for key in attributes if key.startswith(_FUNCTIONS)}
    found = [_function(attributes, f"{_FUNCTIONS}{number}.") for number in sorted(_whole(numbers))]
    return found or None


def _number(key: str) -> str:
    return key.removeprefix(_FUNCTIONS).partition(".")[0]


def _whole(numbers: Iterable[str]) -> list[int]:
    return [int(number) for number in numbers if number.isdecimal()]


def _function(attributes: Mapping[str, Any], prefix: str) -> Any:
    schema = attributes.get(f"{prefix}parameters")
    said = {
        "name": attributes.get(f"{prefix}name"),
        "description": attributes.get(f"{prefix}description"),
        "parameters": _parsed(schema) if isinstance(schema, str) else schema,
    }
    return offered_tool({key: value for key, value in said.items() if value is not None})


def _parsed(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
