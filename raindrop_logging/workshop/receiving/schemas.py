"""Bodies of the four JSON routes, as types: they are read into them, and the OpenAPI document is made from them.

Source: the wire contract's sections 1 to 4.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec


class AiData(msgspec.Struct):
    """The AI part of an event."""

    model: str | None = None
    input: str | None = None
    output: str | None = None
    convo_id: str | None = None


class Attachment(msgspec.Struct, omit_defaults=True):
    """An attachment as the wire has it."""

    type: Literal["code", "text", "image", "iframe"]
    value: Annotated[str, msgspec.Meta(min_length=1)]
    name: str | None = None
    role: str | None = None
    language: str | None = None
    attachment_id: str | None = None


class _EventBody(msgspec.Struct, kw_only=True):
    event_id: str | None = None
    timestamp: str | float | None = None
    properties: dict[str, Any] | None = None
    attachments: list[Attachment] | None = None
    ai_data: AiData | None = None
    is_pending: bool | None = None
    feature_flags: dict[str, str] | None = None
    model: str | None = None
    input: str | None = None
    output: str | None = None
    convo_id: str | None = None


class PartialBody(_EventBody, kw_only=True):
    """What one request says of an event: a body of `events/track_partial`."""

    user_id: str | None = None
    event: str | None = None


class TrackBody(_EventBody, kw_only=True):
    """A complete event: a body of `events/track`."""

    user_id: str
    event: str


class SignalBody(msgspec.Struct, kw_only=True):
    """A judgement of an event."""

    event_id: str
    signal_name: str
    signal_type: str | None = None
    sentiment: Literal["POSITIVE", "NEGATIVE"] | None = None
    timestamp: str | float | None = None
    properties: dict[str, Any] | None = None
    attachment_id: str | None = None


class UserBody(msgspec.Struct):
    """A user's traits."""

    user_id: str
    traits: dict[str, Any] | None = None
