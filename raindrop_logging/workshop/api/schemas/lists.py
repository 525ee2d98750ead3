"""Stretches of lists as the JSON API tells them: events, users, traces, conversations, failed tools."""

from __future__ import annotations

from typing import Any

import msgspec

from raindrop_logging.workshop.answers import FailingTool, Trace
from raindrop_logging.workshop.api.schemas.events import ListedEvent, ToldEvent, ToldSpan


class EventList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the list, newest first; `next_cursor` asks for what follows, null at the end."""

    events: list[ListedEvent]
    next_cursor: str | None


class ToldPerson(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A user."""

    user_id: str
    traits: dict[str, Any]
    first_seen: str | None
    last_seen: str | None
    event_count: int


class UserList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the list of users."""

    users: list[ToldPerson]
    next_cursor: str | None


class TraceList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the list of traces without an event."""

    traces: list[Trace]
    next_cursor: str | None


class ToldConversation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A conversation, summed over its turns; `latest` is its newest turn that was asked for."""

    convo_id: str
    latest: ToldEvent
    opening: str | None
    first_at: str
    last_at: str
    turn_count: int
    models: list[str]
    user_ids: list[str]
    signal_count: int
    negative_count: int
    error_count: int
    pending_count: int


class ConversationList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the list of conversations."""

    conversations: list[ToldConversation]
    next_cursor: str | None


class ToldTurns(ToldConversation, kw_only=True, forbid_unknown_fields=True):
    """A conversation and a stretch of its turns, oldest first."""

    turns: list[ListedEvent]
    next_cursor: str | None


class ToldToolError(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A tool call that failed, and the event it belongs to."""

    span: ToldSpan
    event: ToldEvent | None


class ToolErrorList(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the list of tool calls that failed."""

    errors: list[ToldToolError]
    next_cursor: str | None


class FailingTools(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Tools of which calls failed, most failures first."""

    tools: list[FailingTool]
