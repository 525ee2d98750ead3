"""The HTTP API's documentation: each request body it shows is reached, by a verb and by a plain log call."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

import raindrop_logging as raindrop
from tests.published_docs.arrived import KEY, Arrived, without

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("raindrop.shop")

AI_EVENT: dict[str, Any] = {
    "user_id": "ada",
    "event": "ai_turn",
    "properties": {"tool": "tracking", "prompt": "v12", "experiment": "b"},
    "ai_data": {"model": "gpt-4", "input": "Where is it?", "output": "In Lyon.", "convo_id": "ada-9"},
    "attachments": [
        {"type": "image", "value": "https://shop.example/parcel.png", "role": "output"},
        {"type": "code", "name": "Query", "value": "SELECT 1;", "role": "input", "language": "sql"},
    ],
}
PLAIN_EVENT: dict[str, Any] = {"user_id": "ada", "event": "checkout", "properties": {"items": 2}}
SIGNAL: dict[str, Any] = {
    "event_id": "123456789",
    "signal_name": "thumbs_up",
    "sentiment": "POSITIVE",
    "properties": {"place": "chat"},
    "signal_type": "default",
}
USER: dict[str, Any] = {
    "user_id": "ada",
    "traits": {"name": "Ada", "email": "a@shop.example", "age": 36, "plan": "paid"},
}


def block(body: Mapping[str, Any], record_type: str) -> dict[str, Any]:
    """The same as a block: one level, and a signal's name is a name."""
    flat = {**without(body, "ai_data", "signal_name"), **body.get("ai_data", {}), "type": record_type}
    return flat | ({"name": body["signal_name"]} if "signal_name" in body else {})


def contains(item: Any, expected: Any) -> bool:
    """Whether an item says all that is expected, whatever it says beside."""
    if isinstance(expected, dict):
        return all(key in item and contains(item[key], value) for key, value in expected.items())
    return bool(item == expected)


def added(item: Mapping[str, Any], expected: Mapping[str, Any]) -> set[str]:
    """The keys that an item has beside the documented ones."""
    return set(item) - set(expected)


def test_base_url_and_authentication(arrived: Arrived) -> None:
    """Authentication: every route is a POST below the base URL, of JSON, with the key as Bearer."""
    raindrop.track_ai("ada", "ai_turn", input="Where is it?")
    raindrop.track_signal("123456789", "thumbs_up")
    raindrop.identify("ada", {"plan": "paid"})
    assert raindrop.flush()
    requests = arrived.recorder.requests
    assert {request.path for request in requests} == {"/v1/events/track", "/v1/signals/track", "/v1/users/identify"}
    assert {request.method for request in requests} == {"POST"}
    assert {request.headers["Authorization"] for request in requests} == {f"Bearer {KEY}"}
    assert {request.headers["Content-Type"] for request in requests} == {"application/json"}


@pytest.mark.parametrize("way", ["verb", "log call"])
def test_track_event_of_an_ai_interaction(arrived: Arrived, way: str) -> None:
    """Track event: an AI interaction is an array with the documented object, and what is added is id and time."""
    if way == "verb":
        raindrop.track_ai(
            user_id=AI_EVENT["user_id"],
            event=AI_EVENT["event"],
            properties=AI_EVENT["properties"],
            attachments=AI_EVENT["attachments"],
            **AI_EVENT["ai_data"],
        )
    else:
        log.info("answered", extra={"raindrop": block(AI_EVENT, "ai")})
    item = arrived.one("events/track")
    assert isinstance(arrived.recorder.bodies("events/track")[0], list)
    assert contains(item, AI_EVENT)
    assert added(item, AI_EVENT) == {"event_id", "timestamp"}
    assert added(item["properties"], AI_EVENT["properties"]) == {"$context", "trace_id"}


@pytest.mark.parametrize("way", ["verb", "log call"])
def test_track_event_without_ai_data(arrived: Arrived, way: str) -> None:
    """Track event: an event of the product is the same without AI data."""
    if way == "verb":
        raindrop.track(**PLAIN_EVENT)
    else:
        log.info("bought", extra={"raindrop": block(PLAIN_EVENT, "event")})
    item = arrived.one("events/track")
    assert contains(item, PLAIN_EVENT)
    assert added(item, PLAIN_EVENT) == {"event_id", "timestamp"}


@pytest.mark.parametrize("missing", ["input", "output"])
def test_track_event_needs_one_of_two_texts(arrived: Arrived, missing: str) -> None:
    """Track event: one of input and output is enough, and the other one is not made up."""
    texts = without({"input": "Where is it?", "output": "In Lyon."}, missing)
    raindrop.track_ai("ada", "ai_turn", **texts)
    assert arrived.one("events/track")["ai_data"] == texts


@pytest.mark.parametrize("way", ["verb", "log call"])
def test_track_signal(arrived: Arrived, way: str) -> None:
    """Track signal: an array with the documented object, and nothing but its time is added."""
    if way == "verb":
        raindrop.track_signal(
            event_id="123456789", name="thumbs_up", sentiment="POSITIVE", properties={"place": "chat"}
        )
    else:
        log.info("thumbs up", extra={"raindrop": block(SIGNAL, "signal")})
    item = arrived.one("signals/track")
    assert isinstance(arrived.recorder.bodies("signals/track")[0], list)
    assert without(item, "timestamp") == SIGNAL


def test_track_signal_with_every_field(arrived: Arrived) -> None:
    """Track signal: time, attachment and the type standard have a place each."""
    raindrop.track_signal(
        "123456789", "regenerated", "standard", timestamp="2026-05-07T19:00:00Z", attachment_id="att-4"
    )
    item = arrived.one("signals/track")
    assert item.pop("timestamp").startswith("2026-05-07T19:00:00")
    assert item == {
        "event_id": "123456789",
        "signal_name": "regenerated",
        "signal_type": "standard",
        "attachment_id": "att-4",
    }


@pytest.mark.parametrize("way", ["verb", "log call"])
def test_identify_user(arrived: Arrived, way: str) -> None:
    """Identify user: the documented object itself, no array and nothing added."""
    if way == "verb":
        raindrop.identify(**USER)
    else:
        log.info("signed in", extra={"raindrop": block(USER, "identify")})
    assert raindrop.flush()
    assert arrived.recorder.bodies("users/identify") == [USER]
